package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/internal/shellword"
	"fairbridge/pkg/queue"
)

// editData is the form for correcting a payload, and the result.
type editData struct {
	ID       string
	Fields   []editField
	NewName  string
	NewValue string
	Problem  string
	// After a check: the changes, and the request that a replay would send.
	Checked bool
	// Force says that it was replayed so often that it has to be forced.
	Force   bool
	Changes []queue.Edit
	Sets    []setInput
	Request *deadletter.Request
	Command string
}

// editField is a field of the payload. Text is its value for editing; Fixed means that a
// form would not return it unchanged.
type editField struct {
	Name, Text string
	Long       bool
	Fixed      bool
}

// setInput is a correction on the confirmation page.
type setInput struct{ Kind, Value string }

func (s *Console) editDelivery(w http.ResponseWriter, r *http.Request) error {
	d, err := s.editable(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "edit.html", "Correct "+queue.ShortID(d.ID), d)
}

// editable returns the form of a delivery that has a letter.
func (s *Console) editable(r *http.Request) (*editData, error) {
	d, err := s.delivery(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if d.Letter == nil || d.Payload == nil {
		return nil, &failure{Status: http.StatusConflict, Text: "There is no dead letter with a payload that could be corrected.", Back: "/deliveries/" + d.ID}
	}
	fields, err := fieldsOf(d.Payload)
	if err != nil {
		return nil, err
	}
	return &editData{ID: d.ID, Fields: fields, Force: d.Often}, nil
}

// fieldsOf returns the fields of a payload, in its order. Of a duplicate key the last one
// counts.
func fieldsOf(payload json.RawMessage) (all []editField, err error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("read the payload: %w", err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read the payload: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("read the payload: %w", err)
		}
		f := editField{Name: fmt.Sprint(key), Text: string(value)}
		switch value[0] {
		case '"':
			_ = json.Unmarshal(value, &f.Text) // it was decoded just now
			// A value that a form would not return unchanged must not look edited.
			f.Fixed = strings.ContainsAny(strings.ReplaceAll(f.Text, "\r\n", "\n"), "\x00\r\uFFFD")
		case 'n':
			f.Text = ""
		case '{', '[', 't', 'f':
			f.Fixed = true
		}
		f.Long = len(f.Text) > 70 || strings.Contains(f.Text, "\n")
		all = slices.DeleteFunc(all, func(of editField) bool { return of.Name == f.Name })
		all = append(all, f)
	}
	return all, nil
}

// newlines undoes what forms do to line ends.
func newlines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// checkEdit shows what a correction would do. It changes nothing.
func (s *Console) checkEdit(w http.ResponseWriter, r *http.Request) error {
	d, err := s.editable(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return &failure{Status: http.StatusBadRequest, Text: "The form could not be read.", Back: "/deliveries/" + d.ID + "/edit"}
	}
	var sets []deadletter.Assignment
	for i, f := range d.Fields {
		given, ok := r.PostForm["field "+f.Name]
		if !ok || f.Fixed || newlines(given[0]) == newlines(f.Text) {
			continue
		}
		d.Fields[i].Text = newlines(given[0])
		sets = append(sets, deadletter.Assignment{Field: f.Name, Value: newlines(given[0])})
	}
	d.NewName, d.NewValue = strings.TrimSpace(r.PostFormValue("new name")), newlines(r.PostFormValue("new value"))
	if d.NewName != "" {
		sets = append(sets, deadletter.Assignment{Field: d.NewName, Value: d.NewValue, New: true})
	}
	status := http.StatusOK
	if len(sets) == 0 {
		d.Problem = "Nothing is changed yet."
	} else if err := s.tryEdit(r, d, sets); err != nil {
		d.Problem = capital(err.Error()) + "."
	}
	if d.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	return s.render(w, r, status, "edit.html", "Correct "+queue.ShortID(d.ID), d)
}

func (s *Console) tryEdit(r *http.Request, d *editData, sets []deadletter.Assignment) error {
	check, err := s.checker(r.Context())
	if err != nil {
		return err
	}
	var wrong error
	requests, err := s.manager.DryRun(r.Context(), deadletter.ReplayOptions{
		Filter: deadletter.Filter{IDs: []string{d.ID}}, Sets: sets, Checker: check, Force: true,
		Edited: func(_ deadletter.Case, changes []queue.Edit, err error) error {
			d.Changes, wrong = changes, err
			return nil
		},
	})
	switch {
	case err != nil:
		return err
	case wrong != nil:
		return wrong
	case len(requests) != 1:
		return fmt.Errorf("the letter is not in the queue any more")
	}
	d.Checked, d.Request = true, &requests[0]
	d.Command = "dlq replay " + queue.ShortID(d.ID)
	for _, set := range sets {
		kind := "set"
		if set.New {
			kind = "new"
			d.Command += " --new-field"
		}
		d.Sets = append(d.Sets, setInput{kind, set.Field + "=" + set.Value})
		d.Command += " --set " + shellword.Quote(set.Field+"="+set.Value)
	}
	if d.Force {
		d.Command += " --force"
	}
	d.Command = s.Home.Command(d.Command + " --wait")
	return nil
}

// givenSets returns the corrections from the page of [Console.checkEdit].
func givenSets(r *http.Request) (sets []deadletter.Assignment, err error) {
	if err := r.ParseForm(); err != nil {
		return nil, &failure{Status: http.StatusBadRequest, Text: "The form could not be read."}
	}
	for _, kind := range []string{"set", "new"} {
		for _, text := range r.PostForm[kind] {
			set, err := deadletter.ParseAssignment(newlines(text))
			if err != nil {
				return nil, &failure{Status: http.StatusBadRequest, Text: capital(err.Error()) + "."}
			}
			set.New = kind == "new"
			sets = append(sets, set)
		}
	}
	return sets, nil
}
