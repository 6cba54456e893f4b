package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"fairbridge/pkg/telemetry"
)

func TestLoggerKeys(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, "bridge-ingest", slog.LevelInfo)
	next := func() map[string]any {
		t.Helper()
		var line map[string]any
		if err := json.NewDecoder(&out).Decode(&line); err != nil {
			t.Fatal(err)
		}
		return line
	}
	invocation := func(id string) context.Context {
		return lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: id})
	}

	log.Info("starting", "answer", 42)
	line := next()
	checkMembers(t, line, map[string]any{
		"level": "INFO", "message": "starting", "service": "bridge-ingest", "answer": 42.0,
		"cold_start": nil, "function_request_id": nil, "time": nil, "msg": nil,
	})
	if _, err := time.Parse(time.RFC3339Nano, line["timestamp"].(string)); err != nil {
		t.Errorf("timestamp: %v", err)
	}

	// Exactly the lines of the first invocation are marked as cold start.
	for _, want := range []struct {
		id   string
		cold bool
	}{{"r-1", true}, {"r-1", true}, {"r-2", false}, {"r-3", false}} {
		log.With("more", "x").WarnContext(invocation(want.id), "working")
		checkMembers(t, next(), map[string]any{
			"level": "WARN", "function_request_id": want.id, "cold_start": want.cold, "more": "x", "service": "bridge-ingest",
		})
	}

	log.DebugContext(invocation("r-4"), "too fine")
	if out.Len() > 0 {
		t.Errorf("a line below the level was written: %s", out.String())
	}
}
