package ingest_test

import (
	"errors"
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
		t.Error("the outcome hides that the tokens could not be read again")
	}
	attempt(1)
	b.now = b.now.Add(29 * time.Second)
	attempt(1)
	b.now = b.now.Add(time.Second)
	attempt(2)
	b.secrets.freshErr = nil
	b.now = b.now.Add(30 * time.Second)
	if res, _ := b.send(t, post(feedback)); res.StatusCode != 202 {
		t.Errorf("status %d after SSM came back, want 202", res.StatusCode)
	}
}

// TestNoTokenReadsNoSecret keeps a stranger without a token from causing reads.
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
	checkProblem(t, res, nil)
	if o.Result != ingest.Failed || !errors.Is(o.Err, b.secrets.getErr) {
		t.Errorf("outcome %+v, want failed with its cause", o)
	}
}
