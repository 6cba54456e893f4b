package testfairy_test

import (
	"strings"
	"testing"

	"fairbridge/pkg/testfairy"
)

func TestLikeness(t *testing.T) {
	const page = "https://app.testfairy.com/projects/10-demoapp/builds/5/sessions/1"
	long := strings.Repeat("ä 🇩🇪 is wrong\n", 60)
	want := testfairy.Likeness(page, "a@b.c", "it crashes\nhere")
	for _, same := range [][3]string{
		{"https://acme.testfairy.com/projects/10/builds/5/sessions/1?tab=logs", "a@b.c", "it crashes\r\nhere "},
		{"https://beta.acme.example/projects/10-renamed/builds/5/sessions/1/screenshots/a.jpg", "", " it crashes here"},
		{"/projects/10-demoapp/builds/5/sessions/1", "another", "it  crashes here"},
	} {
		if got := testfairy.Likeness(same[0], same[1], same[2]); got != want {
			t.Errorf("%q differs", same)
		}
	}
	for _, other := range [][3]string{
		{page, "a@b.c", "it crashes"}, {page + "2", "a@b.c", "it crashes here"}, {"", "a@b.c", "it crashes here"},
		{"/projects/11/builds/5/sessions/1", "a@b.c", "it crashes here"}, {"/projects/10/builds/6/sessions/1", "a@b.c", "it crashes here"},
	} {
		if testfairy.Likeness(other[0], other[1], other[2]) == want {
			t.Errorf("%q has the same likeness", other)
		}
	}
	if testfairy.Likeness("", " A@b.c", "x") != testfairy.Likeness("", "a@B.c ", "x") || testfairy.Likeness("", "d@b.c", "x") == testfairy.Likeness("", "a@b.c", "x") {
		t.Error("without a session the address does not count")
	}
	// The part of a text that the ledger remembers gives the same likeness as the text.
	for _, ends := range []string{"\n", "\r\n"} {
		text := strings.ReplaceAll(long, "\n", ends)
		if got := testfairy.LikeText(string([]rune(text)[:120])); got != testfairy.LikeText(long) || got == "" {
			t.Errorf("the beginning of a long text has another likeness: %q", got)
		}
	}
	feedback := decode(t, `{"event":"Feedback","sessionUrl":"`+page+`","text":"it crashes here"}`)
	if crash := decode(t, `{"event":"crash","sessionUrl":"`+page+`","text":"it crashes here"}`); feedback.Likeness() != want || crash.Likeness() != "" {
		t.Errorf("of events: %q, %q", feedback.Likeness(), crash.Likeness())
	}
}
