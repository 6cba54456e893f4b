package sqlitedb

import (
	"context"
	"database/sql"
)

// maxStatements bounds how many statements stay prepared. FairBridge has some
// twenty; a text that is put together anew each time must not fill the memory.
const maxStatements = 64

// Tx is the transaction of a function that was given to [DB.Write]: an [sql.Tx]
// whose statements stay prepared. SQLite's compiler would otherwise take about
// half of the time that a small write does.
type Tx struct {
	*sql.Tx
	statements *statements
	bound      map[string]*sql.Stmt // to this transaction, by their text
}

// Exec is as [sql.Tx.Exec].
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if s := tx.statement(query); s != nil {
		return s.Exec(args...)
	}
	return tx.Tx.Exec(query, args...)
}

// Query is as [sql.Tx.Query].
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if s := tx.statement(query); s != nil {
		return s.Query(args...)
	}
	return tx.Tx.Query(query, args...)
}

// QueryRow is as [sql.Tx.QueryRow].
func (tx *Tx) QueryRow(query string, args ...any) *sql.Row {
	if s := tx.statement(query); s != nil {
		return s.QueryRow(args...)
	}
	return tx.Tx.QueryRow(query, args...)
}

// statement returns nil for a text that is not prepared yet.
func (tx *Tx) statement(query string) *sql.Stmt {
	if s := tx.bound[query]; s != nil {
		return s
	}
	prepared, known := tx.statements.all[query]
	if prepared != nil {
		s := tx.Stmt(prepared)
		tx.bound[query] = s
		return s
	}
	if !known && len(tx.statements.all) < maxStatements {
		tx.statements.all[query] = nil
		tx.statements.wanted = append(tx.statements.wanted, query)
	}
	return nil
}

// statements are those of the writer. A transaction has the one connection that
// can write, so they are prepared between two.
type statements struct {
	all    map[string]*sql.Stmt // nil: wanted, or cannot be prepared
	wanted []string
}

func (s *statements) prepare(ctx context.Context, pool *sql.DB) {
	for _, query := range s.wanted {
		// One that fails has failed when it was executed, too.
		if prepared, err := pool.PrepareContext(ctx, query); err == nil {
			s.all[query] = prepared
		}
	}
	s.wanted = s.wanted[:0]
}
