//go:build !linux && !darwin && !freebsd

package metrics

import "errors"

// freeBytes is not implemented for this system.
func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
