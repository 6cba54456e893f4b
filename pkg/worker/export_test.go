package worker

import "time"

// After replaces time.AfterFunc.
func (h *Handler) After(f func(time.Duration, func()) (stop func() bool)) { h.after = f }
