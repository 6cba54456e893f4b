package deadletter

import (
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/queue"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestWhatSQSMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plain, redriven := letter(t, 1, 0), letter(t, 2, 1)
		_, err := w.SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: &w.dead, MessageBody: &plain.Body, MessageAttributes: queue.DeliveryAttributes(plain.DeliveryID, "feedback"),
		})
		if err != nil {
			t.Fatal(err)
		}
		l := letterOf(w.all(w.dead)[0])
		if l.Reason != queue.ReasonWorkerDied || l.DeliveryID != plain.DeliveryID || l.ReplayCount() != 0 || !l.DiedAt().Equal(l.SentAt) {
			t.Errorf("moved the first time: %+v", l)
		}
		// SQS's redrive keeps a letter's attributes. When the message then runs out of
		// receives, the recorded fault is out of date, but the generation still counts.
		l = letterOf(types.Message{
			MessageAttributes: redriven.attributes(), Body: &redriven.Body,
			Attributes: map[string]string{"DeadLetterQueueSourceArn": "arn:aws:sqs:x", "SentTimestamp": "1000"},
		})
		if l.Reason != queue.ReasonWorkerDied || l.Description != "" || l.Status != 0 || l.Generation != 1 || l.ReplayCount() != 1 {
			t.Errorf("moved after a redrive: %+v", l)
		}
	})
}

func TestALetterWithoutAttributesHasTheWorkersID(t *testing.T) {
	own := letter(t, 1, 0)
	if l := letterOf(types.Message{Body: &own.Body}); l.DeliveryID != own.DeliveryID {
		t.Errorf("one of ours has the id %s", l.DeliveryID)
	}
	if l := letterOf(types.Message{Body: aws.String("hello")}); l.DeliveryID != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Errorf("another has the id %s", l.DeliveryID) // the SHA-256 of its body
	}
	odd := types.Message{Body: &own.Body, MessageAttributes: queue.DeliveryAttributes("../\u202e", "x")}
	if l := letterOf(odd); l.DeliveryID != own.DeliveryID {
		t.Errorf("one with an odd attribute has the id %s", l.DeliveryID)
	}
}

func TestCopiesAreOneCase(t *testing.T) {
	at := func(l Letter, id string, seconds int) Letter {
		l.MessageID, l.SentAt = id, died.Add(time.Duration(seconds)*time.Second)
		return l
	}
	old, first, second := at(letter(t, 7, 1), "old", 1), at(letter(t, 7, 2), "first", 2), at(letter(t, 7, 2), "second", 3)
	replayed := at(letter(t, 7, 2), "replayed", 0)
	replayed.Replays = 3
	early := at(letter(t, 3, 1), "early", 9)
	cases := Cases([]Letter{first, old, replayed, second, early})
	if len(cases) != 2 || cases[0].MessageID != "early" || cases[1].MessageID != "replayed" || cases[1].Count() != 4 || cases[0].Count() != 1 {
		t.Errorf("got %+v", cases)
	}
	if got := Cases([]Letter{old, second, first})[0].MessageID; got != "second" {
		t.Errorf("of two copies %q continues", got)
	}
}
