package attachment

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"

	"fairbridge/pkg/internal/loopback"
)

// newGuardian decides about the addresses of public sources. The library refuses what IANA
// lists as special, multicast, and every IPv6 address outside 2000::/3; that includes
// loopback, link-local (metadata services), v4-mapped, both NAT64 prefixes, and zones.
// Within 2000::/3 it refuses 6to4 and Teredo. What it leaves open is refused here.
func newGuardian() *ssrf.Guardian {
	return ssrf.New(
		ssrf.WithPorts(443),
		// Azure's host services, at a public address
		// (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
		ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")),
	)
}

// PublicAddr returns a check that refuses addresses that no public host can have: on this
// machine, in a private network, of a cloud's own services, or with a port other than 443.
// Every host that comes from outside has to pass it, after DNS.
func PublicAddr() func(netip.AddrPort) error {
	guardian := newGuardian()
	return func(addr netip.AddrPort) error {
		if err := guardian.SafeAddrPort(addr); err != nil {
			return fmt.Errorf("%w: %w", errForbidden, err)
		}
		if isISATAP(addr.Addr()) {
			return fmt.Errorf("%w: %s carries an IPv4 address (ISATAP)", errForbidden, addr.Addr())
		}
		return nil
	}
}

// isISATAP reports whether addr's interface id embeds an IPv4 address, which
// any prefix may do (RFC 5214, 6.1).
func isISATAP(addr netip.Addr) bool {
	b := addr.As16()
	return addr.Is6() && (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// loopbackAddr returns an error for an address that is not on this machine.
func loopbackAddr(addr netip.AddrPort) error {
	if !loopback.IsAddr(addr.Addr()) {
		return fmt.Errorf("%w: %s is not loopback", errForbidden, addr.Addr())
	}
	return nil
}

// dialer resolves a name, checks the addresses, and dials exactly those, so that no second
// lookup can return another address in between.
type dialer struct {
	allow  func(netip.AddrPort) error
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// newDialer returns a dialer for the machine's network. The socket's control function
// checks the address again, at the last moment before connecting.
func newDialer(allow func(netip.AddrPort) error) *dialer {
	socket := &net.Dialer{
		Timeout: connectTimeout,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: %w", errForbidden, err)
			}
			return allow(addr)
		},
	}
	lookup := func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	return &dialer{allow: allow, lookup: lookup, dial: socket.DialContext}
}

// DialContext connects to the first address of host that answers. One forbidden address is
// enough to refuse the host: no honest source has one.
func (d *dialer) DialContext(ctx context.Context, _, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForbidden, err)
	}
	addrs, err := d.resolve(ctx, host, port)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, addr := range addrs {
		conn, err := d.dial(ctx, "tcp", addr.String())
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// resolve returns the addresses of host, all of them allowed.
func (d *dialer) resolve(ctx context.Context, host, port string) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	ips, err := d.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	if len(ips) == 0 {
		return nil, errors.New("resolve: no address")
	}
	addrs := make([]netip.AddrPort, 0, len(ips))
	for _, ip := range ips {
		// The resolver may return IPv4 addresses in either form; a mapped one is dialled as
		// the IPv4 address that it is.
		addr, err := netip.ParseAddrPort(net.JoinHostPort(ip.Unmap().String(), port))
		if err != nil {
			return nil, fmt.Errorf("resolve: %w: %w", errForbidden, err)
		}
		if err := d.allow(addr); err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}
