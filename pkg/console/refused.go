package console

import (
	"net/http"

	"fairbridge/pkg/ingest"
)

// refusedData is the page of refused webhooks.
type refusedData struct {
	ingest.Refused
	OnAWS             bool
	Command, Register string
}

func (s *Console) showRefused(w http.ResponseWriter, r *http.Request) error {
	refused, err := s.Home.Refusals.Refused(r.Context())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "refused.html", "Refused webhooks", refusedData{
		Refused: refused, OnAWS: s.Home.OnAWS(), Command: s.Home.Command("status --refused"), Register: s.Home.Command("webhook register"),
	})
}
