package attachment

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// TestLate: a file may appear shortly after the webhook that announces it, so a 404 is
// final only later.
func TestLate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status    int
		age       time.Duration
		permanent bool
	}{
		{404, 0, false},
		{404, time.Second, false},
		{403, 4 * time.Minute, false},
		{410, lateFor - time.Second, false},
		{404, -time.Second, false}, // ingest's clock is ahead
		{404, lateFor, true},
		{403, time.Hour, true},
		{410, 24 * time.Hour, true},
		{400, 0, true},
		{401, 0, true},
		{405, 0, true},
		{414, 0, true},
		{451, 0, true},
	}
	for _, tt := range tests {
		f, url := local(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) },
			Config{Now: func() time.Time { return noon }})
		_, err := f.Open(t.Context(), OpenRequest{URL: url + "/shot.png", Announced: noon.Add(-tt.age)})
		reason := fmt.Sprintf("the source answered HTTP %d", tt.status)
		if !tt.permanent {
			reason += "; the file may not be there yet"
		}
		if e := failure(t, err, tt.permanent, reason); e.Status != tt.status {
			t.Errorf("%d after %v: %+v", tt.status, tt.age, e)
		}
	}
}

// TestExpired: an expired signed URL is reported as such. For a URL of the payload that is
// final; a redirect gets a new signature at the next attempt.
func TestExpired(t *testing.T) {
	t.Parallel()
	amz := func(signed time.Time) string {
		return "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=5ec&X-Amz-Date=" + signed.Format("20060102T150405Z") + "&X-Amz-Expires=86400"
	}
	tests := []struct {
		name, query string
		status      int
		expired     bool
	}{
		{"S3", amz(noon.Add(-24*time.Hour - time.Second)), 403, true},
		{"S3, to the second", amz(noon.Add(-24 * time.Hour)), 403, false},
		{"S3, not yet", amz(noon.Add(-time.Hour)), 403, false},
		{"S3, of another kind", amz(noon.Add(-48 * time.Hour)), 404, false},
		{"S3, without a signature's date", "X-Amz-Expires=1", 403, false},
		{"S3, no number", "X-Amz-Date=20200101T000000Z&X-Amz-Expires=-1", 403, false},
		{"Google", strings.ReplaceAll(amz(noon.Add(-48*time.Hour)), "X-Amz", "X-Goog"), 400, true},
		{"S3's earlier signature", fmt.Sprintf("AWSAccessKeyId=x&Signature=y&Expires=%d", noon.Unix()-1), 403, true},
		{"CloudFront", fmt.Sprintf("Key-Pair-Id=x&Signature=y&Expires=%d", noon.Unix()-1), 403, true},
		{"CloudFront, not yet", fmt.Sprintf("Key-Pair-Id=x&Signature=y&Expires=%d", noon.Unix()+1), 403, false},
		{"another word", fmt.Sprintf("Expires=%d", noon.Unix()-1), 403, false},
		{"none", "", 403, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, base := local(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/moved" {
					http.Redirect(w, r, "/shot.png?"+tt.query, http.StatusFound)
					return
				}
				w.WriteHeader(tt.status)
			}, Config{Now: func() time.Time { return noon }})
			for _, path := range []string{"/shot.png?" + tt.query, "/moved"} {
				_, err := f.Open(t.Context(), OpenRequest{URL: base + path, Announced: noon.Add(-time.Hour)})
				switch moved := path == "/moved"; {
				case tt.expired:
					failure(t, err, !moved, reasonExpired)
				case moved:
					failure(t, err, true, fmt.Sprintf("the source answered HTTP %d after a redirect", tt.status))
				default:
					failure(t, err, true, fmt.Sprintf("the source answered HTTP %d", tt.status))
				}
			}
			// Waiting does not help, however recent the webhook.
			if _, err := f.Open(t.Context(), OpenRequest{URL: base + "/shot.png?" + tt.query, Announced: noon}); tt.expired {
				failure(t, err, true, reasonExpired)
			} else if strings.Contains(err.Error(), "Signature") {
				t.Errorf("the error contains the signature: %v", err)
			}
		})
	}
}

// TestIsSourceFault: a cancelled attempt is not the source's fault.
func TestIsSourceFault(t *testing.T) {
	t.Parallel()
	f, base := local(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, Config{})
	_, err := f.Open(t.Context(), OpenRequest{URL: base})
	if !IsSourceFault(fmt.Errorf("wrapped: %w", err)) {
		t.Errorf("not the source's fault: %v", err)
	}
	_, err = f.Open(t.Context(), OpenRequest{URL: "https://example.com/x"})
	if !IsSourceFault(err) {
		t.Errorf("not the source's fault: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = f.Open(ended, OpenRequest{URL: base})
	failure(t, err, false, reasonContext)
	if IsSourceFault(err) || IsSourceFault(context.Canceled) || IsSourceFault(nil) {
		t.Errorf("the source's fault: %v", err)
	}
}

// TestReasonsNameNoURL: reasons are stored in dead letters, so they name at most a URL's
// host.
func TestReasonsNameNoURL(t *testing.T) {
	t.Parallel()
	f, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range urls {
		err := f.Check(OpenRequest{URL: tt.url})
		if err == nil {
			continue
		}
		reason := failure(t, err, true, reasonForbidden).Reason
		if u, err := url.Parse(tt.url); err == nil && len(u.Path) > 2 && strings.Contains(reason, u.Path) || strings.Contains(reason, "@") {
			t.Errorf("%q: %s", tt.url, reason)
		}
	}
}
