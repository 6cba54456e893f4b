package deliveries

import (
	"net/url"
	"strings"

	"fairbridge/pkg/internal/lazyregexp"
	"fairbridge/pkg/ledger"
)

// Endpoints suggests, by file element, a template for an attachment's endpoint in
// fairbridge.yaml: where Centercode's answer says that the files of a completed delivery's
// ticket go, with .ticketId in place of the ticket's id. An element whose endpoint does not
// contain the id exactly once, as a whole part of its path or query, is left out, since the
// endpoint of another ticket cannot be derived from it.
func Endpoints(e ledger.Entry) map[string]string {
	if e.State != ledger.Completed || e.TicketID == "" {
		return nil
	}
	var site string
	if e.Where != nil {
		site = e.Where.BaseURL
	}
	var proposed map[string]string
	for element, endpoint := range e.Files {
		if template, ok := endpointTemplate(site, endpoint, e.TicketID); ok {
			if proposed == nil {
				proposed = map[string]string{}
			}
			proposed[element] = template
		}
	}
	return proposed
}

// parts matches the parts of a path and its query.
var parts = lazyregexp.New(`[^/?&=]+`)

// endpointTemplate puts .ticketId into an endpoint. It drops the host if that is the site's
// and the path alone has the same meaning: the client adds the API's own path to one that
// starts with /projects/ or /feedback/.
func endpointTemplate(site, endpoint, ticketID string) (template string, ok bool) {
	u, err := url.Parse(endpoint)
	if err != nil || u.User != nil {
		return "", false
	}
	u.Fragment, u.RawFragment = "", ""
	origin := (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	rest := strings.TrimPrefix(u.String(), origin)
	lower := strings.ToLower(rest)
	bare := !strings.HasPrefix(lower, "/projects/") && !strings.HasPrefix(lower, "/feedback/")
	if base, err := url.Parse(site); err == nil && bare && base.Scheme == u.Scheme && strings.EqualFold(base.Host, u.Host) {
		origin = ""
	}
	id := url.PathEscape(ticketID) // as mapping.Attachment.EndpointFor writes it
	found := 0
	rest = parts().ReplaceAllStringFunc(rest, func(part string) string {
		if part != id {
			return part
		}
		found++
		return "{{ .ticketId }}"
	})
	return origin + rest, found == 1
}
