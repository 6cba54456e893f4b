package main

import (
	"fmt"
	"testing"
)

// figure is one line of the table: what is measured, its floor, and the bound it must meet.
type figure struct {
	Key   string // identifies the figure in later runs
	What  string
	Unit  string
	Floor string // "" for none
	Must  must
}

// sample is one round's measurement of a figure.
type sample struct{ value, floor float64 }

// must is a bound on the ratio of a sample's value to its floor, on their difference, or on
// the value itself.
type must struct {
	by      judged
	limit   float64
	atLeast bool // more is better
	bound   bool // false: only reported
	// most, if not 0, is an additional bound on the value.
	most float64
}

type judged int

const (
	byRatio judged = iota
	byDifference
	byValue
)

var (
	reported      = must{by: byRatio}
	reportedValue = must{by: byValue}
)

func atMostTimes(limit float64) must { return must{by: byRatio, limit: limit, bound: true} }
func atLeastTimes(limit float64) must {
	return must{by: byRatio, limit: limit, atLeast: true, bound: true}
}

// andAtMost adds a bound on the value itself.
func (m must) andAtMost(value float64) must {
	m.most = value
	return m
}

func atMost(limit float64) must      { return must{by: byValue, limit: limit, bound: true} }
func atMostAbove(limit float64) must { return must{by: byDifference, limit: limit, bound: true} }

// judge returns the number to which the bound applies.
func (m must) judge(s sample) float64 {
	switch m.by {
	case byRatio:
		return s.value / s.floor
	case byDifference:
		return s.value - s.floor
	}
	return s.value
}

// missedBy reports whether a figure misses its bound.
func (m must) missedBy(judged, value float64) bool {
	switch {
	case !m.bound:
		return false
	case m.most > 0 && value > m.most:
		return true
	case m.atLeast:
		return judged < m.limit
	}
	return judged > m.limit
}

// text returns the bound as shown in the table.
func (m must) text(unit string) string {
	sign := "≤"
	if m.atLeast {
		sign = "≥"
	}
	switch {
	case !m.bound:
		return ""
	case m.by == byRatio:
		text := fmt.Sprintf("%s %.4g", sign, m.limit)
		if m.most > 0 {
			text += fmt.Sprintf(", ≤ %g %s", m.most, unit)
		}
		return text
	case m.by == byDifference:
		return fmt.Sprintf("%s +%g %s", sign, m.limit, unit)
	}
	return fmt.Sprintf("%s %g %s", sign, m.limit, unit)
}

// experiment measures some figures.
type experiment struct {
	name    string
	figures []figure
	// once means that a round takes so long that only one is made.
	once bool
	// open prepares what all rounds share. Its cleanups run after the last round.
	open func(tb testing.TB, l *lab) round
}

// round measures each figure once, and returns the samples in the figures' order. It
// alternates between floor and subject, so that other load on the machine affects both.
type round func(tb testing.TB) []sample
