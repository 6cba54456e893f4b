package template

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"text/template"
)

// function is one function that a template may call. The table below is complete: no
// function reads the environment, a file, the network or the clock.
type function struct {
	usage    string // how to write it; the last word is the piped argument
	doc      string // what it returns
	example  string // an action, run by a test
	yields   string // the example's result for the test's event
	min, max int    // number of arguments, including the piped one; max -1: any

	run     func(e *Execution, args []any) (any, error)
	builtin bool // text/template's own, with short-circuit evaluation

	// literals check arguments that are literals, by their position from the left. constant
	// requires them to be literals.
	literals []func(string) error
	constant bool
}

// takes describes the number of arguments, for a message.
func (f function) takes() string {
	noun := " arguments"
	if f.min == 1 {
		noun = " argument"
	}
	switch {
	case f.max < 0:
		return "at least " + strconv.Itoa(f.min) + noun
	case f.max == f.min:
		return strconv.Itoa(f.min) + noun
	}
	return fmt.Sprintf("%d to %d arguments", f.min, f.max)
}

// Functions that only rewriting inserts. They are not in the table, so templates cannot
// call them.
const (
	nameValue = "value"
	nameField = "field"
	nameText  = "text"
	nameEach  = "each"
)

// refused explains what text/template has and these templates do not.
var refused = map[string]string{
	"printf":  "write the text around the actions, or use print",
	"println": "write the text around the actions, or use print",
	"call":    "there is nothing to call but the functions of docs/mapping.md",
	"slice":   "truncate cuts a text",
	"js":      "json writes a value as JSON",
}

// functions is the table, by name.
var functions = table()

// callable is the template from which all others are cloned, with the table as
// text/template needs it. Otherwise each template would convert the table again.
var callable = sync.OnceValue(func() *template.Template {
	m := template.FuncMap{
		nameValue: func(e *Execution, v any) (any, error) { return e.value(v) },
		nameField: func(e *Execution, v any, name string) (any, error) { return e.field(v, name) },
		nameText:  func(e *Execution, v any) (string, error) { return e.text(v) },
		nameEach:  func(e *Execution, weight int, v any) (any, error) { return e.each(weight, v) },
	}
	for name, f := range functions {
		if f.builtin {
			continue
		}
		m[name] = func(e *Execution, args ...any) (any, error) {
			v, err := e.call(f, args)
			if err != nil {
				return nil, &callError{function: name, err: err}
			}
			return v, nil
		}
	}
	return template.New("callable").Funcs(m)
})

// callError is a function's failure. It names the function and contains nothing of the
// event.
type callError struct {
	function string
	err      error
}

func (e *callError) Error() string { return e.function + " " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// call runs a function and pays for what it reads and writes.
func (e *Execution) call(f function, args []any) (any, error) {
	read := 0
	for _, arg := range args {
		if s, ok := arg.(string); ok {
			read += len(s)
		}
	}
	if err := e.spend(1, read); err != nil {
		return nil, err
	}
	v, err := f.run(e, args)
	if err != nil {
		return nil, err
	}
	if s, ok := v.(string); ok {
		if len(s) > maxText {
			return nil, errTooLong
		}
		err = e.spend(0, len(s))
	}
	return v, err
}

// functionNames returns the names of all functions, sorted.
func functionNames() []string {
	return slices.Sorted(maps.Keys(functions))
}

// onText makes a function that takes one text, its last argument.
func onText(run func(s string) string) func(*Execution, []any) (any, error) {
	return func(e *Execution, args []any) (any, error) {
		s, err := e.text(args[len(args)-1])
		if err != nil {
			return nil, err
		}
		return run(s), nil
	}
}

// onTexts makes a function that takes every argument as text.
func onTexts(run func(e *Execution, all []string) (any, error)) func(*Execution, []any) (any, error) {
	return func(e *Execution, args []any) (any, error) {
		all := make([]string, len(args))
		for i, arg := range args {
			s, err := e.text(arg)
			if err != nil {
				return nil, err
			}
			all[i] = s
		}
		return run(e, all)
	}
}

func isCount(s string) error {
	if n, err := strconv.Atoi(s); err != nil || n < 0 {
		return errors.New("needs a whole number of characters here")
	}
	return nil
}

func isPattern(s string) error {
	if _, err := regexp.Compile(s); err != nil {
		return fmt.Errorf("got an invalid pattern: %w", err)
	}
	return nil
}
