package testfairy

import "fmt"

// SyntaxError is why a body is not a payload at all: not JSON, not one object, or nested
// too deep. It quotes at most one character of the body.
type SyntaxError struct {
	// Offset is the position in the body, in bytes from its start; -1 if unknown.
	Offset int64
	// Problem is what is wrong there.
	Problem string
	// TooDeep means that the problem is the nesting, not the syntax.
	TooDeep bool
}

// Error implements error.
func (e *SyntaxError) Error() string {
	if e.Offset < 0 {
		return "decode payload: " + e.Problem
	}
	return fmt.Sprintf("decode payload: %s (byte %d)", e.Problem, e.Offset)
}
