package ledger

import "fmt"

// FileNames returns the names under which the ledger keeps attachments. They are derived
// from the file elements; several files of one element are numbered in their order.
func FileNames[A any](all []A, element func(A) string) []string {
	names := make([]string, len(all))
	seen := map[string]int{}
	for i, a := range all {
		names[i] = element(a)
		if seen[names[i]]++; seen[names[i]] > 1 {
			names[i] = fmt.Sprintf("%s#%d", names[i], seen[names[i]])
		}
	}
	return names
}

// Lacking returns the attachments that Centercode does not have yet.
func Lacking[A any](e Entry, all []A, element func(A) string) []A {
	var left []A
	for i, name := range FileNames(all, element) {
		if _, done := e.Attached[name]; !done {
			left = append(left, all[i])
		}
	}
	return left
}
