package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// answers is an [API] that always returns the same.
type answers struct {
	value string
	err   error
}

func (a answers) GetParameter(_ context.Context, name string) (string, error) {
	if name != "/team/bridge/centercode-api-key" {
		return "", fmt.Errorf("unexpected parameter %s", name)
	}
	return a.value, a.err
}

func TestGetParameter(t *testing.T) {
	denied := errors.New("no ssm:GetParameter")
	const name, put = "/team/bridge/centercode-api-key", "fairbridge secrets put centercode-api-key"
	tests := []struct {
		name     string
		answer   answers
		want     string
		is       error
		contains []string // of the message
	}{
		{"a value", answers{value: secretValue}, secretValue, nil, nil},
		{"a trailing newline", answers{value: secretValue + "\r\n\n"}, secretValue, nil, nil},
		{"inner newlines and space stay", answers{value: " a\nb \n"}, " a\nb ", nil, nil},
		{"empty", answers{value: " \n"}, "", ErrEmpty, []string{name, put}},
		{"not found", answers{err: fmt.Errorf("%w: ParameterNotFound", ErrNotFound)}, "", ErrNotFound, []string{name, put}},
		{"a fault", answers{err: denied}, "", denied, []string{"read secret " + name}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := newStore(t, Config{API: tt.answer, Prefix: "/team/bridge"}).Get(t.Context(), CentercodeAPIKey)
			if got != tt.want || !errors.Is(err, tt.is) {
				t.Fatalf("Get = %q, %v; want %q, %v", got, err, tt.want, tt.is)
			}
			for _, want := range tt.contains {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestParameterName(t *testing.T) {
	for _, prefix := range []string{"/fairbridge/", "/fairbridge"} {
		if got := ParameterName(prefix, WebhookToken); got != "/fairbridge/webhook-token" {
			t.Errorf("ParameterName(%q) = %q", prefix, got)
		}
	}
}

func TestTokens(t *testing.T) {
	tests := []struct {
		value string
		want  []string
	}{
		{"", nil},
		{"\n \t\n", nil},
		{"one", []string{"one"}},
		{"one\ntwo", []string{"one", "two"}},
		{" one \r\n\r\n\ttwo\r\n", []string{"one", "two"}},
		{"one two", []string{"one two"}},
	}
	for _, tt := range tests {
		if got := Tokens(tt.value); !slices.Equal(got, tt.want) {
			t.Errorf("Tokens(%q) = %q, want %q", tt.value, got, tt.want)
		}
	}
}

// FuzzTokens checks that no input yields an empty token, which would admit every caller
// without one.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"", "a", "a\nb\n", "\r\n\u2028\n \x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, token := range Tokens(value) {
			if token == "" || token != strings.TrimSpace(token) || strings.Contains(token, "\n") {
				t.Errorf("Tokens(%q) has %q", value, token)
			}
		}
	})
}
