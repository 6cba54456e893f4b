package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const secretValue = "s3cr3t-value"

// fakeSSM responds with the result of answer, and counts the reads.
type fakeSSM struct {
	mu     sync.Mutex
	reads  int
	answer func(ctx context.Context, read int) (string, error)
}

func (f *fakeSSM) GetParameter(ctx context.Context, _ string) (string, error) {
	f.mu.Lock()
	f.reads++
	read := f.reads
	f.mu.Unlock()
	return f.answer(ctx, read)
}

func (f *fakeSSM) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// numbered returns v1, v2, ... unless a fault is set.
type numbered struct {
	fakeSSM
	fault error
	clock time.Time
	logs  bytes.Buffer
}

func newNumbered() (*numbered, *Store) {
	n := &numbered{clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	n.answer = func(_ context.Context, read int) (string, error) {
		return fmt.Sprintf("%s-%d\n", secretValue, read), n.fault
	}
	s, err := New(Config{API: n, Now: func() time.Time { return n.clock }, Log: slog.New(slog.NewTextHandler(&n.logs, nil))})
	if err != nil {
		panic(err) // cannot happen: the API is set
	}
	return n, s
}

func newStore(t *testing.T, c Config) *Store {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCache(t *testing.T) {
	throttled := errors.New("ThrottlingException")
	type step struct {
		advance time.Duration
		fault   error
		fresh   time.Duration // maxAge of Fresh; negative: Get
		want    int           // the number of the read whose value is returned; 0: wantErr
		wantErr error
		reads   int // reads in total
	}
	get := time.Duration(-1)
	tests := []struct {
		name  string
		steps []step
	}{
		{"cached for five minutes", []step{
			{0, nil, get, 1, nil, 1},
			{5*time.Minute - 1, nil, get, 1, nil, 1},
			{1, nil, get, 2, nil, 2},
			{time.Minute, nil, get, 2, nil, 2},
		}},
		{"no value and a fault", []step{
			{0, throttled, get, 0, throttled, 1},
			{0, nil, get, 2, nil, 2},
		}},
		{"an older value hides a fault, and SSM is left alone for a while", []step{
			{0, nil, get, 1, nil, 1},
			{6 * time.Minute, throttled, get, 1, nil, 2},
			{retryAfter - 1, throttled, get, 1, nil, 2},
			{1, throttled, get, 1, nil, 3},
			{24 * time.Hour, nil, get, 4, nil, 4},
		}},
		{"a removed parameter does not come back", []step{
			{0, nil, get, 1, nil, 1},
			{6 * time.Minute, ErrNotFound, get, 0, ErrNotFound, 2},
			{0, throttled, get, 0, throttled, 3},
		}},
		{"fresh reads again unless young enough", []step{
			{0, nil, get, 1, nil, 1},
			{10 * time.Second, nil, 11 * time.Second, 1, nil, 1},
			{0, nil, 10 * time.Second, 2, nil, 2},
			{0, nil, 0, 3, nil, 3},
			{0, nil, get, 3, nil, 3},
		}},
		{"fresh never falls back", []step{
			{0, nil, get, 1, nil, 1},
			{time.Minute, throttled, 0, 0, throttled, 2},
			{0, throttled, get, 1, nil, 2},
			{0, nil, 0, 3, nil, 3}, // Fresh ignores the pause after an error
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, s := newNumbered()
			for i, step := range tt.steps {
				n.clock, n.fault = n.clock.Add(step.advance), step.fault
				var got string
				var err error
				if step.fresh >= 0 {
					got, err = s.Fresh(t.Context(), WebhookToken, step.fresh)
				} else {
					got, err = s.Get(t.Context(), WebhookToken)
				}
				want := ""
				if step.want > 0 {
					want = fmt.Sprintf("%s-%d", secretValue, step.want)
				}
				if got != want || !errors.Is(err, step.wantErr) || n.count() != step.reads {
					t.Fatalf("step %d: got %q, %v after %d reads; want %q, %v after %d",
						i, got, err, n.count(), want, step.wantErr, step.reads)
				}
			}
		})
	}
}

func TestFaultIsLoggedOnceWithoutTheValue(t *testing.T) {
	n, s := newNumbered()
	if _, err := s.Get(t.Context(), WebhookToken); err != nil {
		t.Fatal(err)
	}
	n.clock, n.fault = n.clock.Add(6*time.Minute), errors.New("throttled")
	for range 3 {
		if _, err := s.Get(t.Context(), WebhookToken); err != nil {
			t.Fatal(err)
		}
	}
	logs := n.logs.String()
	if strings.Count(logs, "\n") != 1 {
		t.Errorf("want one line, got:\n%s", logs)
	}
	for _, want := range []string{"level=WARN", "parameter=/fairbridge/webhook-token", "age=6m0s", "throttled"} {
		if !strings.Contains(logs, want) {
			t.Errorf("log lacks %q:\n%s", want, logs)
		}
	}
	if strings.Contains(logs, secretValue) {
		t.Errorf("log contains the value:\n%s", logs)
	}
}

func TestNoWayOfPrintingShowsTheValue(t *testing.T) {
	_, s := newNumbered()
	if _, err := s.Get(t.Context(), WebhookToken); err != nil {
		t.Fatal(err)
	}
	holder := struct{ Secrets *Store }{s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+"\n", s, holder)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "store", s, "holder", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "store", s, "holder", holder)
	for _, form := range []string{secretValue, fmt.Sprintf("%x", secretValue)} {
		if strings.Contains(out.String(), form) {
			t.Errorf("value printed:\n%s", &out)
		}
	}
	if !strings.Contains(out.String(), "secrets under /fairbridge/") {
		t.Errorf("the store has no name:\n%s", &out)
	}
}

func TestConcurrentReadsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		api := &fakeSSM{answer: func(context.Context, int) (string, error) { <-release; return secretValue, nil }}
		s := newStore(t, Config{API: api})
		first, cancelFirst := context.WithCancel(t.Context())
		var firstErr error
		var wg sync.WaitGroup
		wg.Go(func() { _, firstErr = s.Get(first, WebhookToken) })
		synctest.Wait() // the first caller's read is in progress
		got := make([]string, 32)
		for i := range got {
			wg.Go(func() { got[i], _ = s.Get(t.Context(), WebhookToken) })
		}
		synctest.Wait() // all callers wait
		cancelFirst()
		synctest.Wait() // the first one has returned at once; its read continues
		if !errors.Is(firstErr, context.Canceled) {
			t.Errorf("the cancelled caller got %v", firstErr)
		}
		close(release)
		wg.Wait()
		for i, v := range got {
			if v != secretValue {
				t.Errorf("caller %d got %q", i, v)
			}
		}
		if n := api.count(); n != 1 {
			t.Errorf("%d reads, want 1", n)
		}
	})
}

func TestPrefetch(t *testing.T) {
	for name, tc := range map[string]struct {
		fault      error
		wait       bool // for the end of the prefetch
		reads      int
		wantFailed bool
	}{
		"is there":             {nil, true, 1, false},
		"is on its way":        {nil, false, 1, false},
		"failed":               {errors.New("throttled"), true, 2, false},
		"fails while it joins": {errors.New("throttled"), false, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeSSM{answer: func(_ context.Context, read int) (string, error) {
					time.Sleep(time.Second)
					if read == 1 {
						return secretValue, tc.fault
					}
					return secretValue, nil
				}}
				s := newStore(t, Config{API: f})
				ended := s.Prefetch(t.Context(), WebhookToken)
				synctest.Wait()
				if tc.wait {
					<-ended
				}
				v, err := s.Get(t.Context(), WebhookToken)
				if (err != nil) != tc.wantFailed || err == nil && v != secretValue || f.count() != tc.reads {
					t.Errorf("got an error: %v, after %d reads", err, f.count())
				}
			})
		})
	}
}

func TestFreshDoesNotTakeAReadThatBeganTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		api := &fakeSSM{answer: func(_ context.Context, read int) (string, error) {
			if read == 1 {
				<-release
				return "old", nil
			}
			return "new", nil
		}}
		s := newStore(t, Config{API: api})
		var wg sync.WaitGroup
		var got, fresh string
		wg.Go(func() { got, _ = s.Get(t.Context(), CentercodeAPIKey) })
		time.Sleep(time.Second) // synctest's clock
		wg.Go(func() { fresh, _ = s.Fresh(t.Context(), CentercodeAPIKey, 0) })
		synctest.Wait()
		close(release)
		wg.Wait()
		if got != "old" || fresh != "new" {
			t.Errorf("Get %q, Fresh %q; want old, new", got, fresh)
		}
	})
}

func TestSilentSSMIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeSSM{answer: func(ctx context.Context, read int) (string, error) {
			if read == 1 {
				return secretValue, nil
			}
			<-ctx.Done()
			return "", ctx.Err()
		}}
		s := newStore(t, Config{API: api})
		if _, err := s.Get(t.Context(), WebhookToken); err != nil {
			t.Fatal(err)
		}
		time.Sleep(cacheFor)
		began := time.Now()
		got, err := s.Get(t.Context(), WebhookToken)
		if took := time.Since(began); got != secretValue || err != nil || took != readTimeout {
			t.Errorf("Get = %q, %v after %v; want the older value after %v", got, err, took, readTimeout)
		}
		if _, err := s.Fresh(t.Context(), WebhookToken, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Fresh: %v; want a timeout", err)
		}
	})
}

func TestCancelledCallerReturnsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n, s := newNumbered()
	if _, err := s.Get(t.Context(), WebhookToken); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, WebhookToken); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Fresh(ctx, CentercodeAPIKey, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("Fresh: %v", err)
	}
	if n.count() != 1 {
		t.Errorf("%d reads; a cancelled caller must not cause one", n.count())
	}
}
