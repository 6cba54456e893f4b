package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// On disk a ticket is tickets/ID.json and its files are files/ID-INDEX, where INDEX is the
// file's position among the ticket's files. Everything is written to a temporary name,
// synced and renamed, so every file found is complete.
const (
	ticketsDir = "tickets"
	filesDir   = "files"
	temporary  = ".part-"
)

// load reads the tickets that an earlier process stored, and removes those that it did not
// finish.
func (s *Simulator) load() error {
	if s.config.Dir == "" {
		return nil
	}
	for _, dir := range []string{ticketsDir, filesDir} {
		dir = filepath.Join(s.config.Dir, dir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create the simulator's folder: %w", err)
		}
		unfinished, err := filepath.Glob(filepath.Join(dir, temporary+"*"))
		if err != nil {
			return fmt.Errorf("list the simulator's folder: %w", err)
		}
		for _, path := range unfinished {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("tidy the simulator's folder: %w", err)
			}
		}
	}
	paths, err := filepath.Glob(filepath.Join(s.config.Dir, ticketsDir, "*.json"))
	if err != nil {
		return fmt.Errorf("list the simulator's tickets: %w", err)
	}
	for _, path := range paths {
		t, err := readTicket(path)
		if err != nil {
			return err
		}
		s.tickets[t.ID] = &record{Ticket: t}
		s.lastID = max(s.lastID, number(t.ID))
	}
	return nil
}

func readTicket(path string) (Ticket, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Ticket{}, fmt.Errorf("read a ticket of the simulator: %w", err)
	}
	var t Ticket
	if err := json.Unmarshal(data, &t); err != nil {
		return Ticket{}, fmt.Errorf("read a ticket of the simulator: %s: %w", path, err)
	}
	fields, ok := readFields(t.Body)
	if !ok || t.ID+".json" != filepath.Base(path) || number(t.ID) < 1 {
		return Ticket{}, fmt.Errorf("read a ticket of the simulator: %s: not one of its tickets", path)
	}
	t.Fields = fields
	return t, nil
}

// saveTicket stores a ticket on disk if there is a Dir.
func (s *Simulator) saveTicket(t Ticket) error {
	if s.config.Dir == "" {
		return nil
	}
	var data bytes.Buffer
	e := json.NewEncoder(&data)
	e.SetEscapeHTML(false) // keep the body as it is
	if err := e.Encode(t); err != nil {
		return fmt.Errorf("write ticket %s: %w", t.ID, err)
	}
	dir := filepath.Join(s.config.Dir, ticketsDir)
	temp, err := os.CreateTemp(dir, temporary+"*")
	if err != nil {
		return fmt.Errorf("write ticket %s: %w", t.ID, err)
	}
	if _, err := temp.Write(data.Bytes()); err != nil {
		abandon(temp)
		return fmt.Errorf("write ticket %s: %w", t.ID, err)
	}
	if err := settle(temp, filepath.Join(dir, t.ID+".json")); err != nil {
		return fmt.Errorf("write ticket %s: %w", t.ID, err)
	}
	return nil
}

// keep adds a received file to its ticket: first on disk, then in memory.
func (s *Simulator) keep(r *record, in *incoming) error {
	r.saving.Lock()
	defer r.saving.Unlock()
	s.mu.Lock()
	t := r.copy()
	s.mu.Unlock()
	index := len(t.Files)
	t.Files = append(t.Files, in.File)
	if in.temp != nil {
		if err := settle(in.temp, s.filePath(t.ID, index)); err != nil {
			return fmt.Errorf("keep a file of ticket %s: %w", t.ID, err)
		}
	}
	if err := s.saveTicket(t); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Files = t.Files
	if in.temp == nil && in.Picture != "" && in.Size == int64(in.data.Len()) {
		if r.kept == nil {
			r.kept = make(map[int][]byte)
		}
		r.kept[index] = in.data.Bytes()
	}
	return nil
}

// settle makes a temporary file durable under its name.
func settle(temp *os.File, path string) error {
	if err := temp.Sync(); err != nil {
		abandon(temp)
		return err
	}
	if err := temp.Close(); err != nil {
		abandon(temp)
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		abandon(temp)
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// abandon removes a temporary file if it still exists. If that fails, load removes it at
// the next start.
func abandon(temp *os.File) {
	temp.Close()
	os.Remove(temp.Name())
}

func (s *Simulator) filePath(ticketID string, index int) string {
	return filepath.Join(s.config.Dir, filesDir, ticketID+"-"+strconv.Itoa(index))
}

var errNotKept = errors.New("the file's content was not kept")

// open opens a file's content.
func (s *Simulator) open(ticketID string, index int) (File, io.ReadSeekCloser, error) {
	s.mu.Lock()
	r, ok := s.tickets[ticketID]
	if !ok || index < 0 || index >= len(r.Files) {
		s.mu.Unlock()
		return File{}, nil, os.ErrNotExist
	}
	f, data := r.Files[index], r.kept[index]
	s.mu.Unlock()
	if s.config.Dir != "" {
		content, err := os.Open(s.filePath(ticketID, index))
		return f, content, err
	}
	if data == nil {
		return f, nil, errNotKept
	}
	return f, inMemory{bytes.NewReader(data)}, nil
}

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// hasContent reports whether open would find a file's content.
func (s *Simulator) hasContent(ticketID string, index int) bool {
	if s.config.Dir != "" {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.tickets[ticketID]
	return ok && r.kept[index] != nil
}
