//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"fairbridge/pkg/ledger/dynamo"
)

// TestTableIsRepaired: a table with nothing but its key, as a person may have made it,
// becomes a ledger by the commands that are printed for what it lacks.
func TestTableIsRepaired(t *testing.T) {
	table := bridge.createTable(t)
	if lacks, err := bridge.addLacks(t.Context(), table); err != nil || len(lacks) != 3 {
		t.Errorf("it lacked %+v, %v", lacks, err)
	}
}

// createTable makes a table with only a ledger's key, under a random name.
func (w *world) createTable(t *testing.T) string {
	t.Helper()
	name := "left-" + rand.Text()
	_, err := w.dynamodb.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// addLacks runs the commands that are printed for what a table lacks, and returns what it
// lacked.
func (w *world) addLacks(ctx context.Context, table string) ([]dynamo.Lack, error) {
	lacks, err := dynamo.Inspect(ctx, w.dynamodb, table)
	if err != nil {
		return nil, err
	}
	for _, lack := range lacks {
		if _, err := w.run(ctx, "", nil, "/bin/sh", "-c", strings.Replace(lack.Command, "aws", w.tool("emulator", "aws"), 1)); err != nil {
			return lacks, err
		}
	}
	still, err := dynamo.Inspect(ctx, w.dynamodb, table)
	if err == nil && len(still) > 0 {
		err = fmt.Errorf("table %s still lacks %+v", table, still)
	}
	return lacks, err
}

// renameTable moves a table's items to one with another name.
func (w *world) renameTable(t *testing.T, from string) (to string) {
	t.Helper()
	to = w.createTable(t)
	if _, err := w.addLacks(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	all, err := w.dynamodb.Scan(t.Context(), &dynamodb.ScanInput{TableName: &from})
	if err != nil || len(all.Items) == 0 {
		t.Fatalf("%d items, %v", len(all.Items), err)
	}
	for _, item := range all.Items {
		if _, err := w.dynamodb.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &to, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.dynamodb.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &from}); err != nil {
		t.Fatal(err)
	}
	return to
}
