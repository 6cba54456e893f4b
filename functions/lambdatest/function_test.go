package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"fairbridge/functions/lambdatest"
)

// TestMain doubles as the function under test: this binary, started again with a runtime
// API to poll.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	fmt.Println("init of", os.Getenv("NAME"))
	if os.Getenv("NAME") == "broken" {
		os.Exit(3)
	}
	lambda.Start(func(ctx context.Context, event map[string]string) (map[string]string, error) {
		if event["fail"] != "" {
			return nil, errors.New(event["fail"])
		}
		deadline, _ := ctx.Deadline()
		return map[string]string{"echo": event["say"], "deadline": deadline.UTC().Format(time.RFC3339)}, nil
	})
}

func start(t *testing.T, name string) (*lambdatest.Function, context.Context) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return lambdatest.Start(t, self, map[string]string{"NAME": name}), ctx
}

func TestInvoke(t *testing.T) {
	f, ctx := start(t, "echo")
	if took, err := f.ColdStart(ctx); err != nil || took <= 0 {
		t.Fatalf("cold start %s, %v", took, err)
	}
	deadline, _ := ctx.Deadline()
	for _, say := range []string{"one", "two"} {
		var answer map[string]string
		if err := f.Invoke(ctx, map[string]string{"say": say}, &answer); err != nil {
			t.Fatal(err)
		}
		if answer["echo"] != say || answer["deadline"] != deadline.UTC().Format(time.RFC3339) {
			t.Errorf("answer %v, want %s by %s", answer, say, deadline)
		}
	}
	var failed *lambdatest.FunctionError
	if err := f.Invoke(ctx, map[string]string{"fail": "no luck"}, &json.RawMessage{}); !errors.As(err, &failed) || failed.Message != "no luck" {
		t.Errorf("error %v, want the function's own", err)
	}
	if err := f.Invoke(t.Context(), "", nil); err == nil {
		t.Error("an invocation without a deadline was sent")
	}
	if !strings.Contains(f.Output(), "init of echo") {
		t.Errorf("output %q", f.Output())
	}
}

func TestInitThatFails(t *testing.T) {
	f, ctx := start(t, "broken")
	if code, err := f.Wait(ctx); code != 3 || err != nil {
		t.Errorf("exit code %d, %v; want 3", code, err)
	}
	if _, err := f.ColdStart(ctx); err == nil {
		t.Error("ColdStart succeeds for a function that never polled")
	}
	if err := f.Invoke(ctx, "", nil); err == nil {
		t.Error("Invoke succeeds after the function has exited")
	}
}
