package centercode_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
)

// reopening makes a file rereadable, and counts how often it was reopened and closed.
func reopening(r centercode.FileRequest, size int64, opened, closed *int) centercode.FileRequest {
	known := r.Size
	r.Reopen = func(context.Context) (io.ReadCloser, int64, error) {
		*opened++
		return closer{pattern(size), closed}, known, nil
	}
	return r
}

type closer struct {
	io.Reader
	closed *int
}

func (c closer) Close() error {
	*c.closed++
	return nil
}

// TestAddFileSentAgain checks that when the server asks for another form of upload, the
// file is sent that way at once and arrives complete.
func TestAddFileSentAgain(t *testing.T) {
	const mib = 1 << 20
	for _, size := range []int64{0, 1000, 64 << 10, mib, mib + 1, 3*mib + 7} {
		for _, known := range []bool{true, false} {
			for name, o := range map[string]centercodesim.Config{
				"Expect refused":            {RefuseExpect: true},
				"length wanted":             {RefuseChunked: true},
				"Expect refused and length": {RefuseExpect: true, RefuseChunked: true},
			} {
				t.Run(fmt.Sprintf("%s/%d bytes, length known %v", name, size, known), func(t *testing.T) {
					t.Parallel()
					sim, _, endpoint := withTicket(t, o)
					dir := t.TempDir()
					c, err := centercode.New(centercode.Config{BaseURL: sim.URL, TempDir: dir})
					if err != nil {
						t.Fatal(err)
					}
					r := file(endpoint, size, pattern(size))
					if !known {
						r.Size = -1
					}
					opened, closed := 0, 0
					written, err := c.AddFile(t.Context(), reopening(r, size, &opened, &closed))
					if err != nil || written != size || opened != closed {
						t.Fatalf("wrote %d, opened %d, closed %d: %v", written, opened, closed, err)
					}
					files := sim.Tickets()[0].Files
					if len(files) != 1 || files[0].Size != size || files[0].SHA256 != sha(pattern(size)) {
						t.Errorf("arrived as %+v", files)
					}
					if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
						t.Errorf("left behind: %v, %v", left, err)
					}
				})
			}
		}
	}
}

// TestAddFileWithoutALength checks that a required length that cannot be determined is a
// refusal, and that a source that breaks meanwhile is the source's fault.
func TestAddFileWithoutALength(t *testing.T) {
	sim, _, endpoint := withTicket(t, centercodesim.Config{RefuseChunked: true})
	c, err := centercode.New(centercode.Config{BaseURL: sim.URL, TempDir: filepath.Join(t.TempDir(), "is not there")})
	if err != nil {
		t.Fatal(err)
	}
	const size = 2 << 20
	r := file(endpoint, -1, pattern(size))
	_, err = c.AddFile(t.Context(), r)
	if e := apiError(t, err); e.Status != 411 || !e.Permanent() || !strings.Contains(e.Error(), "the source gave no length") {
		t.Errorf("got %+v", *e)
	}
	broken := errors.New("the source broke")
	r.Body = io.MultiReader(pattern(size), readerFunc(func([]byte) (int, error) { return 0, broken }))
	_, err = newClient(t, sim.URL).AddFile(t.Context(), r)
	var source *centercode.SourceError
	if !errors.As(err, &source) || !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if n := len(sim.Tickets()[0].Files); n != 0 {
		t.Errorf("%d files", n)
	}
}

// TestAddFileMoved checks that an upload follows a 307 or 308, complete, and keeps the API
// key only if the target is Centercode's.
func TestAddFileMoved(t *testing.T) {
	for _, status := range []int{307, 308} {
		for _, size := range []int64{1000, 300_000} { // without and with Expect
			for _, listed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%d bytes/listed %v", status, size, listed), func(t *testing.T) {
					arrived, key := "", ""
					store := answering(t, func(w http.ResponseWriter, r *http.Request) {
						key = r.URL.Query().Get("apiKey")
						f, _, err := r.FormFile("file")
						if err != nil || r.URL.Query().Get("sig") != "a b" {
							http.Error(w, "no file", http.StatusBadRequest)
							return
						}
						arrived = sha(f)
						w.WriteHeader(http.StatusNoContent)
					})
					sim, _, endpoint := withTicket(t, centercodesim.Config{})
					config := centercode.Config{BaseURL: sim.URL}
					if listed {
						config.Hosts = []string{strings.TrimPrefix(store.URL, "http://")}
					}
					c, err := centercode.New(config)
					if err != nil {
						t.Fatal(err)
					}
					sim.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Status: status, Location: store.URL + "/x?sig=a+b&apiKey=echo#top"})
					opened, closed := 0, 0
					written, err := c.AddFile(t.Context(), reopening(file(endpoint, size, pattern(size)), size, &opened, &closed))
					if err != nil || written != size || arrived != sha(pattern(size)) || opened != closed {
						t.Fatalf("wrote %d, opened %d, closed %d: %v", written, opened, closed, err)
					}
					if want := map[bool]string{true: apiKey}[listed]; key != want {
						t.Errorf("sent with the key %q, want %q", key, want)
					}
				})
			}
		}
	}
}

// TestAddFileMovedElsewhere checks that a public Centercode can redirect a file only to
// allowed addresses, checked after DNS and at every redirect, and that the key is not sent
// along. Listed hosts are exempt from the check.
func TestAddFileMovedElsewhere(t *testing.T) {
	var arrived, key string
	store := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("on"); to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		if f, _, err := r.FormFile("file"); err == nil {
			arrived, key = sha(f), r.URL.Query().Get("apiKey")
		}
	}))
	defer store.Close()
	public := attachment.PublicAddr()
	onlyStore := func(addr netip.AddrPort) error {
		if addr.String() == store.Listener.Addr().String() {
			return nil
		}
		return public(addr)
	}
	for _, tc := range []struct {
		name, location string
		allow          func(netip.AddrPort) error
		hosts          []string
		key, fault     string // the key on arrival, or why the file does not arrive
	}{
		{"allowed", store.URL + "/x", onlyStore, nil, "", ""},
		{"Centercode's own", store.URL + "/x", public, []string{store.Listener.Addr().String()}, apiKey, ""},
		{"this machine", store.URL + "/x", public, nil, "", "files must not be sent to this address"},
		{"a private network", "https://10.1.2.3/x", public, nil, "", "10.1.2.3"},
		{"a cloud's metadata", "https://169.254.169.254/x", public, nil, "", "169.254.169.254"},
		{"a name of this machine", "https://localhost/x", public, nil, "", "files must not be sent to this address"},
		{"in two moves", store.URL + "/x?on=" + url.QueryEscape("https://[fd00:ec2::254]/y"), onlyStore, nil, "", "fd00:ec2::254"},
		{"no encryption", "http://127.0.0.1/x", onlyStore, nil, "", "answered 307"},
		{"nothing is allowed", store.URL + "/x", nil, nil, "", "answered 307"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			arrived, key = "", ""
			beta := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", tc.location)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}))
			defer beta.Close()
			// To the client, Centercode has a public name and address.
			transport := store.Client().Transport.(*http.Transport).Clone()
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == "example.com:443" {
					addr = beta.Listener.Addr().String()
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			c, err := centercode.New(centercode.Config{BaseURL: "https://example.com", HTTP: &http.Client{Transport: transport}, Hosts: tc.hosts, Allow: tc.allow})
			if err != nil {
				t.Fatal(err)
			}
			opened, closed := 0, 0
			_, err = c.AddFile(t.Context(), reopening(file("/x", 100_000, pattern(100_000)), 100_000, &opened, &closed))
			if tc.fault == "" {
				if err != nil || arrived != sha(pattern(100_000)) || key != tc.key {
					t.Errorf("arrived %t with the key %q: %v", arrived != "", key, err)
				}
				return
			}
			e := apiError(t, err)
			forbidden := tc.fault != "answered 307"
			if e.Lost && forbidden || arrived != "" || !strings.Contains(e.Error(), tc.fault) || opened != closed {
				t.Errorf("got %v", e)
			}
			// A forbidden address is permanent, and does not count against Centercode's
			// health.
			if e.Permanent() != forbidden || e.NotWell() == forbidden {
				t.Errorf("permanent %t, not well %t: %v", e.Permanent(), e.NotWell(), e)
			}
		})
	}
}

// TestAddFileMovedNowhere checks that a redirect that cannot be followed fails the upload.
func TestAddFileMovedNowhere(t *testing.T) {
	for name, location := range map[string]string{
		"not encrypted": "http://beta.example.com/x", "no location": "", "with a password": "https://a:b@beta.example.com/x", "a loop": "self",
	} {
		t.Run(name, func(t *testing.T) {
			sim, c, endpoint := withTicket(t, centercodesim.Config{})
			if location == "self" {
				location = endpoint
			}
			sim.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Status: 307, Location: location, Times: -1})
			_, err := c.AddFile(t.Context(), file(endpoint, 1<<20, pattern(1<<20)))
			if err == nil {
				t.Fatal("no error")
			}
			if e := apiError(t, err); e.Status != 307 || e.Lost || e.Permanent() || sim.Requests().File > 6 {
				t.Errorf("got %+v after %d requests", *e, sim.Requests().File)
			}
		})
	}
}
