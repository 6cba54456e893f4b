package centercode_test

import (
	"strings"
	"testing"

	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
)

// TestRefusalWithinSuccess checks that a refusal with a success status, in whatever form,
// is not a ticket, a file or a page of a data package.
func TestRefusalWithinSuccess(t *testing.T) {
	tests := []struct {
		answer string
		status int
		text   string
	}{
		{`{"status": 400, "description": "The submitter is unknown."}`, 400, "The submitter is unknown."},
		{`{"Status":400,"Description":"Invalid submitter."}`, 400, "Invalid submitter."},
		{`{"status":"400","description":"Invalid submitter."}`, 400, "Invalid submitter."},
		{`{"status":"400 Bad Request"}`, 400, ""},
		{`{"statusCode":404}`, 404, ""},
		{`{"status_code":"413","description":"The file is too large."}`, 413, "too large"},
		{`{"code":422}`, 422, ""},
		{`{"code":310000,"message":"no such source"}`, 200, "no such source"},
		{`{"code":4e2}`, 400, ""},
		{`{"code":1e999}`, 200, ""},
		{`{"success":false,"message":"Invalid submitter."}`, 200, "Invalid submitter."},
		{`{"Success":"False"}`, 200, ""},
		{`{"ok":false,"message":"no"}`, 200, "no"},
		{`{"succeeded":false}`, 200, ""},
		{`{"status":"fail","message":"no"}`, 200, "no"},
		{`{"STATUS":"Failed"}`, 200, ""},
		{`{"status":"error"}`, 200, ""},
		{`{"errcode":310000,"errmsg":"no such source"}`, 200, "no such source"},
		{`{"errorCode":"E_SUBMITTER"}`, 200, ""},
		{`{"error":"Invalid submitter."}`, 200, "Invalid submitter."},
		{`{"error":{"code":400,"message":"no"}}`, 400, "no"},
		{`{"error":true}`, 200, ""},
		{`{"errors":[{"code":400,"description":"no"}]}`, 400, "no"},
		{`{"errors":["no"]}`, 200, "no"},
		{`{"fault":{"faultstring":"no"}}`, 200, ""},
		{`{"result":{"success":false,"message":"no"}}`, 200, "no"},
		{`{"meta":{"statusCode":"409"}}`, 409, ""},
		{`[{"status":400,"description":"no"}]`, 400, "no"},
		{"\xef\xbb\xbf {\"ok\" : false } ", 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.answer, func(t *testing.T) {
			t.Parallel()
			sim, c, endpoint := withTicket(t, centercodesim.Config{})
			sim.Inject(centercodesim.Fault{Answer: tt.answer, Times: -1})
			check := func(op string, err error) {
				t.Helper()
				if err == nil {
					t.Fatalf("%s: reported as a success", op)
				}
				e := apiError(t, err)
				if e.Op != op || e.Status != tt.status || e.Lost || !e.Permanent() || !strings.Contains(e.Description, tt.text) {
					t.Errorf("%s: got %+v", op, *e)
				}
			}
			_, err := c.CreateTicket(t.Context(), ticketRequest(`{}`))
			check(centercode.OpCreateTicket, err)
			_, err = c.AddFile(t.Context(), file(endpoint, 3, strings.NewReader("abc")))
			check(centercode.OpAddFile, err)
			_, _, err = c.FindTicket(t.Context(), lookup("id-1"))
			check(centercode.OpFindTicket, err)
		})
	}
}

// TestStatusWithinSuccess checks that the status inside the refusal decides how it is
// handled.
func TestStatusWithinSuccess(t *testing.T) {
	sim := start(t, centercodesim.Config{})
	for _, tt := range []struct {
		answer         string
		status         int
		lost, ownFault bool
	}{
		{`{"status":503,"description":"busy"}`, 503, false, false},
		{`{"status":401,"description":"no key"}`, 401, false, false},
		{`{"status":500,"description":"oops"}`, 500, false, true},
		{`{"code":500,"message":"oops"}`, 500, true, false},
		{`{"status":502,"description":"oops"}`, 502, true, false},
	} {
		sim.Inject(centercodesim.Fault{Answer: tt.answer})
		_, err := newClient(t, sim.URL).CreateTicket(t.Context(), ticketRequest(`{}`))
		if err == nil {
			t.Fatalf("%s: reported as a ticket", tt.answer)
		}
		if e := apiError(t, err); e.Status != tt.status || e.Lost != tt.lost || e.OwnFault != tt.ownFault || e.Permanent() {
			t.Errorf("%s: got %+v", tt.answer, *e)
		}
	}
}

// TestNoRefusal has successes that look like refusals.
func TestNoRefusal(t *testing.T) {
	sim := start(t, centercodesim.Config{})
	for _, answer := range []string{
		`{}`, `[]`, `null`, `"created"`, `{"id":7,"status":"New"}`, `{"id":7,"status":200}`, `{"id":7,"ticket":{"status":"failed"}}`,
		`{"id":7,"error":null,"errors":[],"fault":{},"errorCode":0,"errcode":"0","success":true}`, `{"id":7,"error":"","errors":false}`,
		`{"id":7,"feedback":{"error":" "}}`, `{"id":7,"code":"A-400"}`, `{"id":7,"ok":true,"statusCode":201}`,
		`{"id":7,"deep":{"deeper":{"ok":false}}}`, `[{"ok":false},{"ok":false}]`,
	} {
		sim.Inject(centercodesim.Fault{Answer: answer})
		if _, err := newClient(t, sim.URL).CreateTicket(t.Context(), ticketRequest(`{}`)); err != nil {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
