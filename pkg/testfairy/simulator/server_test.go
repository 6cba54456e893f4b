package simulator_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	testfairysim "fairbridge/pkg/testfairy/simulator"
)

const screenshot = "/projects/10-demoapp/builds/584120/sessions/1/screenshots/d64636e2d57672f812e1a348e8.jpg"

// start serves a simulator on loopback and returns it with its base URL.
func start(t *testing.T, options testfairysim.Config) (*testfairysim.Server, string) {
	t.Helper()
	sim := testfairysim.New(options)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	return sim, server.URL
}

type answer struct {
	*http.Response
	body    []byte
	readErr error // of the body
}

// get requests a URL without following redirects; headers are pairs.
func get(t *testing.T, url string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return do(t, request)
}

func do(t *testing.T, request *http.Request) answer {
	t.Helper()
	response, err := noRedirects.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response, body, err}
}

var noRedirects = &http.Client{
	Transport:     &http.Transport{DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestPictures(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	other := testfairysim.New(testfairysim.Config{})
	seen := map[string]string{}
	for path, format := range map[string]string{
		screenshot: "jpeg", "/a.jpeg": "jpeg", "/A.JPG": "jpeg", "/icons/4/68348e8d.png": "png",
	} {
		got := get(t, base+path+"?signature=x")
		if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "image/"+format {
			t.Errorf("%s: status %d, type %q", path, got.StatusCode, got.Header.Get("Content-Type"))
		}
		if got.ContentLength != int64(len(got.body)) || got.Header.Get("ETag") == "" || got.Header.Get("Last-Modified") == "" || got.Header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("%s: length %d of %d, header %v", path, got.ContentLength, len(got.body), got.Header)
		}
		config, decoded, err := image.DecodeConfig(bytes.NewReader(got.body))
		if err != nil || decoded != format || config.Width != 270 || config.Height != 480 {
			t.Errorf("%s: a %s of %d x %d, %v", path, decoded, config.Width, config.Height, err)
		}
		sum := sha256Hex(got.body)
		if sim.SHA256(path) != sum || other.SHA256(path) != sum {
			t.Errorf("%s: served %s, SHA256 returns %s and %s", path, sum, sim.SHA256(path), other.SHA256(path))
		}
		if twin, taken := seen[sum]; taken {
			t.Errorf("%s and %s are the same picture", path, twin)
		}
		seen[sum] = path
	}
}

func TestManyPictures(t *testing.T) {
	sim := testfairysim.New(testfairysim.Config{})
	first := sim.SHA256("/0.jpg")
	for i := range 65 { // one more than are cached
		sim.SHA256("/" + strconv.Itoa(i) + ".jpg")
	}
	if again := sim.SHA256("/0.jpg"); again != first {
		t.Errorf("/0.jpg was %s, is %s", first, again)
	}
}

func TestRanges(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	for _, path := range []string{screenshot, "/generated/200000.bin"} {
		whole := get(t, base+path)
		etag, modified := whole.Header.Get("ETag"), whole.Header.Get("Last-Modified")
		for _, condition := range []string{"", etag, modified} {
			part := get(t, base+path, "Range", "bytes=1000-", "If-Range", condition)
			if part.StatusCode != http.StatusPartialContent || !bytes.Equal(part.body, whole.body[1000:]) {
				t.Errorf("%s If-Range %s: status %d, %d bytes", path, condition, part.StatusCode, len(part.body))
			}
		}
		sim.Change(path)
		for _, condition := range []string{etag, modified} {
			changed := get(t, base+path, "Range", "bytes=1000-", "If-Range", condition)
			if changed.StatusCode != http.StatusOK || bytes.Equal(changed.body, whole.body) {
				t.Errorf("%s changed, If-Range %s: status %d", path, condition, changed.StatusCode)
			}
			if sim.SHA256(path) != sha256Hex(changed.body) {
				t.Errorf("%s changed: SHA256 is not that of what is served", path)
			}
		}
		if got := get(t, base+path, "Range", "bytes=9999999-"); got.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("%s: status %d for a range past the end", path, got.StatusCode)
		}
	}
}

func TestGenerated(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	long := get(t, base+"/generated/1000000.bin").body
	for _, size := range []int{0, 1, 15, 16, 17, 65535, 65536, 65537, 1000000} {
		path := "/generated/" + strconv.Itoa(size) + ".bin"
		got := get(t, base+path)
		if got.ContentLength != int64(size) || !bytes.Equal(got.body, long[:size]) {
			t.Errorf("%s: Content-Length %d, %d bytes", path, got.ContentLength, len(got.body))
		}
		if sim.SHA256(path) != sha256Hex(got.body) {
			t.Errorf("%s: SHA256 is not that of what is served", path)
		}
	}
	for block := 65536; block < len(long); block += 65536 {
		if bytes.Equal(long[block:min(block+65536, len(long))], long[:min(65536, len(long)-block)]) {
			t.Errorf("the block at %d is the first one again", block)
		}
	}
}

func TestGeneratedOfAnySize(t *testing.T) {
	const size = 1 << 40
	_, base := start(t, testfairysim.Config{})
	url := base + "/generated/" + strconv.Itoa(size) + ".bin"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, request); got.ContentLength != size {
		t.Errorf("HEAD: Content-Length %d, want %d", got.ContentLength, int64(size))
	}
	tail := get(t, url, "Range", "bytes=-100000")
	from := int64(size - 100000)
	twin := get(t, url, "Range", "bytes="+strconv.FormatInt(from, 10)+"-"+strconv.Itoa(size-50001))
	if len(tail.body) != 100000 || !bytes.Equal(twin.body, tail.body[:50000]) {
		t.Errorf("the last bytes are %d, not those at the offset", len(tail.body))
	}
}

func TestNoSuchFile(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	for _, path := range []string{"/", "/a.gif", "/generated/x.bin", "/generated/-1.bin", "/generated/1.txt", "/generated/9223372036854775808.bin"} {
		if got := get(t, base+path); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, got.StatusCode)
		}
		if sum := sim.SHA256(path); sum != "" {
			t.Errorf("SHA256(%s) = %q, want none", path, sum)
		}
	}
	if sum := sim.SHA256("no path"); sum != "" {
		t.Errorf("SHA256 of no path = %q", sum)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+screenshot, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, request); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d, want 405", got.StatusCode)
	}
}

func TestRequireLogin(t *testing.T) {
	_, base := start(t, testfairysim.Config{Account: "ops@example.com", APIKey: "key", RequireLogin: true})
	got := get(t, base+screenshot)
	if got.StatusCode != http.StatusFound || got.Header.Get("Location") != "/login/" {
		t.Errorf("without credentials: status %d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	page := get(t, base+"/login/")
	if page.StatusCode != http.StatusOK || page.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("sign-in page: status %d, type %q", page.StatusCode, page.Header.Get("Content-Type"))
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+screenshot, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("ops@example.com", "key")
	if got := do(t, request); got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("with credentials: status %d, type %q", got.StatusCode, got.Header.Get("Content-Type"))
	}
}
