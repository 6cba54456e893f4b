package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
)

// Mapping is the mapping that previews use.
type Mapping struct {
	// Config is nil if there is none: no bridge has run, and there is no file.
	Config *mapping.Config
	// Runs means that the bridge runs this mapping.
	Runs bool
	// By describes which mapping it is.
	By string
}

// Mapping returns the mapping that the bridge runs or, if none runs, the one in the file
// that its next start reads: by default the file of the one that ran last. With given, the
// person asks for the file's mapping, whatever runs. The error is about the file if it is
// given, or the ledger's.
func (h *Home) Mapping(ctx context.Context, file string, given bool) (Mapping, error) {
	running, known, err := h.ran(ctx)
	if err != nil {
		return Mapping{}, err
	}
	here, fileErr := h.load(file)
	runs := known != nil && (h.OnAWS() || answers(ctx, h.Webhook()))
	const none = "no bridge runs in this folder"
	switch {
	case given && fileErr != nil:
		return Mapping{}, fileErr
	case given && runs && here.Hash() == running.Hash:
		return Mapping{Config: here, Runs: true, By: file + ", which is what runs"}, nil
	case given && (runs || h.OnAWS()):
		return Mapping{Config: here, By: file + ", which is not what runs"}, nil
	case runs:
		m := Mapping{Config: known, Runs: true, By: fmt.Sprintf("the mapping that has run since %s (%.12s)", moment(running.Since), running.Hash)}
		if here != nil && here.Hash() != running.Hash {
			m.By += fmt.Sprintf("; %s here is another, which --config %s tries", file, file)
		}
		return m, nil
	case here != nil && h.OnAWS():
		return Mapping{Config: here, By: file + " here: no running mapping is recorded yet"}, nil
	case here != nil:
		return Mapping{Config: here, By: file + " as it is now: " + none}, nil
	case known != nil && errors.Is(fileErr, fs.ErrNotExist):
		return Mapping{Config: known, By: fmt.Sprintf("the mapping that ran last (%.12s): %s", running.Hash, none)}, nil
	case errors.Is(fileErr, fs.ErrNotExist):
		return Mapping{}, nil
	}
	return Mapping{}, fileErr
}

// ran returns the mapping that runs, or last ran; nil if unknown.
func (h *Home) ran(ctx context.Context) (ledger.Running, *mapping.Config, error) {
	l, err := ledger.New(ledger.Config{Store: h.Ledger})
	if err != nil {
		return ledger.Running{}, nil, err
	}
	running, err := l.Running(ctx)
	var text string
	if err == nil {
		text, err = l.Mapping(ctx, running.Hash)
	}
	if errors.Is(err, ledger.ErrNotFound) {
		return running, nil, nil
	}
	if err != nil {
		return running, nil, err
	}
	config, err := mapping.Parse("the mapping that runs", []byte(text))
	if err != nil {
		return running, nil, fmt.Errorf("the mapping that runs is not one for this version of fairbridge; name a file with --config: %w", err)
	}
	return running, config, nil
}

// load reads a mapping file as it would run in this home.
func (h *Home) load(file string) (*mapping.Config, error) {
	c, err := mapping.Load(file)
	if err != nil || h.CentercodeBaseURL == "" {
		return c, err
	}
	return c.WithBaseURL(h.CentercodeBaseURL)
}

// MappingStatus describes the mapping that a bridge runs.
type MappingStatus struct {
	Hash  string    `json:"hash"`
	Since time.Time `json:"since"`
	// File is the file that it is compared with: the one that it was read from or, for a
	// stack, the one on this machine; "" if there is none.
	File string `json:"file,omitempty"`
	// Differs means that the file is not what runs, Problem is why it cannot run.
	Differs bool   `json:"differs,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// mappingStatus returns the status of the running mapping, and the mapping; nil if unknown.
func (h *Home) mappingStatus(ctx context.Context, file string) (*MappingStatus, *mapping.Config, error) {
	running, config, err := h.ran(ctx)
	if config == nil {
		return nil, nil, err
	}
	if !h.OnAWS() && running.File != "" {
		file = running.File
	}
	s := &MappingStatus{Hash: running.Hash, Since: running.Since, File: file, Problem: running.Problem}
	here, err := h.load(file)
	switch {
	case h.OnAWS() && errors.Is(err, fs.ErrNotExist):
		s.File = ""
	case err != nil || here.Hash() != running.Hash:
		s.Differs = true
	}
	return s, config, nil
}

// tellMapping adds a problem or a note if a file is not what runs.
func (s *Status) tellMapping(h *Home) {
	m := s.Mapping
	switch {
	case m == nil || !m.Differs:
	case h.OnAWS():
		s.Notes = append(s.Notes, fmt.Sprintf("%s here is not what runs: a deployment brings it", m.File))
	case s.Runs == nil || !*s.Runs:
	case m.Problem != "":
		s.problem("%s cannot run as it is, and the previous mapping stays in use: %s", m.File, m.Problem)
	default:
		s.Notes = append(s.Notes, fmt.Sprintf("%s has changed, and is about to run", m.File))
	}
}
