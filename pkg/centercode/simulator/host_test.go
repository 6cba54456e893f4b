package simulator

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestForeignHostIsRefused(t *testing.T) {
	s, err := New(Config{APIKeys: []string{"key"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for host, want := range map[string]int{
		"localhost":            http.StatusOK,
		"localhost:8081":       http.StatusOK,
		"127.0.0.1:8081":       http.StatusOK,
		"[::1]:8081":           http.StatusOK,
		"[::1]":                http.StatusOK,
		"192.168.1.7":          http.StatusOK,
		"evil.example":         http.StatusMisdirectedRequest,
		"evil.example:8081":    http.StatusMisdirectedRequest,
		"localhost.evil.test":  http.StatusMisdirectedRequest,
		"127.0.0.1.evil.test":  http.StatusMisdirectedRequest,
		"":                     http.StatusMisdirectedRequest,
		"evil.example:notport": http.StatusMisdirectedRequest,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}
