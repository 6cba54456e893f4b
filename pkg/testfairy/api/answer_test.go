package api_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"fairbridge/pkg/testfairy/api"
)

// answering returns a TestFairy that always gives the same response.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestListShapes(t *testing.T) {
	const one = `{"id":7,"status":"true","name":"n","url":"https://h/p","actions":"crash, feedback","projectIds":"1,2"}`
	const want = `[{"id":"7","enabled":true,"name":"n","address":"https://h/p","actions":["crash","feedback"],"projectIds":["1","2"]}]`
	const bare = `[{"id":"7","enabled":false,"name":"","address":"https://h/p","actions":null,"projectIds":null}]`
	tests := []struct{ name, body, want string }{
		{"documented", `{"status":"ok","webhooks":[` + one + `]}`, want},
		{"types", `{"status":"OK","webhooks":[{"id":"7","status":true,"name":"n","url":"https://h/p","actions":["crash","feedback"],"projectIds":[1,2]}]}`, want},
		{"status 1", `{"status":"ok","webhooks":[{"id":"7","status":1,"name":"n","url":"https://h/p","actions":["crash","feedback"],"projectIds":[1,2]}]}`, want},
		{"by id", `{"status":"ok","webhooks":{"7":{"status":"enabled","name":"n","url":"https://h/p","actions":"crash,feedback,","projectIds":"1,2"}}}`, want},
		{"wrapped", `{"status":"ok","data":{"webhooks":[` + one + `]}}`, want},
		{"wrapped array", `{"status":"ok","result":[` + one + `]}`, want},
		{"nulls", `{"status":"ok","webhooks":[{"id":7,"status":null,"name":null,"url":"https://h/p","actions":null,"projectIds":null}]}`, bare},
		{"odd types", `{"status":"ok","webhooks":[{"id":7,"status":{},"name":[],"url":"https://h/p","actions":{},"projectIds":[null,{}]}]}`, bare},
		{"missing", `{"status":"ok","webhooks":[{"id":7,"url":"https://h/p"}]}`, bare},
		{"off", `{"status":"ok","webhooks":[{"id":7,"status":"false","url":"https://h/p"}]}`, bare},
		{"none", `{"status":"ok","webhooks":[]}`, `[]`},
		{"null", `{"status":"ok","webhooks":null}`, `[]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := serve(t, answering(200, test.body)).Webhooks(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(got)
			if err != nil || string(b) != test.want {
				t.Errorf("got  %s, %v\nwant %s", b, err, test.want)
			}
		})
	}
}

// TestHostileAnswers has responses that must not be read as a list: the caller would then
// add a second webhook.
func TestHostileAnswers(t *testing.T) {
	const notJSON = "TestFairy: list webhooks: the answer is not JSON as documented; is the base URL right?"
	const shape = "TestFairy: list webhooks: the answer is not of a known shape"
	entry := func(body string) string { return `{"status":"ok","webhooks":[` + body + `]}` }
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"nothing", 200, "", notJSON},
		{"a page", 200, "<html>Sign in</html>", notJSON},
		{"null", 200, "null", notJSON},
		{"an array", 200, "[]", notJSON},
		{"cut off", 200, `{"status":"ok","webhooks":[`, notJSON},
		{"more after it", 200, `{"status":"ok","webhooks":[]} x`, notJSON},
		{"nested too deep", 200, `{"status":` + strings.Repeat("[", 20000) + `}`, notJSON},
		{"no status", 200, `{"webhooks":[]}`, notJSON},
		{"another status", 200, `{"status":"maybe","webhooks":[]}`, notJSON},
		{"failed", 200, `{"status":"fail","message":"no"}`, `TestFairy: list webhooks: answered "fail": no`},
		{"failed with a code", 400, `{"status":"fail","error":"no"}`, `TestFairy: list webhooks: no (HTTP 400)`},
		{"failed without words", 200, `{"status":"fail","message":{"a":1}}`, `TestFairy: list webhooks: answered "fail"`},
		{"forbidden", 403, "<html>", "TestFairy: list webhooks: user or API key refused (HTTP 403)"},
		{"a gateway's page", 502, "<html>", "TestFairy: list webhooks (HTTP 502)"},
		{"an error with status ok", 500, `{"status":"ok","webhooks":[]}`, "TestFairy: list webhooks (HTTP 500)"},
		{"no list", 200, `{"status":"ok"}`, shape},
		{"list is text", 200, `{"status":"ok","webhooks":"none"}`, shape},
		{"list is a number", 200, `{"status":"ok","webhooks":0}`, shape},
		{"entry is null", 200, entry("null"), "TestFairy: list webhooks: webhook 1 of 1: the answer is not of a known shape"},
		{"entry without id", 200, entry(`{"url":"https://h"}`), "TestFairy: list webhooks: webhook 1 of 1: the answer is not of a known shape"},
		{"entry without URL", 200, entry(`{"id":1}`), "TestFairy: list webhooks: webhook 1 of 1: the answer is not of a known shape"},
		{"id is a path", 200, entry(`{"id":"../../x","url":"https://h"}`), "TestFairy: list webhooks: webhook 1 of 1: the answer is not of a known shape"},
		{"too long", 200, entry(strings.Repeat(`{"id":1,"url":"https://h"},`, 50000)), "TestFairy: list webhooks: the answer is longer than 1048576 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := serve(t, answering(test.status, test.body)).Webhooks(t.Context())
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

// TestErrorsShowNoSecret checks that errors contain no secret, even if TestFairy repeats
// the request.
func TestErrorsShowNoSecret(t *testing.T) {
	w := webhook()
	for _, echo := range []string{
		"bad key " + key, url.QueryEscape(key), w.URL, url.QueryEscape(w.URL), "token " + token, "token=" + token,
		base64.StdEncoding.EncodeToString([]byte(credentials.User + ":" + key)),
		"see https://other.example.com/hook?token=" + token + "&x=1",
	} {
		body, err := json.Marshal(map[string]string{"status": "fail", "message": echo})
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range []int{200, 400} {
			err = serve(t, answering(status, string(body))).AddWebhook(t.Context(), w)
			if err == nil {
				t.Fatal("no error")
			}
			noSecret(t, err.Error())
			noSecret(t, fmt.Sprintf("%+v", errors.Unwrap(err)))
		}
	}
}

func TestMessagesAreBoundedAndPrintable(t *testing.T) {
	tests := []struct{ message, want string }{ // as written in the JSON
		{`a\nb\tc`, "a b c"},
		{`\u001b[31mred\u001b[0m\u0000`, "[31mred[0m"},
		{`bidi \u202e text`, "bidi text"},
		{"broken \xff text", "broken \ufffd text"},
		{strings.Repeat("é", 500), strings.Repeat("é", 199) + "…"},
	}
	for _, test := range tests {
		_, err := serve(t, answering(200, `{"status":"fail","message":"`+test.message+`"}`)).Webhooks(t.Context())
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Message != test.want {
			t.Errorf("%q: got %v, want %q", test.message, err, test.want)
		}
	}
}

func TestBrokenConnection(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"before the answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"in the answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"status":"ok"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := serve(t, handler).AddWebhook(t.Context(), webhook())
			if err == nil {
				t.Fatal("no error")
			}
			noSecret(t, err.Error())
		})
	}
	srv := httptest.NewServer(nil)
	srv.Close()
	c, err := api.New(api.Config{BaseURL: srv.URL, Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddWebhook(t.Context(), webhook()); err == nil || strings.Contains(err.Error(), "/api/1") {
		t.Errorf("got %v", err)
	}
}
