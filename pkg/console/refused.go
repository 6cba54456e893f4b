package console

import (
	"net/http"

	"fairbridge/pkg/ingest"
)

func (s *Console) showRefused(w http.ResponseWriter, r *http.Request) error {
	refused, err := s.Home.Refusals.Refused(r.Context())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "refused.html", "Refused webhooks", struct {
		ingest.Refused
		OnAWS             bool
		Command, Register string
	}{refused, s.Home.OnAWS(), s.Home.Command("status --refused"), s.Home.Command("webhook register")})
}
