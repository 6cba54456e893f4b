package main

import (
	"fmt"
	"testing"
)

// figure is one line of the table: what is measured, beside what floor, and
// what it must reach.
type figure struct {
	Key   string // by which a later run finds it
	What  string
	Unit  string
	Floor string // "" for none
	Must  must
}

// sample is what one round measured for a figure.
type sample struct{ value, floor float64 }

// must is a bound for what a sample is judged by: the ratio of its value to its
// floor, their difference, or the value itself.
type must struct {
	by      judged
	limit   float64
	atLeast bool // more is better
	bound   bool // false: only reported
	// most, if it is not 0, bounds the value itself besides.
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

// andAtMost adds a bound of the value itself.
func (m must) andAtMost(value float64) must {
	m.most = value
	return m
}

func atMost(limit float64) must      { return must{by: byValue, limit: limit, bound: true} }
func atMostAbove(limit float64) must { return must{by: byDifference, limit: limit, bound: true} }

// judge returns what s is judged by.
func (m must) judge(s sample) float64 {
	switch m.by {
	case byRatio:
		return s.value / s.floor
	case byDifference:
		return s.value - s.floor
	}
	return s.value
}

// missedBy says whether a figure misses its bound by what it is judged by, and its value.
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

// text is the bound as the table shows it.
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
	// once says that a round takes so long that one has to do.
	once bool
	// open prepares what all rounds share. What it leaves to tb's cleanup stays
	// until the last round is over.
	open func(tb testing.TB, l *lab) round
}

// round measures each figure once, and returns the samples in the figures'
// order. It takes floor and subject in turns, so that what else the machine does
// hits both.
type round func(tb testing.TB) []sample
