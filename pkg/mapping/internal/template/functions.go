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

// function is one word that a template may call. The table below is all there
// are: none reads the environment, a file, the network or the clock.
type function struct {
	usage    string // how to write it; the last word is what a pipe hands on
	doc      string // what it yields
	example  string // an action, run by a test
	yields   string // what the example yields for the test's event
	min, max int    // how many arguments, with the piped one; max -1: any number

	run     func(e *Execution, args []any) (any, error)
	builtin bool // text/template's own: it stops at the first argument that decides

	// literals check arguments that are written out, by their position from
	// the left. constant says that those must be written out.
	literals []func(string) error
	constant bool
}

// takes says how many arguments the function wants, for a message.
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

// The functions that only rewrite calls. They are not in the table, so that a
// template cannot.
const (
	nameField = "field"
	nameText  = "text"
	nameEach  = "each"
)

// refused explains what text/template has and templates here have not.
var refused = map[string]string{
	"printf":  "write the text around the actions, or use print",
	"println": "write the text around the actions, or use print",
	"call":    "there is nothing to call but the functions of docs/mapping.md",
	"slice":   "truncate cuts a text",
	"js":      "json writes a value as JSON",
}

// functions is the table, by name.
var functions = table()

// callable is what templates are made of, with the table as text/template takes
// it. One for all: each template would otherwise read the table again.
var callable = sync.OnceValue(func() *template.Template {
	m := template.FuncMap{
		nameField: func(e *Execution, v any, path ...string) (any, error) { return e.field(v, path...) },
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

// callError is a function's failure. It names the function and shows nothing
// of the event.
type callError struct {
	function string
	err      error
}

func (e *callError) Error() string { return e.function + " " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// call runs a function and pays for what it reads and makes.
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

// functionNames lists what a template may call, sorted.
func functionNames() []string {
	return slices.Sorted(maps.Keys(functions))
}

// onText makes a function of one text. The text is the last argument.
func onText(run func(s string) string) func(*Execution, []any) (any, error) {
	return func(e *Execution, args []any) (any, error) {
		s, err := e.text(args[len(args)-1])
		if err != nil {
			return nil, err
		}
		return run(s), nil
	}
}

// texts is every argument as text.
func (e *Execution) texts(args []any) ([]string, error) {
	all := make([]string, len(args))
	for i, arg := range args {
		s, err := e.text(arg)
		if err != nil {
			return nil, err
		}
		all[i] = s
	}
	return all, nil
}

func isCount(s string) error {
	if n, err := strconv.Atoi(s); err != nil || n < 0 {
		return errors.New("wants a whole number of characters here")
	}
	return nil
}

func isPattern(s string) error {
	if _, err := regexp.Compile(s); err != nil {
		return fmt.Errorf("is given a bad pattern: %w", err)
	}
	return nil
}
