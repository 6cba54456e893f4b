package main

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

const (
	farDelay = 20 * time.Millisecond // each way
	farBytes = 100e6 / 8             // a second, each way
	// farQueue is how far ahead of the line's speed a sender may get.
	farQueue = 50 * time.Millisecond
)

// parcel is data in transit, with its time of arrival.
type parcel struct {
	bytes []byte
	due   time.Time
}

// far returns an address that reaches a server over a simulated network with a delay of 20
// ms and 100 Mbit/s in each direction.
func far(tb testing.TB, server string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // the experiment has ended
			}
			other, err := net.Dial("tcp", server)
			if err != nil {
				_ = near.Close()
				continue
			}
			go travel(other, near)
			go travel(near, other)
		}
	}()
	return listener.Addr().String()
}

// travel forwards from one connection to the other.
func travel(to, from net.Conn) {
	parcels := make(chan parcel, 1024)
	go func() {
		defer close(parcels)
		free := time.Now() // when the line will have sent everything
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if n > 0 {
				if now := time.Now(); now.After(free) {
					free = now
				}
				free = free.Add(time.Duration(float64(n) / farBytes * float64(time.Second)))
				parcels <- parcel{buf[:n], free.Add(farDelay)}
				time.Sleep(time.Until(free) - farQueue)
			}
			if err != nil {
				return
			}
		}
	}()
	var err error
	for p := range parcels {
		time.Sleep(time.Until(p.due))
		if err == nil {
			_, err = to.Write(p.bytes)
		}
	}
	if err == nil {
		err = to.(*net.TCPConn).CloseWrite()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		_, _ = to.Close(), from.Close()
	}
}
