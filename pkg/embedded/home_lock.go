package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"

	"fairbridge/pkg/sqlitedb"
)

const lockFile = "run.lock"

// ErrLocked says that another process has the home's lock.
var ErrLocked = errors.New("in use by another process")

// locks are what the one process that works on a home holds. A file can be
// removed, and made and locked a second time; so the folder itself is locked too,
// where a system can do that. SQLite's own locks are of another kind.
type locks []*flock.Flock

func newLocks(dir string) locks {
	all := locks{flock.New(filepath.Join(dir, lockFile))}
	if runtime.GOOS != "windows" { // which does not let a locked file be removed
		all = append(all, flock.New(dir, flock.SetFlag(os.O_RDONLY)))
	}
	return all
}

func (l locks) lock() error {
	for _, one := range l {
		locked, err := one.TryLock()
		if err == nil && !locked {
			err = ErrLocked
		}
		if err != nil {
			return errors.Join(err, l.close())
		}
	}
	return nil
}

func (l locks) close() error {
	var errs []error
	for _, one := range l {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// Lock makes this process the one that works on the home, until Close or the
// process's end. It returns [ErrLocked] if another one is.
func (h *Home) Lock() error {
	if err := h.locks.lock(); err != nil {
		return fmt.Errorf("lock home %s: %w", h.Dir, err)
	}
	if err := sqlitedb.RestrictMode(filepath.Join(h.Dir, lockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lock home %s: %w", h.Dir, err)
	}
	return nil
}
