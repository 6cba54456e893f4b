package simulator

import (
	"net"
	"net/http"
	"net/netip"
)

// ownHost refuses requests whose Host is another name than localhost. A page of the
// web can give its own name this machine's address (DNS rebinding), and a browser
// then lets it read the tickets; it cannot take an address for its name.
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

// trimBrackets takes an IPv6 address without a port out of its brackets.
func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}
