package simulator

import (
	"net"
	"net/http"
	"net/netip"
)

// ownHost refuses requests whose Host is a name other than localhost. A web page can let
// its own name resolve to this machine (DNS rebinding), and a browser would then let it
// read the tickets. Addresses are safe: no page can use one as its own name.
func ownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if _, err := netip.ParseAddr(trimBrackets(host)); err != nil && host != "localhost" {
			http.Error(w, "The simulator answers to localhost and to IP addresses only.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// trimBrackets removes the brackets from an IPv6 address without a port.
func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}
