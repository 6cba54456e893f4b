package simulator

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Webhook is an entry of the REST API's list of webhooks.
type Webhook struct {
	// ID is the webhook's number.
	ID int `json:"id"`
	// Status is "true" for an active webhook, otherwise "false".
	Status string `json:"status"`
	// Name is the one shown in the dashboard.
	Name string `json:"name"`
	// URL is where the payloads are sent.
	URL string `json:"url"`
	// Actions are the kinds of events that it receives: "crash,feedback,upload,new-udid".
	Actions string `json:"actions"`
	// ProjectIDs are the projects whose events it receives: "12345,45643".
	ProjectIDs string `json:"projectIds"`
}

// Webhooks returns the account's webhooks in the order they were added.
func (s *Server) Webhooks() []Webhook {
	s.mu.Lock()
	defer s.mu.Unlock()
	webhooks := make([]Webhook, 0, len(s.account.webhooks))
	for _, id := range slices.Sorted(maps.Keys(s.account.webhooks)) {
		webhooks = append(webhooks, s.account.webhooks[id])
	}
	return webhooks
}

func (s *Server) listWebhooks(w http.ResponseWriter, _ *http.Request) {
	answerOK(w, map[string]any{"webhooks": s.Webhooks()})
}

func (s *Server) addWebhook(w http.ResponseWriter, r *http.Request) {
	if s.config.NewPlatform {
		answerFail(w, http.StatusNotFound, "not found")
		return
	}
	webhook := Webhook{Status: "true"}
	form, err := readForm(w, r)
	webhook.set(form)
	if u, urlErr := url.Parse(webhook.URL); err != nil || urlErr != nil || u.Host == "" {
		answerFail(w, http.StatusBadRequest, "webhook-url must be a URL")
		return
	}
	s.mu.Lock()
	s.account.lastWebhookID++
	webhook.ID = s.account.lastWebhookID
	s.account.webhooks[webhook.ID] = webhook
	s.mu.Unlock()
	answerOK(w, map[string]any{"webhook": webhook})
}

// onWebhook runs do on the webhook that the path names, keeps or removes it, and responds
// with the result.
func (s *Server) onWebhook(do func(*Webhook, url.Values) (keep bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, err := readForm(w, r)
		if err != nil {
			answerFail(w, http.StatusBadRequest, "the form cannot be read")
			return
		}
		id, _ := strconv.Atoi(r.PathValue("id")) // 0 is never a webhook's id
		s.mu.Lock()
		webhook, found := s.account.webhooks[id]
		if found && do(&webhook, form) {
			s.account.webhooks[id] = webhook
		} else {
			delete(s.account.webhooks, id)
		}
		s.mu.Unlock()
		if !found {
			answerFail(w, http.StatusNotFound, "no such webhook")
			return
		}
		answerOK(w, map[string]any{"webhook": webhook})
	}
}

func readWebhook(*Webhook, url.Values) bool { return true }

func changeWebhook(webhook *Webhook, form url.Values) bool {
	webhook.set(form)
	return true
}

func deleteWebhook(*Webhook, url.Values) bool { return false }

// set applies the fields that are present in a form.
func (webhook *Webhook) set(form url.Values) {
	for field, value := range map[string]*string{
		"webhook-name": &webhook.Name, "webhook-url": &webhook.URL, "webhook-status": &webhook.Status,
		"actions": &webhook.Actions, "webhook-project-ids": &webhook.ProjectIDs,
	} {
		if form.Has(field) {
			*value = form.Get(field)
		}
	}
}

// readForm reads a request's form fields. Clients send them urlencoded or, as curl -F does,
// as multipart.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	const maxForm = 64 << 10
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseMultipartForm(maxForm); err != nil && err != http.ErrNotMultipart {
		return nil, err
	}
	return r.PostForm, nil
}
