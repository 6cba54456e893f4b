//go:build e2e

package standins

import (
	"context"
	"crypto/rand"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/breaker/breakertest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/queue/sqstest"
)

// TestQueueContract runs the queues' contract against ElasticMQ, including what SQS
// refuses, which otherwise only pkg/embedded is tested for.
func TestQueueContract(t *testing.T) {
	open := func(t *testing.T) sqstest.Queues {
		attributes := map[string]string{"VisibilityTimeout": strconv.Itoa(int(sqstest.VisibilityTimeout / time.Second))}
		work, dead := queuePair(t, attributes, sqstest.MaxReceiveCount)
		return sqstest.Queues{API: account.sqs, Work: work, DeadLetter: dead}
	}
	sqstest.RunDelivery(t, open,
		sqstest.Fault{Test: "attributes are selected", Why: "prefixes such as retry.* select nothing"},
		sqstest.Fault{Test: "a queue describes itself", Why: "there is no MaximumMessageSize"})
	sqstest.RunRefusals(t, open,
		sqstest.Fault{Test: "some characters are refused", Why: "they are, as InvalidAttributeValue; U+FFFF ends its parser"},
		sqstest.Fault{Test: "too much is refused", Why: "attributes do not count, nor are their names looked at; a batch that is too long is MessageTooLong"},
		sqstest.Fault{Test: "parameters have ranges", Why: "visibility timeouts and delays have none, and any attribute may be asked for"},
		sqstest.Fault{Test: "batches as a whole can be wrong", Why: "they may be empty, and their ids anything"},
		sqstest.Fault{Test: "receipt handles end", Why: "the handle of a message that is visible again still works, that of a deleted one is refused"})
}

// queuePair makes a work queue and its dead-letter queue for a test.
func queuePair(t *testing.T, attributes map[string]string, receives int) (work, dead string) {
	t.Helper()
	create := func(attributes map[string]string) string {
		out, err := account.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q-" + rand.Text()), Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := account.sqs.DeleteQueue(context.WithoutCancel(t.Context()), &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl}); err != nil {
				t.Error(err)
			}
		})
		return aws.ToString(out.QueueUrl)
	}
	dead = create(attributes)
	withPolicy := map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + arn(t, dead) + `","maxReceiveCount":` + strconv.Itoa(receives) + `}`}
	for name, value := range attributes {
		withPolicy[name] = value
	}
	return create(withPolicy), dead
}

// arn returns a queue's ARN.
func arn(t *testing.T, queueURL string) string {
	t.Helper()
	out, err := account.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &queueURL, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes["QueueArn"]
}

// TestLedgerContract runs the ledger's contract against moto's DynamoDB: its entries, the
// index, the items that are not deliveries, the search, the breaker.
func TestLedgerContract(t *testing.T) {
	table := createTable(t)
	store, history := dynamotest.NewStore(t, account.dynamodb, table), dynamotest.NewHistory(t, account.dynamodb, table)
	ledgertest.RunSearch(t, store, history, false) // of an empty store
	ledgertest.Run(t, func(*testing.T) ledger.Store { return store })
	other := createTable(t)
	ledgertest.RunIndex(t, dynamotest.NewStore(t, account.dynamodb, other), dynamotest.NewHistory(t, account.dynamodb, other))
	ledgertest.RunLetters(t, store)
	breakertest.Run(t, store)
}

// createTable makes a table as template.yaml does.
func createTable(t *testing.T) string {
	t.Helper()
	name := "ledger-" + rand.Text()
	attribute := func(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: kind}
	}
	key := func(name string, kind types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: kind}
	}
	_, err := account.dynamodb.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute("id", types.ScalarAttributeTypeS), attribute("attention", types.ScalarAttributeTypeS), attribute("since", types.ScalarAttributeTypeN),
		},
		KeySchema: []types.KeySchemaElement{key("id", types.KeyTypeHash)},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(dynamo.Index), KeySchema: []types.KeySchemaElement{key("attention", types.KeyTypeHash), key("since", types.KeyTypeRange)},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}
