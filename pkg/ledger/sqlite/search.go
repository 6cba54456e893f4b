package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"
	"unicode"

	"fairbridge/pkg/ledger"
)

// searched returns the values of the columns that [Store.Search] and [Store.Outcomes] use,
// the words last: copies from the document. Records that are not deliveries have none.
func searched(r ledger.Record) []any {
	e, err := ledger.Read(r)
	if err != nil || e.Received().IsZero() || !ledger.IsDelivery(r.ID) {
		return make([]any, 7)
	}
	var about ledger.About
	if e.About != nil {
		about = *e.About
	}
	var fault ledger.Fault
	if e.Last != nil {
		fault = *e.Last
	}
	all := []any{e.Received().UnixMilli()}
	for _, text := range []string{about.Kind, about.App, e.TicketID, fault.Reason} {
		all = append(all, sql.NullString{String: text, Valid: text != ""})
	}
	outcome := e.Outcome()
	words := strings.Join([]string{about.App, about.Session, about.Email, about.Text, e.TicketID}, "\n")
	return append(all, sql.NullInt64{Int64: outcome.Took.Milliseconds(), Valid: outcome.Ticket}, words)
}

// Search calls visit for each matching delivery, the last received first, until it returns
// false. visit must be quick, see [sqlitedb.DB.Read].
func (s *Store) Search(ctx context.Context, q ledger.Query, visit func(ledger.Entry) bool) error {
	from, args := conditions(q)
	query := `SELECT ` + columns + ` FROM ` + from + ` ORDER BY received DESC, id`
	return s.each(ctx, "search the ledger", query, args, func(rows *sql.Rows) (more bool, err error) {
		r, err := scan(rows)
		if err != nil {
			return false, err
		}
		e, err := ledger.Read(r)
		if err != nil {
			return false, err
		}
		// SQL also matches letters that differ in case in a way that it does not know.
		return !q.Match(e) || visit(e), nil
	})
}

// Outcomes calls visit with what became of each delivery that was received in a time,
// the last received first.
func (s *Store) Outcomes(ctx context.Context, q ledger.Query, visit func(ledger.Outcome)) error {
	from, args := conditions(ledger.Query{Since: q.Since, Until: q.Until})
	query := `SELECT received, coalesce(app, ''), state, took FROM ` + from + ` ORDER BY received DESC`
	return s.each(ctx, "count the ledger's deliveries", query, args, func(rows *sql.Rows) (more bool, err error) {
		var o ledger.Outcome
		var received int64
		var took sql.NullInt64
		if err := rows.Scan(&received, &o.App, &o.Standing, &took); err != nil {
			return false, err
		}
		o.Received, o.Ticket, o.Took = time.UnixMilli(received).UTC(), took.Valid, time.Duration(took.Int64)*time.Millisecond
		if q.Until.IsZero() || o.Received.Before(q.Until) {
			visit(o)
		}
		return true, nil
	})
}

// conditions returns SQL, from the table's name on, that matches at least what the query
// does.
func conditions(q ledger.Query) (string, []any) {
	from := "ledger"
	all, args := []string{"received IS NOT NULL"}, []any{}
	and := func(condition string, values ...any) {
		all = append(all, condition)
		args = append(args, values...)
	}
	if id := strings.ToLower(q.ID); id != "" {
		and("id >= ? AND id < ?", id, id+"g") // ids are hexadecimal
	}
	if q.Text != "" {
		from = "ledger INDEXED BY ledger_words"
		id := strings.ToLower(q.Text)
		and(`(words LIKE ? ESCAPE '\' OR rowid IN (SELECT rowid FROM ledger WHERE id >= ? AND id < ?))`, pattern(q.Text), id, id+"g")
	}
	for _, part := range []string{q.Email, q.Session} {
		if part != "" {
			from = "ledger INDEXED BY ledger_words"
			and(`words LIKE ? ESCAPE '\'`, pattern(part))
		}
	}
	for _, part := range []struct{ column, text string }{{"app", q.App}, {"kind", q.Kind}} {
		if part.text != "" {
			and(part.column+` LIKE ? ESCAPE '\'`, pattern(part.text))
		}
	}
	if q.Ticket != "" {
		and("ticket = ? COLLATE NOCASE", q.Ticket)
	}
	if q.Reason != "" {
		and("reason = ?", q.Reason)
	}
	if len(q.States) > 0 {
		var states []any
		for _, s := range q.States {
			states = append(states, s)
		}
		and("state IN (?"+strings.Repeat(", ?", len(states)-1)+")", states...)
	}
	if !q.Since.IsZero() {
		and("received >= ?", q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		and("received <= ?", q.Until.UnixMilli())
	}
	return from + " WHERE " + strings.Join(all, " AND "), args
}

// pattern returns a LIKE pattern for part of a field. SQLite ignores case for ASCII letters
// only, so other letters become wildcards.
func pattern(part string) string {
	var b strings.Builder
	b.WriteByte('%')
	for _, r := range part {
		switch {
		case r > unicode.MaxASCII:
			b.WriteByte('_')
		case strings.ContainsRune(`\%_`, r):
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + "%"
}
