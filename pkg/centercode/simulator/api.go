package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// notFound is Centercode's response to an unknown endpoint, verbatim.
const notFound = `{"status": 404, "description": "The requested resource could not be found."}`

func (s *Simulator) routes() http.Handler {
	mux := http.NewServeMux()
	endpoint := func(method, path string, op Op, serve func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			s.count(op)
			if r.Method != method {
				w.Header().Set("Allow", method)
				readOn(r)
				refusal(http.StatusMethodNotAllowed, "The method is not allowed.").write(w)
				return
			}
			if answer, ok := s.checkKey(r.URL.Query().Get("apiKey")); !ok {
				readOn(r)
				answer.write(w)
				return
			}
			serve(w, r)
		})
	}
	endpoint(http.MethodPost, "/api/v1/projects/{project}/feedback/{source}", OpCreate, s.serveCreate)
	endpoint(http.MethodPost, "/api/v1/projects/{project}/feedback/{ticket}/files/{element}", OpFile, s.serveFile)
	endpoint(http.MethodGet, "/api/v1/projects/{project}/feedbackDataPackages/{package}", OpPackage, s.servePackage)
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /simulator/style.css", serveStyle)
	mux.HandleFunc("GET /simulator/files/{ticket}/{file}", s.serveStored)
	mux.HandleFunc("GET /simulator/tickets", s.serveTickets)
	mux.HandleFunc("/simulator/faults", s.serveFaults)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.count("")
		reply{status: http.StatusNotFound, body: []byte(notFound)}.write(w)
	})
	return mux
}

func (s *Simulator) count(op Op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch op {
	case OpCreate:
		s.requests.Create++
	case OpFile:
		s.requests.File++
	case OpPackage:
		s.requests.Package++
	default:
		s.requests.Other++
	}
}

func (s *Simulator) checkKey(key string) (reply, bool) {
	s.mu.Lock()
	keys := s.keys
	s.mu.Unlock()
	if key == "" || len(keys) > 0 && !slices.Contains(keys, key) {
		return refusal(s.config.WrongKeyStatus, "The API key is missing or invalid."), false
	}
	return reply{}, true
}

// knows reports whether the project exists and has the source. An empty source is not
// checked.
func (s *Simulator) knows(project, source string) bool {
	if s.config.Projects == nil {
		return true
	}
	sources, ok := s.config.Projects[project]
	return ok && (source == "" || slices.Contains(sources, source))
}

func (s *Simulator) servePackage(w http.ResponseWriter, r *http.Request) {
	c := Call{Op: OpPackage, Project: r.PathValue("project"), Package: r.PathValue("package"), Request: r}
	s.carryOut(w, c, func() reply {
		if !s.knows(c.Project, "") {
			return reply{status: http.StatusNotFound, body: []byte(notFound)}
		}
		return jsonReply(http.StatusOK, s.dataPackage(c.Project, number(r.URL.Query().Get("page"))))
	})
}

// serveTickets answers {"tickets": [...], "requests": {...}}.
func (s *Simulator) serveTickets(w http.ResponseWriter, _ *http.Request) {
	jsonReply(http.StatusOK, map[string]any{"tickets": s.Tickets(), "requests": s.Requests()}).write(w)
}

// reply is a response before it is sent, which a fault may still damage.
type reply struct {
	status      int
	header      http.Header
	contentType string // "" is application/json
	body        []byte
}

func jsonReply(status int, v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		return refusal(http.StatusInternalServerError, "The answer cannot be written.")
	}
	return reply{status: status, body: body}
}

// refusal is an error in Centercode's form.
func refusal(status int, format string, args ...any) reply {
	return jsonReply(status, struct {
		Status      int    `json:"status"`
		Description string `json:"description"`
	}{status, fmt.Sprintf(format, args...)})
}

func (a reply) write(w http.ResponseWriter) {
	a.writeHead(w, len(a.body))
	_, _ = w.Write(a.body) // the client may be gone
}

func (a reply) writeHead(w http.ResponseWriter, length int) {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if a.contentType == "" {
		a.contentType = "application/json; charset=utf-8"
	}
	h.Set("Content-Type", a.contentType)
	if length >= 0 {
		h.Set("Content-Length", fmt.Sprint(length))
	}
	w.WriteHeader(a.status)
}

// maxReadOn limits how much of an unwanted body is read.
const maxReadOn = 64 << 20

// readOn reads the rest of a refused request, as servers do before they close a connection
// (nginx calls it lingering close). Otherwise a client that is still sending would get a
// reset and miss the response. A client that asked first (100-continue) sends nothing until
// it has the response.
func readOn(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, maxReadOn) // an error is harmless
	}
}

// readAll reads a body of at most limit bytes. ok is false if it is longer or incomplete.
func readAll(body io.Reader, limit int64) (data []byte, ok bool) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	return data, err == nil && int64(len(data)) <= limit
}
