// Package loopback recognises hosts that are this machine. Plain http and the simulators
// are allowed only there, so the rule is strict: anything that a resolver might take for
// another host is not loopback.
package loopback

import (
	"net/netip"
	"strings"
)

// IsHost reports whether a URL's host, without its port, is this machine: "localhost", in
// any case, or a loopback address in canonical form.
func IsHost(host string) bool {
	if strings.ToLower(host) == "localhost" { // EqualFold would also match the long s, ſ
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && IsAddr(addr) && addr.String() == host
}

// Reachable returns the address, host:port, at which this machine reaches what listens on
// one: for a listener on all addresses that is loopback.
func Reachable(listen string) string {
	addr, err := netip.ParseAddrPort(listen)
	if err != nil || !addr.Addr().IsUnspecified() {
		return listen
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), addr.Port()).String()
}

// IsAddr reports whether an address is this machine. An address with a zone is not, and
// neither is an IPv4-mapped IPv6 address: code that checks one form may miss the other.
func IsAddr(addr netip.Addr) bool {
	return addr.IsLoopback() && !addr.Is4In6() && addr.Zone() == ""
}
