package home

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/secrets"
)

// Folder returns the bridge of an open embedded home. Closing it closes the home.
func Folder(e *embedded.Home) *Home {
	return &Home{
		Place: Place{Folder: e.Dir},
		SQS:   e.SQS, SSM: e.SSM, Peeks: e.SQS, Refusals: e.Refusals, Ledger: e.Ledger, History: e.Ledger, SecretsPrefix: secrets.DefaultPrefix,
		WorkQueueURL: e.WorkQueueURL, FilesQueueURL: e.FilesQueueURL, DeadLetterQueueURL: e.DeadLetterQueueURL, close: e.Close,
	}
}

// Webhook returns the current address for TestFairy, without the token; "" if no bridge has
// noted in the folder where it listens.
func (h *Home) Webhook() string {
	if h.OnAWS() {
		return h.stackWebhook
	}
	address, err := ListenAddress(h.Folder)
	if err != nil {
		return "" // if it cannot be read, no bridge runs as far as this is concerned
	}
	return LocalWebhook(address, "")
}

// A note is a file that a running program keeps in a bridge's folder, so that others find
// it. One that was killed leaves its note.
const (
	bridgeNote  = "running.json"
	consoleNote = "console.json"
)

func writeNote(folder, name string, note any) error {
	b, err := json.Marshal(note)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("record in the folder what runs: %w", err)
	}
	return nil
}

// readNote returns an error that wraps [fs.ErrNotExist] if there is no such note.
func readNote(folder, name string, note any) error {
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err == nil {
		err = json.Unmarshal(b, note)
	}
	if err != nil {
		return fmt.Errorf("find what runs in %s: %w", folder, err)
	}
	return nil
}

// running is the note of a bridge.
type running struct {
	Listen string `json:"listen"`
}

// WriteRunning records in a folder where its bridge listens for webhooks.
func WriteRunning(folder, listen string) error { return writeNote(folder, bridgeNote, running{listen}) }

// RemoveRunning removes what WriteRunning wrote.
func RemoveRunning(folder string) error { return os.RemoveAll(filepath.Join(folder, bridgeNote)) }

// ListenAddress returns where the bridge of a folder listens. A bridge that was killed
// leaves its record. The error wraps [fs.ErrNotExist] if there is none.
func ListenAddress(folder string) (string, error) {
	var r running
	err := readNote(folder, bridgeNote, &r)
	return r.Listen, err
}

// ConsoleNote is the note of a console.
type ConsoleNote struct {
	// Address is where it listens, Key what signs one-time links.
	Address string `json:"address"`
	Key     string `json:"key"`
}

// WriteConsole records in a folder that a console runs for its bridge. Anybody who can read
// it can read the bridge's file as well.
func WriteConsole(folder string, n ConsoleNote) error { return writeNote(folder, consoleNote, n) }

// ReadConsole returns the record of the console that was started last; one that was killed
// leaves its record. The error wraps [fs.ErrNotExist] if there is none.
func ReadConsole(folder string) (n ConsoleNote, err error) {
	err = readNote(folder, consoleNote, &n)
	return n, err
}

// RemoveConsole removes a console's record, unless another console has replaced it.
func RemoveConsole(folder, key string) error {
	if n, err := ReadConsole(folder); err != nil || n.Key != key {
		return nil
	}
	return os.RemoveAll(filepath.Join(folder, consoleNote))
}
