package worker_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

// The file of these tests is large enough to arrive in many pieces.
const (
	largeSize = 3<<20 + 17
	largePath = "/generated/3145745.bin"
)

// largeRoute attaches that file in addition to the screenshot.
var largeRoute = parkRoute + "      - {from: \"https://app.testfairy.com" + largePath + "\", element: log}\n"

// fault returns a function that breaks the large file's source.
func fault(f testfairysim.Fault) func(*world) {
	return func(w *world) { w.testfairy.Inject(largePath, f) }
}

// redirect responds with a redirect.
func redirect(location string) testfairysim.Fault {
	return testfairysim.Fault{Status: 302, Header: http.Header{"Location": {location}}}
}

// TestBadSources checks that the ticket is created with its screenshot, that the bad file
// becomes a dead letter, or a note if it is optional, and that no part of it reaches
// Centercode. A replay after the source is fixed completes the ticket.
func TestBadSources(t *testing.T) {
	tooLarge := func(f testfairysim.Fault) func(*world) {
		return func(w *world) {
			w.config.Sources.MaxBytes = largeSize - 1
			w.testfairy.Inject(largePath, f)
		}
	}
	picture := strings.Replace(largeRoute, "element: log", "element: log, want: image", 1)
	tests := []struct {
		name   string
		routes string
		upset  func(*world)
		text   string
		final  bool // a replay fails in the same way
	}{
		{"missing", largeRoute, fault(testfairysim.Fault{Status: 404}), "the source answered HTTP 404", false},
		{"gone", largeRoute, fault(testfairysim.Fault{Status: 410}), "the source answered HTTP 410", false},
		{"expired", largeRoute, fault(testfairysim.Fault{Status: 403}), "the source answered HTTP 403", false},
		{"too large by declaration", largeRoute, tooLarge(testfairysim.Fault{}), "larger than the limit", true},
		{"too large by count", largeRoute, tooLarge(testfairysim.Fault{NoLength: true}), "larger than the limit", true},
		{"a sign-in page", largeRoute, fault(testfairysim.Fault{SignIn: true}), "a web page where a file was expected (a sign-in page?)", false},
		{"a redirect to a sign-in page", largeRoute, fault(redirect("/login/?next=x")), "redirected to a sign-in page", false},
		{"behind a login", largeRoute, fault(testfairysim.Fault{Status: 401}), "the source answered HTTP 401", false},
		{"a file where a picture was expected", picture, nil, "not a picture", true},
		{"a redirect into the network", largeRoute, fault(redirect("http://169.254.169.254/latest/meta-data/")), "redirected to an address that is not allowed: it is not https", false},
		{"a redirect off the list", largeRoute, fault(redirect("https://files.example.net/x?sig=a")), "host files.example.net is not on the list of hosts for files (sources.hosts", false},
		{"missing after a redirect", largeRoute, fault(redirect("/nowhere/x y#z")), "the source answered HTTP 404 after a redirect", false},
		{"an encoding that was not asked for", largeRoute,
			fault(testfairysim.Fault{Header: http.Header{"Content-Encoding": {"br"}}}), "encoding", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.routes)
			if tt.upset != nil {
				tt.upset(w)
			}
			id := w.send(feedback(1))
			w.clock.Advance(time.Hour) // by now a missing file is final
			o := w.only(w.settle(nil))
			l := w.onlyLetter()
			if l.Reason != queue.ReasonAttachmentSource || o.Result != worker.Dead || o.Attachments != 1 {
				t.Errorf("outcome %+v, dead letter %+v", o, l)
			}
			if !strings.HasPrefix(l.Description, "log: ") || !strings.Contains(l.Description, tt.text) || strings.Contains(l.Description, largePath) {
				t.Errorf("described as %q, want the element, %q, and no URL", l.Description, tt.text)
			}
			w.files(id, "screenshot")
			w.checkInvariants(id)

			if !tt.final {
				w.testfairy.Heal(largePath)
				w.redrive()
				w.settle(nil)
				w.files(id, "screenshot", "log")
				w.checkInvariants(id)
			}
		})
		t.Run(tt.name+", optional", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, strings.Replace(tt.routes, "element: log", "element: log, optional: true", 1))
			if tt.upset != nil {
				tt.upset(w)
			}
			id := w.send(feedback(1))
			w.clock.Advance(time.Hour)
			o := w.only(w.settle(nil))
			if o.Result != worker.Created || len(o.Skipped) != 1 || !strings.Contains(o.Skipped[0], tt.text) || w.count(w.dead) != 0 {
				t.Errorf("outcome %+v", o)
			}
			w.files(id, "screenshot")
			w.checkInvariants(id)
		})
	}
}

// TestLateSources checks that a missing file is retried for 15 minutes from its webhook,
// even if it is optional, and that its absence is final afterwards.
func TestLateSources(t *testing.T) {
	optional := strings.Replace(largeRoute, "element: log", "element: log, optional: true", 1)
	for _, status := range []int{403, 404, 410} {
		for name, routes := range map[string]string{"needed": largeRoute, "optional": optional} {
			t.Run(fmt.Sprintf("%d once, %s", status, name), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, routes)
				w.testfairy.Inject(largePath, testfairysim.Fault{Times: 1, Status: status})
				id := w.send(feedback(1))
				outcomes := w.settle(nil)
				if len(outcomes) != 2 || outcomes[0].Result != worker.Retry || outcomes[0].Status != status || outcomes[1].Result != worker.Created {
					t.Errorf("outcomes %+v", outcomes)
				}
				w.files(id, "screenshot", "log")
				w.checkInvariants(id)
			})
			t.Run(fmt.Sprintf("%d for good, %s", status, name), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, routes)
				w.testfairy.Inject(largePath, testfairysim.Fault{Status: status})
				sent := w.clock.Now()
				id := w.send(feedback(1))
				outcomes := w.settle(nil)
				last := outcomes[len(outcomes)-1]
				if waited := w.clock.Now().Sub(sent); waited < 15*time.Minute {
					t.Errorf("given up after %v: %+v", waited, outcomes)
				}
				if name == "needed" {
					if l := w.onlyLetter(); last.Result != worker.Dead || l.Reason != queue.ReasonAttachmentSource || l.Status != status {
						t.Errorf("outcome %+v, dead letter %+v", last, l)
					}
				} else if last.Result != worker.Created || len(last.Skipped) != 1 {
					t.Errorf("outcome %+v", last)
				}
				w.files(id, "screenshot")
				w.checkInvariants(id)
			})
		}
	}
}

// TestOddSources checks that quirks which browsers and other clients ignore do no harm:
// spaces and fragments in a URL or a redirect, encodings that encode nothing.
func TestOddSources(t *testing.T) {
	moved := redirect(largePath + "?name=my shot&sig=a#page=1")
	moved.Times = 1
	labelled := func(encoding string) testfairysim.Fault {
		return testfairysim.Fault{Header: http.Header{"Content-Encoding": {encoding}}}
	}
	tests := map[string]struct {
		routes string
		fault  testfairysim.Fault
	}{
		"a space and a fragment in the URL":    {strings.ReplaceAll(largeRoute, largePath, largePath+"?name=my shot#page=1"), testfairysim.Fault{}},
		"a space and a fragment in a redirect": {largeRoute, moved},
		"aws-chunked":                          {largeRoute, labelled("aws-chunked")},
		"utf-8":                                {largeRoute, labelled("utf-8")},
		"binary":                               {largeRoute, labelled("binary")},
		"gzip over a plain file":               {largeRoute, labelled("gzip")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.routes)
			w.testfairy.Inject(largePath, tt.fault)
			id := w.send(feedback(1))
			outcomes := w.settle(nil)
			if last := outcomes[len(outcomes)-1]; last.Result != worker.Created || len(last.Skipped) > 0 {
				t.Errorf("outcomes %+v", outcomes)
			}
			w.files(id, "screenshot", "log")
			w.checkInvariants(id)
		})
	}
}

// TestScreenshotWithSpace has the payload's URL as people and browsers write it.
func TestScreenshotWithSpace(t *testing.T) {
	w := newWorld(t, parkRoute)
	id := w.send(strings.Replace(feedback(1), "/1.jpg", "/f/png/my shöt 100%.png#top", 1))
	w.only(w.settle(nil))
	if l := w.letters(); len(l) > 0 {
		t.Fatalf("dead letter %+v", l)
	}
	files := w.tickets(id)[0].Files
	if len(files) != 1 || files[0].Name != "my shöt 100_.png" || files[0].SHA256 != w.testfairy.SHA256("/f/png/my%20sh%C3%B6t%20100%25.png") {
		t.Errorf("files %+v", files)
	}
}

// TestClosedAfterHeaders checks that a source that breaks off before the first byte is
// retried, even if the picture is optional.
func TestClosedAfterHeaders(t *testing.T) {
	for _, after := range []int64{1, 100} {
		w := newWorld(t, strings.Replace(parkRoute, "element: screenshot", "element: screenshot, optional: true", 1))
		w.testfairy.Inject("/1.jpg", testfairysim.Fault{Times: 1, Drop: true, DropAfter: after, NoValidators: true})
		id := w.send(feedback(1))
		outcomes := w.settle(nil)
		if len(outcomes) != 2 || outcomes[0].Result != worker.Retry || outcomes[1].Result != worker.Created {
			t.Errorf("outcomes %+v", outcomes)
		}
		w.files(id, "screenshot")
		w.checkInvariants(id)
	}
}

// files checks that a delivery has one ticket with exactly these files, and that the large
// one equals its source.
func (w *world) files(id string, want ...string) {
	w.Helper()
	tickets := w.tickets(id)
	if len(tickets) != 1 {
		w.Fatalf("%d tickets", len(tickets))
	}
	var got []string
	for _, f := range tickets[0].Files {
		got = append(got, f.Element)
		if f.Element == "log" && f.SHA256 != w.testfairy.SHA256(largePath) {
			w.Errorf("the file differs from its source: %+v", f)
		}
	}
	if !slices.Equal(got, want) {
		w.Errorf("files %v, want %v", got, want)
	}
}

// TestBrokenSources checks that a broken download is resumed if that is safe, and otherwise
// repeated by the next attempt. The file arrives complete, once.
func TestBrokenSources(t *testing.T) {
	drop := func(after int64) testfairysim.Fault {
		return testfairysim.Fault{Times: 1, Drop: true, DropAfter: after}
	}
	tests := []struct {
		name     string
		faults   []testfairysim.Fault
		attempts int
	}{
		{"drops three times on the way", []testfairysim.Fault{drop(1 << 20), drop(1), drop(1<<20 + 1)}, 1},
		{"drops before its first byte", []testfairysim.Fault{drop(0)}, 2},
		{"drops without a validator", []testfairysim.Fault{{Times: 1, Drop: true, DropAfter: 1 << 20, NoValidators: true}}, 2},
		{"knows no ranges", []testfairysim.Fault{drop(1 << 20), {Times: 1, NoRange: true}}, 2},
		{"declares more than it sends", []testfairysim.Fault{{Times: 1, LengthError: 5}}, 2},
		{"is down for a moment", []testfairysim.Fault{{Times: 1, Status: 503}}, 2},
		{"does not say how much it will send", []testfairysim.Fault{{NoLength: true}}, 1},
		{"drops, and does not say how much it will send",
			[]testfairysim.Fault{{Times: 1, Drop: true, DropAfter: 1 << 20, NoLength: true}}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, largeRoute)
			for _, f := range tt.faults {
				w.testfairy.Inject(largePath, f)
			}
			id := w.send(feedback(1))
			outcomes := w.settle(nil)
			if last := outcomes[len(outcomes)-1]; len(outcomes) != tt.attempts || last.Result != worker.Created {
				t.Errorf("%d attempts, want %d: %+v", len(outcomes), tt.attempts, outcomes)
			}
			for _, o := range outcomes[:len(outcomes)-1] {
				if o.Result != worker.Retry || o.Stage != "attach" {
					t.Errorf("outcome %+v", o)
				}
			}
			w.files(id, "screenshot", "log")
			w.checkInvariants(id)
		})
	}
}

// TestUploadIsNotStartedTwice checks that the same upload continues after a break of the
// source.
func TestUploadIsNotStartedTwice(t *testing.T) {
	w := newWorld(t, largeRoute)
	for range 3 {
		w.testfairy.Inject(largePath, testfairysim.Fault{Times: 1, Drop: true, DropAfter: 700_000})
	}
	id := w.send(feedback(1))
	w.settle(nil)
	if r := w.center.Requests(); r.File != 2 {
		t.Errorf("%d uploads, want one a file", r.File)
	}
	w.files(id, "screenshot", "log")
}

// TestSizeIsDeclared checks that the upload has a Content-Length if the source sent one.
func TestSizeIsDeclared(t *testing.T) {
	for _, declared := range []bool{true, false} {
		w := newWorld(t, largeRoute)
		lengths := map[string]int64{}
		// A fault that matches nothing sees the requests.
		w.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Times: -1, Match: func(c centercodesim.Call) bool {
			lengths[c.Element] = c.Request.ContentLength
			return false
		}})
		w.testfairy.Inject(largePath, testfairysim.Fault{NoLength: !declared})
		id := w.send(feedback(1))
		w.settle(nil)
		w.files(id, "screenshot", "log")
		if got := lengths["log"]; declared && got <= largeSize || !declared && got != -1 || lengths["screenshot"] <= 0 {
			t.Errorf("lengths %v", lengths)
		}
	}
}

// TestUploadInTheRequiredForm checks that when Centercode refuses Expect (417), or
// requires a length that the source did not send (411), the file is sent that way at once.
func TestUploadInTheRequiredForm(t *testing.T) {
	expects := func(c centercodesim.Call) bool { return c.Request.Header.Get("Expect") != "" }
	noLength := func(c centercodesim.Call) bool { return c.Request.ContentLength < 0 }
	refuse := func(status int, match func(centercodesim.Call) bool) centercodesim.Fault {
		return centercodesim.Fault{Op: centercodesim.OpFile, Times: -1, Status: status, Match: match}
	}
	for name, tt := range map[string]struct {
		source  testfairysim.Fault
		refused []centercodesim.Fault
		uploads int // of the large file
	}{
		"Expect refused":            {testfairysim.Fault{}, []centercodesim.Fault{refuse(417, expects)}, 2},
		"length wanted":             {testfairysim.Fault{NoLength: true}, []centercodesim.Fault{refuse(411, noLength)}, 2},
		"Expect refused and length": {testfairysim.Fault{NoLength: true}, []centercodesim.Fault{refuse(417, expects), refuse(411, noLength)}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, largeRoute)
			w.testfairy.Inject(largePath, tt.source)
			w.center.Inject(tt.refused...)
			id := w.send(feedback(1))
			if o := w.only(w.settle(nil)); o.Result != worker.Created || w.center.Requests().File != 1+tt.uploads {
				t.Errorf("outcome %+v, requests %+v", o, w.center.Requests())
			}
			w.files(id, "screenshot", "log")
			w.checkInvariants(id)
		})
	}
}

// TestRefusalCostsNoUpload checks that Centercode is asked before a large file is sent.
func TestRefusalCostsNoUpload(t *testing.T) {
	const path = "/generated/268435456.bin"
	w := newWorld(t, strings.Replace(largeRoute, largePath, path, 1))
	w.center.Inject(centercodesim.Fault{Op: centercodesim.OpFile, Status: 413,
		Match: func(c centercodesim.Call) bool { return c.Element == "log" }})
	id := w.send(feedback(1))
	o := w.only(w.settle(nil))
	if l := w.onlyLetter(); l.Reason != queue.ReasonRejected || l.Status != 413 || o.AttachmentBytes > 1<<20 {
		t.Errorf("outcome %+v, dead letter %+v", o, l)
	}
	w.checkInvariants(id)
}
