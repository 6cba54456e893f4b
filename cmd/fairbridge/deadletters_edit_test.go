package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
)

// TestReplayCorrects checks that a correction is validated, and with a config also mapped
// as the worker would.
func TestReplayCorrects(t *testing.T) {
	f := newFarEnd(t, "")
	h := newLetterHome(t, rejected(t, 1, `"email":"nobody"`))
	id := shortID(idOf(1))
	h.dlq("replay", id, "--yes", "--config", f.config, "--set", "email=not an address", "--set", "filesize=large").want(t, exitLeft,
		id+"\n- email: \"nobody\"\n+ email: \"not an address\"\n+ filesize: \"large\"\n0 dead letters replayed\n",
		"fairbridge: "+id+" stays: filesize is not a number\nemail is not one bare email address\n")
	h.dlq("replay", id, "--yes", "--config", f.config, "--set", "email=qa@example.com", "--set", "event=feedback").want(t, exitDone,
		id+"\n- email: \"nobody\"\n+ email: \"qa@example.com\"\n1 dead letter replayed\n", "")
	sent := h.messages(h.home.WorkQueueURL)
	e, err := queue.Decode(aws.ToString(sent[0].Body))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"event":"feedback","text":"feedback 1","email":"qa@example.com"}`; string(e.Event) != want || e.DeliveryID != idOf(1) {
		t.Errorf("sent %s of %s, want %s", e.Event, e.DeliveryID, want)
	}
	if len(e.Edits) != 1 || e.Edits[0].Field != "email" || string(e.Edits[0].Old) != `"nobody"` {
		t.Errorf("recorded %+v", e.Edits)
	}

	malformed := deadletter.Letter{
		DeadLetter: queue.DeadLetter{DeliveryID: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", Reason: queue.ReasonMalformed, Stage: "decode"},
		Body:       "hello",
	}
	h.put(malformed)
	h.dlq("replay", "2cf24dba", "--yes", "--set", "email=qa@example.com").want(t, exitLeft,
		"2cf24dba5fb0\n  nothing to change\n0 dead letters replayed\n",
		"fairbridge: 2cf24dba5fb0 stays: it cannot be corrected: not a FairBridge message: not JSON at byte 1\n")
}

// TestReplaySetsNoNewField checks that a misspelled field is not added silently.
func TestReplaySetsNoNewField(t *testing.T) {
	t.Chdir(t.TempDir()) // without a fairbridge.yaml
	h := newLetterHome(t, rejected(t, 1, `"email":"nobody"`))
	id := shortID(idOf(1))
	h.dlq("replay", id, "--yes", "--set", "emial=qa@example.com").want(t, exitLeft, "0 dead letters replayed\n",
		"fairbridge: "+id+" stays: the event has no field emial (did you mean email?); '--new-field' adds it\n")
	h.dlq("replay", id, "--yes", "--set", "screenshotUrl=", "--set", "zebra=1").want(t, exitLeft, "0 dead letters replayed\n",
		"fairbridge: "+id+" stays: the event has no field zebra; '--new-field' adds it\n")
	h.dlq("replay", id, "--yes", "--set", "screenshotUrl=", "--set", "zebra=1", "--new-field").want(t, exitDone,
		id+"\n+ screenshotUrl: \"\"\n+ zebra: \"1\"\n1 dead letter replayed\n", "")
}

func TestReplayCorrectsForTheMapping(t *testing.T) {
	config := filepath.Join(t.TempDir(), "fairbridge.yaml")
	err := os.WriteFile(config, []byte(`routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields:
      severity: {choice: "{{ .severity }}", allowed: [Low, High]}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	h := newLetterHome(t, rejected(t, 1, ""))
	id := shortID(idOf(1))
	got := h.dlq("replay", id, "--yes", "--config", config, "--set", "severity=Middling")
	if got.code != exitLeft || !strings.HasPrefix(got.err, "fairbridge: "+id+" stays: line 6: fields.severity: ") {
		t.Errorf("%+v", got)
	}
	h.dlq("replay", id, "--yes", "--config", config, "--set", "severity=Low").want(t, exitDone,
		id+"\n+ severity: \"Low\"\n1 dead letter replayed\n", "")
}

// TestEdit checks that an edited payload is validated and replayed like one corrected with
// --set, and that the editor's file is removed.
func TestEdit(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	config := simulated(t)
	h := newLetterHome(t, rejected(t, 1, `"email":"nobody","appName":"Demo App"`))
	id := shortID(idOf(1))
	const difference = "\n- email: \"nobody\"\n+ email: \"qa@example.com\"\n"
	edit := func(editor string, args ...string) ran {
		t.Setenv("VISUAL", editor)
		return h.dlq(append([]string{"edit", id, "--yes", "--config", config}, args...)...)
	}
	edit("true").want(t, exitDone, "nothing was changed\n", "")
	edit("exit 3; :").want(t, exitLeft, "", "fairbridge: edit the payload with \"exit 3; :\" ($VISUAL, $EDITOR): exit status 3\n")
	edit("echo {>").want(t, exitLeft, "", "fairbridge: line 2: this is not JSON: unexpected end of JSON input\n")
	edit("sed -i s/email/emial/").want(t, exitLeft, "0 dead letters replayed\n",
		"fairbridge: "+id+" stays: the event has no field emial (did you mean email?); '--new-field' adds it\n")
	edit("sed -i s/nobody/a,b/").want(t, exitLeft, id+"\n- email: \"nobody\"\n+ email: \"a,b\"\n0 dead letters replayed\n",
		"fairbridge: "+id+" stays: email is not one bare email address\n")
	got := edit("sed -i s/nobody/qa@example.com/", "--dry-run")
	if got.code != exitDone || !strings.HasPrefix(got.out, id+difference) || !strings.Contains(got.out, "\n1 dead letter would be replayed, by "+config) {
		t.Errorf("%+v", got)
	}
	edit("sed -i s/nobody/qa@example.com/").want(t, exitDone, id+difference+"1 dead letter replayed\n", "")
	e, err := queue.Decode(aws.ToString(h.messages(h.home.WorkQueueURL)[0].Body))
	if err != nil || len(e.Edits) != 1 || string(e.Edits[0].Old) != `"nobody"` || e.DeliveryID != idOf(1) {
		t.Errorf("sent %+v, %v", e, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
