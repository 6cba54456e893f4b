// Package lazyregexp compiles regular expressions on first use. Otherwise a Lambda cold
// start would pay for expressions that only an error or an unusual mapping file needs.
package lazyregexp

import (
	"regexp"
	"sync"
)

// New returns a function that compiles pattern once and returns it. Like
// [regexp.MustCompile], the function panics if pattern is not a regular expression.
func New(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
