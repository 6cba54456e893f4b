package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"fairbridge/pkg/ledger"
)

// maxPages bounds one [History.Recent]: a page is up to 1 MB, some 1,000 deliveries, and
// costs 128 read units. All of them cost about one US cent. See
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
const maxPages = 64

// ErrPartial accompanies the records of a [History.Recent] that did not read the whole
// table.
var ErrPartial = errors.New("the ledger is too large to be read whole")

// Index is the table's global secondary index of deliveries that wait for a person: its
// keys are attention (S) and since (N), and all attributes are projected.
const Index = "attention"

// HistoryAPI is the part of DynamoDB that [History] uses: an IAM policy needs dynamodb:Scan
// on the table and dynamodb:Query on its index. It is separate from [API] because the
// worker's policy does not allow these; an operator's does.
type HistoryAPI interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// History reads a whole ledger table, for operators' tools.
type History struct {
	api   HistoryAPI
	table string
}

// HistoryConfig is what a history is made of.
type HistoryConfig struct {
	API   HistoryAPI
	Table string // its name
}

// NewHistory returns the history in a table, which is not looked at.
func NewHistory(c HistoryConfig) (*History, error) {
	if c.API == nil || c.Table == "" {
		return nil, errNoTable
	}
	return &History{api: c.API, table: c.Table}, nil
}

// Recent returns at most limit records of deliveries, the last changed first. The table has
// no order, so it is read as a whole, up to 64 MB: if it is larger, the latest of what was
// read come with [ErrPartial].
func (h *History) Recent(ctx context.Context, limit int) ([]ledger.Record, error) {
	type changed struct {
		ledger.Record
		at time.Time
	}
	var latest []changed
	records := func() []ledger.Record {
		all := make([]ledger.Record, len(latest))
		for i, r := range latest {
			all[i] = r.Record
		}
		return all
	}
	var next map[string]types.AttributeValue
	for range maxPages {
		out, err := h.api.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String(h.table), ExclusiveStartKey: next})
		if err != nil {
			return nil, fmt.Errorf("scan table %s: %w", h.table, err)
		}
		for _, item := range out.Items {
			if id, ok := item[attrID].(*types.AttributeValueMemberS); ok && !ledger.IsDelivery(id.Value) {
				continue
			}
			r, err := record(item)
			if err != nil {
				return nil, fmt.Errorf("read an item of table %s: %w", h.table, err)
			}
			e, err := ledger.Read(r)
			if err != nil {
				return nil, err
			}
			latest = append(latest, changed{r, e.UpdatedAt})
		}
		slices.SortFunc(latest, func(a, b changed) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.ID, b.ID)) })
		latest = latest[:min(len(latest), limit)]
		if next = out.LastEvaluatedKey; len(next) == 0 {
			return records(), nil
		}
	}
	return records(), fmt.Errorf("table %s: %w", h.table, ErrPartial)
}

// Noted returns the records with an attention, the oldest first: one query of the index,
// which is eventually consistent.
func (h *History) Noted(ctx context.Context, attention string) ([]ledger.Record, error) {
	var records []ledger.Record
	in := &dynamodb.QueryInput{
		TableName: aws.String(h.table), IndexName: aws.String(Index),
		KeyConditionExpression:    aws.String("#attention = :attention"),
		ExpressionAttributeNames:  map[string]string{"#attention": attrAttention},
		ExpressionAttributeValues: map[string]types.AttributeValue{":attention": text(attention)},
	}
	for {
		out, err := h.api.Query(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("query index %s of table %s: %w", Index, h.table, err)
		}
		for _, item := range out.Items {
			r, err := record(item)
			if err != nil {
				return nil, fmt.Errorf("read an item of table %s: %w", h.table, err)
			}
			records = append(records, r)
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return records, nil
		}
	}
}
