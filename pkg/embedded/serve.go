package embedded

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// newcomer is how long a stop waits for the request of a new connection that has sent none
// yet, as [http.Server.Shutdown] would.
const newcomer = 5 * time.Second

// Serve serves l until ctx ends, then answers the requests that were accepted before, for
// at most grace. [http.Server.Shutdown] alone would close connections whose request head it
// reads after its call, and TestFairy does not send them again.
func Serve(ctx context.Context, s *http.Server, l net.Listener, grace time.Duration) error {
	busy := busyConnections{all: map[net.Conn]bool{}, none: make(chan struct{}, 1)}
	s.ConnState = busy.note
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = l.Close() // what is not accepted yet stays with other holders of the socket
	<-ended       // with the listener's error
	s.SetKeepAlivesEnabled(false)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	busy.wait(stop, newcomer)
	return s.Shutdown(stop)
}

// busyConnections are those that have a request, or are about to send one.
type busyConnections struct {
	mu   sync.Mutex
	all  map[net.Conn]bool
	none chan struct{} // signalled when there are none left
}

// note is an http.Server's ConnState.
func (b *busyConnections) note(c net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if state == http.StateNew || state == http.StateActive {
		b.all[c] = true
		return
	}
	delete(b.all, c)
	if len(b.all) == 0 {
		select {
		case b.none <- struct{}{}:
		default:
		}
	}
}

// wait waits until there are none, ctx ends, or most has passed.
func (b *busyConnections) wait(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		b.mu.Lock()
		n := len(b.all)
		b.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-b.none:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
