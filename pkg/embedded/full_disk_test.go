package embedded_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/sqlitedb"
	"fairbridge/pkg/testfairy"
)

// rightToken is a store with a single secret.
type rightToken struct{}

func (rightToken) Get(context.Context, string) (string, error) { return "right", nil }
func (rightToken) Fresh(context.Context, string, time.Duration) (string, error) {
	return "right", nil
}

type everyKind struct{}

func (everyKind) Wants(testfairy.Kind) bool { return true }

type nobody struct{}

func (nobody) Report(context.Context, ingest.Outcome) {}

// TestFullDiskIsReported checks that while the disk is full a webhook gets a 503 with
// Retry-After and is recorded as refused, and that it is accepted once there is room. The
// queue contains exactly the webhooks that got a 202.
func TestFullDiskIsReported(t *testing.T) {
	h := openHome(t, embedded.Config{Folder: t.TempDir()})
	accept, err := ingest.New(ingest.Config{
		QueueURL: h.WorkQueueURL, Sender: h.SQS, Secrets: rightToken{}, Routes: everyKind{}, Reporter: h.Refusals.Reporting(nobody{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, embedded.ListenerConfig{Handler: accept, Refused: h.Refusals.Add, Ready: h.Ready})
	sent, accepted, refused := 0, 0, 0
	send := func() (status int, retryAfter string) {
		sent++
		payload := fmt.Sprintf(`{"event":"feedback","text":"%d%s"}`, sent, strings.Repeat(" and so on", 2000))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/webhooks/testfairy?token=right", strings.NewReader(payload))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		switch resp.StatusCode {
		case http.StatusAccepted:
			accepted++
		case http.StatusServiceUnavailable:
			refused++
		default:
			t.Errorf("webhook %d was answered %d", sent, resp.StatusCode)
		}
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	for range 3 {
		send()
	}
	pages(t, h, 1) // no more than now
	for range 20 {
		if status, retryAfter := send(); status == http.StatusServiceUnavailable && retryAfter == "" {
			t.Error("a 503 without Retry-After")
		}
	}
	if refused == 0 {
		t.Fatal("the disk was never full")
	}
	pages(t, h, 1<<30)
	before := accepted
	for range 3 {
		send()
	}
	if accepted != before+3 {
		t.Errorf("%d of 3 were accepted once there was room", accepted-before)
	}
	out, err := h.SQS.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &h.WorkQueueURL,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages}})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Attributes["ApproximateNumberOfMessages"]; got != fmt.Sprint(accepted) {
		t.Errorf("%s messages in the queue, %d accepted", got, accepted)
	}
	written(t, h.Refusals)
	record, err := h.Refusals.Refused(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Counts) != 1 || record.Counts[0].Reason != ingest.ReasonNotQueued || record.Counts[0].Count != refused {
		t.Errorf("%d refused; recorded %+v", refused, record.Counts)
	}
}

// pages limits the size of the home's file.
func pages(t *testing.T, h *embedded.Home, most int) {
	t.Helper()
	err := h.DB.Write(t.Context(), func(tx *sqlitedb.Tx) error {
		var now int
		return tx.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", most)).Scan(&now)
	})
	if err != nil {
		t.Fatal(err)
	}
}
