// Package lazyregexp compiles regular expressions when they are first used. A
// function's cold start would otherwise pay for those that only an error or an
// unusual mapping file needs.
package lazyregexp

import (
	"regexp"
	"sync"
)

// New returns a function that returns pattern, compiled once. It panics there,
// as [regexp.MustCompile] does, if pattern is not a regular expression.
func New(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
