package embedded_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ingest"
)

var update = flag.Bool("update", false, "write the golden files")

// httpHandler admits every request.
type httpHandler func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

func (h httpHandler) Handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return h(ctx, e)
}

func (httpHandler) Admit(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, bool) {
	return events.APIGatewayV2HTTPResponse{}, true
}

func newListener(t testing.TB, c embedded.ListenerConfig) *embedded.Listener {
	t.Helper()
	l, err := embedded.NewListener(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve starts a server with a listener.
func serve(t testing.TB, c embedded.ListenerConfig) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(newListener(t, c))
	t.Cleanup(server.Close)
	return server
}

// do sends a request and returns the response and its body.
func do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	client := http.Client{Timeout: time.Minute}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func ok(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK}, nil
}

// TestEvents sends one request for each case, and compares its event with the golden file
// of the same name.
func TestEvents(t *testing.T) {
	const webhook = `{"event":"feedback","text":"Grüße 🙂"}`
	tests := map[string]struct {
		method, target, body string
		header               http.Header
	}{
		"webhook": {
			"POST", "/webhooks/testfairy?token=a%2Bb%20c", webhook,
			http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"TestFairy"}},
		},
		"form": {
			"POST", "/webhooks/testfairy?token=t", "a=b",
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		},
		"no-type": {"POST", "/", webhook, nil},
		"text":    {"PUT", "/", "\xff\x00 stays as it is", http.Header{"Content-Type": {"Text/Plain"}}},
		"query":   {"GET", "/a%20b/%C3%BC%2Fc?x=1&x=2&empty=&y=%E4", "", nil},
		"headers": {
			"GET", "/", "",
			http.Header{
				"X-Many": {"one", "two"}, "Cookie": {"a=1; b=2", "c=3"},
				"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			seen := make(chan events.APIGatewayV2HTTPRequest, 1)
			server := serve(t, embedded.ListenerConfig{Handler: httpHandler(func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
				seen <- e
				return ok(ctx, e)
			})})
			r, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.target, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "bridge.example.com"
			r.Header = http.Header{"User-Agent": {""}, "Accept-Encoding": {"identity"}} // headers that Go's client would add
			for name, values := range test.header {
				r.Header[name] = values
			}
			do(t, r)
			e := <-seen
			if age := time.Since(time.UnixMilli(e.RequestContext.TimeEpoch)); age < 0 || age > time.Minute || e.RequestContext.RequestID == "" {
				t.Errorf("request context %+v", e.RequestContext)
			}
			if _, err := time.Parse("02/Jan/2006:15:04:05 -0700", e.RequestContext.Time); err != nil {
				t.Error(err)
			}
			e.RequestContext.Time, e.RequestContext.TimeEpoch, e.RequestContext.RequestID = "TIME", 0, "ID"
			golden(t, filepath.Join("testdata", "listener", name+".json"), asJSON(t, e)+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnswers(t *testing.T) {
	respond := func(r events.APIGatewayV2HTTPResponse) httpHandler {
		return func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			return r, nil
		}
	}
	const internal = `{"message":"Internal Server Error"}`
	tests := map[string]struct {
		handler httpHandler
		status  int
		kind    string // Content-Type
		body    string
	}{
		"json": {respond(events.APIGatewayV2HTTPResponse{
			StatusCode: 202, Headers: map[string]string{"content-type": "application/problem+json", "retry-after": "7"},
			Body: "{}",
		}), 202, "application/problem+json", "{}"},
		"no body":        {respond(events.APIGatewayV2HTTPResponse{StatusCode: 204}), 204, "text/plain; charset=utf-8", ""},
		"no status":      {respond(events.APIGatewayV2HTTPResponse{Body: "x"}), 500, "application/json", internal},
		"a wrong status": {respond(events.APIGatewayV2HTTPResponse{StatusCode: 1000}), 500, "application/json", internal},
		"an error": {func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			return events.APIGatewayV2HTTPResponse{StatusCode: 200}, errors.New("secret detail")
		}, 500, "application/json", internal},
		"a panic": {func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			panic("secret detail")
		}, 500, "application/json", internal},
		"no answer, ever": {func(ctx context.Context, _ events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			<-ctx.Done()
			select {}
		}, 503, "application/json", `{"message":"Service Unavailable"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := embedded.ListenerConfig{Handler: test.handler}
			if test.status == 503 {
				c.Timeout = 10 * time.Millisecond
			}
			r, err := http.NewRequestWithContext(t.Context(), "GET", serve(t, c).URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, body := do(t, r)
			if response.StatusCode != test.status || response.Header.Get("Content-Type") != test.kind || body != test.body {
				t.Errorf("got %d, %s, %q", response.StatusCode, response.Header.Get("Content-Type"), body)
			}
			if response.Header.Get("Apigw-Requestid") == "" {
				t.Error("no request id")
			}
			if name == "json" && response.Header.Get("Retry-After") != "7" {
				t.Errorf("header %v", response.Header)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	const most = ingest.MaxPayloadBytes
	got := make(chan int, 1)
	refused := make(chan ingest.Refusal, 1)
	server := serve(t, embedded.ListenerConfig{Handler: httpHandler(func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		body, err := base64.StdEncoding.DecodeString(e.Body)
		got <- len(body)
		if err != nil {
			return events.APIGatewayV2HTTPResponse{}, err
		}
		return ok(ctx, e)
	}), Refused: func(r ingest.Refusal) { refused <- r }})
	tests := map[string]struct {
		body   io.Reader
		header string
		status int
		read   int // bytes of the body
	}{
		"the largest body":      {bytes.NewReader(make([]byte, most)), "", 200, most},
		"a declared byte more":  {bytes.NewReader(make([]byte, most+1)), "", 200, most + 1},
		"a streamed byte more":  {io.MultiReader(bytes.NewReader(make([]byte, most+1))), "", 200, most + 1},
		"streamed, much more":   {io.MultiReader(bytes.NewReader(make([]byte, 2*most))), "", 200, most + 1},
		"long headers":          {nil, strings.Repeat("x", 9000), 200, 0},
		"headers that are over": {nil, strings.Repeat("x", 10240), 431, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, test.body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Long", test.header)
			response, body := do(t, r)
			if response.StatusCode != test.status {
				t.Fatalf("got %d %q", response.StatusCode, body)
			}
			if test.status == 431 {
				if refusal := <-refused; refusal.Status != 431 || refusal.Reason != ingest.ReasonHeadTooLarge || body != `{"message":"Request Header Fields Too Large"}` {
					t.Errorf("reported %+v, answered %s", refusal, body)
				}
				return
			}
			if n := <-got; n != test.read {
				t.Errorf("the handler got %d bytes, want %d", n, test.read)
			}
		})
	}
}

// TestCallerHangsUp checks that the request is completed even so: TestFairy may not wait
// for the response.
func TestCallerHangsUp(t *testing.T) {
	entered, left := make(chan struct{}), make(chan error, 1)
	server := serve(t, embedded.ListenerConfig{Handler: httpHandler(func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		entered <- struct{}{}
		<-entered
		left <- ctx.Err()
		return ok(ctx, e)
	})})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	hungUp := make(chan struct{})
	go func() {
		defer close(hungUp)
		client := http.Client{}
		if response, err := client.Do(r); err == nil {
			response.Body.Close()
			t.Error("the request was answered")
		}
	}()
	<-entered
	cancel()
	<-hungUp
	entered <- struct{}{}
	if err := <-left; err != nil {
		t.Errorf("the handler's context has ended: %v", err)
	}
}

func TestAccessLogHoldsNoToken(t *testing.T) {
	for name, h := range map[string]httpHandler{
		"answered": ok,
		"failed": func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			return events.APIGatewayV2HTTPResponse{}, errors.New("no disk")
		},
		"panicked": func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			panic("oh no")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			l := newListener(t, embedded.ListenerConfig{Handler: h, Log: slog.New(slog.NewJSONHandler(&log, nil))})
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/webhooks/testfairy?token=swordfish", strings.NewReader("body"))
			l.ServeHTTP(httptest.NewRecorder(), r)
			if strings.Contains(log.String(), "swordfish") {
				t.Errorf("the log contains the token: %s", &log)
			}
			var line struct {
				Method, Path string
				Status       int
				Bytes        int
				RequestID    string `json:"request_id"`
			}
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line.Method != "POST" || line.Path != "/webhooks/testfairy" || line.Bytes != 4 || line.RequestID == "" || (line.Status == 200) != (name == "answered") {
				t.Errorf("logged %s", &log)
			}
		})
	}
}

// FuzzListener checks that whatever arrives, the handler gets the body as sent and the
// server survives.
func FuzzListener(f *testing.F) {
	f.Add("POST", "/webhooks/testfairy", "token=x", "application/json", []byte(`{"event":"feedback"}`))
	f.Add("GET", "/%zz", "%zz;&=", "text/", []byte{0xff, 0})
	f.Add("OPTIONS", "*", "", " Application/JSON ;", []byte(nil))
	f.Fuzz(func(t *testing.T, method, path, query, kind string, body []byte) {
		if path == "/healthz" || path == "/readyz" {
			return // answered without the handler
		}
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
		r.Header["Content-Type"] = []string{kind}
		var got []byte
		l := newListener(t, embedded.ListenerConfig{Handler: httpHandler(func(_ context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			got = []byte(e.Body)
			if e.IsBase64Encoded {
				var err error
				if got, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
					t.Error(err)
				}
			}
			if e.RawPath != path || e.RawQueryString != query || e.RequestContext.HTTP.Method != method {
				t.Errorf("event %+v", e)
			}
			return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: string(got)}, nil
		})})
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		if w.Code == http.StatusRequestHeaderFieldsTooLarge {
			return
		}
		if w.Code != 200 || !bytes.Equal(got, body) || !bytes.Equal(w.Body.Bytes(), body) {
			t.Errorf("status %d, body %q, was sent as %q", w.Code, got, body)
		}
	})
}
