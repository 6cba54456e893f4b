package centercode

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"syscall"
	"testing"
)

func TestDescribe(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"Centercode's form", `{"status": 404, "description": "The requested resource could not be found."}`, "The requested resource could not be found."},
		{"with a byte order mark", "\xef\xbb\xbf{\"Description\":\"no\"}", "no"},
		{"problem+json", `{"title":"Bad","detail":"The submitter is unknown."}`, "The submitter is unknown."},
		{"a gateway's", `{"message":"Forbidden"}`, "Forbidden"},
		{"JSON that says nothing", `{"code":3}`, `{"code":3}`},
		{"HTML", "<!DOCTYPE html><html><head><title>502</title><style>p{}</style><script>var x='<p>';</script></head><body><!-- hidden --><h1>Bad\n gateway</h1><p>a &amp; b</p></body>", "502 Bad gateway a & b"},
		{"HTML cut off", "<html><p>one</p><script>never ends", "one"},
		{"text", "  upstream\r\n\tfailed\x00 ", "upstream failed"},
		{"broken UTF-8", "a\xffb", "a\uFFFDb"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clip(describe([]byte(tt.body)), maxDescription); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	long := clip(strings.Repeat("é", 2000), maxDescription)
	if n := len([]rune(long)); n != maxDescription || !strings.HasSuffix(long, "…") {
		t.Errorf("clipped to %d characters", n)
	}
}

func TestErrorText(t *testing.T) {
	refused := &url.Error{Op: "Post", URL: "https://h.example/x?apiKey=sesame-sesame", Err: syscall.ECONNREFUSED}
	tests := []struct {
		err  *Error
		want string
	}{
		{&Error{Op: OpCreateTicket, Status: 400, Description: "The submitter is unknown."}, "create ticket: status 400: The submitter is unknown."},
		{&Error{Op: OpAddFile, Err: redactError(refused, "sesame-sesame")}, "add file: connection refused"},
		{&Error{Op: OpAddFile, Status: 200, Err: io.ErrUnexpectedEOF}, "add file: status 200: unexpected EOF"},
		{&Error{Op: OpFindTicket, Description: "GET https://h.example/x?page=1&apiKey=k failed"}, "find ticket: GET https://h.example/x?REDACTED failed"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if err := redactError(refused, "sesame-sesame"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v is not what it was", err)
	}
	cause := &url.Error{Op: "Post", URL: "https://h.example/", Err: errors.Join(context.Canceled, errors.New(`bad Location "https://h.example/?apiKey=sesame-sesame"`))}
	err := redactError(cause, "sesame-sesame")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not what it was", err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), "?a") || strings.Contains(e.Error(), "sesame") {
			t.Errorf("%T shows %q", e, e)
		}
	}
}

func TestPermanent(t *testing.T) {
	want := map[int]bool{400: true, 404: true, 405: true, 409: true, 410: true, 413: true, 415: true, 422: true}
	for status := range 600 {
		if got := (&Error{Status: status}).Permanent(); got != want[status] {
			t.Errorf("%d: %v", status, got)
		}
	}
}

func TestRedact(t *testing.T) {
	tests := []struct{ text, want string }{
		{"nothing to see", "nothing to see"},
		{`Post "https://h.example/api/v1/x?apiKey=k1": EOF`, `Post "https://h.example/api/v1/x?REDACTED": EOF`},
		{"https://h.example/x?page=2&APIKEY=k1#top", "https://h.example/x?REDACTED"},
		{"/api/v1/x?page=1&apiKey=k1 failed", "/api/v1/x?REDACTED failed"},
		{"to=https%3A%2F%2Fh.example%2F%3FapiKey%3Dk1", "to=https%3A%2F%2Fh.example%2F%3FapiKey%3DREDACTED"},
		{"apiKey%253Dk1", "apiKey%253DREDACTED"},
		{`{"apiKey":"k1","a":1}`, `{"apiKey":"REDACTED","a":1}`},
		{`{\"api_key\": \"k1\"}`, `{\"api_key\": \"REDACTED"}`},
		{"api-key: k1", "api-key: REDACTED"},
		{"https://user:pass@h.example/", "https://h.example/"},
		{"https://s3.example/log?X-Amz-Signature=abc", "https://s3.example/log?REDACTED"},
		{"why? because", "why? because"},
		{"mail a@b.example about https://h.example/", "mail a@b.example about https://h.example/"},
	}
	for _, tt := range tests {
		if got := Redact(tt.text); got != tt.want {
			t.Errorf("%q became %q, want %q", tt.text, got, tt.want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add(`Post "https://h.example/x`, `": EOF`, 0)
	f.Add("a://b@c?d=", "@e?f=%", 3)
	f.Add("<p>apiKey", "</p>", 5)
	const key = "S3cret+/Key=&x"
	forms := []func(string) string{
		func(k string) string { return "?apiKey=" + url.QueryEscape(k) },
		func(k string) string { return "&apiKey=" + url.QueryEscape(k) },
		func(k string) string { return "%3FapiKey%3D" + url.QueryEscape(url.QueryEscape(k)) },
		func(k string) string { return `{"apiKey":"S3cret"}` },
		func(k string) string {
			return (&url.Error{Op: "Get", URL: "https://h.example/?page=1&apiKey=" + url.QueryEscape(k), Err: io.EOF}).Error()
		},
	}
	f.Fuzz(func(t *testing.T, before, after string, form int) {
		if strings.Contains(before+after, "S3cret") {
			t.Skip("the text holds the key by itself")
		}
		text := before + forms[max(form, -form-1)%len(forms)](key) + after
		got := Redact(text)
		if strings.Contains(got, "S3cret") {
			t.Errorf("%q became %q", text, got)
		}
		if again := Redact(got); again != got {
			t.Errorf("%q became %q the second time", got, again)
		}
		// The key alone, however it is spelled.
		for _, spelling := range spellings(key) {
			if got := redactKey(before+spelling+after, key); strings.Contains(got, "S3cret") {
				t.Errorf("%q became %q", before+spelling+after, got)
			}
		}
	})
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte(`{"status":400,"description":"no ?apiKey=sesame-sesame"}`))
	f.Add([]byte("<html><script>x</script><p>sesame-sesame"))
	f.Fuzz(func(t *testing.T, body []byte) {
		x := &call{key: "sesame-sesame"}
		got := x.clip(describe(body))
		if len([]rune(got)) > maxDescription || strings.Contains(got, "sesame-sesame") || strings.ContainsAny(got, "\n\r\x00") {
			t.Errorf("%q became %q", body, got)
		}
	})
}
