package worker

import (
	"cmp"
	"net/url"

	"fairbridge/pkg/internal/clip"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/testfairy"
)

// How many characters of a field the ledger keeps: enough to find and to recognise a
// feedback.
const (
	mostText  = 120
	mostField = 80
)

// aboutOf returns what a delivery is about. With withoutTexts it contains nothing about a
// person.
func aboutOf(e testfairy.Event, withoutTexts bool) ledger.About {
	field := func(name string, most int) string {
		return clip.Text(e.Text(name), most, "")
	}
	about := ledger.About{
		Kind: string(e.Kind), App: field("appName", mostField), Version: field("version", mostField), Build: field("build", mostField),
	}
	about.Reconciled = e.Text(testfairy.FieldReconciled) != ""
	if session, err := url.Parse(e.Text("sessionUrl")); err == nil {
		about.Session = clip.Bytes(session.Path, 2*mostField, "")
		if session.Scheme == "https" && session.User == nil && len(session.Host) <= mostField {
			about.SessionHost = session.Host
		}
	}
	if !withoutTexts {
		about.Email = cmp.Or(field("email", mostField), field("testerEmail", mostField))
		about.Text = cmp.Or(field("text", mostText), field("crashMessage", mostText))
	}
	return about
}
