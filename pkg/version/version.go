// Package version identifies this build of FairBridge.
package version

import (
	"runtime/debug"
	"sync"
)

// Number is the version, as in [Semantic Versioning]. It is a constant so that the same
// source gives the same Lambda packages. A release's tag is this with a leading v.
//
// [Semantic Versioning]: https://semver.org/
const Number = "0.1.0"

// commit is set by a build that Go cannot ask git for it:
// -ldflags '-X fairbridge/pkg/version.commit=...'.
var commit string

// Commit returns the commit that this was built from, with "-modified" where the
// sources were changed since; "" where the build does not say.
var Commit = sync.OnceValue(func() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var revision, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-modified"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + modified
})

// Product is name, version and commit as in a User-Agent header:
// FairBridge/0.1.0 (0123abc...).
// https://www.rfc-editor.org/rfc/rfc9110#name-user-agent
func Product() string {
	product := "FairBridge/" + Number
	if c := Commit(); c != "" {
		product += " (" + c + ")"
	}
	return product
}
