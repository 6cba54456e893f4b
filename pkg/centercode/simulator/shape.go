package simulator

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
)

// Shape is a form of the response to a created ticket. The real one is not public, but
// known to be JSON that contains the file elements' endpoints, without the project's key.
type Shape string

// The shapes, and how each omits the project's key.
const (
	// ShapeObject: {"id": "1", "files": {"screenshot": URL}}; the URLs are
	// absolute, with an empty segment.
	ShapeObject Shape = "object"
	// ShapeList: {"ticketId": 1, "fileElements": [{"key", "name", "url"}]}; the
	// URLs are absolute, with a placeholder.
	ShapeList Shape = "list"
	// ShapeNested: {"data": {"feedback": {"id": 1, "endpoints": [{"name",
	// "endpoint"}]}}}; absolute paths, without a segment for projects.
	ShapeNested Shape = "nested"
	// ShapeFlat: {"ticket": {"feedbackId": "1", "screenshot": "feedback/..."}};
	// relative paths.
	ShapeFlat Shape = "flat"
	// ShapeEntries: {"feedback": {"id": 1, "links": {"screenshot": {"href"}}}}; absolute
	// paths without the key's segment.
	ShapeEntries Shape = "entries"
	// ShapeBare: {"id": "1"}, no endpoints.
	ShapeBare Shape = "bare"
	// ShapeLocation: no body, the ticket's URL in Location.
	ShapeLocation Shape = "location"
)

// Shapes are the shapes that name the file elements' endpoints.
var Shapes = []Shape{ShapeObject, ShapeList, ShapeNested, ShapeFlat, ShapeEntries}

func (s Shape) answer(c Call, id string, o Config) reply {
	elements := o.fileElements()
	origin := "http://" + c.Request.Host
	if c.Request.TLS != nil {
		origin = "https://" + c.Request.Host
	}
	origin = cmp.Or(o.Origin, origin)
	number, err := strconv.Atoi(id)
	if err != nil {
		return refusal(http.StatusInternalServerError, "The ticket has no number.")
	}
	// below returns the part after the project's key in an element's endpoint.
	below := func(element string) string { return "feedback/" + id + "/files/" + url.PathEscape(element) }
	list := func(key, name, endpoint, prefix string) []map[string]any {
		all := []map[string]any{}
		for i, e := range elements {
			all = append(all, map[string]any{"id": i + 1, key: e, name: "The " + e, endpoint: prefix + below(e)})
		}
		return all
	}
	object := func(endpoint func(element string) any) map[string]any {
		all := map[string]any{}
		for _, e := range elements {
			all[e] = endpoint(e)
		}
		return all
	}
	var answer map[string]any
	switch s {
	case ShapeList:
		answer = map[string]any{"ticketId": number, "fileElements": list("key", "name", "url", origin+"/api/v1/projects/{projectKey}/")}
	case ShapeNested:
		answer = map[string]any{"data": map[string]any{"feedback": map[string]any{
			"id": number, "endpoints": list("name", "title", "endpoint", "/api/v1/")}}}
	case ShapeFlat:
		ticket := object(func(e string) any { return below(e) })
		ticket["feedbackId"] = id
		answer = map[string]any{"ticket": ticket}
	case ShapeEntries:
		answer = map[string]any{"feedback": map[string]any{"id": number, "links": object(func(e string) any {
			return map[string]any{"href": "/api/v1/projects/" + below(e)}
		})}}
	case ShapeBare:
		answer = map[string]any{"id": id}
	case ShapeLocation:
		location := origin + "/api/v1/projects/" + url.PathEscape(c.Project) + "/feedback/" + id
		return reply{status: http.StatusCreated, header: http.Header{"Location": {location}}}
	default:
		answer = map[string]any{"id": id, "files": object(func(e string) any { return origin + "/api/v1/projects//" + below(e) })}
	}
	return jsonReply(http.StatusCreated, answer)
}
