package main

import (
	"math"
	"slices"
	"time"
)

// spread summarises the values of several rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of at least one value.
func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	return spread{Median: percentile(sorted, 50), Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// unrest returns how much the values differ, as a fraction of their median.
func (s spread) unrest() float64 {
	if s.Median == 0 {
		return 0
	}
	return (s.Max - s.Min) / s.Median
}

// percentile returns the p-th percentile of sorted values, interpolated.
func percentile(sorted []float64, p float64) float64 {
	at := p / 100 * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// timings are how long each of many calls took, in milliseconds.
type timings []float64

func (t *timings) add(d time.Duration) { *t = append(*t, milliseconds(d)) }

func (t timings) percentile(p float64) float64 {
	return percentile(slices.Sorted(slices.Values(t)), p)
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
