package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
)

// TestSurvivesACrash checks that everything acknowledged survives without a Close.
func TestSurvivesACrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "simulator")
	s := start(t, centercodesim.Config{Dir: dir})
	create(t, s, `{"b":"<ü>","a":[1.50,"x"]}`)
	create(t, s, `{}`)
	upload(t, s, "1", "screenshot", "a.png", "image/png", png)
	big := bytes.Repeat([]byte("0123456789"), 300_000)
	upload(t, s, "1", "log", "big.txt", "text/plain", big)
	before := s.Tickets()
	// Leftovers of a request that was interrupted by a crash.
	for _, left := range []string{"tickets/.part-1", "files/.part-2"} {
		if err := os.WriteFile(filepath.Join(dir, left), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	again := start(t, centercodesim.Config{Dir: dir})
	after := again.Tickets()
	if !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	if got := do(t, "GET", again.URL+"/simulator/files/1/1", "", nil); got.body != string(big) {
		t.Errorf("the file has %d bytes after the restart", len(got.body))
	}
	create(t, again, `{}`)
	if tickets := again.Tickets(); len(tickets) != 3 || tickets[2].ID != "3" {
		t.Errorf("got %+v", tickets)
	}
	if parts, _ := filepath.Glob(filepath.Join(dir, "*", ".part*")); len(parts) != 0 {
		t.Errorf("left over: %q", parts)
	}
	if err := os.WriteFile(filepath.Join(dir, "tickets", "4.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := centercodesim.New(centercodesim.Config{Dir: dir}); err == nil {
		t.Error("a damaged ticket was not reported")
	}
}

func TestManyAtOnce(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		s := start(t, centercodesim.Config{Dir: dir})
		const n = 40
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				a := create(t, s, fmt.Sprintf(`{"n":"%d"}`, i))
				var made struct{ ID string }
				if err := json.Unmarshal([]byte(a.body), &made); err != nil {
					t.Errorf("%s: %v", a.body, err)
				}
				for _, element := range []string{"screenshot", "log"} {
					wg.Go(func() { upload(t, s, made.ID, element, "a", "text/plain", []byte(element)) })
				}
				s.Tickets()
				do(t, "GET", s.URL+"/", "", nil)
			})
		}
		wg.Wait()
		seen := map[string]bool{}
		for _, ticket := range s.Tickets() {
			if len(ticket.Files) != 2 || seen[string(ticket.Body)] {
				t.Errorf("got %+v", ticket)
			}
			seen[string(ticket.Body)] = true
		}
		if got := s.Requests(); len(seen) != n || got.Create != n || got.File != 2*n {
			t.Errorf("%d tickets, %+v", len(seen), got)
		}
	}
}
