package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/console"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// looking measures a home's queries for its deliveries, as made by the command and the
// console, without the start of a process. The floors are prepared SQLite queries of the
// same data; growth is relative to a home with 1,000 deliveries.
var looking = experiment{
	name: "looking",
	figures: []figure{
		{Key: "look.find", What: "find, the last 50 of 100,000 deliveries", Unit: "ms", Floor: ownQuery, Must: atMostTimes(2).andAtMost(100)},
		{Key: "look.words", What: "find by words that nobody wrote, in 100,000", Unit: "ms", Floor: ownQuery, Must: atMostTimes(2).andAtMost(100)},
		{Key: "look.show", What: "show one by the beginning of its id, of 100,000", Unit: "ms", Floor: ownQuery, Must: atMostTimes(2).andAtMost(100)},
		{Key: "look.list", What: "list 100 dead letters beside 100,000 deliveries", Unit: "ms", Floor: ownQuery, Must: atMostTimes(2).andAtMost(100)},
		{Key: "look.stats", What: "stats by app over 100,000 deliveries", Unit: "ms", Floor: ownQuery, Must: atMostTimes(2).andAtMost(100)},
		{Key: "look.console", What: "the console's first page, 100,000 deliveries", Unit: "ms", Floor: "of 1,000", Must: atMostTimes(1.5).andAtMost(100)},
		{Key: "grow.find", What: "find, the last 50 of 100,000 deliveries", Unit: "ms", Floor: "of 1,000", Must: atMostTimes(1.5)},
		{Key: "grow.show", What: "show, of 100,000", Unit: "ms", Floor: "of 1,000", Must: atMostTimes(1.5)},
		{Key: "grow.list", What: "list 100 dead letters beside 100,000", Unit: "ms", Floor: "beside 1,000", Must: atMostTimes(1.5)},
		{Key: "grow.stats", What: "stats by app over the last 1,000 of 100,000", Unit: "ms", Floor: "of 1,000", Must: atMostTimes(1.5)},
	},
	open: func(tb testing.TB, l *lab) round {
		few, many := openLooker(tb, l, l.scale.small), openLooker(tb, l, l.scale.many)
		return func(tb testing.TB) []sample {
			calls := many.calls(tb)
			for name, call := range few.calls(tb) {
				calls["few: "+name] = call
			}
			took := inAnyOrder(tb, calls, l.scale.looking)
			of := func(subject, floor string) sample { return sample{took[subject], took[floor]} }
			return []sample{
				of("find", "find, SQLite"), of("words", "words, SQLite"), of("show", "show, SQLite"), of("list", "list, SQLite"), of("stats", "stats, SQLite"),
				of("console", "few: console"), of("find", "few: find"), of("show", "few: show"), of("list", "few: list"), of("last stats", "few: last stats"),
			}
		}
	},
}

const ownQuery = "SQLite's own query, prepared"

// looker queries a home with n deliveries. Stats also reads only the last counted ones, to
// measure growth.
type looker struct {
	n, counted, letters int
	finder              *deliveries.Finder
	manager             *deadletter.Manager
	page                func() error
	// queries are the floors.
	queries map[string]func() error
}

func openLooker(tb testing.TB, l *lab, n int) *looker {
	folder := tb.TempDir()
	e := openHome(tb, folder)
	tb.Cleanup(func() { closeHome(tb, e) })
	k := &looker{n: n, counted: l.scale.small, letters: min(100, l.scale.small/10)}
	k.fill(tb, l, e)
	h := home.Folder(e)
	var err error
	if k.finder, err = deliveries.New(deliveries.Config{Home: h}); err != nil {
		tb.Fatal(err)
	}
	if k.manager, err = deadletter.New(deadletter.Config{Home: h}); err != nil {
		tb.Fatal(err)
	}
	k.page = firstPage(tb, h)
	k.queries = k.prepare(tb, filepath.Join(folder, "fairbridge.db"))
	return k
}

// firstPage returns a function that requests a console's first page.
func firstPage(tb testing.TB, h *home.Home) func() error {
	c, err := console.Listen(tb.Context(), "127.0.0.1:0", console.Config{Home: h, ReadOnly: true, Config: filepath.Join(tb.TempDir(), "fairbridge.yaml")})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(tb.Context())
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := errors.Join(<-served, c.Close()); err != nil {
			tb.Error(err)
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	get := func(url, shows string) error {
		response, err := client.Get(url)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		if err == nil && (response.StatusCode != http.StatusOK || !bytes.Contains(page, []byte(shows))) {
			err = fmt.Errorf("the console answered %s without %q", response.Status, shows)
		}
		return err
	}
	if err := get(c.Link(), "refresh"); err != nil {
		tb.Fatal(err)
	}
	return func() error { return get(c.URL(), "The button") }
}

// prepare prepares the floors: SQLite queries of the same data, in the same file.
func (k *looker) prepare(tb testing.TB, file string) map[string]func() error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=query_only(1)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	const shown = `SELECT id, received, state, ticket, kind, app, doc->>'$.about.version', doc->>'$.about.build', doc->>'$.about.session', doc->>'$.about.email',
		doc->>'$.about.text', doc->>'$.attempts', doc->>'$.updatedAt', doc->>'$.where.project', doc->>'$.last' FROM ledger `
	last := lookedID(k.n - 1)[:12]
	queries := map[string]func() error{}
	// add adds a query that must return at least least rows.
	add := func(name string, least int, query string, args ...any) {
		statement, err := db.Prepare(query)
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		tb.Cleanup(func() { _ = statement.Close() })
		queries[name+", SQLite"] = func() error {
			rows, err := readAll(statement, args)
			if err == nil && rows < least {
				err = fmt.Errorf("%d rows in place of %d", rows, least)
			}
			return err
		}
	}
	add("find", min(50, k.n), shown+`WHERE received IS NOT NULL ORDER BY received DESC, id LIMIT 50`)
	add("words", 0, shown+`INDEXED BY ledger_words WHERE received IS NOT NULL AND words LIKE ? ORDER BY received DESC, id LIMIT 50`, "%nobody wrote this%")
	add("show", 10, `SELECT key, value FROM ledger, json_each(doc) WHERE ledger.id >= ? AND ledger.id < ?`, last, last+"g")
	// The letters, with the ledger's entries.
	add("list", k.letters, `SELECT messages.id, sent_at, attributes->>'$.reason.string', attributes->>'$.stage.string', attributes->>'$.status.string', attributes->>'$.description.string',
		attributes->>'$.failedAt.string', attributes->>'$.attempts.string', body->>'$.event.appName', body->>'$.event.email', body->>'$.event.text',
		ledger.state, ledger.since, doc->>'$.last'
		FROM messages JOIN contents USING (seq) JOIN ledger ON ledger.id = delivery AND attention IS NOT NULL
		WHERE queue = (SELECT id FROM queues WHERE name LIKE '%dead%') ORDER BY sent_at, seq`)
	add("stats", 1, `SELECT app, count(*), sum(took IS NOT NULL), sum(state = 'dead'), sum(state = 'dropped'), avg(took) FROM ledger WHERE received >= 0 GROUP BY app`)
	return queries
}

// readAll reads the rows of a query, and returns their number.
func readAll(statement *sql.Stmt, args []any) (n int, err error) {
	rows, err := statement.Query(args...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.RawBytes)
	}
	for ; rows.Next(); n++ {
		if err := rows.Scan(values...); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

// lookedID returns the id of the n-th delivery.
func lookedID(n int) string { return fmt.Sprintf("%08x%056x", uint32(n)*2654435761, n) }

// apart is the time between two deliveries.
const apart = 10 * time.Second

// fill adds n ended deliveries, some of the last ones as dead letters.
func (k *looker) fill(tb testing.TB, l *lab, e *embedded.Home) {
	letters := deadLetters(tb, l, k.letters)
	addLetters(tb, e, letters)
	began := time.Now().UTC().Truncate(time.Second).Add(-time.Duration(k.n) * apart)
	var writes errgroup.Group
	writes.SetLimit(256)
	for i := range k.n {
		at := began.Add(time.Duration(i) * apart)
		entry := ledger.Entry{
			DeliveryID: lookedID(i), Form: 1, State: ledger.Completed, TicketID: fmt.Sprintf("BUG-%d", i), Attempts: 1, FirstSeen: at, UpdatedAt: at.Add(2 * time.Second),
			Where: &ledger.Where{BaseURL: "https://beta.example.com", Project: "DEMO", Source: "testfairy", Mapping: lookedID(0)}, CreatingSince: at,
			Tried: []ledger.Attempt{{At: at, Decision: ledger.DecisionCompleted, Took: 2000}},
			About: &ledger.About{
				ReceivedAt: at, Kind: "feedback", App: fmt.Sprintf("App %d", i%20), Version: "1.2", Build: "7", Session: fmt.Sprintf("/projects/1/builds/2/sessions/%d", i),
				Email: fmt.Sprintf("tester%d@example.com", i%500), Text: "The button does nothing when I press it twice, and then the list is empty until I start the app again.",
			},
		}
		r := ledger.Record{ID: entry.DeliveryID, Version: 1, State: string(ledger.Completed), ExpiresAt: at.Add(ledger.RetainDone)}
		if left := k.n - 2 - i; left >= 0 && left < len(letters) {
			entry.DeliveryID, entry.State, entry.TicketID = letters[left].DeliveryID, ledger.Dead, ""
			entry.Last = &ledger.Fault{Reason: "rejected", Stage: "create", Status: 400, Text: "no", At: at}
			r.ID, r.State, r.Attention, r.Since = entry.DeliveryID, string(ledger.Dead), ledger.AttentionPerson, at
		}
		writes.Go(func() (err error) {
			if r.Doc, err = json.Marshal(entry); err == nil {
				err = e.Ledger.Put(tb.Context(), r)
			}
			return err
		})
	}
	if err := writes.Wait(); err != nil {
		tb.Fatal(err)
	}
}

// calls returns the measured calls by the names of their figures.
func (k *looker) calls(tb testing.TB) map[string]func() error {
	find := func(q ledger.Query, want int) func() error {
		return func() error {
			found := 0
			_, err := k.finder.Find(tb.Context(), q, 50, func(deliveries.Delivery) error {
				found++
				return nil
			})
			if err == nil && found != want {
				err = fmt.Errorf("found %d of %d", found, want)
			}
			return err
		}
	}
	now := time.Now()
	stats := func(since time.Time, least int) func() error {
		return func() error {
			s, err := k.finder.Stats(tb.Context(), deliveries.StatsQuery{Since: since, Until: now, By: deliveries.ByApp})
			if err == nil && s.Total.Received < least {
				err = fmt.Errorf("counted %d of %d", s.Total.Received, least)
			}
			return err
		}
	}
	calls := map[string]func() error{
		"find":  find(ledger.Query{}, min(50, k.n)),
		"words": find(ledger.Query{Text: "nobody wrote this"}, 0),
		"show": func() error {
			_, err := k.finder.Show(tb.Context(), lookedID(k.n - 1)[:12], nil)
			return err
		},
		"list": func() error {
			in, err := k.manager.Look(tb.Context(), deadletter.Query{Payloads: true})
			if err == nil && len(in.Cases) != k.letters {
				err = fmt.Errorf("listed %d of %d", len(in.Cases), k.letters)
			}
			return err
		},
		"stats":      stats(time.Time{}, k.n),
		"last stats": stats(now.Add(-time.Duration(k.counted)*apart), k.counted/2),
		"console":    k.page,
	}
	maps.Copy(calls, k.queries)
	return calls
}

// inAnyOrder makes all calls in turn, each five times and for at least this long, since
// short calls are easily disturbed. It returns the median of each, in milliseconds.
func inAnyOrder(tb testing.TB, calls map[string]func() error, atLeast time.Duration) map[string]float64 {
	took, total := map[string]timings{}, map[string]time.Duration{}
	for left := maps.Clone(calls); len(left) > 0; {
		for name, call := range left {
			began := time.Now()
			if err := call(); err != nil {
				tb.Fatalf("%s: %v", name, err)
			}
			once := time.Since(began)
			took[name], total[name] = append(took[name], milliseconds(once)), total[name]+once
			if len(took[name]) >= 5 && total[name] >= atLeast {
				delete(left, name)
			}
		}
	}
	medians := map[string]float64{}
	for name, all := range took {
		medians[name] = all.percentile(50)
	}
	return medians
}
