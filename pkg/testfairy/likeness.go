package testfairy

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"fairbridge/pkg/internal/clip"
)

// FieldReconciled is the field of a feedback whose webhook never came, and which
// 'fairbridge reconcile' has made of what the REST API says: TestFairy's id of it.
const FieldReconciled = "reconciled"

// likeText is how much of a feedback's text is compared, in characters. The ledger
// remembers 120, in which line ends may count twice.
const likeText = 100

// Likeness is the same for what a webhook and what the REST API say of one
// feedback: the session, by any URL or path of it, and the beginning of the text;
// the address as well where there is no session. Two feedbacks have the same one
// if a tester says the same twice.
func Likeness(sessionURL, email, text string) string {
	who := "by " + strings.ToLower(strings.TrimSpace(email))
	if session := SessionKey(sessionURL); session != "" {
		who = session
	}
	sum := sha256.Sum256([]byte(who + "\n" + LikeText(text)))
	return hex.EncodeToString(sum[:])
}

// Likeness is that of the event, if it is a feedback; else "".
func (e Event) Likeness() string {
	if e.Kind != KindFeedback {
		return ""
	}
	return Likeness(e.Text("sessionUrl"), e.Text("email"), e.Text("text"))
}

// SessionKey is the same for all URLs and paths of a session, at whatever host and
// with or without the project's readable tail; "" if it is none's.
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

// LikeText is the beginning of a text as it is compared: how its lines are ended,
// and what space is at its ends, does not count.
func LikeText(text string) string {
	return clip.Text(strings.Join(strings.Fields(clip.Text(text, 4*likeText, "")), " "), likeText, "")
}
