package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"fairbridge/pkg/ledger"
)

// maxPages bounds one [History.Recent]: a page is up to 1 MB, some 1,000
// deliveries, and costs 128 read units. All of it is about a cent.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
const maxPages = 64

// ErrPartial comes with the records of a [History.Recent] that did not look at
// the whole table.
var ErrPartial = errors.New("the ledger is too large to be read whole")

// ScanAPI is the part of DynamoDB that [History] uses. It is apart from [API],
// since the worker's IAM policy does not have it: a person's must.
type ScanAPI interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// History reads a ledger's table as a whole, for people's tools.
type History struct {
	api   ScanAPI
	table string
}

// NewHistory returns the history in the named table.
func NewHistory(api ScanAPI, table string) *History { return &History{api: api, table: table} }

// Recent returns the records that changed last, the latest first, at most limit
// of them. The table has no order, so all of it is read, up to 64 MB: if there
// is more, the latest of what was read come with [ErrPartial].
//
// The time of change is taken from the time of expiry, which is a fixed time
// after it, to the second.
func (h *History) Recent(ctx context.Context, limit int) ([]ledger.Record, error) {
	var records []ledger.Record
	var next map[string]types.AttributeValue
	for range maxPages {
		out, err := h.api.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String(h.table), ExclusiveStartKey: next})
		if err != nil {
			return nil, fmt.Errorf("scan table %s: %w", h.table, err)
		}
		for _, item := range out.Items {
			r, err := record(item)
			if err != nil {
				return nil, fmt.Errorf("read an item of table %s: %w", h.table, err)
			}
			records = append(records, r)
		}
		slices.SortFunc(records, func(a, b ledger.Record) int {
			return cmp.Or(b.ExpiresAt.Compare(a.ExpiresAt), cmp.Compare(a.ID, b.ID))
		})
		records = records[:min(len(records), limit)]
		if next = out.LastEvaluatedKey; len(next) == 0 {
			return records, nil
		}
	}
	return records, fmt.Errorf("table %s: %w", h.table, ErrPartial)
}
