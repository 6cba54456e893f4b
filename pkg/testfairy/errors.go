package testfairy

import (
	"fmt"
	"strings"
)

// SyntaxError says why a body is not a payload at all: not JSON, not one
// object, or nested too deep. It quotes at most one character of the body.
type SyntaxError struct {
	// Offset is where in the body, in bytes from its start; -1 if that is not
	// known.
	Offset int64
	// Problem is what is wrong there.
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	if e.Offset < 0 {
		return "decode payload: " + e.Problem
	}
	return fmt.Sprintf("decode payload: %s (byte %d)", e.Problem, e.Offset)
}

// ValidationError names every field of a payload that is not as it must be.
// It quotes no value, so it may be logged and answered.
type ValidationError struct {
	// Fields has at least one entry, and at most one a field.
	Fields []FieldError
}

// FieldError is what is wrong with one field.
type FieldError struct {
	// Field is the field's name in the payload.
	Field string `json:"field"`
	// Problem completes a sentence that starts with the field's name.
	Problem string `json:"problem"`
}

// Error implements error.
func (e *ValidationError) Error() string {
	problems := make([]string, len(e.Fields))
	for i, field := range e.Fields {
		problems[i] = field.Field + " " + field.Problem
	}
	return "invalid payload: " + strings.Join(problems, "; ")
}
