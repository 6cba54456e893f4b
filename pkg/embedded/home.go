// Package embedded is FairBridge's home on one machine: SQS and SSM implemented with one
// SQLite file, a poller in place of Lambda's event source mapping, and a listener in place
// of API Gateway. It runs the same handlers as AWS.
//
// pkg/queue/sqstest tests this SQS with the same contract as Amazon's.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"fairbridge/pkg/ledger/sqlite"
	"fairbridge/pkg/sqlitedb"
)

const databaseFile = "fairbridge.db"

var deadLetterQueue = Queue{
	Name:              "fairbridge-dead-letters",
	VisibilityTimeout: 30 * time.Second,
}

// workQueue has the settings of the stack's queue. Its visibility timeout is a little above
// the worker's timeout of 900 s, as Lambda requires.
var workQueue = Queue{
	Name:              "fairbridge-work",
	VisibilityTimeout: 930 * time.Second,
	MaxReceiveCount:   1000,
	DeadLetterQueue:   deadLetterQueue.Name,
}

// filesQueue holds deliveries with slow files.
var filesQueue = Queue{
	Name:              "fairbridge-files",
	VisibilityTimeout: workQueue.VisibilityTimeout,
	MaxReceiveCount:   workQueue.MaxReceiveCount,
	DeadLetterQueue:   deadLetterQueue.Name,
}

// Home is a folder with everything that the bridge keeps, in one file: queues, parameters
// and the ledger.
type Home struct {
	Dir    string
	DB     *sqlitedb.DB
	SQS    *SQS
	SSM    *SSM
	Ledger *sqlite.Store
	// Refusals records refused webhooks.
	Refusals *Refusals

	WorkQueueURL, FilesQueueURL, DeadLetterQueueURL string

	locks locks
}

// Config configures [Open].
type Config struct {
	// Folder is the path of the home.
	Folder string
	// Existing makes Open fail if there is no home yet, with an error that wraps
	// fs.ErrNotExist. It is for commands that only look, so that a mistyped folder does not
	// become an empty home.
	Existing bool
	// Now is the clock for everything in the home; the default is time.Now.
	Now func() time.Time
	// Getenv returns the environment for [OverrideOf]; the default is os.Getenv.
	Getenv func(string) string
}

// Open opens a home, and creates what is missing, including the folder. Any number of
// processes may have it open; see [Home.Lock].
func Open(ctx context.Context, c Config) (_ *Home, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	dir := c.Folder
	file := filepath.Join(dir, databaseFile)
	if c.Existing && !Exists(dir) {
		return nil, fmt.Errorf("there is no FairBridge home in %s: %w", dir, fs.ErrNotExist)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain(dir, fmt.Errorf("open home: %w", err))
	}
	h := &Home{Dir: dir}
	if h.DB, err = sqlitedb.Open(ctx, file); err != nil {
		return nil, explain(dir, fmt.Errorf("open home: %w", err))
	}
	if err := h.fill(ctx, c); err != nil {
		return nil, explain(dir, fmt.Errorf("open home %s: %w", dir, errors.Join(err, h.DB.Close())))
	}
	h.locks = newLocks(filepath.Dir(h.DB.Path()))
	return h, nil
}

// Exists reports whether there is a home in dir, or what remains of one.
func Exists(dir string) bool {
	file := filepath.Join(dir, databaseFile)
	for _, name := range []string{file, file + "-wal"} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

func (h *Home) fill(ctx context.Context, c Config) (err error) {
	if h.SQS, err = NewSQS(SQSConfig{DB: h.DB, Now: c.Now}); err != nil {
		return err
	}
	if h.SSM, err = NewSSM(SSMConfig{DB: h.DB, Now: c.Now, Getenv: c.Getenv}); err != nil {
		return err
	}
	h.Refusals = newRefusals(h.DB, c.Now)
	if h.Ledger, err = sqlite.New(ctx, sqlite.Config{DB: h.DB, Now: c.Now}); err != nil {
		return err
	}
	if h.DeadLetterQueueURL, err = h.SQS.CreateQueue(ctx, deadLetterQueue); err != nil {
		return err
	}
	if h.WorkQueueURL, err = h.SQS.CreateQueue(ctx, workQueue); err != nil {
		return err
	}
	h.FilesQueueURL, err = h.SQS.CreateQueue(ctx, filesQueue)
	return err
}

// Close finishes the writes in progress, closes the file and releases the lock.
func (h *Home) Close() error {
	return errors.Join(h.DB.Close(), h.locks.close())
}
