package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/functions/lambdatest"
)

// piece is the size of the source's and the sink's reads and writes, in bytes.
const piece = 1 << 20

// smallFile is the attachment whose memory a large one's is compared with.
const smallFile = 1 << 20

// attachments streams a file through the worker's process, from one server on loopback to
// another.
var attachments = experiment{
	name: "attachments",
	figures: []figure{
		{Key: "attachment.plain", What: "attachment of 2 GiB, throughput", Unit: "GB/s", Floor: "bare net/http copy", Must: atLeastTimes(1.3)},
		{Key: "attachment.tls", What: "attachment of 2 GiB over TLS, throughput", Unit: "GB/s", Floor: "bare net/http copy", Must: atLeastTimes(1)},
		{Key: "attachment.cpu", What: "attachment, processor seconds a GiB", Unit: "s", Floor: "bare net/http copy", Must: atMostTimes(0.9)},
		{Key: "attachment.cpu.tls", What: "the same over TLS", Unit: "s", Floor: "bare net/http copy", Must: reported},
		{Key: "attachment.far", What: "attachment of 16 MiB over TLS, to 20 ms away at 100 Mbit/s, throughput", Unit: "MB/s", Floor: "bare net/http copy", Must: atLeastTimes(0.9)},
		{Key: "attachment.memory", What: "worker, peak memory with an attachment of 2 GiB over TLS", Unit: "MB", Floor: "hello", Must: atMost(32)},
		{Key: "attachment.memory.1mb", What: "the same beside an attachment of 1 MB", Unit: "MB", Floor: "1 MB", Must: atMostAbove(2)},
	},
	open: func(tb testing.TB, l *lab) round {
		floor := l.build(tb, "fairbridge/test/bench/floor/copy", "")
		worker := l.buildFunction(tb, "fairbridge/functions/worker")
		hello := l.build(tb, "fairbridge/test/bench/floor/hello", "")
		same := func(_ testing.TB, server string) string { return server }
		plain, secure := newHauls(tb, l, httptest.NewServer, same), newHauls(tb, l, httptest.NewTLSServer, same)
		distant := newHauls(tb, l, httptest.NewTLSServer, far)
		return func(tb testing.TB) []sample {
			size := l.scale.fileBytes
			// The worker's memory is that of a new process.
			bare, own := plain.copy(tb, floor, size), plain.deliver(tb, worker, size)
			ownTLS, bareTLS := secure.deliver(tb, worker, size), secure.copy(tb, floor, size)
			bareFar, ownFar := distant.copy(tb, floor, l.scale.farBytes), distant.deliver(tb, worker, l.scale.farBytes)
			small := secure.deliver(tb, worker, smallFile)
			h := startWarm(tb, hello, nil, struct{}{})
			return []sample{
				{own.speed, bare.speed},
				{ownTLS.speed, bareTLS.speed},
				{own.cpu, bare.cpu},
				{ownTLS.cpu, bareTLS.cpu},
				{ownFar.speed * 1e3, bareFar.speed * 1e3},
				{ownTLS.memory, h.process.peakMemory(tb)},
				{ownTLS.memory, small.memory},
			}
		}
	},
}

// hauls are a source and a sink of files, with the environment in which a function connects
// them.
type hauls struct {
	source, sink string
	env          map[string]string
	l            *lab
}

// haul is the cost of carrying one file from source to sink.
type haul struct {
	speed  float64 // GB/s
	cpu    float64 // seconds a GiB, of the function's process alone
	memory float64 // MB
}

// newHauls starts a source and a sink, the latter at the address returned by place.
func newHauls(tb testing.TB, l *lab, start func(http.Handler) *httptest.Server, place func(testing.TB, string) string) *hauls {
	source, sink := start(http.HandlerFunc(serveFile)), start(http.HandlerFunc(swallow))
	tb.Cleanup(source.Close)
	tb.Cleanup(sink.Close)
	address := sink.Listener.Addr().String()
	h := &hauls{source: source.URL, sink: strings.Replace(sink.URL, address, place(tb, address), 1), l: l, env: environment(tb, startNeighbours(tb))}
	h.env["FAIRBRIDGE_CENTERCODE_BASE_URL"] = h.sink
	h.env["FAIRBRIDGE_CONFIG"] = filepath.Join(tb.TempDir(), "fairbridge.yaml")
	config := fmt.Sprintf(`
sources:
  resolve: {app.testfairy.com: %s}
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}"}
    attachments:
      - {from: "{{ .screenshotUrl }}", element: file, endpoint: %s/file}
`, source.URL, h.sink)
	if err := os.WriteFile(h.env["FAIRBRIDGE_CONFIG"], []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	if certificate := source.Certificate(); certificate != nil {
		h.env["SSL_CERT_FILE"] = trust(tb, certificate) // the same for both servers
	}
	return h
}

// copy carries a file with the floor.
func (h *hauls) copy(tb testing.TB, binary string, size int64) haul {
	body := fmt.Sprintf(`{"from":"%s/%d.png","to":"%s/file"}`, h.source, size, h.sink)
	return h.carry(tb, binary, size, batchOf(body))
}

// deliver carries a file with the worker, which creates a ticket for it.
func (h *hauls) deliver(tb testing.TB, binary string, size int64) haul {
	payload := h.l.feedback(tb, "A file", fmt.Sprintf("https://app.testfairy.com/%d.png", size))
	return h.carry(tb, binary, size, message(tb, payload))
}

func (h *hauls) carry(tb testing.TB, binary string, size int64, event events.SQSEvent) (done haul) {
	h.l.apart(tb, func(tb testing.TB) {
		f := lambdatest.Start(tb, binary, h.env)
		if _, err := f.ColdStart(tb.Context()); err != nil {
			tb.Fatalf("%v\n%s", err, f.Output())
		}
		p := processOf(tb, binary)
		before := p.cpu(tb)
		took := invoke(tb, f, event)
		if strings.Contains(f.Output(), "ERROR") {
			tb.Fatal(f.Output())
		}
		done = haul{
			speed:  float64(size) / 1e9 / took.Seconds(),
			cpu:    p.cpuSince(tb, before).Seconds() / (float64(size) / (1 << 30)),
			memory: p.peakMemory(tb),
		}
	})
	return done
}

// serveFile answers /N.png with N bytes, which start like a PNG.
func serveFile(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), ".png"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("ETag", `"1"`)
	block := make([]byte, piece)
	copy(block, "\x89PNG\r\n\x1a\n")
	for size > 0 {
		n, err := w.Write(block[:min(size, piece)])
		if err != nil {
			return // the function is gone
		}
		size -= int64(n)
	}
}

// swallow accepts a ticket or a file.
func swallow(w http.ResponseWriter, r *http.Request) {
	// io.Discard alone would read in pieces of 8 KiB.
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, piece))
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"7"}`)
}
