package stack_test

import (
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/stack"
	"fairbridge/pkg/stack/stacktest"
)

func full() *stacktest.Stack {
	return &stacktest.Stack{
		Name: "fairbridge-prod", Status: "UPDATE_COMPLETE",
		Outputs: map[string]string{
			"WebhookUrl":         "https://abc.execute-api.eu-central-1.amazonaws.com/webhooks/testfairy",
			"FilesQueueUrl":      "https://sqs.eu-central-1.amazonaws.com/1/fairbridge-prod-files",
			"WorkQueueUrl":       "https://sqs.eu-central-1.amazonaws.com/1/fairbridge-prod-work",
			"DeadLetterQueueUrl": "https://sqs.eu-central-1.amazonaws.com/1/fairbridge-prod-dead-letters",
			"LedgerTableName":    "fairbridge-prod-LedgerTable-1",
			"SecretsPrefix":      "/fairbridge-prod/",
			"DashboardUrl":       "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/fairbridge-prod",
		},
		Parameters: map[string]string{"CentercodeBaseUrl": "https://beta.example.com", "LogLevel": "INFO"},
	}
}

func client(t *testing.T, handler http.Handler) *cloudformation.Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return cloudformation.New(cloudformation.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(srv.URL), HTTPClient: srv.Client(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""), RetryMaxAttempts: 1,
	})
}

func TestDescribe(t *testing.T) {
	want := stack.Stack{
		Name: "fairbridge-prod", Status: "UPDATE_COMPLETE",
		WebhookURL:         "https://abc.execute-api.eu-central-1.amazonaws.com/webhooks/testfairy",
		FilesQueueURL:      "https://sqs.eu-central-1.amazonaws.com/1/fairbridge-prod-files",
		WorkQueueURL:       "https://sqs.eu-central-1.amazonaws.com/1/fairbridge-prod-work",
		DeadLetterQueueURL: "https://sqs.eu-central-1.amazonaws.com/1/fairbridge-prod-dead-letters",
		LedgerTable:        "fairbridge-prod-LedgerTable-1", SecretsPrefix: "/fairbridge-prod/",
		DashboardURL:      "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/fairbridge-prod",
		CentercodeBaseURL: "https://beta.example.com",
	}
	api := client(t, stacktest.New(full()))
	for _, name := range []string{"fairbridge-prod", "arn:aws:cloudformation:eu-central-1:123456789012:stack/fairbridge-prod/1"} {
		got, err := stack.Describe(t.Context(), api, name)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, want)
		}
	}
}

func TestDescribeMissingStack(t *testing.T) {
	api := client(t, stacktest.New(full()))
	for _, name := range []string{"fairbridge", "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1"} {
		if _, err := stack.Describe(t.Context(), api, name); !errors.Is(err, stack.ErrNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, name := range []string{"", "1a", "a b", "a/b", "a_b", "-a", strings.Repeat("a", 129), "arn:x y"} {
		if _, err := stack.Describe(t.Context(), api, name); !errors.Is(err, stack.ErrInvalidName) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestDescribeMissingOutputs(t *testing.T) {
	foreign := &stacktest.Stack{Name: "a", Status: "CREATE_COMPLETE", Outputs: map[string]string{"Other": "x"}}
	if _, err := stack.Describe(t.Context(), client(t, stacktest.New(foreign)), "a"); !errors.Is(err, stack.ErrForeign) {
		t.Errorf("another's stack: got %v", err)
	}
	old := full()
	delete(old.Outputs, "LedgerTableName")
	delete(old.Outputs, "DashboardUrl")
	tests := []struct {
		stack *stacktest.Stack
		want  string
	}{
		{old, "stack fairbridge-prod (UPDATE_COMPLETE) has no output LedgerTableName, DashboardUrl"},
		{&stacktest.Stack{Name: "a", Status: "CREATE_IN_PROGRESS"},
			"stack a (CREATE_IN_PROGRESS) has no output WebhookUrl, WorkQueueUrl, DeadLetterQueueUrl, LedgerTableName, SecretsPrefix, DashboardUrl"},
		{&stacktest.Stack{Name: "a", Status: "ROLLBACK_COMPLETE"},
			"stack a (ROLLBACK_COMPLETE) has no output WebhookUrl, WorkQueueUrl, DeadLetterQueueUrl, LedgerTableName, SecretsPrefix, DashboardUrl"},
	}
	for _, test := range tests {
		_, err := stack.Describe(t.Context(), client(t, stacktest.New(test.stack)), test.stack.Name)
		missing, ok := errors.AsType[*stack.MissingOutputsError](err)
		if !ok || missing.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

func TestDescribeRefused(t *testing.T) {
	denied := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusForbidden)
		_ = xml.NewEncoder(w).Encode(stacktest.Failure("AccessDenied", "you may not"))
	})
	_, err := stack.Describe(t.Context(), client(t, denied), "a")
	if refused, ok := errors.AsType[smithy.APIError](err); !ok || refused.ErrorCode() != "AccessDenied" {
		t.Errorf("got %v", err)
	}
}

// TestTemplateHasTheOutputs checks that the outputs the code reads are exactly those of the
// template.
func TestTemplateHasTheOutputs(t *testing.T) {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, outputs, found := strings.Cut(string(template), "\nOutputs:\n")
	if !found {
		t.Fatal("template.yaml has no Outputs")
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^  (\w+):$`).FindAllStringSubmatch(outputs, -1) {
		got = append(got, m[1])
	}
	// Those for people, to copy into other tools.
	want := append(slices.Collect(maps.Keys(full().Outputs)), "KeysPolicyArn", "OperatorPolicyArn", "ReaderPolicyArn", "WebhookDomainTarget")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("template.yaml has the outputs %v, known are %v", got, want)
	}
	if !strings.Contains(string(template), "\n  CentercodeBaseUrl:\n    Type: String") {
		t.Error("template.yaml has no parameter CentercodeBaseUrl")
	}
}
