package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/breaker/breakertest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/ledger/ledgertest"
)

const table = "ledger"

func TestContract(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Store {
		return dynamotest.NewStore(t, dynamotest.Start(t, table).Client(), table)
	})
}

func TestIndex(t *testing.T) {
	client := dynamotest.Start(t, table).Client()
	ledgertest.RunIndex(t, dynamotest.NewStore(t, client, table), dynamotest.NewHistory(t, client, table))
}

func TestLetters(t *testing.T) {
	ledgertest.RunLetters(t, dynamotest.NewStore(t, dynamotest.Start(t, table).Client(), table))
}

func TestBreaker(t *testing.T) {
	breakertest.Run(t, dynamotest.NewStore(t, dynamotest.Start(t, table).Client(), table))
}

func testRecord(version int64) ledger.Record {
	return ledger.Record{
		ID: "0a1b", Version: version, State: "claimed",
		ExpiresAt: time.Unix(1800000000, 0).UTC(), Doc: []byte(`{"a":"ü"}`),
	}
}

func TestRequests(t *testing.T) {
	srv := dynamotest.Start(t, table)
	s := dynamotest.NewStore(t, srv.Client(), table)
	item := func(version string) string {
		return `{"id":{"S":"0a1b"},"version":{"N":"` + version + `"},"state":{"S":"claimed"},
			"expiresAt":{"N":"1800000000"},"doc":{"S":"{\"a\":\"ü\"}"}}`
	}
	tests := []struct {
		name      string
		do        func() error
		operation string
		body      string
	}{
		{"first version", func() error { return s.Put(t.Context(), testRecord(1)) }, "PutItem", `{
			"TableName":"ledger","Item":` + item("1") + `,
			"ConditionExpression":"attribute_not_exists(#id)",
			"ExpressionAttributeNames":{"#id":"id"},
			"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`},
		{"next version", func() error { return s.Put(t.Context(), testRecord(2)) }, "PutItem", `{
			"TableName":"ledger","Item":` + item("2") + `,
			"ConditionExpression":"#version = :previous",
			"ExpressionAttributeNames":{"#version":"version"},
			"ExpressionAttributeValues":{":previous":{"N":"1"}},
			"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`},
		{"get", func() error { _, err := s.Get(t.Context(), "0a1b"); return err }, "GetItem", `{
			"TableName":"ledger","Key":{"id":{"S":"0a1b"}},"ConsistentRead":true}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
			calls := srv.Requests()
			got := calls[len(calls)-1]
			if got.Operation != tt.operation || !sameJSON(t, got.Body, tt.body) {
				t.Errorf("sent %s %s\nwant %s %s", got.Operation, got.Body, tt.operation, tt.body)
			}
		})
	}
}

func TestPutFaults(t *testing.T) {
	failed := dynamotest.Fault{Status: 500, Type: "InternalServerError"}
	dropped := dynamotest.Fault{}
	throttled := dynamotest.Fault{Status: 400, Type: "ProvisionedThroughputExceededException"}
	denied := dynamotest.Fault{Status: 400, Type: "AccessDeniedException"}
	lost := func(f dynamotest.Fault) dynamotest.Fault { f.CarriedOut = true; return f }
	tests := []struct {
		name   string
		faults []dynamotest.Fault
		code   string // of the returned error; "" for none
		own    bool   // a conflict with the record itself
		stored bool
	}{
		{"5xx once", []dynamotest.Fault{failed}, "", false, true},
		{"connection closed once", []dynamotest.Fault{dropped}, "", false, true},
		{"5xx, but carried out", []dynamotest.Fault{lost(failed)}, "", true, true},
		{"connection closed, but carried out", []dynamotest.Fault{lost(dropped)}, "", true, true},
		{"throttled twice", []dynamotest.Fault{throttled, throttled}, "", false, true},
		{"throttled all along", []dynamotest.Fault{throttled, throttled, throttled}, "ProvisionedThroughputExceededException", false, false},
		{"5xx all along", []dynamotest.Fault{failed, failed, failed}, "InternalServerError", false, false},
		{"5xx all along, but carried out", []dynamotest.Fault{lost(failed), failed, failed}, "InternalServerError", false, true},
		{"not allowed", []dynamotest.Fault{denied}, "AccessDeniedException", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := dynamotest.Start(t, table)
			s := dynamotest.NewStore(t, srv.Client(), table)
			if err := s.Put(t.Context(), testRecord(1)); err != nil {
				t.Fatal(err)
			}
			r := testRecord(2)
			srv.Fail(tt.faults...)
			err := s.Put(t.Context(), r)
			var conflict *ledger.ConflictError
			var api smithy.APIError
			switch {
			case tt.own:
				if !errors.As(err, &conflict) || !reflect.DeepEqual(conflict.Current, r) {
					t.Errorf("got %v; want a conflict with the record itself", err)
				}
			case tt.code != "":
				if !errors.As(err, &api) || api.ErrorCode() != tt.code ||
					!strings.Contains(err.Error(), "put version 2 of delivery 0a1b into table ledger") {
					t.Errorf("got %v; want %s and what was being done", err, tt.code)
				}
			case err != nil:
				t.Error(err)
			}
			got, err := s.Get(t.Context(), r.ID)
			if err != nil || (got.Version == 2) != tt.stored {
				t.Errorf("stored version %d, %v; want 2: %v", got.Version, err, tt.stored)
			}
		})
	}
}

func TestLedgerSurvivesLostReplies(t *testing.T) {
	srv := dynamotest.Start(t, table)
	l := ledgertest.New(t, ledger.Config{Store: dynamotest.NewStore(t, srv.Client(), table)})
	lost := dynamotest.Fault{CarriedOut: true}
	srv.Fail(lost)
	claim, err := l.Claim(t.Context(), "0a1b", ledger.Message{})
	if err != nil {
		t.Fatal(err)
	}
	srv.Fail(lost, lost, lost)
	if err := claim.Creating(t.Context(), ledger.Where{}); err != nil {
		t.Fatal(err)
	}
	if e, err := l.Entry(t.Context(), "0a1b"); err != nil || e.State != ledger.Creating {
		t.Errorf("Entry = %+v, %v", e, err)
	}
}

func TestGetFault(t *testing.T) {
	srv := dynamotest.Start(t, table)
	srv.Fail(dynamotest.Fault{Status: 400, Type: "ResourceNotFoundException"})
	_, err := dynamotest.NewStore(t, srv.Client(), table).Get(t.Context(), "0a1b")
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) || errors.Is(err, ledger.ErrNotFound) ||
		!strings.Contains(err.Error(), "get delivery 0a1b from table ledger") {
		t.Errorf("got %v; want the missing table, not a missing delivery", err)
	}
}

// answers is an API that returns the same item to every call.
type answers struct {
	item map[string]types.AttributeValue
}

func (a answers) PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return nil, &types.ConditionalCheckFailedException{Item: a.item}
}

func (a answers) GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return &dynamodb.GetItemOutput{Item: a.item}, nil
}

func (a answers) DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return nil, errors.New("nothing is deleted here")
}

func TestForeignItems(t *testing.T) {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	tests := []struct {
		name string
		attr string
		with types.AttributeValue // nil: the attribute is missing
		want string               // part of the error; "" for none
	}{
		{"more attributes", "note", text("by hand"), ""},
		{"no version", "version", nil, "attribute version of the item is not a number"},
		{"version a string", "version", text("1"), "attribute version of the item is not a number"},
		{"version a fraction", "version", number("1.5"), "attribute version of the item is not a whole number"},
		{"no expiry", "expiresAt", nil, "attribute expiresAt of the item is not a number"},
		{"doc a map", "doc", &types.AttributeValueMemberM{}, "attribute doc of the item is not a string"},
		{"no state", "state", nil, "attribute state of the item is not a string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			item := map[string]types.AttributeValue{
				"id": text("0a1b"), "version": number("1"), "state": text("claimed"),
				"expiresAt": number("1800000000"), "doc": text("{}"),
			}
			item[tt.attr] = tt.with
			s := dynamotest.NewStore(t, answers{item}, table)
			_, getErr := s.Get(t.Context(), "0a1b")
			putErr := s.Put(t.Context(), testRecord(1))
			if tt.want == "" {
				if getErr != nil || !errors.Is(putErr, ledger.ErrConflict) {
					t.Errorf("Get: %v, Put: %v; want no error and a conflict", getErr, putErr)
				}
				return
			}
			for _, err := range []error{getErr, putErr} {
				if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ledger.ErrConflict) {
					t.Errorf("got %v; want %q", err, tt.want)
				}
			}
		})
	}
}

func TestConditionFailedWithoutTheItem(t *testing.T) {
	s := dynamotest.NewStore(t, answers{}, table)
	if err := s.Put(t.Context(), testRecord(1)); err == nil || errors.Is(err, ledger.ErrConflict) || errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("version 1: %v; want an error of its own", err)
	}
	if err := s.Put(t.Context(), testRecord(2)); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("version 2: %v; want ErrNotFound", err)
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}
