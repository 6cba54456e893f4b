//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// TestPeople: the stack's managed policies allow people what the policies are for, and
// nothing else.
func TestPeople(t *testing.T) {
	payload := bridge.feedback(t, map[string]any{"appName": "Elsewhere"})
	id := bridge.accept(t, payload)
	bridge.letter(t, id)
	at := func(words ...string) []string { return append(words, "--stack", stackName) }
	look := [][]string{
		at("status"), at("status", "--refused"), at("find", "--app", "Elsewhere"), at("show", id), at("dlq", "list"), at("dlq", "show", id), at("check"),
	}
	pause, resume := at("pause", "--because", "a test", "--for", "1h"), at("resume")
	mend := [][]string{
		at("dlq", "replay", id, "--yes", "--wait"), // it fails again
		at("dlq", "drop", id, "--because", "a test", "--yes"),
	}
	keys := [][]string{at("secrets", "list"), at("send", "events/feedback-no-screenshot.json")}
	for _, person := range []struct {
		policies         []string
		allowed, refused [][]string
	}{
		{[]string{"ReaderPolicy"}, look, slices.Concat([][]string{pause}, mend, keys[1:])},
		{[]string{"ReaderPolicy", "KeysPolicy"}, slices.Concat(look, keys), append(mend, pause)},
		{[]string{"ReaderPolicy", "OperatorPolicy"}, slices.Concat(look, [][]string{pause, resume}, mend), keys[1:]},
	} {
		env := bridge.newPerson(t, person.policies)
		as := func(words []string) string {
			out, err := bridge.run(t.Context(), "", append(bridge.commandEnvironment(), env...), bridge.dir+"/fairbridge", words...)
			if err != nil {
				return err.Error() // with all of the output
			}
			return string(out)
		}
		for _, words := range person.allowed {
			if said := as(words); strings.Contains(said, "AccessDenied") {
				t.Errorf("%s: %s: %s", person.policies, words, said)
			}
		}
		for _, words := range person.refused {
			if said := as(words); !strings.Contains(said, "AccessDenied") {
				t.Errorf("%s: %s: %s", person.policies, words, said)
			}
		}
	}
	bridge.checkNoLetters(t)
	bridge.waitIdle(t)
}

// newPerson makes a user with policies of the stack, and returns the environment with the
// user's credentials.
func (w *world) newPerson(t *testing.T, policies []string) []string {
	t.Helper()
	name := t.Name() + "-" + strings.Join(policies, "-")
	if err := w.aws(t.Context(), nil, "iam", "create-user", "--user-name", name); err != nil {
		t.Fatal(err)
	}
	for _, policy := range policies {
		out, err := w.cloudformation.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{
			StackName: aws.String(stackName), LogicalResourceId: &policy,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.aws(t.Context(), nil, "iam", "attach-user-policy", "--user-name", name, "--policy-arn", aws.ToString(out.StackResourceDetail.PhysicalResourceId)); err != nil {
			t.Fatal(err)
		}
	}
	if slices.Contains(policies, "OperatorPolicy") {
		w.allowBatches(t, name)
	}
	var key struct {
		AccessKey struct{ AccessKeyId, SecretAccessKey string }
	}
	if err := w.aws(t.Context(), &key, "iam", "create-access-key", "--user-name", name); err != nil {
		t.Fatal(err)
	}
	return []string{"AWS_ACCESS_KEY_ID=" + key.AccessKey.AccessKeyId, "AWS_SECRET_ACCESS_KEY=" + key.AccessKey.SecretAccessKey}
}

// allowBatches allows a user the batch forms of the calls that OperatorPolicy allows. To
// SQS they are the same action, to the emulator a separate one.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
func (w *world) allowBatches(t *testing.T, user string) {
	t.Helper()
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": [%q, %q],
		"Action": ["sqs:SendMessageBatch", "sqs:DeleteMessageBatch", "sqs:ChangeMessageVisibilityBatch"]}]}`,
		w.arn(t, w.stack.WorkQueueURL), w.arn(t, w.stack.DeadLetterQueueURL))
	if err := w.aws(t.Context(), nil, "iam", "put-user-policy", "--user-name", user, "--policy-name", "batches", "--policy-document", policy); err != nil {
		t.Fatal(err)
	}
}
