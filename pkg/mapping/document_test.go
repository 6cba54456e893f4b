package mapping

import (
	"errors"
	"fairbridge/pkg/testfairy"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// checkDocument checks that a mapping survives the round trip through its document.
func checkDocument(t *testing.T, c *Config, in Input) {
	t.Helper()
	document := c.Document()
	other, err := Parse("document.yaml", document)
	if err != nil {
		t.Fatalf("the document cannot be read: %v\n%s", err, document)
	}
	if other.Hash() != c.Hash() {
		t.Errorf("the document has another hash:\n%s", document)
	}
	if !reflect.DeepEqual(other.Centercode.Hosts, c.Centercode.Hosts) || other.Centercode.BaseURL != c.Centercode.BaseURL ||
		other.Retry != c.Retry || other.Ledger != c.Ledger || other.TestFairy != c.TestFairy || !reflect.DeepEqual(other.Sources, c.Sources) {
		t.Errorf("the document has other settings:\n%s", document)
	}
	want, wantErr := c.Map(in)
	got, gotErr := other.Map(in)
	if !reflect.DeepEqual(got, want) || (gotErr == nil) != (wantErr == nil) {
		t.Errorf("the document gives %+v, %v; want %+v, %v\n%s", got, gotErr, want, wantErr, document)
	}
}

func TestDocument(t *testing.T) {
	const site, rest = "https://stage.example.com", "\nroutes: [{match: {event: feedback}, project: A, source: b, fields: {x: \"{{ .text }}\"}}]\n"
	for name, test := range map[string]struct{ file, want string }{
		"none":           {"# mine" + rest, "# mine" + rest + "\ncentercode: {baseUrl: \"https://stage.example.com\"}\n"},
		"plain":          {"centercode:\n  baseUrl: https://beta.example.com/ # ours" + rest, "centercode:\n  baseUrl: https://stage.example.com # ours" + rest},
		"quoted":         {"centercode: {baseUrl: 'https://beta.example.com'}" + rest, "centercode: {baseUrl: 'https://stage.example.com'}" + rest},
		"CRLF":           {"centercode:\r\n  baseUrl: https://beta.example.com\r\n" + rest, "centercode:\r\n  baseUrl: https://stage.example.com\r\n" + rest},
		"anchored":       {"centercode: {baseUrl: &b https://beta.example.com}" + rest, "centercode: {baseUrl: &b https://stage.example.com}" + rest},
		"the same":       {"centercode: {baseUrl: https://stage.example.com/}" + rest, "centercode: {baseUrl: https://stage.example.com/}" + rest},
		"without a site": {"centercode: {hosts: [a.example.com]}" + rest, `{"centercode": {"hosts": ["a.example.com"], "baseUrl": "https://stage.example.com"}, "routes": [{"match": {"event": "feedback"}, "project": "A", "source": "b", "fields": {"x": "{{ .text }}"}}]}`},
		"escaped":        {"centercode: {baseUrl: \"https:\\x2f/beta.example.com\"}" + rest, `{"centercode": {"baseUrl": "https://stage.example.com"}, "routes": [{"match": {"event": "feedback"}, "project": "A", "source": "b", "fields": {"x": "{{ .text }}"}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			c := mustParse(t, test.file)
			checkDocument(t, c, input(t, feedback))
			if got := string(c.Document()); got != test.file {
				t.Errorf("the document is %q, not the file", got)
			}
			other, err := c.WithBaseURL(site + "/")
			if err != nil {
				t.Fatal(err)
			}
			checkDocument(t, other, input(t, feedback))
			if got := string(other.Document()); got != test.want {
				t.Errorf("%q\nwant %q", got, test.want)
			}
			if other.Centercode.BaseURL != site || (other.Hash() == c.Hash()) != (name == "the same") {
				t.Errorf("hash %s, of the file %s, for %s", other.Hash(), c.Hash(), other.Centercode.BaseURL)
			}
		})
	}
}

// TestDocumentOfEverything checks that the document preserves everything that a file can
// contain: tags, numbers as written, aliases, empty and unusual texts, and a missing base
// URL.
func TestDocumentOfEverything(t *testing.T) {
	files := schemaFiles(t)
	files["odd"] = route(`      "\x7f\u2028é\U0001F600\t\"": &a ["{{ .text }}\n", "", 1e3, -0.50, True, 2015-07-01, '"', "\\", "a: b # c", "\x85"]
      1: *a
      *k : {choice: "{{ .build }}", allowed: [1, "2", true], synonyms: {on: 1, 3: "2"}, fallback: 1}
      z: 0x10
`)
	files["odd"] = strings.Replace(files["odd"], "project: DEMO", "project: &k 0x1F", 1)
	files["odd"] = strings.Replace(files["odd"], "      z: 0x10\n", "", 1)
	tried := 0
	for name, file := range files {
		c, err := Parse(name, []byte(file))
		if err != nil {
			continue
		}
		tried++
		c.Centercode.BaseURL = "" // as with a simulator; only the canonical form can express it
		if other, err := Parse(name, canonical(c.effective())); err != nil || other.Hash() != c.Hash() {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkDocument(t, c, input(t, feedback))
	}
	if _, err := Parse("odd", []byte(files["odd"])); err != nil || tried < 20 {
		t.Errorf("%d files: %v", tried, err)
	}
}

// TestHash checks that equivalent mappings have the same hash, and others do not.
func TestHash(t *testing.T) {
	const file = "routes: [{match: {event: feedback}, project: A, source: b, fields: {x: y, z: 1}}]"
	hash := mustParse(t, file).Hash()
	for _, same := range []string{
		"# comment\nroutes:\n- match:\n    event: 'feedback'\n  project: \"A\"\n  source: b\n  fields:\n    x: |-\n      y\n    'z': 1\n",
		"routes: [{match: {event: feedback}, project: A, source: &b b, fields: {x: \"\\x79\", z: 1}}]",
	} {
		if mustParse(t, same).Hash() != hash {
			t.Errorf("another hash: %s", same)
		}
	}
	for _, other := range []string{
		strings.Replace(file, "z: 1", `z: "1"`, 1),
		strings.Replace(file, "x: y, z: 1", "z: 1, x: y", 1),
		file + "\nretry: {for: 71h}",
		file + "\ncentercode: {baseUrl: https://beta.example.com}",
	} {
		if mustParse(t, other).Hash() == hash {
			t.Errorf("the same hash: %s", other)
		}
	}
	if len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		t.Errorf("hash %q", hash)
	}
}

func TestWithBaseURL(t *testing.T) {
	c := mustParse(t, "centercode: {baseUrl: https://beta.example.com}\nroutes: [{match: {}, ignore: true}]")
	for _, bad := range []string{"", " ", "beta.example.com", "http://beta.example.com", "https://beta.example.com/api/v1", "https://{{ .x }}", "https://a@b.example"} {
		if other, err := c.WithBaseURL(bad); err == nil {
			t.Errorf("%q is accepted: %s", bad, other.Centercode.BaseURL)
		} else if strings.HasSuffix(err.Error(), "; ") || errors.As(err, new(Problems)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if c.Centercode.BaseURL != "https://beta.example.com" {
		t.Error("the mapping itself was changed")
	}
}

func TestTicketURL(t *testing.T) {
	site := mustParse(t, "centercode: {ticketUrl: \"https://beta.example.com/p/{{ .project }}?id={{ .ticketId }}\"}\nroutes: [{match: {}, ignore: true}]").Centercode
	for _, test := range []struct{ project, id, want string }{
		{"DEMO", "17", "https://beta.example.com/p/DEMO?id=17"},
		{"A B", "1/2&x=y#z", "https://beta.example.com/p/A%20B?id=1%2F2%26x%3Dy%23z"},
		{"DEMO", "", ""},
	} {
		if got := site.TicketURL(test.project, test.id); got != test.want {
			t.Errorf("%q, %q: %s, want %s", test.project, test.id, got, test.want)
		}
	}
	if got := (Centercode{}).TicketURL("DEMO", "17"); got != "" {
		t.Errorf("%s without a template", got)
	}
	const file = "centercode: {ticketUrl: '%s'}\nroutes: [{match: {}, ignore: true}]"
	for text, valid := range map[string]bool{
		`{{ if eq .project "A" }}https://a.example.com{{ else }}https://b.example.com{{ end }}/{{ .ticketId }}`: true,
		`{{ $id := .ticketId }}https://{{ .project }}.example.com/{{ $id }}`:                                    true,
		` http://localhost:8080/{{ .ticketId -}} `:                                                              true,
		`http://beta.example.com/{{ .ticketId }}`:                                                               false,
		`//beta.example.com/{{ .ticketId }}`:                                                                    false,
		`{{ .ticketId }}`:                                                                                       false,
	} {
		if _, err := Parse("", fmt.Appendf(nil, file, text)); (err == nil) != valid {
			t.Errorf("%s: %v, want it valid: %t", text, err, valid)
		}
	}
}

func TestSettings(t *testing.T) {
	const rest = "\nroutes: [{match: {}, ignore: true}]"
	c := mustParse(t, "centercode: {hosts: [Files.example.com, \"b.example.com:443\", \"localhost:8081\", \"[::1]:8081\"]}\nretry: {for: 3d}\nledger: {remember: ids}"+rest)
	if want := []string{"files.example.com", "b.example.com", "localhost:8081", "[::1]:8081"}; !reflect.DeepEqual(c.Centercode.Hosts, want) {
		t.Errorf("hosts %q", c.Centercode.Hosts)
	}
	if c.Retry.For.Hours() != 72 || c.Ledger.Remember != RememberIDs {
		t.Errorf("%+v %+v", c.Retry, c.Ledger)
	}
	c = mustParse(t, rest)
	if c.Retry.For != defaultPatience || c.Ledger.Remember != RememberAll || c.Centercode.Hosts != nil {
		t.Errorf("by default %+v %+v %+v", c.Retry, c.Ledger, c.Centercode)
	}
	for text, hours := range map[string]float64{"1h": 1, "10d": 240, "240h": 240, "90m": 1.5, "1d": 24} {
		if c := mustParse(t, "retry: {for: "+text+"}"+rest); c.Retry.For.Hours() != hours {
			t.Errorf("%s: %v", text, c.Retry.For)
		}
	}
	for _, bad := range []string{"59m", "241h", "11d", "-1h", "99999d", "d", "1.5d", "72"} {
		if _, err := Parse("x.yaml", []byte("retry: {for: "+bad+"}"+rest)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// TestKinds checks that a route may name a kind that TestFairy does not document, and that
// case and surrounding space are ignored.
func TestKinds(t *testing.T) {
	c := mustParse(t, "routes: [{match: {event: [\" New-UDID \", Crash]}, project: A, source: b, fields: {x: y}}, {match: {event: feedback}, ignore: true}]")
	for kind, want := range map[string]bool{"new-udid": true, "NEW-UDID": true, "crash": true, " Crash\n": true, "feedback": false, "upload": false, "": false, "x": false} {
		if got := c.Wants(testfairy.Kind(kind)); got != want {
			t.Errorf("Wants(%q) = %t", kind, got)
		}
	}
	if _, err := c.Map(input(t, `{"event":"new-udid"}`)); err != nil {
		t.Error(err)
	}
	if _, err := Parse("x.yaml", []byte("routes: [{match: {event: feedbck}, ignore: true}]")); err == nil {
		t.Error("a misspelled kind is accepted")
	}
}
