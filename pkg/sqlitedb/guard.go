package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// guard checks whether the open file is still the one that the next start will read. SQLite
// does not: it continues to write into a file that has been removed, and trusts its page
// cache whatever is on disk. It belongs to the writer.
type guard struct {
	path string
	pool *sql.DB // the writing connection's
	// files are the database, its log and its index when they were opened.
	files []os.FileInfo
	// seen is the state of the database and its log after our last commit. If nobody else
	// has committed, a change of either did not come from SQLite.
	seen [2]os.FileInfo
	// version changes with each commit of another connection or process.
	version int64
	// fold means that the log has to be folded into the database.
	fold bool
}

func newGuard(ctx context.Context, path string, pool *sql.DB) (*guard, error) {
	g := &guard{path: path, pool: pool}
	now, err := g.look()
	if err != nil {
		return nil, err
	}
	g.files, g.seen = now, [2]os.FileInfo(now[:2])
	g.version, err = dataVersion(ctx, pool)
	return g, err
}

// look returns the current state of the three files, which must still be the ones that were
// opened.
func (g *guard) look() ([]os.FileInfo, error) {
	now := make([]os.FileInfo, 0, len(suffixes))
	for i, suffix := range suffixes {
		info, err := os.Stat(g.path + suffix)
		switch name := filepath.Base(g.path) + suffix; {
		case errors.Is(err, os.ErrNotExist):
			return nil, &FileError{Path: g.path, Kind: ErrGone, Detail: name + " is not there any more"}
		case err != nil:
			return nil, fmt.Errorf("look after the database: %w", err)
		case g.files != nil && !os.SameFile(info, g.files[i]):
			return nil, &FileError{Path: g.path, Kind: ErrGone, Detail: name + " is not the file that was opened"}
		}
		now = append(now, info)
	}
	return now, nil
}

// before runs at the start of a transaction, when nobody else can commit. If the database
// or its log has changed and nobody has committed, something other than SQLite wrote to it,
// and the file is examined.
func (g *guard) before(ctx context.Context, tx querier) error {
	now, err := g.look()
	if err != nil || same(now[0], g.seen[0]) && same(now[1], g.seen[1]) {
		return err
	}
	version, err := dataVersion(ctx, tx)
	if err != nil || version != g.version {
		g.version = version
		return err
	}
	if err := quickCheck(ctx, g.path); err != nil {
		return err
	}
	// A log with a broken frame still works for those who have it open, but the next start
	// ignores everything after that frame.
	g.fold = true
	return nil
}

// after runs between a commit and its answer.
func (g *guard) after(ctx context.Context) error {
	if g.fold {
		var busy, frames, folded int
		err := g.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &folded)
		if err != nil {
			return fmt.Errorf("fold the log into the database: %w", err)
		}
		g.fold = busy != 0
	}
	now, err := g.look()
	if err == nil {
		g.seen = [2]os.FileInfo(now[:2])
	}
	return err
}

func same(a, b os.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func dataVersion(ctx context.Context, q querier) (version int64, err error) {
	err = q.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return version, err
}
