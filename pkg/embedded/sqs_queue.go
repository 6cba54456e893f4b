package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// counts is the exact number of messages in a queue.
type counts struct{ visible, inFlight, delayed int64 }

func (s *SQS) count(ctx context.Context, q queue) (c counts, err error) {
	err = s.db.Read().QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE visible_at <= ?2),
			count(*) FILTER (WHERE visible_at > ?2 AND receives > 0),
			count(*) FILTER (WHERE visible_at > ?2 AND receives = 0)
		FROM messages WHERE queue = ?1`, q.id, s.now().UnixMilli()).Scan(&c.visible, &c.inFlight, &c.delayed)
	return c, err
}

// GetQueueAttributes returns the requested attributes; the approximate numbers are exact.
// Without a request it returns none, as SQS does.
func (s *SQS) GetQueueAttributes(ctx context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (_ *sqs.GetQueueAttributesOutput, err error) {
	defer operation("SQS", "GetQueueAttributes", &err)
	q, err := s.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	for _, name := range in.AttributeNames {
		if !slices.Contains(name.Values(), name) {
			return nil, &types.InvalidAttributeName{Message: aws.String(fmt.Sprintf("Unknown Attribute %s.", name))}
		}
	}
	if len(in.AttributeNames) == 0 {
		return &sqs.GetQueueAttributesOutput{}, nil
	}
	all, err := s.attributes(ctx, q)
	if err != nil {
		return nil, err
	}
	return &sqs.GetQueueAttributesOutput{Attributes: requested(all, in.AttributeNames, types.QueueAttributeNameAll)}, nil
}

// requested returns the wanted attributes, or all of them if everything is.
func requested[N ~string](all map[N]string, wanted []N, everything N) map[string]string {
	some := map[string]string{}
	for name, value := range all {
		if slices.Contains(wanted, name) || slices.Contains(wanted, everything) {
			some[string(name)] = value
		}
	}
	return some
}

func (s *SQS) attributes(ctx context.Context, q queue) (map[types.QueueAttributeName]string, error) {
	c, err := s.count(ctx, q)
	if err != nil {
		return nil, err
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	all := map[types.QueueAttributeName]string{
		types.QueueAttributeNameQueueArn:                              q.arn(),
		types.QueueAttributeNameVisibilityTimeout:                     number(int64(q.VisibilityTimeout.Seconds())),
		types.QueueAttributeNameMaximumMessageSize:                    number(maxMessageBytes),
		types.QueueAttributeNameApproximateNumberOfMessages:           number(c.visible),
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: number(c.inFlight),
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    number(c.delayed),
	}
	if q.deadLetters.Valid {
		policy, err := json.Marshal(struct {
			Target      string `json:"deadLetterTargetArn"`
			MaxReceives int    `json:"maxReceiveCount"`
		}{Queue{Name: q.DeadLetterQueue}.arn(), q.MaxReceiveCount})
		if err != nil {
			return nil, err
		}
		all[types.QueueAttributeNameRedrivePolicy] = string(policy)
	}
	return all, nil
}
