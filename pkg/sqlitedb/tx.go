package sqlitedb

import (
	"context"
	"database/sql"
)

// maxStatements bounds the number of prepared statements. FairBridge has some twenty; texts
// that differ each time must not fill the memory.
const maxStatements = 64

// Tx is the transaction of a function passed to [DB.Write]: an [sql.Tx] whose statements
// stay prepared. Otherwise, SQLite's compiler would take about half of the time of a small
// write.
type Tx struct {
	*sql.Tx
	statements *statements
	bound      map[string]*sql.Stmt // to this transaction, by text
}

// Exec works like [sql.Tx.Exec].
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if s := tx.statement(query); s != nil {
		return s.Exec(args...)
	}
	return tx.Tx.Exec(query, args...)
}

// Query works like [sql.Tx.Query].
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if s := tx.statement(query); s != nil {
		return s.Query(args...)
	}
	return tx.Tx.Query(query, args...)
}

// QueryRow works like [sql.Tx.QueryRow].
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

// statements are the writer's. A transaction holds the only writing connection, so they are
// prepared between two transactions.
type statements struct {
	all    map[string]*sql.Stmt // nil: to be prepared, or cannot be
	wanted []string
}

func (s *statements) prepare(ctx context.Context, pool *sql.DB) {
	for _, query := range s.wanted {
		// If this fails, executing it failed as well.
		if prepared, err := pool.PrepareContext(ctx, query); err == nil {
			s.all[query] = prepared
		}
	}
	s.wanted = s.wanted[:0]
}
