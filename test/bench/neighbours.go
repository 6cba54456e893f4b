package main

import (
	"crypto/md5"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"fairbridge/pkg/secrets"
)

const (
	webhookToken = "sample-token" // that of events/apigateway
	apiKey       = "sample-key"

	maxRequest = 8 << 20
)

// neighbours are AWS and Centercode as the functions see them, on loopback. They respond at
// once, from memory: the time that a real queue or table needs would be part of floor and
// function alike, and hide what FairBridge adds.
type neighbours struct {
	URL         string
	certificate *x509.Certificate // nil without TLS

	writeUnits atomic.Int64 // as counted by DynamoDB
	// kept stores the items that are not deliveries by id, such as the running mapping,
	// which all but the first start find.
	kept sync.Map
}

func startNeighbours(tb testing.TB) *neighbours { return start(tb, httptest.NewServer) }

// startSecure starts neighbours that are reached over TLS.
func startSecure(tb testing.TB) *neighbours { return start(tb, httptest.NewTLSServer) }

func start(tb testing.TB, listen func(http.Handler) *httptest.Server) *neighbours {
	n := &neighbours{}
	server := listen(n)
	tb.Cleanup(server.Close)
	n.URL, n.certificate = server.URL, server.Certificate()
	return n
}

// ServeHTTP answers AWS's JSON protocols, and responds to everything else as Centercode
// does to a new ticket.
func (n *neighbours) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	target := r.Header.Get("X-Amz-Target")
	if target == "" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"7","files":{"screenshot":"/api/v1/projects//feedback/7/files/screenshot"}}`)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(n.answer(target, body)) // an error means that the function is gone
}

// answer returns AWS's response to a call.
func (n *neighbours) answer(target string, body []byte) any {
	var in struct{ MessageBody, Name string }
	switch _, operation, _ := strings.Cut(target, "."); operation {
	case "SendMessage":
		_ = json.Unmarshal(body, &in)          // an error shows in the checksum
		sum := md5.Sum([]byte(in.MessageBody)) // which the SDK checks
		return map[string]string{"MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:])}
	case "GetParameter":
		_ = json.Unmarshal(body, &in)
		value := apiKey
		if strings.HasSuffix(in.Name, secrets.WebhookToken) {
			value = webhookToken
		}
		return map[string]any{"Parameter": map[string]string{"Name": in.Name, "Value": value}}
	case "PutItem":
		n.writeUnits.Add(writeUnits(body))
		var put struct {
			Item map[string]json.RawMessage
		}
		_ = json.Unmarshal(body, &put)
		if id := string(put.Item["id"]); strings.Contains(id, "#") {
			n.kept.Store(id, put.Item)
		}
	case "GetItem":
		var get struct {
			Key map[string]json.RawMessage
		}
		_ = json.Unmarshal(body, &get)
		if item, ok := n.kept.Load(string(get.Key["id"])); ok {
			return map[string]any{"Item": item}
		}
	}
	return struct{}{}
}

// writeUnits returns what DynamoDB counts for a PutItem: one for each KB or part of one, of
// the names and values of all attributes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func writeUnits(body []byte) int64 {
	var in struct{ Item map[string]map[string]string }
	_ = json.Unmarshal(body, &in)
	size := 0
	for name, value := range in.Item {
		size += len(name)
		for _, text := range value {
			size += len(text)
		}
	}
	return int64((size + 1023) / 1024)
}
