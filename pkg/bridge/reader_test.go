package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/worker"
)

// rereading is a bridge whose mapping file changes.
type rereading struct {
	*testing.T
	file, folder string
	bridge       *bridge.Bridge
	outcomes     outcomes
	sent         int
	reread       chan bridge.Reread
}

func newRereading(t *testing.T, file, yaml string) *rereading {
	t.Helper()
	r := &rereading{T: t, file: file, reread: make(chan bridge.Reread, 10)}
	r.replace(yaml)
	c, reports := config(t, yaml)
	r.folder, r.outcomes = c.Folder, reports
	c.File, c.Reread = file, func(_ context.Context, got bridge.Reread) { r.reread <- got }
	r.bridge = open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- r.bridge.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return r
}

// replace renames a new file over the existing one, as editors do.
func (r *rereading) replace(yaml string) {
	r.Helper()
	other := r.file + "~"
	if err := os.WriteFile(other, []byte(yaml), 0o600); err != nil {
		r.Fatal(err)
	}
	if err := os.Rename(other, r.file); err != nil {
		r.Fatal(err)
	}
}

// runs returns the running mapping according to the ledger.
func (r *rereading) runs() ledger.Running {
	r.Helper()
	h, err := home.Open(r.Context(), home.Config{Place: home.Place{Folder: r.folder}})
	if err != nil {
		r.Fatal(err)
	}
	defer h.Close()
	l := ledgertest.New(r, ledger.Config{Store: h.Ledger})
	running, err := l.Running(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	if _, err := l.Mapping(r.Context(), running.Hash); err != nil {
		r.Error(err)
	}
	return running
}

// project sends a feedback and returns the project of its ticket.
func (r *rereading) project(kind string) string {
	r.Helper()
	r.sent++
	body := fmt.Sprintf(`{"event":%q,"text":"feedback %d"}`, kind, r.sent)
	status, _, err := home.Send(r.Context(), r.bridge.Webhook(), []byte(body))
	if err != nil {
		r.Fatal(err)
	}
	<-r.outcomes.ingested
	if status != http.StatusAccepted {
		return "ignored"
	}
	o := <-r.outcomes.worked
	h, err := home.Open(r.Context(), home.Config{Place: home.Place{Folder: r.folder}})
	if err != nil {
		r.Fatal(err)
	}
	defer h.Close()
	e, err := ledgertest.New(r, ledger.Config{Store: h.Ledger}).Entry(r.Context(), o.DeliveryID)
	if err != nil || o.Result != worker.Created {
		r.Fatalf("%+v, %v", o, err)
	}
	if e.Where.Mapping != r.runs().Hash {
		r.Errorf("the ticket was made by mapping %s, and %s runs", e.Where.Mapping, r.runs().Hash)
	}
	return e.Where.Project
}

// TestFileIsReloaded checks that a bridge uses its file as soon as it is valid, and
// otherwise reports why it does not.
func TestFileIsReloaded(t *testing.T) {
	r := newRereading(t, filepath.Join(t.TempDir(), "fairbridge.yaml"), routes)
	if got := r.project("feedback"); got != "DEMO" {
		t.Errorf("the first ticket is in project %s", got)
	}
	first := r.runs()
	want, _ := mapping.Parse("", []byte(routes))
	if first.Hash != want.Hash() || first.File != r.file || first.Problem != "" {
		t.Errorf("running mapping is %+v", first)
	}
	if got := r.project("crash"); got != "ignored" {
		t.Errorf("the crash became a ticket in %s", got)
	}

	// Both the route and the accepted kinds change.
	r.replace(strings.NewReplacer("DEMO", "OTHER", "feedback", "[feedback, crash]").Replace(routes))
	got := <-r.reread
	if got.Err != nil || got.File != r.file || got.Routes != 1 || got.Hash == first.Hash {
		t.Errorf("reported %+v", got)
	}
	if got := r.project("crash"); got != "OTHER" {
		t.Errorf("the crash became a ticket in %s", got)
	}
	second := r.runs()
	if second.Hash != got.Hash || second.Problem != "" {
		t.Errorf("running mapping is %+v", second)
	}

	for name, refused := range map[string]struct{ yaml, why string }{
		"a mistake":    {strings.Replace(routes, "project", "projct", 1), `unknown key "projct"`},
		"another site": {"centercode: {baseUrl: https://centercode.invalid}\n" + routes, "restart it"},
	} {
		r.replace(refused.yaml)
		got := <-r.reread
		if got.Err == nil || !strings.Contains(got.Err.Error(), refused.why) {
			t.Errorf("%s: reported %+v", name, got)
		}
		now := r.runs()
		if now.Hash != second.Hash || now.Problem != got.Err.Error() || !now.Since.Equal(second.Since) {
			t.Errorf("%s: running mapping is %+v", name, now)
		}
	}
	if got := r.project("feedback"); got != "OTHER" {
		t.Errorf("the feedback became a ticket in %s, although the new file was rejected", got)
	}

	// Written in place, back to the first version.
	if err := os.WriteFile(r.file, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := <-r.reread; got.Err != nil || got.Hash != first.Hash || r.runs().Problem != "" {
		t.Errorf("reported %+v; running mapping is %+v", got, r.runs())
	}
}

// TestLinksAreFollowed: the file may be a link, either to a file or, as in Kubernetes,
// through a folder that is swapped.
func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	volume := func(name, yaml string) {
		t.Helper()
		must(os.Mkdir(filepath.Join(dir, name), 0o700))
		must(os.WriteFile(filepath.Join(dir, name, "fairbridge.yaml"), []byte(yaml), 0o600))
	}
	volume("1", routes)
	volume("2", strings.Replace(routes, "DEMO", "OTHER", 1))
	must(os.Symlink("1", filepath.Join(dir, "..data")))
	file := filepath.Join(dir, "fairbridge.yaml")
	must(os.Symlink(filepath.Join("..data", "fairbridge.yaml"), file))
	c, _ := config(t, routes)
	rereads := make(chan bridge.Reread, 10)
	c.File, c.Reread = file, func(_ context.Context, got bridge.Reread) { rereads <- got }
	b := open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()

	must(os.Symlink("2", filepath.Join(dir, "..tmp")))
	must(os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
	if got := <-rereads; got.Err != nil {
		t.Errorf("reported %+v", got)
	}
	// The link's current target is edited in its own folder.
	must(os.WriteFile(filepath.Join(dir, "2", "fairbridge.yaml"), []byte("routes: [\n"), 0o600))
	if got := <-rereads; got.Err == nil {
		t.Errorf("reported %+v", got)
	}
	must(os.Remove(file))
	if got := <-rereads; got.Err == nil || !strings.Contains(got.Err.Error(), "no such file") {
		t.Errorf("reported %+v", got)
	}
	stop()
	must(<-served)
}

// TestSimulatorFollowsTheFile checks that a route with a new attachment finds it in the
// simulated form.
func TestSimulatorFollowsTheFile(t *testing.T) {
	r := newRereading(t, filepath.Join(t.TempDir(), "fairbridge.yaml"), routes)
	r.replace(strings.Replace(routes, "}}]", `}, attachments: [{from: "{{ .screenshotUrl }}", element: picture}]}]`, 1))
	if got := <-r.reread; got.Err != nil {
		t.Fatal(got.Err)
	}
	body := `{"event":"feedback","text":"a","screenshotUrl":"https://app.testfairy.com/s.png"}`
	if status, _, err := home.Send(t.Context(), r.bridge.Webhook(), []byte(body)); err != nil || status != http.StatusAccepted {
		t.Fatal(status, err)
	}
	if o := <-r.outcomes.worked; o.Result != worker.Created || o.Attachments != 1 {
		t.Errorf("got %+v", o)
	}
}

// TestWhatANewMappingNeeds checks that a mapping whose secret is missing is not used until
// the secret is set.
func TestWhatANewMappingNeeds(t *testing.T) {
	const site = "centercode: {baseUrl: https://centercode.invalid}\n" + routes
	file := filepath.Join(t.TempDir(), "fairbridge.yaml")
	c, _ := config(t, site)
	put := func(name string) {
		t.Helper()
		h, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: c.Folder}, Create: true})
		if err == nil {
			err = errors.Join(h.PutSecret(t.Context(), name, "a secret"), h.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(secrets.CentercodeAPIKey)
	rereads := make(chan bridge.Reread, 10)
	c.File, c.Reread = file, func(_ context.Context, got bridge.Reread) { rereads <- got }
	if err := os.WriteFile(file, []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	account := []byte("testfairy: {user: a@example.com, baseUrl: https://api.testfairy.com}\n" +
		strings.Replace(site, "}}]", `}, attachments: [{session: log, element: log}]}]`, 1))
	for _, missing := range []bool{true, false} {
		if !missing {
			put(secrets.TestFairyAPIKey)
		}
		if err := os.WriteFile(file, account, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := <-rereads; errors.Is(got.Err, secrets.ErrNotFound) != missing || missing != (got.Err != nil) {
			t.Errorf("missing %t: reported %+v", missing, got)
		}
	}
}
