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
	// settles is for how long a file has to stay as it is before it is taken: a
	// program that writes it in several steps must not have the first of them run.
	settles = 200 * time.Millisecond
	// looks is how often the file is read though nothing is heard: not every file
	// system tells, and what was refused may be right by now, as with a secret.
	looks = 30 * time.Second
)

// Reread is that the mapping file was read again, since it has changed.
type Reread struct {
	File string
	// Hash and Routes are those of the mapping that runs from now on.
	Hash   string
	Routes int
	// Err says why the file was refused, and the mapping of before goes on.
	Err error
}

// reader has the bridge run what the mapping file says now.
type reader struct {
	*loaded
	log  *slog.Logger
	tell func(context.Context, Reread)
	// taken is the file's content as it runs or was refused, why the reason.
	taken []byte
	why   string
	// events and errors are what is heard; nil for nothing.
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
			r.log.Error("it could not be written down which mapping runs", "err", err)
		}
		if !r.wait(ctx, every.C) {
			return nil
		}
	}
}

// watch hears of changes in the file's folder, since editors put another file in its
// place, and in that of the file that it links to.
func (r *reader) watch(watcher *fsnotify.Watcher) {
	target, err := filepath.EvalSymlinks(r.file)
	if err != nil {
		target = r.file
	}
	for _, file := range []string{r.file, target} {
		// Without it, the file is read every so often.
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
			return true // such as that some were lost
		case e := <-r.events:
			// A folder may have files that are written all the time. A link to
			// the file is made anew under any name.
			if e.Op&^(fsnotify.Write|fsnotify.Chmod) != 0 || filepath.Base(e.Name) == filepath.Base(r.file) {
				return true
			}
		}
	}
}

// read takes the file as it is now, unless that is what runs.
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
		r.taken = content // it means the same
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

// refuse says once why the file is not taken.
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

// settled is the file's content once it stays as it is.
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
