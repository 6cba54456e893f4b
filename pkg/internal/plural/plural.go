// Package plural counts things in English.
package plural

import "fmt"

// Count is "1 letter" or "2 letters": it adds an s to everything but one.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
