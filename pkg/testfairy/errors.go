package testfairy

import "fmt"

// SyntaxError says why a body is not a payload at all: not JSON, not one
// object, or nested too deep. It quotes at most one character of the body.
type SyntaxError struct {
	// Offset is where in the body, in bytes from its start; -1 if that is not
	// known.
	Offset int64
	// Problem is what is wrong there.
	Problem string
	// TooDeep says that the fault is the nesting, and not the syntax.
	TooDeep bool
}

// Error implements error.
func (e *SyntaxError) Error() string {
	if e.Offset < 0 {
		return "decode payload: " + e.Problem
	}
	return fmt.Sprintf("decode payload: %s (byte %d)", e.Problem, e.Offset)
}
