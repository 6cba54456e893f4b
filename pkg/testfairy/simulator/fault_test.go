package simulator_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	testfairysim "fairbridge/pkg/testfairy/simulator"
)

const binary = "/generated/200000.bin"

func TestFaultyAnswers(t *testing.T) {
	tests := []struct {
		name       string
		fault      testfairysim.Fault
		wantStatus int
		wantLength int64 // declared; -1: chunked
		wantBytes  int   // received
		wantBroken bool
	}{
		{name: "status", fault: testfairysim.Fault{Status: 404}, wantStatus: 404, wantLength: 10, wantBytes: 10},
		{name: "drop midway", fault: testfairysim.Fault{Drop: true, DropAfter: 70000}, wantStatus: 200, wantLength: 200000, wantBytes: 70000, wantBroken: true},
		{name: "drop after a byte", fault: testfairysim.Fault{Drop: true, DropAfter: 1}, wantStatus: 200, wantLength: 200000, wantBytes: 1, wantBroken: true},
		{name: "drop too late", fault: testfairysim.Fault{Drop: true, DropAfter: 200001}, wantStatus: 200, wantLength: 200000, wantBytes: 200000},
		{name: "no length", fault: testfairysim.Fault{NoLength: true}, wantStatus: 200, wantLength: -1, wantBytes: 200000},
		{name: "no length, dropped", fault: testfairysim.Fault{NoLength: true, Drop: true, DropAfter: 5}, wantStatus: 200, wantLength: -1, wantBytes: 5, wantBroken: true},
		{name: "length too high", fault: testfairysim.Fault{LengthError: 7}, wantStatus: 200, wantLength: 200007, wantBytes: 200000, wantBroken: true},
		{name: "length too low", fault: testfairysim.Fault{LengthError: -7}, wantStatus: 200, wantLength: 199993, wantBytes: 199993},
		{name: "delayed and slow", fault: testfairysim.Fault{Delay: time.Millisecond, BytesPerSecond: 2e6}, wantStatus: 200, wantLength: 200000, wantBytes: 200000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim, base := start(t, testfairysim.Config{})
			whole := get(t, base+binary).body
			sim.Inject(binary, tt.fault)
			got := get(t, base+binary)
			if got.StatusCode != tt.wantStatus || got.ContentLength != tt.wantLength || len(got.body) != tt.wantBytes {
				t.Errorf("status %d, length %d, %d bytes; want %d, %d, %d", got.StatusCode, got.ContentLength, len(got.body), tt.wantStatus, tt.wantLength, tt.wantBytes)
			}
			if broken := errors.Is(got.readErr, io.ErrUnexpectedEOF); broken != tt.wantBroken || (got.readErr != nil) != tt.wantBroken {
				t.Errorf("reading the body: %v, want it broken: %t", got.readErr, tt.wantBroken)
			}
			if got.StatusCode == http.StatusOK && !bytes.HasPrefix(whole, got.body) {
				t.Error("the body is not the file's beginning")
			}
			if sim.SHA256(binary) != sha256Hex(whole) {
				t.Error("the fault changed SHA256")
			}
		})
	}
}

func TestSmallBodyWithoutLength(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	sim.Inject("/generated/3.bin", testfairysim.Fault{NoLength: true})
	if got := get(t, base+"/generated/3.bin"); got.ContentLength != -1 || len(got.body) != 3 {
		t.Errorf("Content-Length %d, %d bytes; want none, 3", got.ContentLength, len(got.body))
	}
}

func TestDropBeforeTheAnswer(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	sim.Inject(screenshot, testfairysim.Fault{Drop: true})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+screenshot, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := noRedirects.Do(request)
	if err == nil {
		response.Body.Close()
		t.Fatalf("status %d, want a broken connection", response.StatusCode)
	}
}

func TestHeadersOfFaults(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})

	sim.Inject(screenshot, testfairysim.Fault{Times: 1, Status: http.StatusFound, Header: http.Header{"Location": {"http://169.254.169.254/"}}})
	if got := get(t, base+screenshot); got.StatusCode != http.StatusFound || got.Header.Get("Location") != "http://169.254.169.254/" {
		t.Errorf("redirect: status %d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	sim.Inject(screenshot, testfairysim.Fault{Times: 1, SignIn: true})
	if got := get(t, base+screenshot); got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), "Sign in") || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("sign-in: status %d, header %v", got.StatusCode, got.Header)
	}
	sim.Inject(screenshot, testfairysim.Fault{Times: 1, NoValidators: true})
	if got := get(t, base+screenshot); got.Header.Get("ETag")+got.Header.Get("Last-Modified") != "" {
		t.Errorf("no validators: header %v", got.Header)
	}
	sim.Inject(screenshot, testfairysim.Fault{Times: 1, NoRange: true})
	if got := get(t, base+screenshot, "Range", "bytes=10-"); got.StatusCode != http.StatusOK || sha256Hex(got.body) != sim.SHA256(screenshot) {
		t.Errorf("no range: status %d, %d bytes", got.StatusCode, len(got.body))
	}
}

func TestFaultsComeInOrderAndEnd(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	sim.Inject(screenshot, testfairysim.Fault{Times: 2, Status: 503})
	sim.Inject(screenshot, testfairysim.Fault{Times: 1, Status: 403})
	for i, want := range []int{503, 503, 403, 200, 200} {
		if got := get(t, base+screenshot+"?query=any"); got.StatusCode != want {
			t.Errorf("request %d: status %d, want %d", i+1, got.StatusCode, want)
		}
	}
	sim.Inject(screenshot, testfairysim.Fault{Status: 404})
	for range 3 {
		if got := get(t, base+screenshot); got.StatusCode != 404 {
			t.Errorf("status %d, want 404 until it is healed", got.StatusCode)
		}
	}
	if got := get(t, base+"/other.jpg"); got.StatusCode != 200 {
		t.Errorf("another path: status %d", got.StatusCode)
	}
	sim.Heal(screenshot)
	if got := get(t, base+screenshot); got.StatusCode != 200 {
		t.Errorf("healed: status %d", got.StatusCode)
	}
}

// TestSlownessEndsWithTheClient checks that a client that gives up ends a slow response and
// a delay: Close waits for both.
func TestSlownessEndsWithTheClient(t *testing.T) {
	for _, fault := range []testfairysim.Fault{{BytesPerSecond: 1}, {Delay: time.Hour}} {
		sim := testfairysim.New(testfairysim.Config{})
		sim.Inject(screenshot, fault)
		arrived := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			sim.Handler().ServeHTTP(w, r)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-arrived
			cancel()
		}()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+screenshot, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := noRedirects.Do(request)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want context.Canceled", err)
		}
		server.Close()
	}
}
