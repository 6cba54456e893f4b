package worker

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/mapping"
)

// Mapping is a mapping file with what a worker makes of it. All of it changes at
// once: a delivery goes on by what it was begun with, see [Handler.Use].
type Mapping struct {
	Mapper     Mapper
	Centercode Centercode
	Sources    Sources

	// BaseURL is the address that Centercode's requests go to, and MappingHash
	// names the mapping: both are written into the ledger beside each request.
	// They may be empty.
	BaseURL, MappingHash string
	// ForgetTexts keeps the ledger from remembering what a tester wrote, and who
	// it was.
	ForgetTexts bool
	// Patience is how long the waits after a delivery's own failed attempts may be,
	// taken together; 0 means [DefaultPatience].
	Patience time.Duration
}

// MappingConfig is what [NewMapping] makes a mapping of.
type MappingConfig struct {
	// Config is the mapping file.
	Config *mapping.Config
	// Simulator is the address of a simulated Centercode that takes the requests;
	// "" for the one of the file.
	Simulator string
	// Resolve sends requests for files to other hosts, as sources.resolve of the
	// file does; nil for those of the file.
	Resolve map[string]string
	// HTTP sends the requests to Centercode; nil for the client's own.
	HTTP *http.Client
}

// NewMapping returns what a worker makes of a mapping file.
func NewMapping(c MappingConfig) (Mapping, error) {
	config := c.Config
	client, err := centercode.New(centercode.Config{
		BaseURL: cmp.Or(c.Simulator, config.Centercode.BaseURL), HTTP: c.HTTP, Hosts: config.Centercode.Hosts,
		Allow: attachment.PublicAddr(),
	})
	if err != nil {
		return Mapping{}, err
	}
	sources := SourceConfig(config)
	if c.Resolve != nil {
		sources.Resolve = c.Resolve
	}
	fetcher, err := attachment.New(sources)
	if err != nil {
		return Mapping{}, err
	}
	return Mapping{
		Mapper: config, Centercode: client, Sources: fetcher, Patience: config.Retry.For,
		// A simulator's address changes with each start, and it is the same one.
		BaseURL: config.Centercode.BaseURL, MappingHash: config.Hash(),
		ForgetTexts: config.Ledger.Remember == mapping.RememberIDs,
	}, nil
}

// SourceConfig returns what a mapping file says of where attachments come from.
func SourceConfig(c *mapping.Config) attachment.Config {
	return attachment.Config{
		Hosts: c.Sources.Hosts, AllowLoopback: c.Sources.AllowLoopback,
		Resolve: c.Sources.Resolve, MaxBytes: c.Sources.MaxBytes, REST: c.TestFairy.BaseURL,
	}
}

// Use has the deliveries that are begun from now on go by another mapping. Those
// in hand end by the one that they were begun with: a request, the address that it
// goes to and what the ledger says of it belong together.
func (h *Handler) Use(m Mapping) error {
	switch {
	case m.Mapper == nil, m.Centercode == nil, m.Sources == nil:
		return errors.New("worker: a part is missing from its mapping")
	case m.Patience < 0:
		return fmt.Errorf("worker: a patience of %s", m.Patience)
	}
	m.Patience = cmp.Or(m.Patience, DefaultPatience)
	h.mapping.Store(&m)
	return nil
}
