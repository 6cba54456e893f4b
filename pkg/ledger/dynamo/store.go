// Package dynamo keeps the ledger in a DynamoDB table: one item for each delivery, one call
// for each operation.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"fairbridge/pkg/ledger"
)

// API is the part of DynamoDB in use: an IAM policy needs dynamodb:PutItem,
// dynamodb:GetItem and dynamodb:DeleteItem on the table. *dynamodb.Client implements it.
type API interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// Store is a [ledger.Store] in a table with the partition key id (S) and the TTL attribute
// expiresAt.
//
// The SDK retries a call whose reply was lost. If the first try was carried out, the second
// one meets the record that it wrote itself: a conflict with the caller's own record, as
// the contract allows.
type Store struct {
	api   API
	table string
}

var _ ledger.Store = (*Store)(nil)

// Config is what a store is made of.
type Config struct {
	API   API
	Table string // its name
}

// New returns the store in a table, which is not looked at.
func New(c Config) (*Store, error) {
	if c.API == nil || c.Table == "" {
		return nil, errNoTable
	}
	return &Store{api: c.API, table: c.Table}, nil
}

var errNoTable = errors.New("open the ledger: DynamoDB or the table's name is missing")

// Put writes r as [ledger.Store] specifies. For a version above 1 of a record that does not
// exist, or no longer does, it returns [ledger.ErrNotFound].
func (s *Store) Put(ctx context.Context, r ledger.Record) error {
	in := &dynamodb.PutItemInput{
		TableName: aws.String(s.table),
		Item:      item(r),
		// The old item comes back with the failed condition: this saves a second call, and
		// nothing can change between the two.
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if r.Version == 1 {
		in.ConditionExpression = aws.String("attribute_not_exists(#id)")
		in.ExpressionAttributeNames = map[string]string{"#id": attrID}
	} else {
		in.ConditionExpression = aws.String("#version = :previous")
		in.ExpressionAttributeNames = map[string]string{"#version": attrVersion}
		in.ExpressionAttributeValues = map[string]types.AttributeValue{":previous": number(r.Version - 1)}
	}
	_, err := s.api.PutItem(ctx, in)
	var failed *types.ConditionalCheckFailedException
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failed):
		return fmt.Errorf("put version %d of delivery %s into table %s: %w", r.Version, r.ID, s.table, err)
	case len(failed.Item) > 0:
		return s.conflict(failed.Item)
	case r.Version == 1:
		// This is not DynamoDB, but something that does not know the parameter above.
		return fmt.Errorf("put delivery %s into table %s: the condition failed without the old item: %w", r.ID, s.table, err)
	default:
		return fmt.Errorf("put version %d of delivery %s into table %s: %w", r.Version, r.ID, s.table, ledger.ErrNotFound)
	}
}

func (s *Store) conflict(old map[string]types.AttributeValue) error {
	current, err := record(old)
	if err != nil {
		return fmt.Errorf("read the conflicting item of table %s: %w", s.table, err)
	}
	return &ledger.ConflictError{Current: current}
}

// Get returns the newest record, or [ledger.ErrNotFound].
func (s *Store) Get(ctx context.Context, id string) (ledger.Record, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(s.table),
		Key:            map[string]types.AttributeValue{attrID: text(id)},
		ConsistentRead: aws.Bool(true),
	})
	if err == nil && len(out.Item) == 0 {
		err = ledger.ErrNotFound
	}
	var r ledger.Record
	if err == nil {
		r, err = record(out.Item)
	}
	if err != nil {
		return ledger.Record{}, fmt.Errorf("get delivery %s from table %s: %w", id, s.table, err)
	}
	return r, nil
}

// Set writes r over whatever is stored.
func (s *Store) Set(ctx context.Context, r ledger.Record) error {
	_, err := s.api.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(s.table), Item: item(r)})
	if err != nil {
		return fmt.Errorf("put %s into table %s: %w", r.ID, s.table, err)
	}
	return nil
}

// Delete removes a record, if there is one.
func (s *Store) Delete(ctx context.Context, id string) error {
	_, err := s.api.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(s.table), Key: map[string]types.AttributeValue{attrID: text(id)},
	})
	if err != nil {
		return fmt.Errorf("delete %s from table %s: %w", id, s.table, err)
	}
	return nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
