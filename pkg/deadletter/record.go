package deadletter

import (
	"cmp"
	"strings"
	"time"

	"fairbridge/pkg/queue"
)

// Record is a dead letter as data for programs and pages.
type Record struct {
	DeliveryID  string       `json:"deliveryId"`
	Reason      queue.Reason `json:"reason"`
	Stage       queue.Stage  `json:"stage,omitempty"`
	Status      int          `json:"status,omitempty"`
	Description string       `json:"description,omitempty"`
	// Project and Source are where the request for the ticket went, Done means that it is
	// finished; only if the ledger was read.
	Project    string    `json:"project,omitempty"`
	Source     string    `json:"source,omitempty"`
	Done       bool      `json:"done,omitempty"`
	Event      string    `json:"event,omitempty"`
	App        string    `json:"app,omitempty"`
	Submitter  string    `json:"submitter,omitempty"`
	Text       string    `json:"text,omitempty"`
	Attempts   int       `json:"attempts"`
	Replays    int       `json:"replays"`
	Generation int       `json:"generation"`
	Copies     int       `json:"copies"`
	DiedAt     time.Time `json:"diedAt"`
	SentAt     time.Time `json:"sentAt"`
	MessageID  string    `json:"messageId"`
	// Edits are people's corrections of the payload.
	Edits []queue.Edit `json:"edits,omitempty"`
}

// Record returns the case's data.
func (c Case) Record() Record {
	r := Record{
		DeliveryID: c.DeliveryID, Reason: c.Reason, Stage: c.Stage, Status: c.Status, Description: c.Description,
		Event: cmp.Or(c.Event, string(c.Webhook.Kind)), App: c.Webhook.Text("appName"), Submitter: c.Submitter(), Text: c.Saying(),
		Attempts: c.Attempts, Replays: c.ReplayCount(), Generation: c.Generation, Copies: c.Count(),
		DiedAt: c.DiedAt(), SentAt: c.SentAt, MessageID: c.MessageID, Done: c.Done(),
	}
	r.Project, r.Source = c.where()
	if e, err := queue.Decode(c.Body); err == nil {
		r.Edits = e.Edits
	}
	return r
}

// Submitter returns who sent the event, whatever its kind.
func (c Case) Submitter() string {
	return cmp.Or(c.Webhook.Text("email"), c.Webhook.Text("testerEmail"))
}

// Saying returns what the event says, whatever its kind.
func (c Case) Saying() string {
	return strings.TrimSpace(cmp.Or(c.Webhook.Text("text"), c.Webhook.Text("crashMessage")))
}
