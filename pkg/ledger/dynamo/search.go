package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/ledger"
)

// segments is how many parts of the table are scanned in parallel. That reads 8 MB/s to 16
// MB/s of an on-demand table, which does not affect the worker's single writes.
const segments = 8

// errEnough ends a search.
var errEnough = errors.New("enough was found")

// Search calls visit for each matching delivery, as they are found, in no order and one at
// a time, until visit returns false. The table has no index for such queries, so it is
// scanned as a whole: a million deliveries are about 2 GB, which takes a few minutes and
// 250,000 read units, some US cents.
func (h *History) Search(ctx context.Context, q ledger.Query, visit func(ledger.Entry) bool) error {
	s := &search{History: h, query: q, visit: visit}
	group, ctx := errgroup.WithContext(ctx)
	for n := range int32(segments) {
		group.Go(func() error { return s.segment(ctx, n) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("search table %s: %w", h.table, err)
	}
	return nil
}

// Outcomes calls visit with what became of each delivery that was received in a time,
// as [History.Search] finds them.
func (h *History) Outcomes(ctx context.Context, q ledger.Query, visit func(ledger.Outcome)) error {
	q = ledger.Query{Since: q.Since, Until: q.Until, Progress: q.Progress}
	return h.Search(ctx, q, func(e ledger.Entry) bool {
		visit(e.Outcome())
		return true
	})
}

// search is one call of [History.Search].
type search struct {
	*History
	query ledger.Query
	visit func(ledger.Entry) bool

	mu     sync.Mutex
	looked int
	enough bool
}

func (s *search) segment(ctx context.Context, n int32) error {
	in := scanInput(s.table, s.query)
	in.Segment, in.TotalSegments = aws.Int32(n), aws.Int32(segments)
	for {
		out, err := s.api.Scan(ctx, in)
		if err != nil {
			return err
		}
		if err := s.page(out); err != nil {
			return err
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

func (s *search) page(out *dynamodb.ScanOutput) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked += int(out.ScannedCount)
	if s.query.Progress != nil {
		s.query.Progress(s.looked)
	}
	for _, item := range out.Items {
		r, err := record(item)
		if err != nil {
			return fmt.Errorf("read an item: %w", err)
		}
		e, err := ledger.Read(r)
		if err != nil {
			return err
		}
		if s.enough = s.enough || s.query.Match(e) && !s.visit(e); s.enough {
			return errEnough
		}
	}
	return nil
}

// scanInput returns a scan whose filter removes most of what does not match. The filter
// saves no read units, but most of the transfer. DynamoDB cannot compare without case, so
// those conditions are left out.
func scanInput(table string, q ledger.Query) *dynamodb.ScanInput {
	in := &dynamodb.ScanInput{
		TableName:            aws.String(table),
		ProjectionExpression: aws.String("#id, #version, #state, #expiresAt, #doc"), // without the letters' data
		ExpressionAttributeNames: map[string]string{
			"#id": attrID, "#version": attrVersion, "#state": attrState, "#expiresAt": attrExpiresAt, "#doc": attrDoc,
		},
		ExpressionAttributeValues: map[string]types.AttributeValue{":prefix": text("#")},
	}
	if q.Consistent {
		in.ConsistentRead = aws.Bool(true)
	}
	filters := []string{"NOT begins_with(#id, :prefix)"}
	if q.ID != "" {
		filters[0] = "begins_with(#id, :prefix)"
		in.ExpressionAttributeValues[":prefix"] = text(strings.ToLower(q.ID))
	}
	if len(q.States) > 0 {
		var names []string
		for i, state := range q.States {
			name := fmt.Sprintf(":state%d", i)
			names = append(names, name)
			in.ExpressionAttributeValues[name] = text(state)
		}
		filters = append(filters, "#state IN ("+strings.Join(names, ", ")+")")
	}
	in.FilterExpression = aws.String(strings.Join(filters, " AND "))
	return in
}
