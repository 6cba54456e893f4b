package dynamo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/ledger/ledgertest"
)

// weighed records the size of each item written, as DynamoDB counts it. See
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
type weighed struct {
	*dynamodb.Client
	bytes []int
}

func (w *weighed) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	size := 0
	for name, value := range in.Item {
		size += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			size += len(v.Value)
		case *types.AttributeValueMemberN:
			size += len(v.Value)
		case *types.AttributeValueMemberB:
			size += len(v.Value)
		}
	}
	w.bytes = append(w.bytes, size)
	return w.Client.PutItem(ctx, in, o...)
}

// units returns the write units used so far.
func (w *weighed) units() (n int) {
	for _, size := range w.bytes {
		n += (size + 1023) / 1024
	}
	return n
}

// TestWriteUnits checks what a feedback costs in write units, as stated in
// docs/performance.md.
func TestWriteUnits(t *testing.T) {
	about := ledger.About{
		ReceivedAt: time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC), Kind: "feedback", App: "Demo App", Version: "1.0", Build: "1",
		Session: "/projects/10-demoapp/builds/584120/sessions/1", SessionHost: "app.testfairy.com", Email: "alice@corporation.com", Text: strings.Repeat("x", 120),
	}
	where := ledger.Where{BaseURL: "https://beta.example.com", Project: "DEMO", Source: "testfairy", Mapping: strings.Repeat("0", 64)}
	lookup := where
	lookup.Lookup = &ledger.Lookup{Package: "deliveries", Column: "Delivery ID", TicketColumn: "Ticket ID", Settle: time.Minute}
	files := map[string]string{"screenshot": "https://beta.example.com/api/v1/projects/DEMO/feedback/12345/files/screenshot"}
	file := ledger.Attachment{Name: "d64636e2d57672f812e1a348e8.jpg", Bytes: 123_456}
	fault := ledger.Fault{Stage: "create", Status: 503, Text: "create ticket: status 503: The service is unavailable.", At: about.ReceivedAt}

	plain := func(c *ledger.Claim) error {
		return errors.Join(c.Creating(t.Context(), where), c.CreatedAndCompleted(t.Context(), "12345"))
	}
	withFile := func(where ledger.Where) func(c *ledger.Claim) error {
		return func(c *ledger.Claim) error {
			return errors.Join(c.Creating(t.Context(), where), c.Created(t.Context(), "12345", files, []string{"files.screenshot", "id"}),
				c.Attaching(t.Context(), "screenshot"), c.Attached(t.Context(), "screenshot", file), c.Completed(t.Context()))
		}
	}
	slow := ledger.Fault{Stage: "attach", Text: "its files take longer than 20s: they follow from the files queue", At: about.ReceivedAt}
	handOver := func(c *ledger.Claim) error {
		return errors.Join(c.Creating(t.Context(), where), c.Created(t.Context(), "12345", files, []string{"files.screenshot", "id"}),
			c.Attaching(t.Context(), "screenshot"), c.HandedOver(t.Context(), slow, true))
	}
	handedOver := func(c *ledger.Claim) error {
		return errors.Join(c.Attaching(t.Context(), "screenshot"), c.Attached(t.Context(), "screenshot", file), c.Completed(t.Context()))
	}
	for _, tc := range []struct {
		name   string
		about  ledger.About
		failed int // failed attempts before
		first  func(*ledger.Claim) error
		units  int
		then   func(*ledger.Claim) error // run in another attempt
	}{
		{"without attachment", about, 0, plain, 3, nil},
		{"the same, of ids only", ledger.About{}, 0, plain, 3, nil},
		{"with a file", about, 0, withFile(where), 10, nil},
		{"with a file, of ids only", ledger.About{}, 0, withFile(where), 6, nil},
		{"with a file and a look-up", about, 0, withFile(lookup), 11, nil},
		{"with a file that is handed over", about, 0, handOver, 16, handedOver},
		{"after 1 failed attempt", about, 1, plain, 10, nil},
		{"after 3 failed attempts", about, 3, plain, 22, nil},
		{"after 30 failed attempts", about, 30, plain, 276, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			api := &weighed{Client: dynamotest.Start(t, table).Client()}
			// All times have the same length, so that the sizes are constant.
			now := about.ReceivedAt
			l := ledgertest.New(t, ledger.Config{Store: dynamotest.NewStore(t, api, table), Now: func() time.Time {
				now = now.Add(123_456_780 * time.Nanosecond)
				return now
			}})
			id := strings.Repeat("0a", 32)
			claim := func() *ledger.Claim {
				d, err := l.Look(t.Context(), id, ledger.Message{})
				if err != nil {
					t.Fatal(err)
				}
				c, err := d.Claim(t.Context(), tc.about, false)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			for range tc.failed {
				c := claim()
				if err := errors.Join(c.Creating(t.Context(), where), c.Release(t.Context(), fault, true, time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			before := len(api.bytes)
			if err := tc.first(claim()); err != nil {
				t.Fatal(err)
			}
			if tc.then != nil {
				if err := tc.then(claim()); err != nil {
					t.Fatal(err)
				}
			}
			if api.units() != tc.units {
				t.Errorf("%d units, want %d; the items of the last attempt have %d bytes", api.units(), tc.units, api.bytes[before:])
			}
		})
	}
}
