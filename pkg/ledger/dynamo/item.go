package dynamo

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"fairbridge/pkg/ledger"
)

// The attributes of an item. attention and since are the keys of the index that
// [History.Noted] queries; an item without them is not in the index.
const (
	attrID        = "id"        // S, the partition key
	attrVersion   = "version"   // N
	attrState     = "state"     // S
	attrExpiresAt = "expiresAt" // N, seconds since 1970, the table's TTL attribute
	attrDoc       = "doc"       // S, JSON
	attrAttention = "attention" // S, the index's partition key
	attrSince     = "since"     // N, milliseconds since 1970, its sort key
	attrData      = "data"      // B
)

func item(r ledger.Record) map[string]types.AttributeValue {
	item := map[string]types.AttributeValue{
		attrID:        text(r.ID),
		attrVersion:   number(r.Version),
		attrState:     text(r.State),
		attrExpiresAt: number(r.ExpiresAt.Unix()),
		attrDoc:       text(string(r.Doc)),
	}
	if r.Attention != "" {
		item[attrAttention], item[attrSince] = text(r.Attention), number(r.Since.UnixMilli())
	}
	if len(r.Data) > 0 {
		item[attrData] = &types.AttributeValueMemberB{Value: r.Data}
	}
	return item
}

// record turns an item back into a record. Other attributes are ignored.
func record(item map[string]types.AttributeValue) (ledger.Record, error) {
	d := decoder{item: item}
	r := ledger.Record{
		ID:        d.text(attrID),
		Version:   d.number(attrVersion),
		State:     d.text(attrState),
		ExpiresAt: time.Unix(d.number(attrExpiresAt), 0).UTC(),
		Doc:       []byte(d.text(attrDoc)),
	}
	if _, waits := item[attrAttention]; waits {
		r.Attention, r.Since = d.text(attrAttention), time.UnixMilli(d.number(attrSince)).UTC()
	}
	if data, ok := item[attrData].(*types.AttributeValueMemberB); ok {
		r.Data = data.Value
	}
	if d.err != nil {
		return ledger.Record{}, d.err
	}
	return r, nil
}

// decoder reads attributes and keeps the first error.
type decoder struct {
	item map[string]types.AttributeValue
	err  error
}

func (d *decoder) text(name string) string {
	v, ok := d.item[name].(*types.AttributeValueMemberS)
	if !ok {
		d.fail(name, "string")
		return ""
	}
	return v.Value
}

func (d *decoder) number(name string) int64 {
	v, ok := d.item[name].(*types.AttributeValueMemberN)
	if !ok {
		d.fail(name, "number")
		return 0
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		d.fail(name, "whole number")
	}
	return n
}

func (d *decoder) fail(name, want string) {
	if d.err == nil {
		d.err = fmt.Errorf("attribute %s of the item is not a %s", name, want)
	}
}
