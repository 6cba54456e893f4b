package telemetry_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/telemetry"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/worker"
)

func TestWorkerLine(t *testing.T) {
	tests := map[string]struct {
		outcome worker.Outcome
		members map[string]any
		metrics map[string]float64
	}{
		"created": {
			outcome: worker.Outcome{Result: worker.Created, DeliveryID: "d-1", MessageID: "m-1", Kind: testfairy.KindFeedback, TicketID: "T-7", Attempt: 2,
				Attachments: 1, AttachmentBytes: 5000, Skipped: []string{"log: not found"}, Age: 90 * time.Second, Took: 250 * time.Millisecond},
			members: map[string]any{"level": "INFO", "message": "delivery", "correlation_id": "d-1", "message_id": "m-1", "event": "feedback", "decision": "created",
				"ticket_id": "T-7", "attempt": 2.0, "age_ms": 90000.0, "duration_ms": 250.0, "reason": nil, "err": nil, "retry_in_s": nil},
			metrics: map[string]float64{"TicketsCreated": 1, "WebhookToTicket": 90000, "Attachments": 1, "AttachmentBytes": 5000, "OptionalAttachmentsSkipped": 1},
		},
		"duplicate": {
			outcome: worker.Outcome{Result: worker.Duplicate, DeliveryID: "d-1"},
			members: map[string]any{"level": "INFO", "decision": "duplicate"},
			metrics: map[string]float64{"Duplicates": 1},
		},
		"ignored": {
			outcome: worker.Outcome{Result: worker.Ignored, DeliveryID: "d-1"},
			members: map[string]any{"level": "INFO", "decision": "ignored"},
			metrics: map[string]float64{"Ignored": 1},
		},
		"retry": {
			outcome: worker.Outcome{Result: worker.Retry, DeliveryID: "d-1", Attempt: 1, Stage: "create", Status: 429, RetryIn: 30 * time.Second, Err: errors.New("create ticket: status 429")},
			members: map[string]any{"level": "WARN", "decision": "retry", "stage": "create", "status": 429.0, "retry_in_s": 30.0, "err": "create ticket: status 429"},
			metrics: map[string]float64{"Retries": 1},
		},
		"held, the key is refused": {
			outcome: worker.Outcome{Result: worker.Held, Receipts: map[string]string{"a": "1", "b": "2", "c": "3"}, RetryIn: time.Minute, Err: errors.New("Centercode is not responding"),
				Hold: breaker.Hold{Project: "P", Since: time.Now().Add(-time.Hour), Open: true, KeyRefused: true}},
			members: map[string]any{"level": "WARN", "message": "held", "decision": "held", "project": "P", "waiting": 3.0, "retry_in_s": 60.0},
			metrics: map[string]float64{"Waiting": 3, "BreakerOpen": 3600, "KeyRefused": 1},
		},
		"retry, nothing else is held": {
			outcome: worker.Outcome{Result: worker.Retry, DeliveryID: "d-1", Status: 401, Receipts: map[string]string{"a": "1"},
				Hold: breaker.Hold{Project: "P", Since: time.Now().Add(-time.Hour), Open: true, KeyRefused: true}},
			members: map[string]any{"level": "WARN", "decision": "retry"},
			metrics: map[string]float64{"Retries": 1, "BreakerOpen": 3600, "KeyRefused": 1},
		},
		"held, paused": {
			outcome: worker.Outcome{Result: worker.Held, Receipts: map[string]string{"a": "1"}, Hold: breaker.Hold{Project: "P", Since: time.Now().Add(-time.Hour), Paused: true}},
			members: map[string]any{"level": "INFO", "message": "held"},
			metrics: map[string]float64{"Waiting": 1, "Paused": 3600},
		},
		"without the breaker": {
			outcome: worker.Outcome{Result: worker.Created, Warning: errors.New("unreadable")},
			members: map[string]any{"level": "INFO", "warning": "unreadable"},
			metrics: map[string]float64{"TicketsCreated": 1, "WebhookToTicket": 0},
		},
		"handed over": {
			outcome: worker.Outcome{Result: worker.HandedOver, DeliveryID: "d-1", TicketID: "3"},
			members: map[string]any{"level": "INFO", "decision": "handed_over"},
			metrics: map[string]float64{"HandedOver": 1},
		},
		"handed back": {
			outcome: worker.Outcome{Result: worker.HandedBack, DeliveryID: "d-1"},
			members: map[string]any{"level": "INFO", "decision": "handed_back"},
			metrics: map[string]float64{"HandedBack": 1},
		},
		"dead letter": {
			outcome: worker.Outcome{Result: worker.Dead, DeliveryID: "d-1", Reason: queue.ReasonAmbiguous, Stage: "create"},
			members: map[string]any{"level": "ERROR", "decision": "dead_letter", "reason": "ambiguous"},
			metrics: map[string]float64{"DeadLetters": 1, "DeadLetters/ambiguous": 1},
		},
		"dead letter whose reason is not known": {
			outcome: worker.Outcome{Result: worker.Dead, MessageID: "m-1"},
			members: map[string]any{"correlation_id": nil, "reason": nil},
			metrics: map[string]float64{"DeadLetters": 1},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			line := logged(t, func(ctx context.Context, log *slog.Logger) {
				telemetry.Worker{Log: log}.Report(ctx, tt.outcome)
			})
			checkMembers(t, line, tt.members)
			if got := metricsOf(line); !maps.Equal(got, tt.metrics) {
				t.Errorf("metrics %v, want %v", got, tt.metrics)
			}
		})
	}
}
