package sqlitedb

import (
	"context"
	"database/sql/driver"
)

// connector opens connections whose errors all go through judge, so that damage is noticed
// whoever meets it, readers included.
type connector struct {
	driver.Connector
	judge func(error) error
}

// sqliteConn is what the driver's connections implement.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, c.judge(err)
	}
	return &conn{opened.(sqliteConn), c.judge}, nil
}

type conn struct {
	sqliteConn
	judge func(error) error
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	t, err := c.sqliteConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, c.judge(err)
	}
	return &tx{t, c.judge}, nil
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.judge(err)
	}
	return &stmt{s.(sqliteStmt), c.judge}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.sqliteConn.ExecContext(ctx, query, args)
	return r, c.judge(err)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.sqliteConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.judge(err)
	}
	return &rows{r, c.judge}, nil
}

type tx struct {
	driver.Tx
	judge func(error) error
}

func (t *tx) Commit() error { return t.judge(t.Tx.Commit()) }

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	sqliteStmt
	judge func(error) error
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	r, err := s.sqliteStmt.ExecContext(ctx, args)
	return r, s.judge(err)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	r, err := s.sqliteStmt.QueryContext(ctx, args)
	if err != nil {
		return nil, s.judge(err)
	}
	return &rows{r, s.judge}, nil
}

type rows struct {
	driver.Rows
	judge func(error) error
}

func (r *rows) Next(dest []driver.Value) error { return r.judge(r.Rows.Next(dest)) }
