package centercode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
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
		{"nested", `{"error":{"code":3,"Message":"The submitter is unknown."}}`, "The submitter is unknown."},
		{"a list", `{"errors":[{"description":"one"},{"detail":"two"}]}`, "one; two"},
		{"a list of texts", `{"errors":["one","two"]}`, "one; two"},
		{"errmsg", `{"errcode":310000,"errmsg":"no such source"}`, "no such source"},
		{"JSON without a message", `{"code":3,"b":[{"c":"a tester's words"}]}`, "an answer with the keys b[].c, code"},
		{"an echo of the request", `{"status":400,"request":{"submitter":"a@b.example","description":"a tester's words"}}`, "an answer with the keys request.description, request.submitter, status"},
		{"JSON cut off", `{"request":{"submitter":"a@b.example","desc`, "an answer that starts like JSON but cannot be parsed"},
		{"a long text", strings.Repeat("a ", 300), strings.Repeat("a ", 99) + "a…"},
		{"a text as JSON", `"The submitter is unknown."`, "The submitter is unknown."},
		{"HTML", "<!DOCTYPE html><html><head><title>502</title><style>p{}</style><script>var x='<p>';</script></head><body><!-- hidden --><h1>Bad\n gateway</h1><p>a &amp; b</p></body>", "502 Bad gateway a & b"},
		{"HTML cut off", "<html><p>one</p><script>never ends", "one"},
		{"text", "  upstream\r\n\tfailed\x00 ", "upstream failed"},
		{"broken UTF-8", "a\xffb", "a\uFFFDb"},
		{"nothing", "", ""},
	}
	x := &call{key: newSecret("sesame-sesame")}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := x.description(x.describe([]byte(tt.body))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	long := x.description(strings.Repeat("é", 2000))
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
		{&Error{Op: OpCreateTicket, Request: "POST /v1/projects/DEMO/feedback/testfairy", Status: 404, Description: "The requested resource could not be found."},
			"Centercode answered 404 to POST /v1/projects/DEMO/feedback/testfairy: The requested resource could not be found."},
		{&Error{Op: OpCreateTicket, Request: "POST /v1/x", Err: io.ErrUnexpectedEOF}, "create ticket: POST /v1/x: unexpected EOF"},
		{&Error{Op: OpAddFile, Err: newSecret("sesame-sesame").redactError(refused)}, "add file: connection refused"},
		{&Error{Op: OpAddFile, Status: 200, Err: io.ErrUnexpectedEOF}, "add file: status 200: unexpected EOF"},
		{&Error{Op: OpFindTicket, Description: "GET https://h.example/x?page=1&apiKey=k failed"}, "find ticket: GET https://h.example/x?REDACTED failed"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if err := newSecret("sesame-sesame").redactError(refused); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v has changed", err)
	}
	cause := &url.Error{Op: "Post", URL: "https://h.example/", Err: errors.Join(context.Canceled, errors.New(`bad Location "https://h.example/?apiKey=sesame-sesame"`))}
	err := newSecret("sesame-sesame").redactError(cause)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v has changed", err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), "?a") || strings.Contains(e.Error(), "sesame") {
			t.Errorf("%T shows %q", e, e)
		}
	}
}

func TestPermanent(t *testing.T) {
	want := map[int]bool{400: true, 404: true, 405: true, 409: true, 410: true, 411: true, 413: true, 415: true, 422: true}
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
	secret, spellings := newSecret(key), echoes(key)
	f.Fuzz(func(t *testing.T, before, after string, form int) {
		if strings.Contains(before+after, "S3cret") {
			t.Skip("the text itself contains the key")
		}
		text := before + forms[max(form, -form-1)%len(forms)](key) + after
		got := Redact(text)
		if strings.Contains(got, "S3cret") {
			t.Errorf("%q became %q", text, got)
		}
		if again := Redact(got); again != got {
			t.Errorf("%q became %q the second time", got, again)
		}
		// The bare key, in every spelling.
		for _, spelling := range spellings {
			if got := secret.redact(before + spelling + after); strings.Contains(got, "S3cret") || strings.Contains(got, spelling) {
				t.Errorf("%q became %q", before+spelling+after, got)
			}
		}
	})
}

// echoes returns the key as servers may spell it in a response.
func echoes(key string) []string {
	quoted, _ := json.Marshal(key)
	all := []string{
		key, url.QueryEscape(key), url.PathEscape(key), html.EscapeString(key), string(quoted[1 : len(quoted)-1]),
		strings.ToUpper(key), strings.ToLower(key), url.QueryEscape(url.QueryEscape(key)),
		strings.ToLower(url.QueryEscape(key)), html.EscapeString(html.EscapeString(key)),
		strings.ReplaceAll(key, "/", `\/`), strings.ReplaceAll(key, "/", `\u002F`), strings.ReplaceAll(key, "/", `\\/`),
		strings.ReplaceAll(key, "+", "&#x2b;"), strings.ReplaceAll(key, "+", "&#x002B;"), strings.ReplaceAll(key, "+", "&#43;"), strings.ReplaceAll(key, "+", "&plus;"),
	}
	for _, newline := range []string{"\n", "\r\n\t", " ", `\n`, "=\r\n", "&#10;", "<br/>", "%0D%0A", "\u00ad", "\u200b"} {
		all = append(all, key[:2]+newline+key[2:], strings.Join(strings.Split(key, ""), newline))
	}
	return all
}

func TestEchoesAreRedacted(t *testing.T) {
	for _, key := range []string{"S3cret+/Key=&x", "0123456789abcdef", "clé-d'accès<ö>😀", `a\b"c{d}`} {
		secret := newSecret(key)
		for _, echo := range echoes(key) {
			if got := secret.redact("it is «" + echo + "» they say"); got != "it is «REDACTED» they say" {
				t.Errorf("%q became %q", echo, got)
			}
			if !secret.in("x" + echo) {
				t.Errorf("%q is not detected", echo)
			}
		}
		if text := "the key that was sent is wrong"; secret.redact(text) != text {
			t.Errorf("%q became %q", text, secret.redact(text))
		}
	}
}

// FuzzPlain compares the fast path for plain text with the regular expressions.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{"BUG-12345", "files.screenshot", "x/SESAME-sesame/y", "ticket.files[].url", "api-key:sesame", "https://sesame-sesame", "\u212aey-\u017fesame"} {
		f.Add("sesame-sesame", text)
	}
	f.Add("Key-of-K", "xkey-oF-ky")
	f.Add("\u212aey-of-\u212a", "KEY-OF-K")
	f.Add("a]b[c:d/", "A]B[C:D/")
	f.Fuzz(func(t *testing.T, key, text string) {
		secret := newSecret(key)
		if secret.pattern == nil || len(key) > 50 {
			return
		}
		if got, want := secret.in(text), len(text) >= minLiteralKey && secret.pattern().MatchString(text); got != want {
			t.Errorf("%q is in %q: %t, want %t", key, text, got, want)
		}
		if got, want := secret.redact(text), Redact(secret.pattern().ReplaceAllLiteralString(text, mark)); got != want {
			t.Errorf("%q without %q became %q, want %q", text, key, got, want)
		}
	})
}

// TestCutKey checks that wherever a text is cut, no part of the key is left, in any spelling.
func TestCutKey(t *testing.T) {
	x := &call{key: newSecret("sesame/opens-it")}
	for _, spelt := range []string{"sesame/opens-it", "SESAME/OPENS-IT", "sesame%2Fopens-it", "s e s a m e / o p e n s - i t",
		"sesame/\u200bopens-it", "sesame/\x00opens-it", "sesame/<b>opens</b>-it"} {
		for around, limit := range map[string]int{"%s": maxForeign, "<html><p>%s</p>": maxForeign, `"%s"`: maxForeign, `{"description":"%s"}`: maxDescription} {
			for before := limit - 45; before < limit; before += 3 {
				body := fmt.Sprintf(around, strings.Repeat("-", before)+spelt+strings.Repeat("+", 100))
				got := strings.ToLower(x.description(x.describe([]byte(body))))
				if strings.Contains(got, "ses") || strings.Contains(got, "s e") {
					t.Fatalf("%q behind %d bytes left %q", spelt, before, got[before:])
				}
			}
		}
	}
	var page packagePage
	page.Fields = append(page.Fields, struct {
		Name string `json:"name"`
	}{strings.Repeat("-", 52) + "sesame/opens-it"})
	if _, err := page.column("none"); err == nil || strings.Contains(x.description(err.Error()), "ses") {
		t.Errorf("a column's name left %q", x.description(err.Error()))
	}
	for before := range maxEndpoint {
		if got := withoutQuery(strings.Repeat("-", before) + "https://user:sesame@host/"); strings.Contains(got, "user") {
			t.Fatalf("an endpoint left %q", got)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte(`{"status":400,"description":"no ?apiKey=sesame-sesame"}`))
	f.Add([]byte("<html><script>x</script><p>sesame-sesame"))
	f.Fuzz(func(t *testing.T, body []byte) {
		x := &call{key: newSecret("sesame-sesame")}
		got := x.description(x.describe(body))
		if len([]rune(got)) > maxDescription || strings.Contains(got, "sesame-sesame") || strings.ContainsAny(got, "\n\r\x00") {
			t.Errorf("%q became %q", body, got)
		}
	})
}
