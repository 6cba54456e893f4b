package template

import (
	"net/mail"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"alice@corporation.com", "alice@corporation.com"},
		{"Alice.O'Hara+beta@Corporation.com", "Alice.O'Hara+beta@Corporation.com"},
		{"älice@müller.example", "älice@müller.example"},
		{" \u00a0alice@corporation.com\n", "alice@corporation.com"},
		{"alice@corporation.com.", "alice@corporation.com"},
		{"alice@corporation.com; ", "alice@corporation.com"},
		{"Name <a@b.example>", "a@b.example"},
		{`"Last, First" <a@b.example>`, "a@b.example"},
		{"Jo. Smith (work) <a@b.example>.", "a@b.example"},
		{"<a@b.example>", "a@b.example"},
		{"a@b.example <a@b.example>", "a@b.example"},
		{"a@b.example (Alice)", "a@b.example"},
		{"mailto:a@b.example?subject=x", "a@b.example"},
		{"=?utf-8?q?J=C3=B6?= <a@b.example>", "a@b.example"},

		{"", ""},
		{" ", ""},
		{"user-95", ""},
		{"n/a", ""},
		{"+49 151 0000000", ""},
		{"user..name@docomo.ne.jp", ""},
		{"user.@docomo.ne.jp", ""},
		{"a@b.example, c@d.example", ""},
		{"a@b.example;c@d.example", ""},
		{"a@b.example c@d.example", ""},
		{"c@d.example <a@b.example>", ""},
		{"<a@b.example> <c@d.example>", ""},
		{"Name <a@b.example", ""},
		{"jo. smith@b.example", ""},
		{"jo smith@b.example", ""},
		{"@", ""},
		{"a@", ""},
		{"a@b", ""},
		{"a@b..example", ""},
		{"a@-b.example", ""},
		{"a@b_c.example", ""},
		{"a@[127.0.0.1]", ""},
		{`"a b"@c.example`, ""},
		{"a@b.example\nBcc: c@d.example", ""},
		{strings.Repeat("a", 65) + "@b.example", ""},
		{"a@" + strings.Repeat("b.", 130) + "example", ""},
		{`{"a":"a@b.example"}`, ""},
	} {
		if got := address(test.text); got != test.want {
			t.Errorf("address(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}

// FuzzAddress checks that the result is an address contained in the text, without
// surrounding space, and that address returns it unchanged.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"Name <a@b.example>", "a@b.example, c@d.example", `"a b"@c.example`, "mailto:a@b.example", "a(x)@b.example."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := address(s)
		if got == "" {
			return
		}
		if again := address(got); again != got {
			t.Errorf("address(%q) = %q, and of that %q", s, got, again)
		}
		if _, err := mail.ParseAddress(got); err != nil || strings.TrimSpace(got) != got || strings.Count(got, "@") != 1 {
			t.Errorf("address(%q) = %q: %v", s, got, err)
		}
	})
}
