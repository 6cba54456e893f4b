package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// A chart's size, which is scaled to its place on the page.
const (
	chartWidth, chartHeight = 240.0, 72.0
	chartTop                = 4.0
)

// chart is a small picture of numbers over time.
type chart struct {
	Title, Sum string
	// Label describes the chart for people who cannot see it.
	Label string
	Bars  []bar
	Lines []curve
}

// bar is a rectangle with a tooltip.
type bar struct {
	Class      string
	X, Y, W, H string
	Says       string
}

// curve is a line through the known values.
type curve struct{ Class, Path string }

// bars draws counts.
func bars(title, class string, keys []string, values []int) chart {
	total, top := 0, 0
	for _, v := range values {
		total += v
		top = max(top, v)
	}
	c := chart{Title: title, Sum: humanize.Comma(int64(total)), Label: fmt.Sprintf("%s: %d in all, at most %d at once", title, total, top)}
	width := chartWidth / float64(max(len(values), 1))
	for i, v := range values {
		if v == 0 {
			continue
		}
		height := max((chartHeight-chartTop)*float64(v)/float64(top), 1)
		c.Bars = append(c.Bars, bar{
			Class: class, X: coordinate(float64(i)*width + width*0.1), Y: coordinate(chartHeight - height), W: coordinate(width * 0.8), H: coordinate(height),
			Says: fmt.Sprintf("%s UTC: %d", keys[i], v),
		})
	}
	return c
}

// series is a line of durations; 0 means unknown.
type series struct {
	Class  string
	Values []time.Duration
}

// lines draws durations.
func lines(title string, all ...series) chart {
	top := time.Millisecond
	c := chart{Title: title}
	for _, s := range all {
		for _, v := range s.Values {
			top = max(top, v)
		}
	}
	for _, s := range all {
		var path strings.Builder
		step := chartWidth / float64(max(len(s.Values), 1))
		move := "M"
		for i, v := range s.Values {
			if v == 0 {
				move = "M"
				continue
			}
			x := (float64(i) + 0.5) * step
			y := chartHeight - (chartHeight-chartTop)*float64(v)/float64(top)
			fmt.Fprintf(&path, "%s%s %sh0.1", move, coordinate(x), coordinate(y))
			move = "L"
		}
		if path.Len() > 0 {
			c.Lines = append(c.Lines, curve{s.Class, path.String()})
		}
	}
	c.Label = title + ": at most " + top.Round(time.Millisecond).String()
	return c
}

func coordinate(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }
