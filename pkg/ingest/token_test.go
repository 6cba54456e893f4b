package ingest_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"fairbridge/pkg/ingest"
)

func TestTwoTokensAtOnce(t *testing.T) {
	for _, secret := range []string{goodToken + "\nanother", "another\n" + goodToken, " " + goodToken + " \n\nanother\n"} {
		b := newBench(t)
		b.secrets.cached, b.secrets.stored = secret, secret
		if res, _ := b.send(t, post(feedback)); res.StatusCode != 202 {
			t.Errorf("secret %q: status %d, want 202", secret, res.StatusCode)
		}
	}
}

func TestRotatedTokenWorksAtOnce(t *testing.T) {
	b := newBench(t)
	b.secrets.cached = "old"
	if res, _ := b.send(t, post(feedback)); res.StatusCode != 202 {
		t.Errorf("status %d, want 202", res.StatusCode)
	}
	if b.secrets.freshReads != 1 {
		t.Errorf("%d fresh reads, want 1", b.secrets.freshReads)
	}
}

func TestFailingRefreshIsLimited(t *testing.T) {
	b := newBench(t)
	b.secrets.cached = "old"
	b.secrets.freshErr = errors.New("ThrottlingException")
	attempt := func(wantReads int) ingest.Outcome {
		t.Helper()
		res, o := b.send(t, post(feedback))
		if res.StatusCode != 401 {
			t.Errorf("status %d, want 401", res.StatusCode)
		}
		if b.secrets.freshReads != wantReads {
			t.Errorf("%d fresh reads, want %d", b.secrets.freshReads, wantReads)
		}
		return o
	}
	if o := attempt(1); o.Err == nil {
		t.Error("the outcome does not show that the tokens could not be reloaded")
	}
	attempt(1)
	b.now = b.now.Add(29 * time.Second)
	attempt(1)
	b.now = b.now.Add(time.Second)
	attempt(2)
	b.secrets.freshErr = nil
	b.now = b.now.Add(30 * time.Second)
	if res, _ := b.send(t, post(feedback)); res.StatusCode != 202 {
		t.Errorf("status %d after SSM recovered, want 202", res.StatusCode)
	}
}

// TestNoTokenReadsNoSecret checks that requests without a token do not cause reads of the
// secret.
func TestNoTokenReadsNoSecret(t *testing.T) {
	b := newBench(t)
	b.secrets.getErr = errors.New("must not be asked")
	req := post(feedback)
	req.RawQueryString = "x=y"
	if res, _ := b.send(t, req); res.StatusCode != 401 {
		t.Errorf("status %d, want 401", res.StatusCode)
	}
}

func TestUnreadableSecret(t *testing.T) {
	b := newBench(t)
	b.secrets.getErr = errors.New("AccessDeniedException")
	res, o := b.send(t, post(feedback))
	if res.StatusCode != 503 || res.Headers["Retry-After"] == "" {
		t.Errorf("answer %d %v, want 503 with Retry-After", res.StatusCode, res.Headers)
	}
	checkProblem(t, res)
	if o.Result != ingest.Failed || !errors.Is(o.Err, b.secrets.getErr) {
		t.Errorf("outcome %+v, want failed with its cause", o)
	}
}

// TestAdmit checks that a request which can be refused without its body gets the same
// response, and the same report, whether or not its body was read, and is reported once.
func TestAdmit(t *testing.T) {
	tests := map[string]struct {
		change func(*request)
		status int
		reason ingest.Reason
	}{
		"right":           {func(*request) {}, 0, ""},
		"no token":        {query(""), 401, ingest.ReasonNoToken},
		"wrong token":     {query("token=x"), 401, ingest.ReasonWrongToken},
		"another path":    {func(r *request) { r.RawPath = "/" }, 404, ingest.ReasonUnknownPath},
		"another method":  {method("GET"), 405, ingest.ReasonMethod},
		"too long":        {header("content-length", "1000001"), 413, ingest.ReasonTooLarge},
		"longest length":  {header("content-length", "1000000"), 0, ""},
		"negative length": {header("content-length", "-7"), 0, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			req := post("")
			tt.change(&req)
			answer, admitted := b.handler.Admit(b.ctx, req)
			if admitted != (tt.status == 0) || answer.StatusCode != tt.status {
				t.Fatalf("admitted %t, answered %d", admitted, answer.StatusCode)
			}
			if admitted {
				if len(b.reports.all) != 0 {
					t.Errorf("reported %+v for a request whose body is still to come", b.reports.all)
				}
				return
			}
			checkProblem(t, answer)
			res, o := b.send(t, req)
			if first := b.reports.all[0]; len(b.reports.all) != 2 || first.Reason != tt.reason || !reflect.DeepEqual(first, o) || res.Body != answer.Body {
				t.Errorf("reported %+v, and with its body %+v", first, o)
			}
		})
	}
}
