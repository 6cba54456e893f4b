//go:build linux || darwin || freebsd

package metrics

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeBytes returns the space on a folder's disk that is available to ordinary users.
func freeBytes(folder string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, fmt.Errorf("read the free space on the disk of %s: %w", folder, err)
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}
