package events_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// received is when every sample was received.
var received = time.Date(2026, time.January, 15, 9, 30, 0, 0, time.UTC)

// generated returns the generated files by name. README.md describes their purpose.
func generated(t *testing.T) map[string][]byte {
	files := map[string][]byte{
		"feedback-unicode.json":            variant(t, "feedback.json", fields{"text": unicodeText, "appName": "Démo 📱 تطبيق", "rawDeviceName": "小米 13"}),
		"feedback-long-text.json":          variant(t, "feedback.json", fields{"text": longText()}),
		"feedback-nulls.json":              nulls(t),
		"feedback-numbers-as-strings.json": variant(t, "feedback.json", fields{"build": "1", "filesize": "563876", "version": json.Number("1.0"), "correlationId": 95}),
		"feedback-custom-fields.json":      variant(t, "feedback.json", customFields),
		"feedback-empty-email.json":        variant(t, "feedback.json", fields{"email": ""}),
		"feedback-no-screenshot.json":      variant(t, "feedback.json", fields{"screenshotUrl": nil}),
		"feedback-control-characters.json": controlCharacters(t),
		"new-udid.json":                    []byte(`{"event":"new-udid","timestamp":"2015-07-01 17:21:00","udid":"00008030-001A2B3C4D5E6F70","device":"iPhone 12","email":"alice@corporation.com","platform":"ios"}` + "\n"),

		"new-platform/upload.json": variant(t, "upload.json", fields{
			"build": "1", "platform": "android", "buildId": 584120, "changeLog": "Landscape works now", "communityUrl": nil,
			"landingPageUrl": "https://mobile.saucelabs.com/landing/demoapp", "landingPageBuildUrl": "https://mobile.saucelabs.com/landing/demoapp/584120",
			"appUrl": "https://mobile.saucelabs.com/app/10",
		}),
		"new-platform/download.json": variant(t, "download.json", fields{
			"build": "1", "platform": "android", "buildId": 584120, "ipAddress": "54.227.255.225", "referer": nil, "buildUrl": nil,
		}),

		"odd/wrong-types.json": variant(t, "feedback.json", fields{
			"timestamp": []int{2015, 7, 1}, "version": true, "build": []int{1}, "appName": fields{"en": "Demo App"}, "filesize": "550 KB",
			"buildUrl": "/projects/10-demoapp", "iconUrl": 4, "sessionUrl": "app.testfairy.com", "screenshotUrl": "file:///etc/passwd",
			"correlationId": []string{"user-95"}, "email": "Alice <alice@corporation.com>", "rawDeviceName": false, "ipAddress": fields{}, "text": fields{"html": "<p>"},
		}),
		"odd/nothing-said.json":         variant(t, "feedback.json", fields{"text": " \n", "screenshotUrl": nil}),
		"odd/email-user-id.json":        variant(t, "feedback.json", fields{"email": "user-95"}),
		"odd/form-without-text.json":    variant(t, "feedback.json", fields{"text": "", "screenshotUrl": "", "fullname": "Dana", "bio": "It crashes when I tap Save", "country": "+1"}),
		"odd/icon-url-bad-escape.json":  variant(t, "feedback.json", fields{"iconUrl": "https://testfairy.s3.amazonaws.com/icons/4/100%.png"}),
		"odd/screenshot-url-space.json": variant(t, "feedback.json", fields{"screenshotUrl": "https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/screenshots/my shot.jpg"}),
		"odd/combining-marks.json":      variant(t, "feedback.json", fields{"text": "H" + strings.Repeat("\u0335", 100) + strings.Repeat("\u0322", 100) + "ello it crashed"}),
		"odd/capitals.json":             variant(t, "feedback.json", fields{"event": " Feedback "}),
		"odd/no-event.json":             variant(t, "feedback.json", fields{"event": nil}),
		"invalid/not-an-object.json":    []byte(`[{"event":"feedback","text":"Hello"}]` + "\n"),
		"invalid/nested-too-deep.json":  []byte(`{"event":"feedback","text":"Hello","own":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n"),
	}
	files["apigateway/plain.json"] = apiGatewayEvent(t, read(t, "feedback.json"), false)
	files["apigateway/base64.json"] = apiGatewayEvent(t, files["feedback-control-characters.json"], true)
	files["sqs/single.json"] = sqsEvent(t, message(t, read(t, "feedback.json")))
	files["sqs/batch.json"] = sqsEvent(t,
		message(t, read(t, "feedback.json")),
		message(t, read(t, "crash.json")),
		// What S3 sends to a queue when a bucket's notifications are configured.
		foreignMessage(`{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-15T09:30:00.000Z","Bucket":"somebody-elses-bucket","RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR-YstdA6Knx4Ip8EXAMPLE"}`),
		message(t, files["feedback-control-characters.json"]),
	)
	return files
}

type fields map[string]any

// variant returns a payload with other fields; nil removes one.
func variant(t *testing.T, name string, change fields) []byte {
	t.Helper()
	event, err := testfairy.Decode(read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	changed := maps.Clone(event.Fields)
	for field, value := range change {
		if value == nil {
			delete(changed, field)
		} else {
			changed[field] = value
		}
	}
	return encode(t, changed, "")
}

func encode(t *testing.T, value any, indent string) []byte {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// unicodeText contains what text handling gets wrong. What looks like an accident is
// intended: joined and flag emoji, skin tones, right-to-left text with its marks, letters
// made of several code points, wide ones, and zero-width spaces.
const unicodeText = "Ça ne s’affiche pas en paysage 😀👍🏽👨‍👩‍👧‍👦🏳️‍🌈🇩🇪\n" +
	"\u202Bالتطبيق لا يعمل (v1.0) بشكل صحيح\u202C \u200Fשלום\u200E end\n" +
	"e\u0301 o\u0308 a\u0328\u0301 Z\u0351\u036B\u0343a\u0300\u0301\u0302l\u0334g\u0335o\u0336\n" +
	"アプリが横向きで正しく表示されません。ｈａｌｆ ﾊﾝｶｸ\n" +
	"நிரல் ไม่ทำงาน ខ្មែរ \U00020BB7野家 𝒻𝑒𝑒𝒹𝒷𝒶𝒸𝓀\n" +
	"zero\u200Bwidth\u2060join soft\u00ADhyphen line\u2028separator \uFEFFmark <b>\"markup\" & 'quotes'</b> {{ .text }}"

// longText returns 300,000 bytes of numbered lines in several languages.
func longText() string {
	sentences := []string{
		"App doesn't render nicely in landscape.",
		"Nach dem Drehen überlappt die Schaltfläche „Senden“ den Text.",
		"横向きにするとボタンが重なります。",
		"При повороте экрана кнопка исчезает.",
		"بعد تدوير الشاشة يختفي الزر.",
		"Même chose sur tablette 📱.",
	}
	var text strings.Builder
	for line := 1; text.Len() < 300_000; line++ {
		fmt.Fprintf(&text, "%05d %s\n", line, sentences[line%len(sentences)])
	}
	cut := text.String()[:300_000]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	return cut + strings.Repeat(".", 300_000-len(cut))
}

// nulls is a feedback in which every optional field is null.
func nulls(t *testing.T) []byte {
	event, err := testfairy.Decode(read(t, "feedback.json"))
	if err != nil {
		t.Fatal(err)
	}
	for field := range event.Fields {
		if field != "event" && field != "text" {
			event.Fields[field] = nil
		}
	}
	return encode(t, event.Fields, "")
}

// customFields are fields that an app adds to the feedback form, or a newer TestFairy to
// the payload.
var customFields = fields{
	"screenshotUrl":   "https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/2/screenshots/4b68348e8d826577.png",
	"sessionUrl":      "https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/2",
	"severity":        "Major",
	"rating":          4,
	"reproducible":    true,
	"Steps to see it": "1. Open\n2. Turn the device\n3. Look",
	"account.type":    "premium",
	"größe":           json.Number("1e3"),
	"attributes": fields{
		"network": fields{"type": "wifi", "strength": -61, "vpn": nil},
		"locales": []string{"de-DE", "en-GB"},
		"empty":   fields{},
	},
	"tags": []any{"ui", 7, nil, []string{"landscape", "rotation"}},
}

// controlCharacters is a feedback from a careless sender: not quite JSON, and with
// characters that SQS rejects.
func controlCharacters(t *testing.T) []byte {
	payload := variant(t, "feedback.json", fields{"text": "RAW", "email": "", "rawDeviceName": "ESCAPES"})
	raw := "bell \x07, escape \x1b[31m, NUL \x00, tab \t, line\r\nbreak, DEL \x7f, " +
		"broken UTF-8 \xff \xc3( \xe2\x82 \xed\xa0\x80, noncharacters \uFFFE \uFFFF, fine \U0001F600"
	escapes := `\u0000\u0001\u001b\ufffe\uffff \ud83d\ude00 \ud83d \\ \"`
	payload = bytes.Replace(payload, []byte("RAW"), []byte(raw), 1)
	payload = bytes.Replace(payload, []byte("ESCAPES"), []byte(escapes), 1)
	return append([]byte("\uFEFF"), payload...)
}

// apiGatewayEvent returns a webhook as an HTTP API passes it to a function, payload format
// 2.0. A body without a Content-Type arrives in base64.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func apiGatewayEvent(t *testing.T, body []byte, inBase64 bool) []byte {
	const host, route = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", "POST /webhooks/testfairy"
	headers := map[string]string{
		"accept": "*/*", "content-length": fmt.Sprint(len(body)), "content-type": "application/json", "host": host,
		"user-agent": "TestFairy", "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "443", "x-forwarded-proto": "https",
	}
	text := string(body)
	if inBase64 {
		delete(headers, "content-type")
		text = base64.StdEncoding.EncodeToString(body)
	}
	return encode(t, map[string]any{
		"version": "2.0", "routeKey": route, "rawPath": "/webhooks/testfairy",
		"rawQueryString": "token=sample-token", "queryStringParameters": map[string]string{"token": "sample-token"},
		"headers": headers, "body": text, "isBase64Encoded": inBase64,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": host, "domainPrefix": "a1b2c3d4e5",
			"http": map[string]string{
				"method": "POST", "path": "/webhooks/testfairy", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "TestFairy",
			},
			"requestId": "JKJaXmPLvHcESHA=", "routeKey": route, "stage": "$default",
			"time": received.Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": received.UnixMilli(),
		},
	}, "  ")
}

type record = map[string]any

// message returns a queued payload, as ingest sends it.
func message(t *testing.T, payload []byte) record {
	t.Helper()
	event, err := testfairy.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	body, err := queue.Envelope{Version: 1, DeliveryID: event.DeliveryID(), ReceivedAt: received, Event: bytes.TrimSpace(event.JSON)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sent := foreignMessage(body)
	attributes := map[string]any{}
	for name, value := range queue.DeliveryAttributes(event.DeliveryID(), string(event.Kind)) {
		attributes[name] = map[string]any{
			"dataType": *value.DataType, "stringValue": *value.StringValue, "stringListValues": []string{}, "binaryListValues": []string{},
		}
	}
	sent["messageAttributes"] = attributes
	return sent
}

// foreignMessage returns a message that someone else sent to the queue.
func foreignMessage(body string) record {
	return record{"body": body, "messageAttributes": map[string]any{}}
}

// sqsEvent returns a batch of messages as an event source mapping passes it to a function.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func sqsEvent(t *testing.T, messages ...record) []byte {
	sent := fmt.Sprint(received.UnixMilli())
	for i, m := range messages {
		sum := md5.Sum([]byte(m["body"].(string))) // SQS's own checksum, not a secret
		m["messageId"] = fmt.Sprintf("19dd0b57-b21e-4ac1-bd88-01bbb068cb%02d", i+1)
		m["receiptHandle"] = fmt.Sprintf("sample-receipt-handle-%d", i+1)
		m["md5OfBody"] = hex.EncodeToString(sum[:])
		m["attributes"] = map[string]string{
			"ApproximateReceiveCount": "1", "SenderId": "AROAEXAMPLE:fairbridge-ingest",
			"SentTimestamp": sent, "ApproximateFirstReceiveTimestamp": sent,
		}
		m["eventSource"] = "aws:sqs"
		m["eventSourceARN"] = "arn:aws:sqs:eu-central-1:123456789012:fairbridge-work"
		m["awsRegion"] = "eu-central-1"
	}
	return encode(t, map[string]any{"Records": messages}, "  ")
}
