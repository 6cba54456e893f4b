package deadletter

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"fairbridge/pkg/internal/lazyregexp"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// Group is dead letters with one cause, which can be replayed together once it is fixed.
type Group struct {
	// Key identifies the cause, in a [Filter] and in a URL. It does not change when letters
	// come and go.
	Key string `json:"key"`
	// Cause has the Problem of the newest letter. The others' problems differ from it at most
	// in quoted text, addresses, ids, long numbers or numbered parts of a path.
	Cause
	Count int `json:"count"`
	// Since is when the first of them died, Newest when the last did.
	Since  time.Time `json:"since"`
	Newest time.Time `json:"newest"`
	// IDs are the deliveries, the oldest death first.
	IDs []string `json:"ids"`
}

// Cause is what the letters of a [Group] have in common.
type Cause struct {
	Reason queue.Reason `json:"reason,omitempty"`
	Stage  queue.Stage  `json:"stage,omitempty"`
	Status int          `json:"status,omitempty"`
	// Project and Source are where the request for the ticket went, if the ledger knows.
	Project string `json:"project,omitempty"`
	Source  string `json:"source,omitempty"`
	Problem string `json:"problem,omitempty"`
	// Done means that the letters are finished, see [Case.Done], whatever the cause was.
	Done bool `json:"done,omitempty"`
}

// particulars matches what may differ in the problems of two letters with the same cause:
// quoted text, addresses, ids, long numbers, and numbered parts of a path.
var particulars = lazyregexp.New(`"[^"]*"|\S+@\S+|\b[0-9a-fA-F]{8,}\b|[0-9]{4,}|/[^/\s:?]*[0-9][^/\s:?]*`)

// keyLength is the length of a [Group.Key].
const keyLength = 12

func (c Cause) key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{c.Reason, c.Stage, c.Status, c.Project, c.Source, c.Problem, c.Done}))
	return hex.EncodeToString(sum[:])[:keyLength]
}

// causes determines the causes of letters. It caches each problem without its particulars:
// most are equal.
type causes map[string]string

func (problems causes) of(c Case) Cause {
	if c.Done() {
		return Cause{Done: true}
	}
	problem, known := problems[c.Description]
	if !known {
		problem = particulars().ReplaceAllString(c.Description, "…")
		problems[c.Description] = problem
	}
	of := Cause{Reason: c.Reason, Stage: c.Stage, Status: c.Status, Problem: problem}
	of.Project, of.Source = c.where()
	return of
}

// where returns the project and External Source that the request for the ticket went to, if
// the ledger was read and knows.
func (c Case) where() (project, source string) {
	if c.Entry == nil || c.Entry.Where == nil {
		return "", ""
	}
	return c.Entry.Where.Project, c.Entry.Where.Source
}

// Groups groups cases by cause: the largest group first, finished ones last. The cases must
// be in the order of their deaths, as in a [Selection], and have their ledger entries, see
// [Query.Entries].
func Groups(cases []Case) []Group {
	at := map[Cause]int{}
	known := causes{}
	var groups []Group
	for _, c := range cases {
		of := known.of(c)
		i, begun := at[of]
		if !begun {
			i = len(groups)
			at[of] = i
			groups = append(groups, Group{Key: of.key(), Cause: of, Since: c.DiedAt()})
		}
		g := &groups[i]
		g.Count++
		g.Newest = c.DiedAt()
		g.IDs = append(g.IDs, c.DeliveryID)
		if !g.Done {
			g.Problem = c.Description
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		if a.Done != b.Done {
			if a.Done {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.Since.Compare(b.Since))
	})
	return groups
}

// Done reports whether a letter is finished: its delivery is completed or was dropped, so
// the letter is an old copy. It needs the case's Entry.
func (c Case) Done() bool {
	return c.Entry != nil && (c.Entry.State == ledger.Completed || c.Entry.Dropped() && c.Generation < c.Entry.Generation)
}
