package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
)

// scanned is a table as Scan returns it: in pages, unordered.
type scanned struct {
	pages [][]map[string]types.AttributeValue
	asked int
	err   error
}

func (s *scanned) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	if s.err != nil {
		return nil, s.err
	}
	page := 0
	if from, ok := in.ExclusiveStartKey["id"].(*types.AttributeValueMemberS); ok {
		page, _ = strconv.Atoi(from.Value)
	}
	if aws.ToString(in.TableName) != table || page != s.asked {
		return nil, fmt.Errorf("table %q, page %d after %d", aws.ToString(in.TableName), page, s.asked)
	}
	s.asked++
	out := &dynamodb.ScanOutput{Items: s.pages[page]}
	if page+1 < len(s.pages) {
		out.LastEvaluatedKey = map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: strconv.Itoa(page + 1)}}
	}
	return out, nil
}

func (s *scanned) Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return nil, errors.New("nobody asks the index here")
}

func scannedItem(id string, changed int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"id":        &types.AttributeValueMemberS{Value: id},
		"version":   &types.AttributeValueMemberN{Value: "1"},
		"state":     &types.AttributeValueMemberS{Value: "completed"},
		"expiresAt": &types.AttributeValueMemberN{Value: "4000000000"},
		"doc":       &types.AttributeValueMemberS{Value: fmt.Sprintf(`{"updatedAt":%q}`, time.Unix(int64(changed), 0).UTC().Format(time.RFC3339))},
	}
}

func recentIDs(t *testing.T, s *scanned, limit int) ([]string, error) {
	t.Helper()
	records, err := dynamotest.NewHistory(t, s, table).Recent(t.Context(), limit)
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids, err
}

func TestRecent(t *testing.T) {
	pages := [][]map[string]types.AttributeValue{
		{scannedItem("a", 100), scannedItem("b", 400)},
		{}, // an empty page may be followed by others
		{scannedItem("d", 300), scannedItem("c", 300), scannedItem("e", 500)},
	}
	for limit, want := range map[int][]string{
		0: nil, 1: {"e"}, 3: {"e", "b", "c"}, 9: {"e", "b", "c", "d", "a"},
	} {
		if got, err := recentIDs(t, &scanned{pages: pages}, limit); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d: got %v, %v, want %v", limit, got, err, want)
		}
	}
}

func TestRecentIsBounded(t *testing.T) {
	s := &scanned{}
	for i := range 1000 {
		s.pages = append(s.pages, []map[string]types.AttributeValue{scannedItem(fmt.Sprint(i), i)})
	}
	got, err := recentIDs(t, s, 2)
	if !errors.Is(err, dynamo.ErrPartial) || !slices.Equal(got, []string{"63", "62"}) || s.asked != 64 {
		t.Errorf("got %v, %v after %d pages", got, err, s.asked)
	}
}

func TestRecentFails(t *testing.T) {
	broken := errors.New("no network")
	if got, err := recentIDs(t, &scanned{err: broken}, 2); !errors.Is(err, broken) || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	foreign := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "x"}}
	if _, err := recentIDs(t, &scanned{pages: [][]map[string]types.AttributeValue{{foreign}}}, 2); err == nil {
		t.Error("no error for an item of another kind")
	}
}
