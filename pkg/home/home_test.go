package home_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
)

func TestCommand(t *testing.T) {
	tests := []struct {
		place home.Place
		want  string
	}{
		{home.Place{Folder: home.DefaultFolder}, "fairbridge dlq list"},
		{home.Place{Folder: "b"}, "fairbridge dlq list --data b"},
		{home.Place{Folder: "Bob's bridge"}, `fairbridge dlq list --data 'Bob'\''s bridge'`},
		{home.Place{Folder: home.DefaultFolder, Stack: "s", Region: "r", Profile: "p"}, "fairbridge dlq list --stack s --region r --profile p"},
	}
	for _, test := range tests {
		if got := test.place.Command("dlq list"); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func open(t *testing.T, folder string) *home.Home {
	t.Helper()
	h, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: folder}, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestOpenCreatesNoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nothing")
	if _, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: dir}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the folder was created")
	}
}

func TestRunning(t *testing.T) {
	dir := t.TempDir()
	if _, err := home.ListenAddress(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := home.WriteRunning(dir, "0.0.0.0:80"); err != nil {
		t.Fatal(err)
	}
	if got, err := home.ListenAddress(dir); err != nil || got != "0.0.0.0:80" {
		t.Errorf("got %s, %v", got, err)
	}
	if got := open(t, dir).Webhook(); got != "http://127.0.0.1:80/webhooks/testfairy" {
		t.Errorf("the webhook is %s", got)
	}
	if err := errors.Join(home.RemoveRunning(dir), home.RemoveRunning(dir)); err != nil {
		t.Error(err)
	}
	if _, err := home.ListenAddress(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTokens(t *testing.T) {
	h, ctx := open(t, t.TempDir()), t.Context()
	if _, err := h.DropPreviousToken(ctx); !errors.Is(err, home.ErrNoToken) {
		t.Errorf("got %v", err)
	}
	if err := h.RotateToken(ctx); !errors.Is(err, home.ErrNoToken) {
		t.Errorf("got %v", err)
	}
	first, err := h.GenerateToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.GenerateToken(ctx); !errors.Is(err, home.ErrTokenExists) {
		t.Errorf("got %v", err)
	}
	want := func(n int, last string) {
		t.Helper()
		tokens, err := h.Tokens(ctx)
		if err != nil || len(tokens) != n || tokens[n-1] != last {
			t.Errorf("got %v, %v", tokens, err)
		}
	}
	want(1, first)
	if dropped, err := h.DropPreviousToken(ctx); dropped || err != nil {
		t.Errorf("got %t, %v", dropped, err)
	}
	if err := h.RotateToken(ctx); err != nil {
		t.Fatal(err)
	}
	want(2, first)
	if err := h.RotateToken(ctx); !errors.Is(err, home.ErrTokenRotating) {
		t.Errorf("got %v", err)
	}
	tokens, _ := h.Tokens(ctx)
	if dropped, err := h.DropPreviousToken(ctx); !dropped || err != nil {
		t.Errorf("got %t, %v", dropped, err)
	}
	want(1, tokens[0])
}

func TestSecrets(t *testing.T) {
	h := open(t, t.TempDir())
	t.Setenv("FAIRBRIDGE_TESTFAIRY_API_KEY", "x")
	if err := h.PutSecret(t.Context(), secrets.CentercodeAPIKey, "k3y"); err != nil {
		t.Fatal(err)
	}
	states, err := h.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range states {
		got = append(got, s.Name+" "+strings.Fields(s.String())[0])
	}
	if want := "centercode-api-key since, testfairy-api-key in, webhook-token missing"; strings.Join(got, ", ") != want {
		t.Errorf("got %v", got)
	}
}
