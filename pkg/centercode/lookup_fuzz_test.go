package centercode

import (
	"strings"
	"testing"
)

func FuzzPackagePage(f *testing.F) {
	f.Add([]byte(`{"paging":{"totalPages":1},"fields":[{"name":"T"},{"name":"D"}],"data":[[{"computedValue":7},{"computedValue":"id","values":[1]}]]}`))
	f.Add([]byte(`{"fields":[{"name":"D"},{"name":"t"}],"data":[[{},{}],[{"values":[null,{}]}]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := readPackagePage(body)
		if err != nil {
			return
		}
		id, found, err := page.find(Lookup{Column: "D", TicketColumn: "T", Value: "id"})
		if found != (id != "") || found && err != nil {
			t.Errorf("found %v, %q, %v", found, id, err)
		}
		if found && !strings.Contains(string(body), "id") && !strings.Contains(string(body), `\u`) {
			t.Errorf("found %q in %q", id, body)
		}
	})
}
