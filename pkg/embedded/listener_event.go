package embedded

import (
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

const defaultRoute = "$default"

// request returns the event of a request, payload format 2.0, without its body. As in an
// HTTP API's events, the path is decoded and the query string is not (captures of real
// ones: https://github.com/middleapi/standard-server/pull/93). What ingest does not read is
// left out: parsed cookies and parameters, and what a proxy adds to the headers. See
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func request(r *http.Request, id string, now time.Time) events.APIGatewayV2HTTPRequest {
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	headers := map[string]string{"host": r.Host} // with lower-case names, and repeated ones joined
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       defaultRoute,
		RawPath:        r.URL.Path,
		RawQueryString: r.URL.RawQuery,
		Headers:        headers,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey:   defaultRoute,
			AccountID:  AccountID,
			Stage:      defaultRoute,
			RequestID:  id,
			APIID:      Region,
			DomainName: r.Host,
			Time:       now.UTC().Format("02/Jan/2006:15:04:05 -0700"),
			TimeEpoch:  now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent(),
			},
		},
	}
}

// setBody sets the body of a request's event.
func setBody(event *events.APIGatewayV2HTTPRequest, r *http.Request, body []byte) {
	if len(body) > 0 && !isText(r.Header.Get("Content-Type")) {
		event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	} else {
		event.Body = string(body)
	}
}

// isText reports whether an HTTP API passes a body of this type on unchanged. It encodes
// all others, and those without a type. Measured on AWS:
// https://github.com/ministackorg/ministack/pull/766
func isText(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	switch mediaType = strings.ToLower(strings.TrimSpace(mediaType)); mediaType {
	case "application/json", "application/xml", "application/javascript":
		return true
	default:
		return strings.HasPrefix(mediaType, "text/")
	}
}

// headSize returns the size of the request line and the headers in bytes.
func headSize(r *http.Request) int {
	size := len(r.Method) + 1 + len(r.RequestURI) + 1 + len(r.Proto) + 2
	size += len("Host: ") + len(r.Host) + 2
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + 2 + len(value) + 2
		}
	}
	return size
}
