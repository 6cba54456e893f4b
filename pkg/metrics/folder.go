package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/telemetry"
)

// The gauges that are read from the folder.
var (
	waiting = gauge(snake(telemetry.Waiting), "Deliveries in a queue.", "queue", "state")
	age     = gauge(snake(telemetry.WaitingAge)+"_seconds", "Time since the oldest delivery in a queue was put there; 0 without one.", "queue")
	letters = gauge(snake("DeadLettersWaiting"), "Dead letters, each of which needs a person.")
	oldest  = gauge(snake("DeadLettersAge")+"_seconds", "Time since the oldest dead letter was written; 0 without one.")

	open       = gauge(snake(telemetry.BreakerOpen)+"_seconds", "For how long Centercode has not responded; 0 while it does.", "project")
	keyRefused = gauge(snake(telemetry.KeyRefused), "1 while Centercode refuses the API key.", "project")
	paused     = gauge(snake(telemetry.Paused)+"_seconds", "For how long a person has paused it; 0 without a pause.", "project")

	database = gauge(snake("DatabaseBytes"), "Size of the folder's database with its log.")
	free     = gauge(snake("DiskFreeBytes"), "What is free on the folder's disk for the bridge's user.")
)

// allProjects is the value of the label project for the breaker's record of all projects.
const allProjects = "*"

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// folder is a [prometheus.Collector] for one scrape, limited by ctx. It only reads.
type folder struct {
	ctx context.Context
	Config
}

// Describe implements [prometheus.Collector]. It sends nothing, which makes the collector
// an unchecked one.
func (folder) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (f folder) Collect(ch chan<- prometheus.Metric) {
	for _, part := range []struct {
		of   *prometheus.Desc
		read func(send) error
	}{{waiting, f.queues}, {letters, f.deadLetters}, {open, f.breaker}, {database, f.disk}} {
		err := part.read(func(d *prometheus.Desc, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
		})
		if err != nil {
			ch <- prometheus.NewInvalidMetric(part.of, err)
		}
	}
}

type send func(d *prometheus.Desc, value float64, labels ...string)

func (f folder) queues(send send) error {
	for _, queue := range []struct{ name, url string }{{"work", f.Home.WorkQueueURL}, {"files", f.Home.FilesQueueURL}} {
		depth, err := f.Home.Depth(f.ctx, queue.url)
		if err != nil {
			return err
		}
		send(waiting, float64(depth.Waiting), queue.name, "ready")
		send(waiting, float64(depth.InWork), queue.name, "in_work")
		send(waiting, float64(depth.Delayed), queue.name, "delayed")
		send(age, f.since(depth), queue.name)
	}
	return nil
}

func (f folder) deadLetters(send send) error {
	depth, err := f.Home.Depth(f.ctx, f.Home.DeadLetterQueueURL)
	if err != nil {
		return err
	}
	send(letters, float64(depth.Total()))
	send(oldest, f.since(depth))
	return nil
}

func (f folder) since(q *home.QueueDepth) float64 {
	if q.Oldest.IsZero() {
		return 0
	}
	return max(0, f.Now().Sub(q.Oldest).Seconds())
}

func (f folder) breaker(send send) error {
	states, err := f.Home.Health(f.ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		project := s.Project
		if project == breaker.All {
			project = allProjects
		}
		var away, held, refused float64
		if s.Open() {
			away = f.lasted(s.Since)
			if s.Fault.KeyRefused() {
				refused = 1
			}
		}
		if s.Paused(f.Now()) {
			held = f.lasted(s.Pause.At)
		}
		send(open, away, project)
		send(keyRefused, refused, project)
		send(paused, held, project)
	}
	return nil
}

// lasted returns the seconds since a time, at least 1.
func (f folder) lasted(since time.Time) float64 { return max(1, f.Now().Sub(since).Seconds()) }

func (f folder) disk(send send) error {
	size, err := embedded.Size(f.Home.Folder)
	if err != nil {
		return err
	}
	send(database, float64(size))
	n, err := freeBytes(f.Home.Folder)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	send(free, float64(n))
	return err
}
