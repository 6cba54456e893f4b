//go:build e2e

package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/secrets"
)

// identity is AWS with the permissions of a role.
type identity struct {
	sqs      *sqs.Client
	ssm      *ssm.Client
	dynamodb *dynamodb.Client
}

// TestRolesAllowNoMore: all other tests show that the roles allow enough, since the
// emulator enforces them. Here each role is refused what only the other one may do, or
// nobody.
func TestRolesAllowNoMore(t *testing.T) {
	work, files, dead, table := &bridge.stack.WorkQueueURL, &bridge.stack.FilesQueueURL, &bridge.stack.DeadLetterQueueURL, &bridge.stack.LedgerTable
	read := func(name string) func(context.Context, identity) error {
		return func(ctx context.Context, as identity) error {
			_, err := as.ssm.GetParameter(ctx, &ssm.GetParameterInput{
				Name: aws.String(secrets.ParameterName(bridge.stack.SecretsPrefix, name)), WithDecryption: aws.Bool(true),
			})
			return err
		}
	}
	send := func(queueURL *string) func(context.Context, identity) error {
		return func(ctx context.Context, as identity) error {
			_, err := as.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queueURL, MessageBody: aws.String("x")})
			return err
		}
	}
	receive := func(queueURL *string) func(context.Context, identity) error {
		return func(ctx context.Context, as identity) error {
			_, err := as.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queueURL})
			return err
		}
	}
	replaceKey := func(ctx context.Context, as identity) error {
		_, err := as.ssm.PutParameter(ctx, &ssm.PutParameterInput{
			Name: aws.String(secrets.ParameterName(bridge.stack.SecretsPrefix, "new")), Value: aws.String("x"), Type: ssmtypes.ParameterTypeSecureString,
		})
		return err
	}
	entry := map[string]dynamodbtypes.AttributeValue{"id": &dynamodbtypes.AttributeValueMemberS{Value: "x"}}
	getItem := func(ctx context.Context, as identity) error {
		_, err := as.dynamodb.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: entry})
		return err
	}
	deletePart := func(ctx context.Context, as identity) error {
		part := map[string]dynamodbtypes.AttributeValue{"id": &dynamodbtypes.AttributeValueMemberS{Value: "#letter/x/0"}}
		_, err := as.dynamodb.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: table, Key: part})
		return err
	}
	scan := func(ctx context.Context, as identity) error {
		_, err := as.dynamodb.Scan(ctx, &dynamodb.ScanInput{TableName: table})
		return err
	}
	tests := []struct {
		role    string
		allowed map[string]func(context.Context, identity) error // shows that the role is assumed
		refused map[string]func(context.Context, identity) error
	}{
		{
			role:    "IngestRole",
			allowed: map[string]func(context.Context, identity) error{"read the token": read(secrets.WebhookToken)},
			refused: map[string]func(context.Context, identity) error{
				"read Centercode's key": read(secrets.CentercodeAPIKey), "read TestFairy's key": read(secrets.TestFairyAPIKey),
				"write a secret": replaceKey, "send a dead letter": send(dead), "send files": send(files), "receive work": receive(work), "read the ledger": getItem,
			},
		},
		{
			role: "WorkerRole",
			allowed: map[string]func(context.Context, identity) error{
				"read Centercode's key": read(secrets.CentercodeAPIKey), "read TestFairy's key": read(secrets.TestFairyAPIKey), "read the ledger": getItem,
				"delete what a dead letter was": deletePart,
			},
			refused: map[string]func(context.Context, identity) error{
				"read the token": read(secrets.WebhookToken), "write a secret": replaceKey, "send work": send(work),
				"receive dead letters": receive(dead), "read the whole ledger": scan,
				// The condition on the item's key that forbids the worker to delete entries
				// is unknown to the emulator. TestPermissions covers it.
			},
		},
	}
	for _, test := range tests {
		as := bridge.assume(t, test.role)
		for what, do := range test.allowed {
			if err := do(t.Context(), as); err != nil {
				t.Errorf("%s may not %s: %v", test.role, what, err)
			}
		}
		for what, do := range test.refused {
			var refusal smithy.APIError
			if err := do(t.Context(), as); !errors.As(err, &refusal) || !strings.HasPrefix(refusal.ErrorCode(), "AccessDenied") {
				t.Errorf("%s may %s: %v", test.role, what, err)
			}
		}
	}
}

// TestQueuesRefusePlainHTTP: what a role is allowed it is not allowed without TLS.
func TestQueuesRefusePlainHTTP(t *testing.T) {
	as, queue := bridge.assume(t, "WorkerRole"), &bridge.stack.DeadLetterQueueURL
	if bridge.queuePolicy == "" {
		t.Fatal("the queue had no policy")
	}
	if err := bridge.setPolicy(t.Context(), *queue, bridge.queuePolicy); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bridge.setPolicy(context.WithoutCancel(t.Context()), *queue, ""); err != nil {
			t.Error(err)
		}
	})
	var refusal smithy.APIError
	_, err := as.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("x")})
	if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.ErrorCode(), "AccessDenied") {
		t.Errorf("it was sent over plain HTTP: %v", err)
	}
}

// assume assumes the role of a function. Only Lambda is trusted, so the account's root
// first adds itself.
func (w *world) assume(t *testing.T, logicalID string) identity {
	t.Helper()
	resource, err := w.cloudformation.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{
		StackName: aws.String(stackName), LogicalResourceId: &logicalID,
	})
	if err != nil {
		t.Fatal(err)
	}
	name := aws.ToString(resource.StackResourceDetail.PhysicalResourceId)
	err = w.aws(t.Context(), nil, "iam", "update-assume-role-policy", "--role-name", name, "--policy-document", `{
		"Version": "2012-10-17",
		"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::000000000000:root", "Service": "lambda.amazonaws.com"}}]
	}`)
	if err != nil {
		t.Fatal(err)
	}
	root := w.awsConfig(credentials.NewStaticCredentialsProvider(accountKey, accountSecret, ""))
	out, err := sts.NewFromConfig(root).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::000000000000:role/" + name), RoleSessionName: aws.String("e2e"),
	})
	if err != nil {
		t.Fatal(err)
	}
	session := w.awsConfig(credentials.NewStaticCredentialsProvider(
		aws.ToString(out.Credentials.AccessKeyId), aws.ToString(out.Credentials.SecretAccessKey), aws.ToString(out.Credentials.SessionToken)))
	return identity{sqs.NewFromConfig(session), ssm.NewFromConfig(session), newDynamoDB(session)}
}
