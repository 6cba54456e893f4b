package api

import (
	"regexp"
	"testing"
	"unicode/utf8"
)

// FuzzAnswer checks that whatever TestFairy responds, ids are safe in a path, and messages
// are one bounded line.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"status":"ok","webhooks":[{"id":7,"status":"true","name":"n","url":"https://h/p?token=t","actions":"crash,feedback","projectIds":"1,2"}]}`,
		`{"status":"ok","webhooks":{"7":{"url":"https://h","actions":["crash",1,null],"projectIds":[12345]}}}`,
		`{"status":"ok","data":{"webhooks":[{"id":"a/b","url":"x"}]}}`,
		`{"status":"ok","result":[null]}`,
		`{"status":"fail","message":"https://h/p?token=t \u001b[0m"}`,
		`{"status":true,"webhooks":1e99}`,
		`<html>`,
	} {
		f.Add([]byte(seed))
	}
	c, err := New(Config{BaseURL: EU, Credentials: Credentials{User: "u", Key: "k"}})
	if err != nil {
		f.Fatal(err)
	}
	line := regexp.MustCompile(`^[^\p{Cc}]*$`)
	f.Fuzz(func(t *testing.T, body []byte) {
		fields, message, err := decodeAnswer(body)
		if message = c.clean(message, nil); !line.MatchString(message) || !utf8.ValidString(message) || utf8.RuneCountInString(message) > maxMessage {
			t.Errorf("message %q", message)
		}
		if err != nil {
			return
		}
		webhooks, err := decodeList(fields, "webhooks", decodeWebhook)
		if err != nil && webhooks != nil {
			t.Errorf("%d webhooks and %v", len(webhooks), err)
		}
		for _, w := range webhooks {
			if !validID().MatchString(w.ID) || w.URL == "" {
				t.Errorf("webhook with id %q, URL %q", w.ID, w.URL)
			}
		}
	})
}
