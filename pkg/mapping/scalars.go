package mapping

import (
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/internal/lazyregexp"
	"fairbridge/pkg/internal/loopback"
	"fairbridge/pkg/internal/plainjson"
	"fairbridge/pkg/mapping/internal/strictyaml"
)

// noted is the ok result for a value whose problem has been recorded.
const noted = strictyaml.Noted

// keyNameKind is one of Centercode's keys, which is part of a URL's path.
var keyNameKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (string, error) {
	switch {
	case strings.ContainsAny(s, " /\\?#%\t\n"):
		return "", strictyaml.Mistake("not a Centercode key: it contains a space or one of / \\ ? # %; it is the key in the endpoint's URL, not the title")
	case s == "." || s == "..":
		return "", strictyaml.Mistake("not a Centercode key: no URL can have it in its path; it is the key in the endpoint's URL")
	}
	return s, nil
}), func(s *strictyaml.Schema) { s.Pattern = `^[^\s/\\?#%]+$` })

// largest is the largest file that Centercode accepts, in bytes.
const largest = 2 << 30

var sizePattern = lazyregexp.New(`^(\d{1,10})(\.\d{1,3})? ?(B|KB|MB|GB|KiB|MiB|GiB)?$`)

// sizeKind is a number of bytes, with or without a unit.
var sizeKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (int64, error) {
	m := sizePattern().FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, strictyaml.Mistake("not a size; write a number of bytes, or one with a unit: 500 MiB")
	}
	units := map[string]float64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
	n, _ := strconv.ParseFloat(m[1]+m[2], 64) // cannot fail after the pattern has matched
	switch n *= units[m[3]]; {
	case n < 1:
		return 0, strictyaml.Mistake("the size is less than a byte")
	case n > largest:
		return 0, strictyaml.Mistake("more than Centercode accepts for one file; at most 2 GiB")
	}
	return int64(n), nil
}), func(s *strictyaml.Schema) { s.Examples = []any{"2 GiB", 1048576} })

// maxSettle is the longest delay of a look-up. A message with a longer one would become
// visible again before the look-up.
const maxSettle = 15 * time.Minute

var settleKind = durationKind(0, maxSettle, "0s to 15m", "60s", "2m")

// The bounds and the default of retry.for.
const (
	minPatience     = time.Hour
	maxPatience     = 10 * 24 * time.Hour // SQS keeps a message for 14 days
	defaultPatience = 72 * time.Hour
)

var patienceKind = durationKind(minPatience, maxPatience, "1h to 10d", "72h", "3d")

// durationKind is a duration within bounds, which are described by span. A whole number of
// days may be written with d.
func durationKind(least, most time.Duration, span string, examples ...string) strictyaml.Kind[time.Duration] {
	return strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (time.Duration, error) {
		t, err := time.ParseDuration(s)
		if days, ok := strings.CutSuffix(s, "d"); ok {
			var n uint64
			n, err = strconv.ParseUint(days, 10, 16) // more would be out of bounds, and might not fit
			t = time.Duration(n) * 24 * time.Hour
		}
		switch {
		case err != nil:
			return 0, strictyaml.Mistake("not a duration; write a number with a unit: " + strings.Join(examples, ", "))
		case t < least || t > most:
			return 0, strictyaml.Mistake("the duration must be from " + span)
		}
		return t, nil
	}), func(s *strictyaml.Schema) { s.Types, s.Examples = []string{"string"}, []any{examples[0]} })
}

// baseURLKind is Centercode's base URL.
var baseURLKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "", strictyaml.Mistake("not a URL; write https:// and the host: https://beta.example.com")
	case u.User != nil:
		return "", strictyaml.Mistake("a password does not belong in this file; store the API key with: fairbridge secrets put centercode-api-key")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", strictyaml.Mistake("a base URL must not contain ? or #; store the API key with: fairbridge secrets put centercode-api-key")
	case slices.ContainsFunc(strings.Split(u.EscapedPath(), "/"), func(s string) bool { return strings.EqualFold(s, "api") }):
		return "", strictyaml.Mistake("the address of the API, not of the site: FairBridge adds /api/v1 and what follows; write " + siteOf(u))
	case u.Scheme == "http" && loopback.IsHost(u.Hostname()), u.Scheme == "https":
		return strings.TrimRight(s, "/"), nil
	case u.Scheme == "http":
		return "", strictyaml.Mistake("not encrypted: the API key would be sent in plain text; write https://")
	}
	return "", strictyaml.Mistake("not an https URL; write https:// and the host: https://beta.example.com")
}), func(s *strictyaml.Schema) {
	s.Types, s.Pattern, s.Examples = []string{"string"}, "^https?://", []any{"https://beta.example.com"}
})

// siteOf returns the site's part of an API address.
func siteOf(u *url.URL) string {
	path := u.EscapedPath()
	before, _, _ := strings.Cut(strings.ToLower(path)+"/", "/api/")
	return u.Scheme + "://" + u.Host + path[:len(before)]
}

// centercodeHostKind is a host, with or without a port.
var centercodeHostKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (string, error) {
	host := strings.ToLower(s)
	u, err := url.Parse("https://" + host)
	switch {
	case strings.Contains(host, "://"):
		return "", strictyaml.Mistake("must be a host, not a URL; leave out https:// and the path")
	case strings.Contains(host, "*"):
		return "", strictyaml.Mistake("wildcards are not allowed, since the API key is sent to these hosts; write files.example.com")
	case err != nil || u.Host != host || strings.HasSuffix(host, ":") ||
		!hostPattern().MatchString(u.Hostname()) && net.ParseIP(u.Hostname()) == nil:
		return "", strictyaml.Mistake("not a host; write files.example.com, with its port unless it is 443: files.example.com:8443")
	}
	return strings.TrimSuffix(host, ":443"), nil
}), func(s *strictyaml.Schema) {
	s.Types, s.Examples = []string{"string"}, []any{"files.example.com"}
})

// loopbackKind is the address on this machine of a simulator that stands in for a file
// host.
var loopbackKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !loopback.IsHost(u.Hostname()) ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", strictyaml.Mistake("not a URL on this machine; resolve is for simulators: http://127.0.0.1:8081/testfairy")
	}
	return s, nil
}), func(s *strictyaml.Schema) { s.Types, s.Pattern = []string{"string"}, "^https?://" })

var hostPattern = lazyregexp.New(`^(\*\.[a-z0-9-]+\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z]([a-z0-9-]*[a-z0-9])?$`)

// hostKind is a host, or *.host for every host below it.
var hostKind = strictyaml.Described(strictyaml.Refine(strictyaml.Plain, func(s string) (string, error) {
	host := strings.ToLower(s)
	switch {
	case strings.Contains(host, "://"):
		return "", strictyaml.Mistake("must be a host name, not a URL; leave out https:// and the path")
	case net.ParseIP(host) != nil:
		return "", strictyaml.Mistake("an IP address is not allowed; for files on this machine, use allowLoopback")
	case len(host) > 253 || !hostPattern().MatchString(host):
		return "", strictyaml.Mistake("not a host name; write files.example.com, or *.example.com for all hosts below it")
	}
	return host, nil
}), func(s *strictyaml.Schema) {
	s.Types, s.Examples = []string{"string"}, []any{"files.example.com", "*.example.com"}
})

// globKind is a text with * for any text.
var globKind = strictyaml.Refine(strictyaml.Plain, func(s string) (glob, error) { return glob(s), nil })

// constant is a text, number or boolean that is sent as it is written. A text with an
// action in it is not a constant.
type constant struct {
	text string
	json json.RawMessage
}

// maxNumber is the maximum number of characters of a number.
const maxNumber = 100

var jsonNumber = lazyregexp.New(`^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$`)

// readConstant reads a node that is not a template.
func readConstant(d *strictyaml.Decoder, n *yaml.Node) (constant, bool) {
	switch n.ShortTag() {
	case "!!bool":
		s := strings.ToLower(n.Value)
		return constant{s, json.RawMessage(s)}, true
	case "!!int", "!!float":
		if !jsonNumber().MatchString(n.Value) || len(n.Value) > maxNumber {
			d.Problem(n, "JSON has no such number", "write it in decimal digits, or put it in quotes to send it as text")
			return constant{}, noted
		}
		return constant{n.Value, json.RawMessage(n.Value)}, true
	}
	s, ok := strictyaml.Text.Read(d, n)
	if !ok {
		return constant{}, noted
	}
	data, _ := plainjson.Marshal(s) // a text cannot fail
	return constant{s, data}, true
}
