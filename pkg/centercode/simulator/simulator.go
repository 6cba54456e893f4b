package simulator

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Simulator is a simulated Centercode. Its methods are safe for concurrent use.
type Simulator struct {
	config  Config
	handler http.Handler
	closed  chan struct{} // ends delays and endless responses
	close   sync.Once

	mu       sync.Mutex
	keys     []string
	elements []string // of the form
	lastID   int
	tickets  map[string]*record
	faults   []*plannedFault
	requests Requests
}

// record is a ticket with its files.
type record struct {
	Ticket // guarded by Simulator.mu; the values of the fields never change

	saving sync.Mutex     // held while the ticket changes, on disk and in memory
	kept   map[int][]byte // contents kept in memory, by the file's index; guarded by Simulator.mu
}

// Ticket is a stored ticket.
type Ticket struct {
	ID        string          `json:"id"` // counts from 1
	Project   string          `json:"project"`
	Source    string          `json:"source"`
	Submitter string          `json:"submitter"` // the user it was submitted for
	Fields    map[string]any  `json:"-"`         // Body, decoded: numbers are json.Number
	Body      json.RawMessage `json:"body"`      // as received
	Files     []File          `json:"files"`     // in order of arrival
	CreatedAt time.Time       `json:"createdAt"`
}

// File is a file of a ticket.
type File struct {
	Element     string `json:"element"`
	Field       string `json:"field"` // of the form
	Name        string `json:"name"`
	ContentType string `json:"contentType"` // as sent
	Size        int64  `json:"size"`        // in bytes
	SHA256      string `json:"sha256"`      // hex
	Picture     string `json:"picture"`     // the media type, if the content is a picture that a browser may show, otherwise ""
}

// Requests counts requests by operation.
type Requests struct {
	Create  int `json:"create"`
	File    int `json:"file"`
	Package int `json:"package"`
	Other   int `json:"other"` // to unknown endpoints
	Faults  int `json:"faults"`
}

// New returns a Simulator. With a Dir it loads the stored tickets, and only that can fail.
func New(config Config) (*Simulator, error) {
	s := &Simulator{
		config: config.withDefaults(),
		keys:   slices.Clone(config.APIKeys), elements: slices.Clone(config.FileElements),
		closed:  make(chan struct{}),
		tickets: make(map[string]*record),
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.handler = ownHost(s.routes())
	return s, nil
}

// Handler returns the handler of the API, the page and the controls.
func (s *Simulator) Handler() http.Handler { return s.handler }

// Close ends delayed and endless responses. Stored tickets need no closing.
func (s *Simulator) Close() error {
	s.close.Do(func() { close(s.closed) })
	return nil
}

// SetAPIKeys replaces the accepted keys, as a rotation does.
func (s *Simulator) SetAPIKeys(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = slices.Clone(keys)
}

// SetFileElements changes the form's file elements, as if the form had been edited.
func (s *Simulator) SetFileElements(elements []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.elements = slices.Clone(elements)
}

// form returns the configuration with the form's current file elements.
func (s *Simulator) form() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.config
	o.FileElements = s.elements
	return o
}

// Tickets returns all tickets, oldest first. Their Fields and Body are shared
// and must not be changed.
func (s *Simulator) Tickets() []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	tickets := make([]Ticket, 0, len(s.tickets))
	for _, r := range s.tickets {
		tickets = append(tickets, r.copy())
	}
	slices.SortFunc(tickets, func(a, b Ticket) int { return cmp.Compare(number(a.ID), number(b.ID)) })
	return tickets
}

// Requests returns the counters.
func (s *Simulator) Requests() Requests {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// copy returns a snapshot of the ticket. s.mu must be held.
func (r *record) copy() Ticket {
	t := r.Ticket
	t.Files = slices.Clone(t.Files)
	return t
}

func (s *Simulator) ticket(id string) (*record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.tickets[id]
	return r, ok
}

// number returns a ticket id as a number, or 0 if it is not one.
func number(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		return 0
	}
	return n
}
