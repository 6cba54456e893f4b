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

// Mapping is a mapping file in the form that a worker uses. It is replaced as a whole: a
// delivery continues with the one that it began with, see [Handler.Use].
type Mapping struct {
	Mapper     Mapper
	Centercode Centercode
	Sources    Sources

	// BaseURL is the address of Centercode's requests, and MappingHash identifies the
	// mapping: both are recorded in the ledger with each request. They may be empty.
	BaseURL, MappingHash string
	// ForgetTexts keeps what a tester wrote, and who it was, out of the ledger.
	ForgetTexts bool
	// Patience is the maximum sum of the delays after a delivery's own failed attempts; the
	// default is [DefaultPatience].
	Patience time.Duration
}

// MappingConfig configures [NewMapping].
type MappingConfig struct {
	// Config is the mapping file.
	Config *mapping.Config
	// Simulator is the address of a simulated Centercode for the requests; "" for the one
	// in the file.
	Simulator string
	// Resolve redirects requests for files to other hosts, like sources.resolve in the
	// file; nil for that of the file.
	Resolve map[string]string
	// HTTP sends the requests to Centercode; the default is the client's own.
	HTTP *http.Client
}

// NewMapping returns a mapping file in the form that a worker uses.
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
		// A simulator's address changes with each start, and it is still the same one.
		BaseURL: config.Centercode.BaseURL, MappingHash: config.Hash(),
		ForgetTexts: config.Ledger.Remember == mapping.RememberIDs,
	}, nil
}

// SourceConfig returns the mapping file's settings for attachment sources.
func SourceConfig(c *mapping.Config) attachment.Config {
	return attachment.Config{
		Hosts: c.Sources.Hosts, AllowLoopback: c.Sources.AllowLoopback,
		Resolve: c.Sources.Resolve, MaxBytes: c.Sources.MaxBytes, REST: c.TestFairy.BaseURL,
	}
}

// Use makes deliveries that begin from now on use another mapping. Those in progress
// continue with theirs: a request, its address and its ledger entry belong together.
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
