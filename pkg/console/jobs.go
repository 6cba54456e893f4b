package console

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"fairbridge/pkg/deadletter"
)

const (
	// remembered is how many jobs are shown after they have ended.
	remembered = 50
	// mostStays is how many of the letters that it left a job lists.
	mostStays = 50
	// followed is how long a job follows replayed deliveries.
	followed = time.Hour
	// actsWithin is how long an action on a single letter waits for others.
	actsWithin = 15 * time.Second
)

// jobs is the work that continues when the browser is closed. It ends with the console.
type jobs struct {
	console *Console
	// acting is locked by the job that holds the queue's letters: another one would find
	// none.
	acting chan struct{}
	going  sync.WaitGroup

	mu  sync.Mutex
	all []*job // the last one first
	ids int
}

// job is one of them.
type job struct {
	cancel context.CancelFunc
	jobs   *jobs

	mu sync.Mutex
	v  jobView
}

// jobView is a job as pages show it.
type jobView struct {
	ID    string
	Title string
	// Back is the page that it was started from.
	Back         string
	Command      string
	Who          string
	Began, Ended time.Time
	// Stage is what it does, Done of Of its progress with that.
	Stage    string
	Done, Of int
	// Sent counts the letters that were replayed or dropped, Stays those that were
	// not.
	Sent     int
	Stays    []stay
	StaysAll int
	// Tally counts how the deliveries ended, once that is known.
	Tally     []tally
	Cancelled bool
	Problem   string
}

type stay struct{ ID, Why string }

// tally counts the deliveries that ended in one way.
type tally struct {
	What  string
	Tone  string
	Count int
}

// Going reports whether the job is still running.
func (v *jobView) Going() bool { return v.Ended.IsZero() }

// Failed reports whether something was left.
func (v *jobView) Failed() bool { return v.Problem != "" || v.StaysAll > 0 }

func newJobs(s *Console) *jobs { return &jobs{console: s, acting: make(chan struct{}, 1)} }

// act waits until no other job holds letters.
func (js *jobs) act(ctx context.Context) (release func(), err error) {
	select {
	case js.acting <- struct{}{}:
		return sync.OnceFunc(func() { <-js.acting }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// actNow is act for a person who waits for a page.
func (js *jobs) actNow(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, actsWithin)
	defer cancel()
	release, err = js.act(ctx)
	if err != nil {
		return nil, &failure{Status: http.StatusConflict, Text: "Dead letters are being replayed or dropped at the moment: wait for the job to end, or cancel it.", Back: "/letters"}
	}
	return release, nil
}

// work is what a job does with its own manager, while no other job acts. release lets the
// next one act before the work ends.
type work func(ctx context.Context, j *job, manager *deadletter.Manager, release func()) error

// start starts a job, and shows its page.
func (js *jobs) start(w http.ResponseWriter, r *http.Request, v jobView, do work) error {
	ctx, cancel := context.WithCancel(js.console.running)
	v.Who, v.Began, v.Stage = js.console.Home.Operator(r.Context()), js.console.Now(), "waiting for others to finish"
	js.mu.Lock()
	js.ids++
	v.ID = strconv.Itoa(js.ids)
	j := &job{cancel: cancel, jobs: js, v: v}
	js.all = slices.Insert(js.all, 0, j)
	js.all = js.all[:min(len(js.all), remembered)]
	js.mu.Unlock()
	js.going.Go(func() {
		defer cancel()
		err := j.run(ctx, do)
		js.console.snapshots.expire(true) // before anybody sees that it has ended
		j.update(func(v *jobView) {
			v.Ended = js.console.Now()
			v.Cancelled = ctx.Err() != nil
			if err != nil && !v.Cancelled {
				v.Problem = err.Error()
			}
		})
		js.console.Log.Info("the console: a job ended", "job", v.Title, "who", v.Who, "cancelled", ctx.Err() != nil, "err", err)
		js.console.news.tell()
	})
	http.Redirect(w, r, "/jobs/"+v.ID, http.StatusSeeOther)
	return nil
}

func (j *job) run(ctx context.Context, do work) error {
	release, err := j.jobs.act(ctx)
	if err != nil {
		return err
	}
	defer release()
	manager, err := j.jobs.console.managerWithProgress(j.progress)
	if err != nil {
		return err
	}
	return do(ctx, j, manager, release)
}

func (j *job) update(change func(*jobView)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.v)
}

func (j *job) view() *jobView {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := j.v
	v.Stays, v.Tally = slices.Clone(v.Stays), slices.Clone(v.Tally)
	return &v
}

func (j *job) progress(what string, done, of int) {
	j.update(func(v *jobView) { v.Stage, v.Done, v.Of = what, done, of })
	j.jobs.console.news.tell()
}

func (j *job) stays(c deadletter.Case, err error) {
	if errors.Is(err, context.Canceled) {
		return // it says so as a whole
	}
	j.update(func(v *jobView) {
		if v.StaysAll++; len(v.Stays) < mostStays {
			v.Stays = append(v.Stays, stay{c.DeliveryID, err.Error()})
		}
	})
}

func (js *jobs) get(id string) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	for _, j := range js.all {
		if j.v.ID == id {
			return j
		}
	}
	return nil
}

// recent returns the last jobs, and all that are running.
func (js *jobs) recent(most int) (views []*jobView) {
	js.mu.Lock()
	all := slices.Clone(js.all)
	js.mu.Unlock()
	for i, j := range all {
		if v := j.view(); i < most || v.Going() {
			views = append(views, v)
		}
	}
	return views
}

// replay is a job that replays letters and follows them.
func replay(o deadletter.ReplayOptions) work {
	return func(ctx context.Context, j *job, manager *deadletter.Manager, release func()) error {
		o.Stays = j.stays
		sent, err := manager.Replay(ctx, o)
		release()
		j.update(func(v *jobView) { v.Sent = len(sent.Cases) })
		if err = errors.Join(err, sent.NotReleased); err != nil {
			return err
		}
		ends, err := manager.Follow(ctx, sent.Cases, followed)
		j.update(func(v *jobView) { v.Tally = tallies(deadletter.TallyOf(ends)) })
		return err
	}
}

// tallies are the ways in which deliveries ended.
func tallies(t deadletter.Tally) []tally {
	all := []tally{{"completed", "ok", t.Completed}, {"still on their way", "warn", t.Going}}
	for _, reason := range slices.Sorted(maps.Keys(t.Again)) {
		all = append(all, tally{"dead again: " + word(string(reason)), "bad", t.Again[reason]})
	}
	return slices.DeleteFunc(all, func(t tally) bool { return t.Count == 0 })
}

func statusText(status int) string {
	if status == 0 {
		return ""
	}
	return " (HTTP " + strconv.Itoa(status) + ")"
}

// drop is a job's work: to give a group's letters up, or to clear up those that are
// done.
func drop(g group, because string) work {
	return func(ctx context.Context, j *job, manager *deadletter.Manager, _ func()) error {
		in, err := manager.Select(ctx, deadletter.Query{Filter: deadletter.Filter{IDs: g.IDs}, Entries: g.Done})
		if err != nil {
			return err
		}
		var dropped int
		if g.Done {
			dropped = manager.DropDone(ctx, in, j.stays)
		} else {
			dropped = manager.Drop(ctx, in, because, j.stays)
		}
		j.update(func(v *jobView) { v.Sent, v.Tally = dropped, []tally{{"dropped", "ok", dropped}} })
		return in.Hold.Release(ctx)
	}
}

func (s *Console) showJob(w http.ResponseWriter, r *http.Request) error {
	j := s.jobs.get(r.PathValue("job"))
	if j == nil {
		return &failure{Status: http.StatusNotFound, Text: "This console does not know this job: it may have been restarted since. What a job has done is on the timelines of its deliveries.", Back: "/letters"}
	}
	v := j.view()
	return s.render(w, r, http.StatusOK, "job.html", v.Title, v)
}

func (s *Console) cancelJob(w http.ResponseWriter, r *http.Request) error {
	j := s.jobs.get(r.PathValue("job"))
	if j == nil {
		return &failure{Status: http.StatusNotFound, Text: "This console knows of no such job.", Back: "/letters"}
	}
	j.cancel()
	http.Redirect(w, r, "/jobs/"+j.v.ID, http.StatusSeeOther)
	return nil
}
