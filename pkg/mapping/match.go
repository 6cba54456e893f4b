package mapping

import (
	"slices"
	"strings"

	"fairbridge/pkg/mapping/internal/template"
	"fairbridge/pkg/testfairy"
)

// match selects the events of a route. A condition that is not given matches any event.
type match struct {
	events   []string
	apps     []glob
	projects []glob
	versions versionRange
	when     expression
}

// kind reports whether the route can match events of the kind.
func (m match) kind(k testfairy.Kind) bool {
	return len(m.events) == 0 || slices.Contains(m.events, fold(string(k)))
}

// matches reports whether the route matches the event. The error is that of the when
// template.
func (m match) matches(e *template.Execution, event testfairy.Event) (bool, error) {
	switch {
	case !m.kind(event.Kind),
		m.apps != nil && !anyMatches(m.apps, event.Text("appName")),
		m.projects != nil && !matchesProject(m.projects, event),
		m.versions != nil && !m.versions.contains(event.Text("version")):
		return false, nil
	case !m.when.given():
		return true, nil
	}
	s, err := m.when.Run(e)
	return strings.TrimSpace(s) == "true", err
}

// matchesProject compares the project of the event's URLs: "10-demoapp", or
// its number alone.
func matchesProject(projects []glob, event testfairy.Event) bool {
	for _, name := range []string{"buildUrl", "sessionUrl"} {
		id := template.PathID("projects")(event.Text(name))
		if id == "" {
			continue
		}
		number, _, _ := strings.Cut(id, "-")
		return anyMatches(projects, id) || anyMatches(projects, number)
	}
	return false
}

// covers reports whether m matches every event that other can match.
func (m match) covers(other match) bool {
	if m.projects != nil || m.versions != nil || m.when.given() {
		return false
	}
	if len(m.events) > 0 && (len(other.events) == 0 || slices.ContainsFunc(other.events, func(k string) bool { return !m.kind(testfairy.Kind(k)) })) {
		return false
	}
	if m.apps == nil || slices.ContainsFunc(m.apps, glob.all) {
		return true
	}
	// A name without * is covered if m's patterns match it.
	for _, app := range other.apps {
		if strings.Contains(string(app), "*") && !slices.Contains(m.apps, app) || !anyMatches(m.apps, string(app)) {
			return false
		}
	}
	return len(other.apps) > 0
}
