package telemetry_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/telemetry"
	"fairbridge/pkg/testfairy"
)

func TestIngestLine(t *testing.T) {
	tests := map[string]struct {
		outcome ingest.Outcome
		members map[string]any
		metrics map[string]float64
	}{
		"accepted": {
			outcome: ingest.Outcome{Result: ingest.Accepted, Status: 202, Kind: testfairy.KindFeedback, DeliveryID: "d-1", Bytes: 300, Took: 1500 * time.Microsecond},
			members: map[string]any{"level": "INFO", "message": "webhook", "service": "bridge-worker", "function_request_id": "r-1", "cold_start": true,
				"correlation_id": "d-1", "decision": "accepted", "status": 202.0, "event": "feedback", "bytes": 300.0, "duration_ms": 1.5, "err": nil, "reason": nil, "odd": nil},
			metrics: map[string]float64{"Received": 1},
		},
		"accepted, with odd fields": {
			outcome: ingest.Outcome{Result: ingest.Accepted, Status: 202, Kind: testfairy.KindFeedback, DeliveryID: "d-1", Odd: []string{"email", "iconUrl"}},
			members: map[string]any{"level": "INFO", "decision": "accepted", "odd": []any{"email", "iconUrl"}},
			metrics: map[string]float64{"Received": 1},
		},
		"ignored": {
			outcome: ingest.Outcome{Result: ingest.Ignored, Status: 200, Kind: testfairy.KindUpload, Reason: ingest.ReasonUnwanted},
			members: map[string]any{"level": "INFO", "decision": "ignored", "reason": "unwanted", "correlation_id": nil},
			metrics: map[string]float64{"Received": 1, "Ignored": 1},
		},
		"wrong token": {
			outcome: ingest.Outcome{Result: ingest.Rejected, Status: 401, Reason: ingest.ReasonWrongToken, Bytes: 300},
			members: map[string]any{"level": "WARN", "decision": "rejected", "status": 401.0, "reason": "wrong_token", "bytes": 300.0, "event": nil},
			metrics: map[string]float64{"Received": 1, "Rejected": 1, "WrongToken": 1},
		},
		"a stranger": {
			outcome: ingest.Outcome{Result: ingest.Rejected, Status: 404, Reason: ingest.ReasonUnknownPath},
			members: map[string]any{"level": "WARN", "decision": "rejected", "status": 404.0, "reason": "unknown_path"},
			metrics: map[string]float64{"Received": 1, "Rejected": 1},
		},
		"lost": {
			outcome: ingest.Outcome{Result: ingest.Rejected, Status: 400, Reason: ingest.ReasonTooDeep, Fields: []string{"event"}},
			members: map[string]any{"level": "WARN", "decision": "rejected", "status": 400.0, "reason": "nested_too_deep", "fields": []any{"event"}},
			metrics: map[string]float64{"Received": 1, "Rejected": 1, "Lost": 1},
		},
		"failed": {
			outcome: ingest.Outcome{Result: ingest.Failed, Status: 503, Reason: ingest.ReasonNotQueued, DeliveryID: "d-1", Err: errors.New("queue event: refused")},
			members: map[string]any{"level": "ERROR", "decision": "failed", "err": "queue event: refused"},
			metrics: map[string]float64{"Received": 1, "Failed": 1},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			line := logged(t, func(ctx context.Context, log *slog.Logger) {
				telemetry.Ingest{Log: log}.Report(ctx, tt.outcome)
			})
			checkMembers(t, line, tt.members)
			if got := metricsOf(line); !maps.Equal(got, tt.metrics) {
				t.Errorf("metrics %v, want %v", got, tt.metrics)
			}
		})
	}
}
