//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/breaker/breakertest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/queue/sqstest"
)

// TestLedgerContract runs the ledger's contract against DynamoDB, in a table with the same
// key as the stack's.
func TestLedgerContract(t *testing.T) {
	deployed, err := bridge.dynamodb.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &bridge.stack.LedgerTable})
	if err != nil {
		t.Fatal(err)
	}
	table := aws.String("ledger-contract")
	var indexes []dynamodbtypes.GlobalSecondaryIndex
	for _, index := range deployed.Table.GlobalSecondaryIndexes {
		indexes = append(indexes, dynamodbtypes.GlobalSecondaryIndex{
			IndexName: index.IndexName, KeySchema: index.KeySchema, Projection: index.Projection,
		})
	}
	_, err = bridge.dynamodb.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: table, BillingMode: dynamodbtypes.BillingModePayPerRequest,
		AttributeDefinitions: deployed.Table.AttributeDefinitions, KeySchema: deployed.Table.KeySchema,
		GlobalSecondaryIndexes: indexes,
	})
	if err != nil {
		t.Fatal(err)
	}
	ledgertest.Run(t, func(*testing.T) ledger.Store { return dynamotest.NewStore(t, bridge.dynamodb, *table) })
	ledgertest.RunIndex(t, dynamotest.NewStore(t, bridge.dynamodb, *table), dynamotest.NewHistory(t, bridge.dynamodb, *table))
	ledgertest.RunLetters(t, dynamotest.NewStore(t, bridge.dynamodb, *table))
	breakertest.Run(t, dynamotest.NewStore(t, bridge.dynamodb, *table))
}

// TestQueueContract runs the contract that pkg/embedded fulfils against the emulator's SQS.
// The emulator may accept what AWS refuses.
func TestQueueContract(t *testing.T) {
	sqstest.RunDelivery(t, func(t *testing.T) sqstest.Queues {
		attributes := func() map[string]string {
			return map[string]string{
				"VisibilityTimeout":  strconv.Itoa(int(sqstest.VisibilityTimeout / time.Second)),
				"MaximumMessageSize": strconv.Itoa(sqstest.MaximumBytes),
			}
		}
		dead := bridge.createQueue(t, attributes())
		work := attributes()
		work["RedrivePolicy"] = `{"deadLetterTargetArn":"` + bridge.arn(t, dead) + `","maxReceiveCount":` + strconv.Itoa(sqstest.MaxReceiveCount) + `}`
		return sqstest.Queues{API: bridge.sqs, Work: bridge.createQueue(t, work), DeadLetter: dead}
	})
}

// createQueue makes a queue for one test.
func (w *world) createQueue(t *testing.T, attributes map[string]string) (url string) {
	t.Helper()
	out, err := w.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("contract-" + rand.Text()), Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.sqs.DeleteQueue(context.WithoutCancel(t.Context()), &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl}); err != nil {
			t.Error(err)
		}
	})
	return aws.ToString(out.QueueUrl)
}
