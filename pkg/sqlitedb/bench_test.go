package sqlitedb_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

const body = `{"event":"feedback","text":"App doesn't render nicely in landscape","appName":"Demo App","email":"alice@corporation.com"}`

// BenchmarkWrite compares the group commit with its floor: SQLite's own durable single-row
// inserts, with one writer, on the same file system. Read the ratio, not the absolute
// numbers.
func BenchmarkWrite(b *testing.B) {
	b.Run("floor/single-row-inserts", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "floor.db")
		pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
		if err != nil {
			b.Fatal(err)
		}
		defer pool.Close()
		pool.SetMaxOpenConns(1)
		if _, err := pool.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT NOT NULL)"); err != nil {
			b.Fatal(err)
		}
		insert, err := pool.Prepare("INSERT INTO t (body) VALUES (?)")
		if err != nil {
			b.Fatal(err)
		}
		defer insert.Close()
		for b.Loop() {
			if _, err := insert.Exec(body); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b)
	})
	b.Run("callers=1", func(b *testing.B) { benchmarkWrite(b, 1) })
	b.Run("callers=16", func(b *testing.B) { benchmarkWrite(b, 16) })
}

func benchmarkWrite(b *testing.B, callers int) {
	d, err := sqlitedb.Open(context.Background(), filepath.Join(b.TempDir(), "test.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Write(b.Context(), createTable); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if err := d.Write(b.Context(), insert(body)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	perSecond(b)
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}
