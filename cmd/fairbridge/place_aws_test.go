package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"fairbridge/pkg/awstest"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/stack/stacktest"
)

const stackName = "fairbridge-prod"

// cloud plays the AWS account of a deployed bridge over HTTP, for the real SDK clients:
// CloudFormation, with SQS and SSM from an embedded home.
type cloud struct {
	stack   stacktest.Stack
	home    *embedded.Home
	policy  string       // of the work queue
	policed func(string) // called at each change of policy

	mu     sync.Mutex
	items  []map[string]any // of the ledger's table, on the wire
	table  map[string]any   // that table, as DescribeTable shows it
	logs   map[string][]map[string]any
	denied string // a target that is denied, such as AmazonSSM.GetParameter
	calls  []string
}

// newCloud starts an account with the stack, and points the environment at it.
func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{home: openHome(t, t.TempDir()), table: ledgerTable()}
	c.stack = stacktest.Stack{
		Name: stackName, Status: "CREATE_COMPLETE",
		Outputs: map[string]string{
			"WebhookUrl":         "https://abc.execute-api.eu-central-1.amazonaws.com/webhooks/testfairy",
			"WorkQueueUrl":       c.home.WorkQueueURL,
			"FilesQueueUrl":      c.home.FilesQueueURL,
			"DeadLetterQueueUrl": c.home.DeadLetterQueueURL,
			"LedgerTableName":    "ledger",
			"SecretsPrefix":      "/fairbridge-prod/",
			"DashboardUrl":       "https://eu-central-1.console.aws.amazon.com/dashboard",
		},
		Parameters: map[string]string{"CentercodeBaseUrl": ""},
	}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	nowhere := filepath.Join(t.TempDir(), "nothing")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": srv.URL, "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_MAX_ATTEMPTS": "1", userVariable: "", baseVariable: "", webhookVariable: "",
	} {
		t.Setenv(name, value)
	}
	return c
}

func openHome(t *testing.T, dir string) *embedded.Home {
	t.Helper()
	h, err := embedded.Open(t.Context(), embedded.Config{Folder: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// attributes returns the embedded queue's attributes, plus the policy, which it does not
// have.
func (c *cloud) attributes(ctx context.Context, in *sqs.GetQueueAttributesInput, o ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	out, err := c.home.SQS.GetQueueAttributes(ctx, in, o...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && slices.Contains(in.AttributeNames, sqstypes.QueueAttributeNamePolicy) && c.policy != "" {
		out.Attributes[string(sqstypes.QueueAttributeNamePolicy)] = c.policy
	}
	return out, err
}

func (c *cloud) setAttributes(_ context.Context, in *sqs.SetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.SetQueueAttributesOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.policy = in.Attributes[string(sqstypes.QueueAttributeNamePolicy)]
	if c.policed != nil {
		c.policed(c.policy)
	}
	return &sqs.SetQueueAttributesOutput{}, nil
}

// put stores a secret of the stack.
func (c *cloud) put(t *testing.T, name, value string) {
	t.Helper()
	store := &home.Home{SSM: c.home.SSM, SecretsPrefix: "/fairbridge-prod/"}
	if err := store.PutSecret(t.Context(), name, value); err != nil {
		t.Fatal(err)
	}
}

// secret returns a secret of the stack, and its type.
func (c *cloud) secret(t *testing.T, name string) (value, kind string) {
	t.Helper()
	out, err := c.home.SSM.GetParameter(t.Context(), &ssm.GetParameterInput{
		Name: aws.String("/fairbridge-prod/" + name), WithDecryption: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Parameter.Value), string(out.Parameter.Type)
}

// remember puts an entry into the ledger's table.
func (c *cloud) remember(t *testing.T, e ledger.Entry) {
	t.Helper()
	doc, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) map[string]string { return map[string]string{"S": s} }
	number := func(n int64) map[string]string { return map[string]string{"N": strconv.FormatInt(n, 10)} }
	c.mu.Lock()
	defer c.mu.Unlock()
	item := map[string]any{
		"id": text(e.DeliveryID), "version": number(1), "state": text(string(e.State)),
		"expiresAt": number(e.UpdatedAt.AddDate(0, 0, 35).Unix()), "doc": text(string(doc)),
	}
	if e.State == ledger.Dead && !e.Dropped() {
		item["attention"], item["since"] = text(ledger.AttentionPerson), number(e.UpdatedAt.UnixMilli())
	}
	c.items = append(c.items, item)
}

// ServeHTTP answers a call to any of the services.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	if stacktest.Handles(r) {
		target = "CloudFormation"
	}
	c.mu.Lock()
	c.calls = append(c.calls, target)
	denied := c.denied == target
	c.mu.Unlock()
	switch {
	case denied:
		awstest.Refuse(w, "AccessDeniedException", "you may not")
	case target == "CloudFormation":
		stacktest.New(&c.stack).ServeHTTP(w, r)
	default:
		awstest.Server{
			"DynamoDB_20120810.Scan":               awstest.Call(c.scan),
			"DynamoDB_20120810.Query":              awstest.Call(c.query),
			"DynamoDB_20120810.GetItem":            awstest.Call(c.get),
			"DynamoDB_20120810.DescribeTable":      table(c.table),
			"DynamoDB_20120810.DescribeTimeToLive": table(map[string]any{"TimeToLiveDescription": map[string]string{"AttributeName": "expiresAt", "TimeToLiveStatus": "ENABLED"}}),
			"DynamoDB_20120810.DescribeContinuousBackups": table(map[string]any{"ContinuousBackupsDescription": map[string]any{
				"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": map[string]string{"PointInTimeRecoveryStatus": "ENABLED"}}}),
			"AmazonSQS.GetQueueAttributes":           awstest.Call(c.attributes),
			"AmazonSQS.SetQueueAttributes":           awstest.Call(c.setAttributes),
			"AmazonSQS.ReceiveMessage":               awstest.Call(c.home.SQS.ReceiveMessage),
			"AmazonSQS.ChangeMessageVisibilityBatch": awstest.Call(c.home.SQS.ChangeMessageVisibilityBatch),
			"AmazonSSM.PutParameter":                 awstest.Call(c.home.SSM.PutParameter),
			"AmazonSSM.GetParameter":                 awstest.Call(c.home.SSM.GetParameter),
			"Logs_20140328.FilterLogEvents":          awstest.Call(c.filter),
		}.ServeHTTP(w, r)
	}
}

// table answers a question about the ledger's table.
func table(answer map[string]any) http.Handler {
	return awstest.Call(func(context.Context, *struct{ TableName string }, ...struct{}) (*map[string]any, error) {
		return &answer, nil
	})
}

// ledgerTable returns a table as template.yaml creates it.
func ledgerTable() map[string]any {
	key := func(name, kind string) map[string]string {
		return map[string]string{"AttributeName": name, "KeyType": kind}
	}
	return map[string]any{"Table": map[string]any{
		"TableName": "ledger", "KeySchema": []any{key("id", "HASH")},
		"GlobalSecondaryIndexes": []any{map[string]any{
			"IndexName": "attention", "IndexStatus": "ACTIVE", "KeySchema": []any{key("attention", "HASH"), key("since", "RANGE")},
			"Projection": map[string]string{"ProjectionType": "ALL"},
		}},
	}}
}

// scanned is a page of the ledger's table.
type scanned struct{ Items []map[string]any }

func (c *cloud) scan(context.Context, *struct{}, ...struct{}) (*scanned, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &scanned{Items: c.items}, nil
}

// got is an item of the ledger's table.
type got struct{ Item map[string]any }

func (c *cloud) get(_ context.Context, in *struct{ Key map[string]map[string]string }, _ ...struct{}) (*got, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, item := range c.items {
		if item["id"].(map[string]string)["S"] == in.Key["id"]["S"] {
			return &got{Item: item}, nil
		}
	}
	return &got{}, nil
}

// query reads the index of attention.
func (c *cloud) query(_ context.Context, in *struct {
	ExpressionAttributeValues map[string]map[string]string
}, _ ...struct{}) (*scanned, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := &scanned{Items: []map[string]any{}}
	for _, item := range c.items {
		if attention, ok := item["attention"].(map[string]string); ok && attention["S"] == in.ExpressionAttributeValues[":attention"]["S"] {
			found.Items = append(found.Items, item)
		}
	}
	return found, nil
}

// logged is a page of a log on the wire.
type logged struct {
	Events []map[string]any `json:"events"`
}

func (c *cloud) filter(_ context.Context, in *struct{ LogGroupName string }, _ ...struct{}) (*logged, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &logged{Events: c.logs[in.LogGroupName]}, nil
}

// ran is a finished command.
type ran struct {
	code     int
	out, err string
}

// runCommand runs a command line in this process.
func runCommand(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	var out, errOut bytes.Buffer
	code := execute(t.Context(), args, streams{in: strings.NewReader(stdin), out: &out, err: &errOut})
	return ran{code, out.String(), errOut.String()}
}

// want compares the exit code and the complete output.
func (r ran) want(t *testing.T, code int, out, errOut string) {
	t.Helper()
	if r.code != code || r.out != out || r.err != errOut {
		t.Errorf("exit code %d, want %d\nstdout:\n%s\nwant:\n%s\nstderr:\n%s\nwant:\n%s", r.code, code, r.out, out, r.err, errOut)
	}
}
