package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// wireFault is the JSON form of a Fault, without Match.
type wireFault struct {
	Op         Op     `json:"op,omitempty"`
	Project    string `json:"project,omitempty"`
	Source     string `json:"source,omitempty"`
	Skip       int    `json:"skip,omitempty"`
	Times      int    `json:"times,omitempty"`
	For        string `json:"for,omitempty"` // "30s"
	After      bool   `json:"after,omitempty"`
	Delay      string `json:"delay,omitempty"` // "250ms"
	ReadFirst  int64  `json:"readFirst,omitempty"`
	Drop       bool   `json:"drop,omitempty"`
	Status     int    `json:"status,omitempty"`
	RetryAfter string `json:"retryAfter,omitempty"`
	Location   string `json:"location,omitempty"`
	Body       Body   `json:"body,omitempty"`
	Answer     string `json:"answer,omitempty"`
	HangUp     bool   `json:"hangUp,omitempty"`
}

// serveFaults lets another process inject one fault or a list of them (POST), list the
// remaining ones (GET) and clear them (DELETE).
func (s *Simulator) serveFaults(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		s.listFaults(w)
	case http.MethodDelete:
		s.Heal()
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		// A page of another site can make a browser post, but not with this content type.
		if r.Header.Get("Content-Type") != "application/json" {
			refusal(http.StatusUnsupportedMediaType, "Faults must be application/json.").write(w)
			return
		}
		body, ok := readAll(r.Body, 1<<20)
		faults, err := readFaults(body)
		if !ok || err != nil {
			refusal(http.StatusBadRequest, "The faults cannot be read: %v.", err).write(w)
			return
		}
		s.Inject(faults...)
		s.listFaults(w)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		refusal(http.StatusMethodNotAllowed, "The method is not allowed.").write(w)
	}
}

func readFaults(body []byte) ([]Fault, error) {
	if body = bytes.TrimSpace(body); !bytes.HasPrefix(body, []byte("[")) {
		body = bytes.Join([][]byte{[]byte("["), body, []byte("]")}, nil)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var wire []wireFault
	if err := d.Decode(&wire); err != nil {
		return nil, err
	}
	if len(wire) == 0 {
		return nil, errors.New("there are none")
	}
	faults := make([]Fault, 0, len(wire))
	for _, f := range wire {
		lasts, err := parseDuration(f.For)
		if err != nil {
			return nil, err
		}
		delay, err := parseDuration(f.Delay)
		if err != nil {
			return nil, err
		}
		faults = append(faults, Fault{
			Op: f.Op, Project: f.Project, Source: f.Source, Skip: f.Skip, Times: f.Times, For: lasts, After: f.After, Delay: delay,
			ReadFirst: f.ReadFirst, Drop: f.Drop, Status: f.Status, RetryAfter: f.RetryAfter,
			Location: f.Location, Body: f.Body, Answer: f.Answer, HangUp: f.HangUp,
		})
	}
	return faults, nil
}

func parseDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return time.ParseDuration(text)
}

func (s *Simulator) listFaults(w http.ResponseWriter) {
	wire := []wireFault{}
	for _, f := range s.Faults() {
		entry := wireFault{
			Op: f.Op, Project: f.Project, Source: f.Source, Skip: f.Skip, Times: f.Times, After: f.After,
			ReadFirst: f.ReadFirst, Drop: f.Drop, Status: f.Status, RetryAfter: f.RetryAfter,
			Location: f.Location, Body: f.Body, Answer: f.Answer, HangUp: f.HangUp,
		}
		if f.For > 0 {
			entry.For = f.For.String()
		}
		if f.Delay > 0 {
			entry.Delay = f.Delay.String()
		}
		wire = append(wire, entry)
	}
	jsonReply(http.StatusOK, wire).write(w)
}
