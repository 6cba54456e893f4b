package home

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// These types are or hold the SDK operations in use, as functions, instead of holding the
// SDK's clients. Because text/template calls methods by name, the linker keeps every method of
// every type that is converted to an interface: for these eight clients hundreds of
// operations, 13 MB of the binary. See docs/performance.md.

// call is an operation of an SDK client.
type call[In, Out, Options any] = func(context.Context, *In, ...func(*Options)) (*Out, error)

// stackCalls implement stack.DeleteAPI.
type stackCalls struct {
	describeStacks call[cloudformation.DescribeStacksInput, cloudformation.DescribeStacksOutput, cloudformation.Options]
	deleteStack    call[cloudformation.DeleteStackInput, cloudformation.DeleteStackOutput, cloudformation.Options]
}

func newStackCalls(cfg aws.Config) stackCalls {
	c := cloudformation.NewFromConfig(cfg)
	return stackCalls{c.DescribeStacks, c.DeleteStack}
}

func (c stackCalls) DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, o ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	return c.describeStacks(ctx, in, o...)
}

func (c stackCalls) DeleteStack(ctx context.Context, in *cloudformation.DeleteStackInput, o ...func(*cloudformation.Options)) (*cloudformation.DeleteStackOutput, error) {
	return c.deleteStack(ctx, in, o...)
}

// queueCalls implement [Queues].
type queueCalls struct {
	receiveMessage               call[sqs.ReceiveMessageInput, sqs.ReceiveMessageOutput, sqs.Options]
	sendMessageBatch             call[sqs.SendMessageBatchInput, sqs.SendMessageBatchOutput, sqs.Options]
	deleteMessageBatch           call[sqs.DeleteMessageBatchInput, sqs.DeleteMessageBatchOutput, sqs.Options]
	changeMessageVisibilityBatch call[sqs.ChangeMessageVisibilityBatchInput, sqs.ChangeMessageVisibilityBatchOutput, sqs.Options]
	getQueueAttributes           call[sqs.GetQueueAttributesInput, sqs.GetQueueAttributesOutput, sqs.Options]
}

func newQueueCalls(cfg aws.Config) queueCalls {
	c := sqs.NewFromConfig(cfg)
	return queueCalls{c.ReceiveMessage, c.SendMessageBatch, c.DeleteMessageBatch, c.ChangeMessageVisibilityBatch, c.GetQueueAttributes}
}

func (c queueCalls) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	return c.receiveMessage(ctx, in, o...)
}

func (c queueCalls) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, o ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	return c.sendMessageBatch(ctx, in, o...)
}

func (c queueCalls) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, o ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	return c.deleteMessageBatch(ctx, in, o...)
}

func (c queueCalls) ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, o ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	return c.changeMessageVisibilityBatch(ctx, in, o...)
}

func (c queueCalls) GetQueueAttributes(ctx context.Context, in *sqs.GetQueueAttributesInput, o ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	return c.getQueueAttributes(ctx, in, o...)
}

// parameterCalls implement [Parameters].
type parameterCalls struct {
	getParameter call[ssm.GetParameterInput, ssm.GetParameterOutput, ssm.Options]
	putParameter call[ssm.PutParameterInput, ssm.PutParameterOutput, ssm.Options]
}

func newParameterCalls(cfg aws.Config) parameterCalls {
	c := ssm.NewFromConfig(cfg)
	return parameterCalls{c.GetParameter, c.PutParameter}
}

func (c parameterCalls) GetParameter(ctx context.Context, in *ssm.GetParameterInput, o ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	return c.getParameter(ctx, in, o...)
}

func (c parameterCalls) PutParameter(ctx context.Context, in *ssm.PutParameterInput, o ...func(*ssm.Options)) (*ssm.PutParameterOutput, error) {
	return c.putParameter(ctx, in, o...)
}

// tableCalls implement what pkg/ledger/dynamo uses.
type tableCalls struct {
	putItem                   call[dynamodb.PutItemInput, dynamodb.PutItemOutput, dynamodb.Options]
	getItem                   call[dynamodb.GetItemInput, dynamodb.GetItemOutput, dynamodb.Options]
	deleteItem                call[dynamodb.DeleteItemInput, dynamodb.DeleteItemOutput, dynamodb.Options]
	scan                      call[dynamodb.ScanInput, dynamodb.ScanOutput, dynamodb.Options]
	query                     call[dynamodb.QueryInput, dynamodb.QueryOutput, dynamodb.Options]
	describeTable             call[dynamodb.DescribeTableInput, dynamodb.DescribeTableOutput, dynamodb.Options]
	describeTimeToLive        call[dynamodb.DescribeTimeToLiveInput, dynamodb.DescribeTimeToLiveOutput, dynamodb.Options]
	describeContinuousBackups call[dynamodb.DescribeContinuousBackupsInput, dynamodb.DescribeContinuousBackupsOutput, dynamodb.Options]
}

func newTableCalls(cfg aws.Config) tableCalls {
	c := dynamodb.NewFromConfig(cfg)
	return tableCalls{c.PutItem, c.GetItem, c.DeleteItem, c.Scan, c.Query, c.DescribeTable, c.DescribeTimeToLive, c.DescribeContinuousBackups}
}

func (c tableCalls) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return c.putItem(ctx, in, o...)
}

func (c tableCalls) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return c.getItem(ctx, in, o...)
}

func (c tableCalls) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return c.deleteItem(ctx, in, o...)
}

func (c tableCalls) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return c.scan(ctx, in, o...)
}

func (c tableCalls) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return c.query(ctx, in, o...)
}

func (c tableCalls) DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, o ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	return c.describeTable(ctx, in, o...)
}

func (c tableCalls) DescribeTimeToLive(ctx context.Context, in *dynamodb.DescribeTimeToLiveInput, o ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error) {
	return c.describeTimeToLive(ctx, in, o...)
}

func (c tableCalls) DescribeContinuousBackups(ctx context.Context, in *dynamodb.DescribeContinuousBackupsInput, o ...func(*dynamodb.Options)) (*dynamodb.DescribeContinuousBackupsOutput, error) {
	return c.describeContinuousBackups(ctx, in, o...)
}

// logCalls implements [Logs].
type logCalls call[cloudwatchlogs.FilterLogEventsInput, cloudwatchlogs.FilterLogEventsOutput, cloudwatchlogs.Options]

func (c logCalls) FilterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput, o ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	return c(ctx, in, o...)
}

// metricCalls implements [Metrics].
type metricCalls call[cloudwatch.GetMetricDataInput, cloudwatch.GetMetricDataOutput, cloudwatch.Options]

func (c metricCalls) GetMetricData(ctx context.Context, in *cloudwatch.GetMetricDataInput, o ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	return c(ctx, in, o...)
}

// callerCalls implements callers.
type callerCalls call[sts.GetCallerIdentityInput, sts.GetCallerIdentityOutput, sts.Options]

func (c callerCalls) GetCallerIdentity(ctx context.Context, in *sts.GetCallerIdentityInput, o ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	return c(ctx, in, o...)
}

// mappingCalls implements [Mappings].
type mappingCalls call[lambda.ListEventSourceMappingsInput, lambda.ListEventSourceMappingsOutput, lambda.Options]

func (c mappingCalls) ListEventSourceMappings(ctx context.Context, in *lambda.ListEventSourceMappingsInput, o ...func(*lambda.Options)) (*lambda.ListEventSourceMappingsOutput, error) {
	return c(ctx, in, o...)
}
