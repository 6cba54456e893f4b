package worker

import "time"

// After has f stand in for time.AfterFunc.
func (h *Handler) After(f func(time.Duration, func()) (stop func() bool)) { h.after = f }
