package ingest_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// FuzzHandle checks that no request makes the handler panic or fail, that exactly the
// queued payloads get a 202, that the queued message can be sent (SQS rejects some
// characters, and more than 1 MiB), and that the worker can read it, so that an accepted
// webhook never becomes a dead letter as malformed.
func FuzzHandle(f *testing.F) {
	f.Add("POST", ingest.Path, "$default", "token="+goodToken, feedback, false)
	f.Add("POST", "/prod"+ingest.Path, "prod", "token="+goodToken, base64.StdEncoding.EncodeToString([]byte(feedback)), true)
	f.Add("GET", "/", "", "token=%zz;", "{", true)
	f.Add("POST", ingest.Path, "$default", "token="+goodToken, "{\"event\":\"feedback\",\"text\":\"\x00\xff\uFFFF\",\"email\":null,\"build\":\"1\"}", false)
	f.Add("POST", ingest.Path, "$default", "token="+goodToken, `{"event":"feedback","text":1e400,"screenshotUrl":"%"}`, false)
	f.Add("POST", ingest.Path+"/", "$default", "token="+goodToken, compressed(` {"event":" FEEDBACK","email":[],"a":"\ud800"}`), false)
	f.Add("POST", ingest.Path, "$default", "token="+goodToken, `{"event":"feedback","a":`+strings.Repeat("[", 99)+strings.Repeat("]", 99)+`}`, false)
	f.Fuzz(func(t *testing.T, method, path, stage, query, body string, encoded bool) {
		b := newBench(t)
		req := post(body)
		req.RequestContext.HTTP.Method, req.RawPath, req.RequestContext.Stage = method, path, stage
		req.RawQueryString, req.IsBase64Encoded = query, encoded
		res, o := b.send(t, req)
		if res.StatusCode >= 500 {
			t.Errorf("status %d for bad input", res.StatusCode)
		}
		if (res.StatusCode == 202) != (len(b.queue.sent) == 1) {
			t.Errorf("status %d with %d messages in the queue", res.StatusCode, len(b.queue.sent))
		}
		if !json.Valid([]byte(res.Body)) || o.Status != res.StatusCode {
			t.Errorf("answer %d %s, outcome %+v", res.StatusCode, res.Body, o)
		}
		for _, message := range b.queue.sent {
			if !utf8.ValidString(*message.MessageBody) {
				t.Error("message is not UTF-8")
			}
			envelope, err := queue.Decode(*message.MessageBody)
			if err != nil {
				t.Fatal(err)
			}
			if event, err := testfairy.Decode(envelope.Event); err != nil || event.DeliveryID() != envelope.DeliveryID || o.DeliveryID != envelope.DeliveryID {
				t.Errorf("the worker reads %+v of %s, %v", event, envelope.Event, err)
			}
			for _, r := range *message.MessageBody {
				if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
					t.Errorf("message contains %U, which SQS rejects", r)
				}
			}
		}
	})
}
