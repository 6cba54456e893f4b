// Package loopback tells which hosts are this machine. Plain http and simulators
// are allowed there and nowhere else, so that the rule is the strictest that an
// honest URL passes: what some resolver might take for another host is none.
package loopback

import (
	"net/netip"
	"strings"
)

// IsHost reports whether a URL's host, without its port, is this machine:
// "localhost", in any case, or a loopback address in its one canonical spelling.
func IsHost(host string) bool {
	if strings.ToLower(host) == "localhost" { // EqualFold would take a long s
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && IsAddr(addr) && addr.String() == host
}

// IsAddr reports whether an address is this machine. One with a zone is not, nor
// is an IPv4 address written as IPv6: what checks the one form may miss the other.
func IsAddr(addr netip.Addr) bool {
	return addr.IsLoopback() && !addr.Is4In6() && addr.Zone() == ""
}
