package attachment

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
)

// addresses are those that a host on the allow list may and may not resolve to.
var addresses = []struct {
	name, addr string
	allowed    bool
}{
	{"public", "93.184.215.14", true},
	{"public, S3", "52.216.0.1", true},
	{"this network", "0.0.0.0", false},
	{"this network, a host", "0.1.2.3", false},
	{"private 10", "10.0.0.1", false},
	{"private 10, last", "10.255.255.255", false},
	{"next to private 10", "11.0.0.0", true},
	{"shared 100.64", "100.64.0.1", false},
	{"shared, Alibaba's metadata", "100.100.100.200", false},
	{"shared, last", "100.127.255.255", false},
	{"next to shared", "100.128.0.0", true},
	{"loopback", "127.0.0.1", false},
	{"loopback, another", "127.255.255.254", false},
	{"link-local", "169.254.0.1", false},
	{"metadata", "169.254.169.254", false},
	{"ECS credentials", "169.254.170.2", false},
	{"Lambda's own", "169.254.100.1", false},
	{"private 172.16", "172.16.0.1", false},
	{"private 172.31", "172.31.255.255", false},
	{"next to private 172", "172.32.0.0", true},
	{"Azure's host", "168.63.129.16", false},
	{"IETF assignments", "192.0.0.8", false},
	{"Oracle's metadata", "192.0.0.192", false},
	{"documentation 1", "192.0.2.1", false},
	{"AS112", "192.31.196.1", false},
	{"AMT", "192.52.193.1", false},
	{"6to4 relay", "192.88.99.1", false},
	{"private 192.168", "192.168.1.1", false},
	{"AS112, direct", "192.175.48.1", false},
	{"benchmarks", "198.18.0.1", false},
	{"benchmarks, last", "198.19.255.255", false},
	{"documentation 2", "198.51.100.1", false},
	{"documentation 3", "203.0.113.1", false},
	{"multicast", "224.0.0.1", false},
	{"multicast, last", "239.255.255.255", false},
	{"reserved", "240.0.0.1", false},
	{"broadcast", "255.255.255.255", false},

	{"v6 public", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", true},
	{"v6 unspecified", "::", false},
	{"v6 loopback", "::1", false},
	{"v4-mapped loopback", "::ffff:127.0.0.1", false},
	{"v4-mapped private", "::ffff:10.0.0.1", false},
	{"v4-mapped metadata", "::ffff:169.254.169.254", false},
	{"v4-compatible", "::127.0.0.1", false},
	{"v4-translated", "::ffff:0:127.0.0.1", false},
	{"NAT64 of loopback", "64:ff9b::7f00:1", false},
	{"NAT64 of metadata", "64:ff9b::a9fe:a9fe", false},
	{"NAT64 of public", "64:ff9b::5db8:d70e", false},
	{"NAT64, local use", "64:ff9b:1::7f00:1", false},
	{"discard only", "100::1", false},
	{"Teredo", "2001::7f00:1", false},
	{"ORCHIDv2", "2001:20::1", false},
	{"benchmarks v6", "2001:2::1", false},
	{"documentation v6", "2001:db8::1", false},
	{"documentation v6, new", "3fff::1", false},
	{"6to4 of loopback", "2002:7f00:1::1", false},
	{"6to4 of private", "2002:a00:1::1", false},
	{"ISATAP", "2606:2800::5efe:a00:1", false},
	{"ISATAP, global bit", "2606:2800::200:5efe:a00:1", false},
	{"AS112 v6", "2620:4f:8000::1", false},
	{"segment routing", "5f00::1", false},
	{"unique local", "fc00::1", false},
	{"AWS metadata v6", "fd00:ec2::254", false},
	{"link-local v6", "fe80::1", false},
	{"link-local v6, zone", "fe80::1%eth0", false},
	{"public v6, zone", "2606:2800::1%eth0", false},
	{"site-local", "fec0::1", false},
	{"multicast v6", "ff02::1", false},
	{"multicast v6, global", "ff0e::1", false},
}

// TestAddresses takes each address through a complete fetch: URL, DNS, dial.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range addresses {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("x")) }))
			w.dns["app.testfairy.com"] = [][]string{{tt.addr}}
			_, _, err := fetch(t, w.fetcher(t, Config{}), OpenRequest{URL: "https://app.testfairy.com/x.txt"})
			if tt.allowed {
				want := []string{net.JoinHostPort(tt.addr, "443")}
				if err != nil || !slices.Equal(w.dials(), want) {
					t.Errorf("dialled %v, error %v; want %v", w.dials(), err, want)
				}
				return
			}
			failure(t, err, true, reasonForbidden)
			if len(w.dials()) > 0 {
				t.Errorf("dialled %v", w.dials())
			}
		})
	}
}

// TestMappedAddressItself checks the guard with mapped addresses that were not unmapped
// first.
func TestMappedAddressItself(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"[::ffff:127.0.0.1]:443", "[::ffff:93.184.215.14]:443"} {
		if err := PublicAddr()(netip.MustParseAddrPort(addr)); !errors.Is(err, errForbidden) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestDNS(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answers [][]string
		reason  string // "" if allowed
		dialled []string
	}{
		{"two public", [][]string{{publicIP, "93.184.215.15"}}, "", []string{publicIP + ":443"}},
		{"v6 only", [][]string{{"2606:2800::1"}}, "", []string{"[2606:2800::1]:443"}},
		{"v6 and v4", [][]string{{"2606:2800::1", publicIP}}, "", []string{"[2606:2800::1]:443"}},
		{"mapped public is its v4 address", [][]string{{"::ffff:93.184.215.14"}}, "", []string{publicIP + ":443"}},
		{"v6 only, private", [][]string{{"fd00::1"}}, reasonForbidden, nil},
		{"public, then private", [][]string{{publicIP, "10.0.0.1"}}, reasonForbidden, nil},
		{"private, then public", [][]string{{"10.0.0.1", publicIP}}, reasonForbidden, nil},
		{"public v4, private v6", [][]string{{publicIP, "fd00::1"}}, reasonForbidden, nil},
		{"no such host", [][]string{}, reasonUnreachable, nil},
		{"no address", [][]string{{}}, reasonUnreachable, nil},
		// If there were a second lookup between check and dial, it would get the other
		// address.
		{"rebinding", [][]string{{publicIP}, {"127.0.0.1"}}, "", []string{publicIP + ":443"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("x")) }))
			w.dns["app.testfairy.com"] = tt.answers
			_, _, err := fetch(t, w.fetcher(t, Config{}), OpenRequest{URL: "https://app.testfairy.com/x.txt"})
			if tt.reason != "" {
				failure(t, err, tt.reason == reasonForbidden, tt.reason)
			} else if err != nil {
				t.Error(err)
			}
			if !slices.Equal(w.dials(), tt.dialled) {
				t.Errorf("dialled %v, want %v", w.dials(), tt.dialled)
			}
		})
	}
}

func TestNextAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("x")) }))
	w.dns["app.testfairy.com"] = [][]string{{"2606:2800::1", publicIP}}
	w.down = []string{"[2606:2800::1]:443"}
	f := w.fetcher(t, Config{})
	if _, _, err := fetch(t, f, OpenRequest{URL: "https://app.testfairy.com/x.txt"}); err != nil || len(w.dials()) != 2 {
		t.Errorf("dialled %v, %v", w.dials(), err)
	}
	w.down = append(w.down, publicIP+":443")
	_, _, err := fetch(t, f, OpenRequest{URL: "https://app.testfairy.com/x.txt"})
	failure(t, err, false, reasonUnreachable)
}

// TestRebindingBetweenAnswers: resuming a broken download resolves the host again.
func TestRebindingBetweenAnswers(t *testing.T) {
	t.Parallel()
	source := &flaky{content: content(5000), header: http.Header{"Etag": {`"v1"`}}, drops: []int{1000}}
	w := newWorld(t, source)
	w.dns["app.testfairy.com"] = [][]string{{publicIP}, {"127.0.0.1"}}
	_, got, err := fetch(t, w.fetcher(t, Config{}), OpenRequest{URL: "https://app.testfairy.com/file.bin"})
	failure(t, err, true, reasonForbidden)
	if len(got) != 1000 || len(w.dials()) != 1 {
		t.Errorf("read %d bytes, dialled %v", len(got), w.dials())
	}
}

// TestSocketGuard exercises the second check, on the socket itself, behind a first one that
// lets everything through.
func TestSocketGuard(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := newDialer(PublicAddr())
	if _, err := d.dial(t.Context(), "tcp", listener.Addr().String()); !errors.Is(err, errForbidden) {
		t.Errorf("public dialer on loopback: %v", err)
	}
	d = newDialer(loopbackAddr)
	if _, err := d.dial(t.Context(), "tcp", publicIP+":443"); !errors.Is(err, errForbidden) {
		t.Errorf("loopback dialer on a public address: %v", err)
	}
	conn, err := d.dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestOtherPort: only port 443 is dialed, whatever the URL check let through.
func TestOtherPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	d := &dialer{allow: PublicAddr(), lookup: w.lookup, dial: w.dial}
	for _, port := range []string{"80", "22", "8443", "0", "65536", "https"} {
		if _, err := d.DialContext(context.Background(), "tcp", "app.testfairy.com:"+port); !errors.Is(err, errForbidden) {
			t.Errorf("port %s: %v", port, err)
		}
	}
}
