package sqlitedb

import (
	"context"
	"database/sql/driver"
	"errors"
)

// connector opens connections whose errors all go through judge, so that damage is noticed
// by every connection, including readers.
type connector struct {
	driver.Connector
	judge func(error) error
}

// sqliteConn is what the driver's connections implement, and sqliteStmt its statements.
type (
	sqliteConn interface {
		driver.Conn
		driver.ConnBeginTx
		driver.ConnPrepareContext
		driver.ExecerContext
		driver.QueryerContext
		driver.Pinger
		driver.SessionResetter
		driver.Validator
	}
	sqliteStmt interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}
)

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, c.judge(err)
	}
	return &conn{opened.(sqliteConn), c.judge, map[string]sqliteStmt{}}, nil
}

// conn keeps its statements prepared: SQLite's compiler would otherwise take about
// half of the time that a small read or write does. As any driver's connection, it is
// used by one goroutine at a time. Statements that a caller prepares bypass judge; FairBridge
// prepares none.
type conn struct {
	sqliteConn
	judge func(error) error
	idle  map[string]sqliteStmt // those that nobody uses now, by their text
}

// maxStatements bounds how many statements a connection keeps. FairBridge has some
// fifty; a text that is put together again each time must not fill the memory.
const maxStatements = 64

// take returns a statement that is the caller's until it is kept or closed.
func (c *conn) take(ctx context.Context, query string) (sqliteStmt, error) {
	if s := c.idle[query]; s != nil {
		delete(c.idle, query)
		return s, nil
	}
	s, err := c.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.judge(err)
	}
	return s.(sqliteStmt), nil
}

// keep takes back a statement that has been executed, and judges what went wrong; a
// statement that failed is not kept.
func (c *conn) keep(query string, s sqliteStmt, err error) error {
	if err == nil && c.idle[query] == nil && len(c.idle) < maxStatements {
		c.idle[query] = s
		return nil
	}
	if closed := s.Close(); err == nil {
		err = closed
	}
	return c.judge(err)
}

// Close implements [driver.Conn]. SQLite would keep the file open for a statement.
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.idle {
		errs = append(errs, c.judge(s.Close()))
	}
	clear(c.idle)
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	t, err := c.sqliteConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, c.judge(err)
	}
	return &tx{t, c.judge}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.ExecContext(ctx, args)
	return r, c.keep(query, s, err)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, c.keep(query, s, err)
	}
	return &rows{r, c, query, s}, nil
}

// rows gives its statement back when it is closed.
type rows struct {
	driver.Rows
	conn  *conn
	query string
	stmt  sqliteStmt
}

func (r *rows) Next(dest []driver.Value) error { return r.conn.judge(r.Rows.Next(dest)) }
func (r *rows) Close() error                   { return r.conn.keep(r.query, r.stmt, r.Rows.Close()) }

type tx struct {
	driver.Tx
	judge func(error) error
}

func (t *tx) Commit() error { return t.judge(t.Tx.Commit()) }
