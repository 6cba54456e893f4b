package deadletter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/queue"
)

// shortestID is the minimum length of a shortened delivery id.
const shortestID = 6

// Words is a [Filter] as a person writes it.
type Words struct {
	IDs, Reasons, Stages, Statuses, Apps []string
	// Since and Until are in the form of [ParseTime], "" for none.
	Since, Until string
	// Match are in the form of [ParseCondition].
	Match []string
	// Group is the [Group.Key] of a cause, "" for any.
	Group string
}

// WordError means that a word of a filter is invalid.
type WordError struct {
	// Word is its name: status, since, until, match or group; "" if Err includes it.
	Word string
	Err  error
}

func (e *WordError) Error() string { return strings.TrimPrefix(e.Word+": "+e.Err.Error(), ": ") }

func (e *WordError) Unwrap() error { return e.Err }

// Any reports whether there is anything besides ids.
func (w Words) Any() bool {
	return len(w.Reasons)+len(w.Statuses)+len(w.Stages)+len(w.Apps)+len(w.Match) > 0 || w.Since != "" || w.Until != "" || w.Group != ""
}

// Args returns the words as command-line arguments, without the ids; --all if there are
// none.
func (w Words) Args() (args []string) {
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				args = append(args, flag, v)
			}
		}
	}
	add("--reason", w.Reasons...)
	add("--status", w.Statuses...)
	add("--stage", w.Stages...)
	add("--app", w.Apps...)
	add("--since", w.Since)
	add("--until", w.Until)
	add("--match", w.Match...)
	add("--group", w.Group)
	if len(args) == 0 {
		return []string{"--all"}
	}
	return args
}

// CheckID returns a [*WordError] if a text is neither a delivery id nor a long enough
// beginning of one.
func CheckID(id string) error {
	if len(id) < shortestID || strings.Trim(strings.ToLower(id), "0123456789abcdef") != "" {
		return &WordError{Err: fmt.Errorf("%q is not a delivery id; give at least its first %d characters", id, shortestID)}
	}
	return nil
}

// Filter parses the words. The error is a [*WordError].
func (w Words) Filter(now time.Time) (Filter, error) {
	f := Filter{IDs: w.IDs, Statuses: w.Statuses, Apps: w.Apps, Group: w.Group}
	if w.Group != "" && (len(w.Group) != keyLength || strings.Trim(w.Group, "0123456789abcdef") != "") {
		return f, &WordError{"group", fmt.Errorf("%q does not name a group; 'fairbridge dlq list' and the console do", w.Group)}
	}
	for _, id := range w.IDs {
		if err := CheckID(id); err != nil {
			return f, err
		}
	}
	var err error
	if f.Reasons, err = oneOf("reason", w.Reasons, queue.Reasons()); err != nil {
		return f, err
	}
	if f.Stages, err = oneOf("stage", w.Stages, queue.Stages()); err != nil {
		return f, err
	}
	for _, status := range w.Statuses {
		if !statusPattern.MatchString(status) {
			return f, &WordError{"status", fmt.Errorf("%q is not an HTTP status; give one such as 400, or a class such as 5xx", status)}
		}
	}
	for _, bound := range []struct {
		word, text string
		time       *time.Time
	}{{"since", w.Since, &f.Since}, {"until", w.Until, &f.Until}} {
		if bound.text == "" {
			continue
		}
		if *bound.time, err = ParseTime(bound.text, now); err != nil {
			return f, &WordError{bound.word, err}
		}
	}
	for _, m := range w.Match {
		c, err := ParseCondition(m)
		if err != nil {
			return f, &WordError{"match", err}
		}
		f.Match = append(f.Match, c)
	}
	return f, nil
}

// oneOf parses words that must each be one of all.
func oneOf[S ~string](what string, words []string, all []S) (read []S, err error) {
	for _, word := range words {
		if !slices.Contains(all, S(word)) {
			names := make([]string, len(all))
			for i, one := range all {
				names[i] = string(one)
			}
			return nil, &WordError{Err: fmt.Errorf("there is no %s %q; the %ss are %s", what, word, what, strings.Join(names, ", "))}
		}
		read = append(read, S(word))
	}
	return read, nil
}
