package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	centercodesim "fairbridge/pkg/centercode/simulator"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// slowSources makes sources trickle, and one send without end. The latter becomes a dead
// letter once it exceeds what Centercode accepts.
func slowSources(ctx context.Context, g *gale) error {
	endless := g.r.IntN(len(g.plan.deliveries))
	for n, d := range g.plan.deliveries {
		if n == endless {
			g.far.endless(d.sources["screenshot"])
		} else {
			g.far.source.Inject(d.sources["screenshot"], testfairysim.Fault{BytesPerSecond: 10_000 + int64(g.r.IntN(50_000)), Times: 1})
		}
	}
	if err := g.sender.send(ctx, g.plan.sends); err != nil {
		return err
	}
	if err := g.settled(ctx); err != nil {
		return err
	}
	if err := g.status(ctx, []string{"1 dead letter"}); err != nil {
		return err
	}
	g.far.endless("")
	return nil
}

// flooders is the number of connections that a flood holds at once.
const flooders = 100

// flood makes strangers send large bodies, half requests and noise, without a token, while
// webhooks arrive. All of the webhooks are accepted.
func flood(ctx context.Context, g *gale) error {
	webhook, err := g.bridge.ready(ctx, "")
	if err != nil {
		return err
	}
	at, err := url.Parse(webhook)
	if err != nil {
		return err
	}
	flooding, stop := context.WithCancel(ctx)
	defer stop()
	var sent atomic.Int64
	strangers, _ := errgroup.WithContext(flooding)
	for n := range flooders {
		strangers.Go(func() error {
			for flooding.Err() == nil {
				stranger(flooding, at.Host, at.Path, n)
				sent.Add(1)
			}
			return nil
		})
	}
	if err := until(ctx, func() bool { return sent.Load() >= flooders }); err != nil {
		return err
	}
	if err := g.sender.send(ctx, g.plan.sends); err != nil {
		return err
	}
	stop()
	if _, n := g.sender.soFar(); n > 0 {
		g.report.violate("%d webhooks with the token were refused in a flood of requests without", n)
	}
	g.chose = fmt.Sprintf("%d requests of strangers", sent.Load())
	return strangers.Wait()
}

// stranger sends one request of a kind, as much of it as is accepted.
func stranger(ctx context.Context, host, path string, kind int) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", host)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	switch kind % 4 {
	case 0: // a large body
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n", path)
		_, _ = io.CopyN(conn, zeros{}, 10_000_000)
	case 1: // one without a length
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", path)
		chunk := []byte("10000\r\n" + strings.Repeat("x", 1<<16) + "\r\n")
		for range 160 {
			if _, err := conn.Write(chunk); err != nil {
				return
			}
		}
	case 2: // half a head, and silence
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: ", path)
		_, _ = io.Copy(io.Discard, conn)
	default: // noise
		_, _ = conn.Write(bytes.Repeat([]byte{byte(kind), 0xff, '\r', '\n'}, 8<<10))
		_, _ = io.Copy(io.Discard, conn)
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// centercodeAway makes Centercode answer 503 for a while, and then disappear, while
// webhooks arrive. Nobody has to do anything about it.
func centercodeAway(ctx context.Context, g *gale) error {
	g.far.center.Inject(
		centercodesim.Fault{Status: http.StatusServiceUnavailable, Body: centercodesim.BodyHTML, Times: -1, For: 5 * time.Second},
		centercodesim.Fault{Drop: true, Times: -1})
	if err := g.sender.send(ctx, g.plan.sends); err != nil {
		return err
	}
	requests := g.far.requestsSoFar()
	if err := until(ctx, func() bool { return g.far.requestsSoFar() > requests }); err != nil {
		return err
	}
	g.far.center.Heal()
	return nil
}
