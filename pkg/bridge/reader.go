package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"fairbridge/pkg/internal/sleep"
	"fairbridge/pkg/mapping"
)

const (
	// settles is how long a file must stay unchanged before it is used, so that an
	// incomplete file is not used while a program is writing it.
	settles = 200 * time.Millisecond
	// looks is how often the file is read without a notification: not every file system
	// sends them, and a refused file may have become valid, for example by a new secret.
	looks = 30 * time.Second
)

// Reread is the result of reading a changed mapping file.
type Reread struct {
	File string
	// Hash and Routes describe the mapping that runs from now on.
	Hash   string
	Routes int
	// Err is why the file was refused, in which case the previous mapping continues.
	Err error
}

// reader reloads the mapping file when it changes.
type reader struct {
	*loaded
	log  *slog.Logger
	tell func(context.Context, Reread)
	// taken is the last content that was used or refused, why the reason of a refusal.
	taken []byte
	why   string
	// events and errors are the notifications; nil for none.
	events <-chan fsnotify.Event
	errors <-chan error
}

// Run reads the file whenever it changes, until ctx ends.
func (r *reader) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		r.log.Warn("changes of the mapping file are not heard of, so it is read every 30 seconds", "file", r.file, "err", err)
	} else {
		defer watcher.Close()
		r.events, r.errors = watcher.Events, watcher.Errors
	}
	every := time.NewTicker(looks)
	defer every.Stop()
	for {
		if watcher != nil {
			r.watch(watcher)
		}
		if err := r.read(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("the running mapping could not be recorded", "err", err)
		}
		if !r.wait(ctx, every.C) {
			return nil
		}
	}
}

// watch requests notifications for the file's folder, since editors replace the file, and
// for the folder of the file that it links to.
func (r *reader) watch(watcher *fsnotify.Watcher) {
	target, err := filepath.EvalSymlinks(r.file)
	if err != nil {
		target = r.file
	}
	for _, file := range []string{r.file, target} {
		// Without notifications, the file is read periodically.
		_ = watcher.Add(filepath.Dir(file))
	}
}

// wait returns when the file may have changed, or false when ctx ends.
func (r *reader) wait(ctx context.Context, every <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-every:
			return true
		case <-r.errors:
			return true // for example, that events were lost
		case e := <-r.events:
			// The folder may contain files that are written all the time. A link to the
			// file may be replaced under any name.
			if e.Op&^(fsnotify.Write|fsnotify.Chmod) != 0 || filepath.Base(e.Name) == filepath.Base(r.file) {
				return true
			}
		}
	}
}

// read uses the current file, unless it is the running one.
func (r *reader) read(ctx context.Context) error {
	content, err := r.settled(ctx)
	if ctx.Err() != nil || err == nil && r.why == "" && bytes.Equal(content, r.taken) {
		return ctx.Err()
	}
	var config *mapping.Config
	if err == nil {
		config, err = mapping.Parse(r.file, content)
	}
	if err == nil && config.Hash() == r.config.Load().Hash() && r.why == "" {
		r.taken = content // it has the same meaning
		return nil
	}
	if err == nil {
		err = r.use(ctx, config)
	}
	if err != nil {
		r.taken = content
		return r.refuse(ctx, err)
	}
	r.taken, r.why = content, ""
	r.tell(ctx, Reread{File: r.file, Hash: config.Hash(), Routes: len(config.Routes)})
	return nil
}

// refuse reports once why the file is not used.
func (r *reader) refuse(ctx context.Context, why error) error {
	if ctx.Err() != nil || r.why == why.Error() {
		return ctx.Err()
	}
	if err := r.refused(ctx, why); err != nil {
		return errors.Join(why, err)
	}
	r.why = why.Error()
	r.tell(ctx, Reread{File: r.file, Err: why})
	return nil
}

// settled returns the file's content once it stays unchanged.
func (r *reader) settled(ctx context.Context) ([]byte, error) {
	content, err := mapping.Read(r.file)
	for {
		if err == nil && bytes.Equal(content, r.taken) && r.why == "" {
			return content, nil
		}
		if err := sleep.For(ctx, settles); err != nil {
			return nil, err
		}
		again, errAgain := mapping.Read(r.file)
		if fmt.Sprint(err) == fmt.Sprint(errAgain) && bytes.Equal(content, again) {
			return again, errAgain
		}
		content, err = again, errAgain
	}
}
