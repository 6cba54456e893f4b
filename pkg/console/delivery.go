package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
)

// deliveryData is the page of a delivery. A delivery that the ledger does not know has only
// its letter, and vice versa.
type deliveryData struct {
	ID string
	*deliveries.Shown
	Letter *deadletter.Shown
	Steps  []step
	// LetterProblem is why the letter cannot be shown, MappingProblem why there is no
	// request.
	LetterProblem, MappingProblem string
	// Waits says that the delivery is on its way.
	Waits   bool
	InDoubt bool
	Payload json.RawMessage
	// Often says that a replay has to be forced.
	Often bool
	// Commands do what the buttons do.
	Show, Replay, Edit, AsCreated, CreateAgain, Drop string
}

func (s *Console) showDelivery(w http.ResponseWriter, r *http.Request) error {
	d, err := s.delivery(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if d.ID != r.PathValue("id") {
		http.Redirect(w, r, "/deliveries/"+d.ID, http.StatusSeeOther)
		return nil
	}
	return s.render(w, r, http.StatusOK, "delivery.html", "Delivery "+queue.ShortID(d.ID), d)
}

// delivery returns everything that is known about a delivery.
func (s *Console) delivery(ctx context.Context, id string) (*deliveryData, error) {
	if len(id) < 6 || strings.Trim(strings.ToLower(id), "0123456789abcdef") != "" {
		return nil, &failure{Status: http.StatusNotFound, Text: "This is not a delivery id.", Back: "/deliveries"}
	}
	d := &deliveryData{ID: id}
	shown, err := s.finder.Show(ctx, id, nil)
	switch {
	case errors.Is(err, deliveries.ErrNone):
		// A letter that the ledger does not know still has a page.
	case err != nil:
		return nil, err
	default:
		d.ID, d.Shown, d.Payload = shown.DeliveryID, shown, shown.Payload
		d.Waits = shown.Ledger.State != ledger.Completed && shown.Ledger.State != ledger.Dead
		d.InDoubt = shown.Ledger.InDoubt() && !d.Waits
	}
	if d.Shown == nil || d.Ledger.State == ledger.Dead && !d.Ledger.Dropped() {
		if err := s.addLetter(ctx, d); err != nil {
			return nil, err
		}
	}
	command := func(words string) string { return s.Home.Command(strings.ReplaceAll(words, "ID", queue.ShortID(d.ID))) }
	d.Show, d.Replay, d.Edit = command("show ID"), command("dlq replay ID --wait"), command("dlq replay ID --set FIELD=VALUE --wait")
	d.AsCreated, d.CreateAgain = command("dlq replay ID --as-created TICKET --wait"), command("dlq replay ID --create-again --wait")
	d.Drop = command(`dlq drop ID --because "..."`)
	return d, nil
}

func (s *Console) addLetter(ctx context.Context, d *deliveryData) error {
	check, err := s.checker(ctx)
	if err != nil {
		d.MappingProblem = err.Error()
	}
	letter, err := s.manager.Show(ctx, deadletter.Filter{IDs: []string{d.ID}}, check)
	switch {
	case err != nil && d.Shown == nil:
		return &failure{Status: http.StatusNotFound, Text: "Neither the ledger nor the dead-letter queue has this delivery.", Back: "/deliveries"}
	case err != nil:
		d.LetterProblem = err.Error() // it may be being replayed
		return nil
	}
	d.ID, d.Letter, d.Payload, d.Steps = letter.Letter.DeliveryID, letter, letter.Payload, s.steps(letter.Advice, letter.Letter.DeliveryID)
	d.Often = letter.Letter.Replays >= deadletter.MostReplays
	return nil
}

// checker makes requests by the mapping that the bridge runs.
func (s *Console) checker(ctx context.Context) (*preview.Checker, error) {
	m, err := s.Home.Mapping(ctx, s.Config.Config, false)
	switch {
	case err != nil:
		return nil, err
	case m.Config == nil:
		return nil, errors.New("no mapping is known: no bridge has run here, and there is no " + s.Config.Config)
	}
	return preview.New(preview.Config{Mapping: m.Config, By: m.By, Now: s.Now})
}

// replayOne replays the delivery's letter. The error is why it stays.
func (s *Console) replayOne(w http.ResponseWriter, r *http.Request, o deadletter.ReplayOptions, notice string) error {
	release, err := s.jobs.actNow(r.Context())
	if err != nil {
		return err
	}
	defer release()
	id := r.PathValue("id")
	o.Filter.IDs = []string{id}
	var stays error
	o.Stays = func(_ deadletter.Case, err error) { stays = err }
	o.Edited = func(_ deadletter.Case, _ []queue.Edit, err error) error {
		stays = errors.Join(stays, err)
		return nil
	}
	o.Looked = func(ctx context.Context, in *deadletter.Selection) error {
		if len(in.Cases) == 0 {
			return s.manager.NoLetter(ctx, id, in)
		}
		return nil
	}
	// What has begun is finished even if the page is closed.
	sent, err := s.manager.Replay(context.WithoutCancel(r.Context()), o)
	back := "/deliveries/" + id
	switch {
	case err != nil:
		return &failure{Status: http.StatusConflict, Text: capital(err.Error()) + ".", Back: back}
	case errors.Is(stays, deadletter.ErrTooOften):
		return &failure{Status: http.StatusConflict, Text: fmt.Sprintf("It has been replayed %d times already. Fix the cause, then choose to replay it anyway.", deadletter.MostReplays), Back: back}
	case stays != nil && !errors.Is(stays, deadletter.ErrNotRemoved):
		return &failure{Status: http.StatusConflict, Text: "It stays: " + stays.Error() + ".", Back: back}
	}
	return s.done(w, r, sent.NotReleased, notice, back)
}

func (s *Console) replayDelivery(w http.ResponseWriter, r *http.Request) error {
	sets, err := givenSets(r)
	if err != nil {
		return err
	}
	o := deadletter.ReplayOptions{Sets: sets, Force: r.PostFormValue("force") != ""}
	if len(sets) > 0 {
		if o.Checker, err = s.checker(r.Context()); err != nil {
			return err
		}
	}
	return s.replayOne(w, r, o, "replayed")
}

// settleDelivery records a person's decision on a request whose answer was lost.
func (s *Console) settleDelivery(w http.ResponseWriter, r *http.Request) error {
	back := "/deliveries/" + r.PathValue("id")
	o := deadletter.ReplayOptions{Settlement: deadletter.Settlement{AsCreated: strings.TrimSpace(r.PostFormValue("ticket"))}}
	switch r.PostFormValue("there") {
	case "none":
		o.Settlement = deadletter.Settlement{CreateAgain: true}
	case "is":
		if o.Settlement.AsCreated == "" {
			return &failure{Status: http.StatusUnprocessableEntity, Text: "Which ticket is it? Enter its id.", Back: back}
		}
	default:
		return &failure{Status: http.StatusUnprocessableEntity, Text: "Say whether there is a ticket.", Back: back}
	}
	return s.replayOne(w, r, o, "settled")
}

func (s *Console) dropDelivery(w http.ResponseWriter, r *http.Request) error {
	id, because := r.PathValue("id"), queue.Describe(r.PostFormValue("because"))
	back := "/deliveries/" + id
	if because == "" {
		return noReason(back)
	}
	release, err := s.jobs.actNow(r.Context())
	if err != nil {
		return err
	}
	defer release()
	ctx := context.WithoutCancel(r.Context())
	in, err := s.manager.Select(ctx, deadletter.Query{Filter: deadletter.Filter{IDs: []string{id}}})
	if err != nil {
		return err
	}
	var stays error
	if len(in.Cases) == 0 {
		stays = s.manager.NoLetter(ctx, id, in)
	}
	s.manager.Drop(ctx, in, because, func(_ deadletter.Case, err error) { stays = err })
	if err := in.Hold.Release(ctx); err != nil {
		return err
	}
	if stays != nil {
		return &failure{Status: http.StatusConflict, Text: "It stays: " + stays.Error() + ".", Back: back}
	}
	return s.done(w, r, nil, "dropped", back)
}
