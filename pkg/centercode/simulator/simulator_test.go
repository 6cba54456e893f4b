package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
)

func start(t *testing.T, o centercodesim.Config) *centercodesim.Server {
	t.Helper()
	s, err := centercodesim.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// answer is the response to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) description() string {
	var e struct{ Description string }
	_ = json.Unmarshal([]byte(a.body), &e)
	return e.Description
}

func do(t *testing.T, method, url, contentType string, body io.Reader) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

func create(t *testing.T, s *centercodesim.Server, body string) answer {
	t.Helper()
	return do(t, "POST", s.URL+"/api/v1/projects/DEMO/feedback/testfairy?apiKey=k", "application/json", strings.NewReader(body))
}

// form returns a form with one file, and its content type.
func form(t *testing.T, field, name, contentType string, content []byte) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreatePart(map[string][]string{
		"Content-Disposition": {multipart.FileContentDisposition(field, name)}, "Content-Type": {contentType}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, w.FormDataContentType()
}

func upload(t *testing.T, s *centercodesim.Server, ticket, element, name, contentType string, content []byte) answer {
	t.Helper()
	body, formType := form(t, "file", name, contentType, content)
	return do(t, "POST", s.URL+"/api/v1/projects/DEMO/feedback/"+ticket+"/files/"+element+"?apiKey=k", formType, body)
}

// png is a picture of one pixel.
var png = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" +
	"\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa7\x9a\xa0\xa0\x00\x00\x00\x00IEND\xaeB`\x82")

func TestCreate(t *testing.T) {
	strict := centercodesim.Config{
		APIKeys: []string{"k"}, Projects: map[string][]string{"DEMO": {"testfairy"}},
		RequireSubmitter: true, Users: []string{"alice@corporation.com"}, RequireStatus: true,
		Choices: map[string][]string{"status": {"New"}, "severity": {"1", "Low"}},
	}
	const good = `{"submitter":"alice@corporation.com","status":"New"}`
	const path = "/api/v1/projects/DEMO/feedback/testfairy"
	tests := []struct {
		name, path, body string
		status           int
		text             string
	}{
		{"good", path + "?apiKey=k", good, 201, ""},
		{"choice as a number", path + "?apiKey=k", `{"submitter":"alice@corporation.com","status":"New","severity":1}`, 201, ""},
		{"choice as a list", path + "?apiKey=k", `{"submitter":"alice@corporation.com","status":"New","severity":["Low",1]}`, 201, ""},
		{"choice left out", path + "?apiKey=k", `{"submitter":"alice@corporation.com","status":"New","severity":null}`, 201, ""},
		{"no key", path, good, 401, "API key"},
		{"wrong key", path + "?apiKey=x", good, 401, "API key"},
		{"unknown project", "/api/v1/projects/OTHER/feedback/testfairy?apiKey=k", good, 404, "The requested resource could not be found."},
		{"unknown source", "/api/v1/projects/DEMO/feedback/other?apiKey=k", good, 404, "The requested resource could not be found."},
		{"unknown path", "/api/v2/projects?apiKey=k", good, 404, "The requested resource could not be found."},
		{"not JSON", path + "?apiKey=k", `{`, 400, "JSON object"},
		{"two objects", path + "?apiKey=k", good + good, 400, "JSON object"},
		{"a list", path + "?apiKey=k", `[]`, 400, "JSON object"},
		{"null", path + "?apiKey=k", `null`, 400, "JSON object"},
		{"unknown submitter", path + "?apiKey=k", `{"submitter":"bob@corporation.com","status":"New"}`, 400, "submitter"},
		{"no submitter", path + "?apiKey=k", `{"status":"New"}`, 400, "submitter"},
		{"no status", path + "?apiKey=k", `{"submitter":"alice@corporation.com"}`, 400, "status is required"},
		{"unknown status", path + "?apiKey=k", `{"submitter":"alice@corporation.com","status":"new"}`, 400, `"status" is not one of`},
		{"unknown choice", path + "?apiKey=k", `{"submitter":"alice@corporation.com","status":"New","severity":"low"}`, 400, `"severity" is not one of`},
		{"a list with an unknown choice", path + "?apiKey=k", `{"submitter":"alice@corporation.com","status":"New","severity":["Low","x"]}`, 400, `"severity"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, strict)
			a := do(t, "POST", s.URL+tt.path, "application/json; charset=utf-8", strings.NewReader(tt.body))
			if a.status != tt.status || !strings.Contains(a.description(), tt.text) {
				t.Errorf("answered %d %s", a.status, a.body)
			}
			if made := len(s.Tickets()) == 1; made != (tt.status == 201) {
				t.Errorf("holds %+v", s.Tickets())
			}
		})
	}
	s := start(t, strict)
	if a := do(t, "POST", s.URL+path+"/x/y?apiKey=k", "", nil); a.body != `{"status": 404, "description": "The requested resource could not be found."}` {
		t.Errorf("404 is %s", a.body)
	}
	if a := do(t, "GET", s.URL+path+"?apiKey=k", "", nil); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("GET answered %d", a.status)
	}
	if a := do(t, "POST", s.URL+path+"?apiKey=k", "text/plain", strings.NewReader(good)); a.status != 415 {
		t.Errorf("text answered %d", a.status)
	}
	s.SetAPIKeys("k2")
	if a := do(t, "POST", s.URL+path+"?apiKey=k2", "application/json", strings.NewReader(good)); a.status != 201 {
		t.Errorf("new key answered %d", a.status)
	}
}

func TestDefaultSubmitter(t *testing.T) {
	s := start(t, centercodesim.Config{DefaultSubmitter: "qa@corporation.com", WrongKeyStatus: 403, APIKeys: []string{"k"}})
	for _, body := range []string{`{"submitter":"alice@corporation.com"}`, `{"submitter":""}`, `{"submitter":7}`, `{}`, `{"submitter":"Alice <alice@corporation.com>"}`} {
		create(t, s, body)
	}
	var got []string
	for _, ticket := range s.Tickets() {
		got = append(got, ticket.Submitter)
	}
	if want := []string{"alice@corporation.com", "qa@corporation.com", "qa@corporation.com", "qa@corporation.com", "qa@corporation.com"}; !reflect.DeepEqual(got, want) {
		t.Errorf("submitted for %q", got)
	}
	if a := do(t, "POST", s.URL+"/api/v1/projects/DEMO/feedback/x?apiKey=no", "", nil); a.status != 403 {
		t.Errorf("wrong key answered %d", a.status)
	}
}

func TestUpload(t *testing.T) {
	s := start(t, centercodesim.Config{MaxFileBytes: 1 << 10, FileElements: []string{"screenshot"}, FileField: "file", RefuseChunked: true})
	create(t, s, `{}`)
	if a := upload(t, s, "1", "screenshot", "a.png", "image/png", png); a.status != 201 {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	got := s.Tickets()[0].Files
	want := centercodesim.File{Element: "screenshot", Field: "file", Name: "a.png", ContentType: "image/png", Size: int64(len(png)), Picture: "image/png"}
	if len(got) != 1 || len(got[0].SHA256) != 64 {
		t.Fatalf("got %+v", got)
	}
	if got[0].SHA256 = ""; got[0] != want {
		t.Errorf("got %+v", got)
	}
	if a := upload(t, s, "1", "screenshot", "limit", "a/b", make([]byte, 1<<10)); a.status != 201 {
		t.Errorf("at the limit: %d", a.status)
	}
	refused := []struct {
		name             string
		ticket, element  string
		field, file      string
		size             int
		formType, method string
		status           int
	}{
		{"unknown ticket", "2", "screenshot", "file", "a", 1, "", "POST", 404},
		{"unknown element", "1", "log", "file", "a", 1, "", "POST", 404},
		{"unknown field", "1", "screenshot", "upload", "a", 1, "", "POST", 400},
		{"no file", "1", "screenshot", "file", "", 1, "", "POST", 400},
		{"too large", "1", "screenshot", "file", "a", 1<<10 + 1, "", "POST", 413},
		{"far too large", "1", "screenshot", "file", "a", 1 << 20, "", "POST", 413},
		{"not a form", "1", "screenshot", "file", "a", 1, "text/plain", "POST", 415},
		{"no boundary", "1", "screenshot", "file", "a", 1, "multipart/form-data", "POST", 400},
		{"GET", "1", "screenshot", "file", "a", 1, "", "GET", 405},
	}
	for _, tt := range refused {
		body, formType := form(t, tt.field, tt.file, "text/plain", make([]byte, tt.size))
		if tt.formType != "" {
			formType = tt.formType
		}
		url := s.URL + "/api/v1/projects/DEMO/feedback/" + tt.ticket + "/files/" + tt.element + "?apiKey=k"
		if a := do(t, tt.method, url, formType, body); a.status != tt.status {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
	}
	url := s.URL + "/api/v1/projects/DEMO/feedback/1/files/screenshot?apiKey=k"
	body, formType := form(t, "file", "a", "text/plain", []byte("x"))
	if a := do(t, "POST", url, formType, io.MultiReader(body)); a.status != 411 {
		t.Errorf("chunked: %d", a.status)
	}
	whole, formType := form(t, "file", "a", "text/plain", []byte("x"))
	data, _ := io.ReadAll(whole)
	for cut := 1; cut < 60; cut += 7 {
		if a := do(t, "POST", url, formType, bytes.NewReader(data[:len(data)-cut])); a.status != 400 && cut > 4 {
			t.Errorf("without its last %d bytes: %d", cut, a.status)
		}
	}
	other := strings.Replace(url, "DEMO", "OTHER", 1)
	if a := do(t, "POST", other, formType, bytes.NewReader(data)); a.status != 404 {
		t.Errorf("another project's ticket: %d", a.status)
	}
	if n := len(s.Tickets()[0].Files); n > 3 {
		t.Errorf("%d files", n)
	}
}

func TestDataPackage(t *testing.T) {
	s := start(t, centercodesim.Config{PageRows: 2})
	create(t, s, `{"summary":"one","deliveryId":"d1"}`)
	create(t, s, `{"n":7,"on":true,"list":["a",1]}`)
	create(t, s, `{"long":"`+strings.Repeat("é", 2000)+`"}`)
	type page struct {
		Paging struct{ TotalPages, CurrentPage, ResultsPerPage, TotalResults int }
		Fields []struct{ DataType, Name string }
		Data   [][]struct {
			DataType, ComputedValue string
			FieldOrdinal            int
			Values                  []any
		}
	}
	get := func(n string) page {
		a := do(t, "GET", s.URL+"/api/v1/projects/DEMO/feedbackDataPackages/p?apiKey=k&page="+n, "", nil)
		var p page
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != 200 {
			t.Fatalf("%d %s: %v", a.status, a.body, err)
		}
		return p
	}
	first, second := get("1"), get("2")
	var names []string
	for _, f := range first.Fields {
		names = append(names, f.Name)
	}
	if want := []string{"Ticket ID", "Delivery ID", "deliveryId", "list", "long", "n", "on", "summary"}; !reflect.DeepEqual(names, want) {
		t.Errorf("columns %q", names)
	}
	if first.Paging.TotalPages != 2 || first.Paging.TotalResults != 3 || first.Paging.ResultsPerPage != 2 || second.Paging.CurrentPage != 2 {
		t.Errorf("paging %+v, %+v", first.Paging, second.Paging)
	}
	if len(first.Data) != 2 || len(second.Data) != 1 || first.Data[0][0].ComputedValue != "1" || first.Data[0][1].ComputedValue != "d1" ||
		first.Data[1][5].ComputedValue != "7" || first.Data[1][6].ComputedValue != "true" || first.Data[1][3].ComputedValue != `["a",1]` ||
		second.Data[0][0].ComputedValue != "3" || len([]rune(second.Data[0][4].ComputedValue)) != 1000 {
		t.Errorf("rows %+v, %+v", first.Data, second.Data)
	}
	if a := do(t, "GET", s.URL+"/api/v1/projects/NONE/feedbackDataPackages/p?apiKey=k&page=1", "", nil); !strings.Contains(a.body, `"data":[]`) {
		t.Errorf("empty package is %s", a.body)
	}
}

func TestTicketsAsJSON(t *testing.T) {
	s := start(t, centercodesim.Config{Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
	create(t, s, `{"a":1}`)
	var got struct {
		Tickets  []centercodesim.Ticket
		Requests centercodesim.Requests
	}
	a := do(t, "GET", s.URL+"/simulator/tickets", "", nil)
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Tickets) != 1 || string(got.Tickets[0].Body) != `{"a":1}` || got.Tickets[0].CreatedAt != time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) || got.Requests.Create != 1 {
		t.Errorf("got %s", a.body)
	}
}
