package testfairy

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"fairbridge/pkg/internal/clip"
)

// FieldReconciled is the field with TestFairy's id of a feedback whose webhook never came,
// and which 'fairbridge reconcile' has built from the REST API.
const FieldReconciled = "reconciled"

// likeText is how much of a feedback's text is compared, in characters. The ledger keeps
// 120, in which line ends may count twice.
const likeText = 100

// Likeness is equal for a feedback's webhook and its entry in the REST API. It is made of
// the session, by any of its URLs or paths, and the beginning of the text; without a
// session, of the address too. If a tester says the same thing twice, both feedbacks have
// the same likeness.
func Likeness(sessionURL, email, text string) string {
	who := "by " + strings.ToLower(strings.TrimSpace(email))
	if session := SessionKey(sessionURL); session != "" {
		who = session
	}
	sum := sha256.Sum256([]byte(who + "\n" + LikeText(text)))
	return hex.EncodeToString(sum[:])
}

// Likeness returns that of the event if it is a feedback, otherwise "".
func (e Event) Likeness() string {
	if e.Kind != KindFeedback {
		return ""
	}
	return Likeness(e.Text("sessionUrl"), e.Text("email"), e.Text("text"))
}

// SessionKey is equal for all URLs and paths of a session, on any host and with or without
// the project's readable suffix; "" for anything else.
func SessionKey(sessionURL string) string {
	project, build, session, ok := SessionIDs(sessionURL)
	if !ok {
		return ""
	}
	if number, _, tail := strings.Cut(project, "-"); tail && number != "" && strings.Trim(number, "0123456789") == "" {
		project = number
	}
	return project + "/" + build + "/" + session
}

// LikeText returns the beginning of a text for comparison, regardless of line ends and
// surrounding white space.
func LikeText(text string) string {
	return clip.Text(strings.Join(strings.Fields(clip.Text(text, 4*likeText, "")), " "), likeText, "")
}
