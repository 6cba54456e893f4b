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

// ErrLocked means that another process has the home's lock.
var ErrLocked = errors.New("in use by another process")

// locks are held by the one process that runs a bridge in the home. A lock file can be
// removed, created and locked again, so the folder itself is locked as well where the
// system allows it. SQLite's own locks are of another kind.
type locks []*flock.Flock

func newLocks(dir string) locks {
	all := locks{flock.New(filepath.Join(dir, lockFile))}
	if runtime.GOOS != "windows" { // where a locked file cannot be removed
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

// Lock makes this process the one that runs the bridge in the home, until Close or the end
// of the process. It returns [ErrLocked] if another one does.
func (h *Home) Lock() error {
	if err := h.locks.lock(); err != nil {
		return fmt.Errorf("lock home %s: %w", h.Dir, err)
	}
	if err := sqlitedb.RestrictMode(filepath.Join(h.Dir, lockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lock home %s: %w", h.Dir, err)
	}
	return nil
}
