package home

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/secrets"
)

func openFolder(ctx context.Context, c Config) (*Home, error) {
	e, err := embedded.Open(ctx, embedded.Config{Folder: c.Folder, Existing: !c.Create})
	if err != nil {
		return nil, err
	}
	return Folder(e), nil
}

// Folder returns the bridge of an open embedded home. Closing it closes the home.
func Folder(e *embedded.Home) *Home {
	h := &Home{
		Place: Place{Folder: e.Dir},
		SQS:   e.SQS, SSM: e.SSM, Ages: e.SQS, Peeks: e.SQS, Refusals: e.Refusals, Ledger: e.Ledger, History: e.Ledger, SecretsPrefix: secrets.DefaultPrefix,
		WorkQueueURL: e.WorkQueueURL, FilesQueueURL: e.FilesQueueURL, DeadLetterQueueURL: e.DeadLetterQueueURL, close: e.Close,
	}
	h.Webhook = h.webhook()
	return h
}

// webhook returns the current address for TestFairy. A folder's bridge may have been
// started, or restarted at another address, since the home was opened.
func (h *Home) webhook() string {
	if h.OnAWS() {
		return h.Webhook
	}
	address, err := ListenAddress(h.Folder)
	if err != nil {
		return "" // if it cannot be read, no bridge runs as far as this is concerned
	}
	return LocalWebhook(address, "")
}

// running is the file that a running bridge keeps in its folder, so that others find it.
type running struct {
	Listen string `json:"listen"`
}

func runningFile(folder string) string { return filepath.Join(folder, "running.json") }

// WriteRunning records in a folder where its bridge listens for webhooks.
func WriteRunning(folder, listen string) error {
	b, err := json.Marshal(running{Listen: listen})
	if err != nil {
		return err
	}
	if err := os.WriteFile(runningFile(folder), b, 0o600); err != nil {
		return fmt.Errorf("record where the bridge listens: %w", err)
	}
	return nil
}

// RemoveRunning removes what WriteRunning wrote.
func RemoveRunning(folder string) error { return os.RemoveAll(runningFile(folder)) }

// ListenAddress returns where the bridge of a folder listens. A bridge that was killed
// leaves its record. The error wraps [fs.ErrNotExist] if there is none.
func ListenAddress(folder string) (string, error) {
	b, err := os.ReadFile(runningFile(folder))
	var r running
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return "", fmt.Errorf("find the bridge that runs in %s: %w", folder, err)
	}
	return r.Listen, nil
}

// ConsoleNote is the file that a running console keeps in its bridge's folder.
type ConsoleNote struct {
	// Address is where it listens, Key what signs one-time links.
	Address string `json:"address"`
	Key     string `json:"key"`
}

func consoleFile(folder string) string { return filepath.Join(folder, "console.json") }

// WriteConsole records in a folder that a console runs for its bridge. Anybody who can read
// it can read the bridge's file as well.
func WriteConsole(folder string, n ConsoleNote) error {
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := os.WriteFile(consoleFile(folder), b, 0o600); err != nil {
		return fmt.Errorf("record where the console listens: %w", err)
	}
	return nil
}

// ReadConsole returns the record of the console that was started last; one that was killed
// leaves its record. The error wraps [fs.ErrNotExist] if there is none.
func ReadConsole(folder string) (n ConsoleNote, err error) {
	b, err := os.ReadFile(consoleFile(folder))
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	if err != nil {
		return n, fmt.Errorf("find the console that runs in %s: %w", folder, err)
	}
	return n, nil
}

// RemoveConsole removes a console's record, unless another console has replaced it.
func RemoveConsole(folder, key string) error {
	if n, err := ReadConsole(folder); err != nil || n.Key != key {
		return nil
	}
	return os.RemoveAll(consoleFile(folder))
}
