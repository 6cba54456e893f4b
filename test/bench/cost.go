package main

import (
	"fmt"
	"strings"
)

// pricesOf is the date of the prices below.
const pricesOf = "2026-11-21"

// List prices in US dollars, us-east-1, without free tiers.
const (
	perAPIRequest   = 1.00 / 1e6   // HTTP API, up to 512 KB: https://aws.amazon.com/api-gateway/pricing/
	perInvocation   = 0.20 / 1e6   // https://aws.amazon.com/lambda/pricing/
	perGBSecond     = 0.0000133334 // arm64, by the millisecond: https://aws.amazon.com/lambda/pricing/
	perQueueRequest = 0.40 / 1e6   // up to 64 KB: https://aws.amazon.com/sqs/pricing/
	perWriteUnit    = 0.625 / 1e6  // up to 1 KB: https://aws.amazon.com/dynamodb/pricing/on-demand/
	perGBStored     = 0.25 + 0.20  // a month, with point-in-time recovery: the same page
	perGBLogged     = 0.50         // https://aws.amazon.com/cloudwatch/pricing/
	perTrace        = 5.00 / 1e6   // https://aws.amazon.com/xray/pricing/
	perGBOut        = 0.09         // to the Internet: https://aws.amazon.com/ec2/pricing/on-demand/

	// Each a month, for the first ten thousand: https://aws.amazon.com/cloudwatch/pricing/
	perAlarm     = 0.10
	perDashboard = 3.00
	perMetric    = 0.30
)

const (
	// everyTicket is the number of metrics that a ticket with a screenshot counts:
	// Received, TicketsCreated, WebhookToTicket, Attachments and AttachmentBytes. Every
	// other metric costs only for the hours in which it counts something.
	everyTicket = 5
	// polls is how often the five pollers of an event source mapping poll an idle queue in
	// a month, for 20 s each.
	polls = 5 * 30 * 24 * 3600 / 20
)

// fixed returns what a stack costs in a month without failures, however few feedbacks there
// are, computed from the text of its template.
func fixed(template string) bill {
	alarms := strings.Count(template, "Type: AWS::CloudWatch::Alarm\n")
	mappings := strings.Count(template, "Type: SQS\n")
	return bill{
		{"CloudWatch alarms", fmt.Sprint(alarms), float64(alarms) * perAlarm},
		{"CloudWatch dashboard", "1", perDashboard},
		{"CloudWatch metrics", fmt.Sprintf("%d that every ticket counts", everyTicket), everyTicket * perMetric},
		{"SQS", fmt.Sprintf("%d requests to idle queues", mappings*polls), float64(mappings*polls) * perQueueRequest},
	}
}

// monthly returns the bill as a table.
func (b bill) monthly() string {
	var out strings.Builder
	fmt.Fprintf(&out, "| service | a month | $ |\n| --- | --- | ---: |\n")
	b.lines(&out)
	return out.String()
}

// lines writes the expenses and their sum.
func (b bill) lines(out *strings.Builder) {
	sum := 0.0
	for _, e := range b {
		sum += e.dollars
		fmt.Fprintf(out, "| %s | %s | %.2f |\n", e.service, e.reckoned, e.dollars)
	}
	fmt.Fprintf(out, "| **in all** | | **%.2f** |\n", sum)
}

// As in template.yaml.
const (
	ingestMemory = 128.0 // MB
	workerMemory = 256.0 // MB
)

// oneProcessor is the memory in MB at which a function has a full processor; with less it
// gets a proportional share.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const oneProcessor = 1769

// Conservative estimates of what cannot be measured without AWS and Centercode.
const (
	waitQueue      = 10.0  // ms, for a call to SQS
	waitTable      = 10.0  // ms, for a write to DynamoDB
	waitCentercode = 500.0 // ms, for a new ticket
	accessLogLine  = 240.0 // bytes, in the API's access log
	storedEntry    = 1e3   // bytes in the table
	storedMonths   = 35.0 / 30
	ticketBytes    = 2e3 // to Centercode, with its headers and TLS
	screenshot     = 100e3
)

// queueRequests are send, receive, change of visibility, and delete, for a feedback alone
// in its batch.
const queueRequests = 4

// expense is one line of the bill for a million feedbacks.
type expense struct {
	service, reckoned string
	dollars           float64
}

type bill []expense

// cost returns what a million feedbacks without attachments cost on AWS.
func (r report) cost() bill {
	median := map[string]float64{}
	for _, result := range r.Results {
		median[result.Key] = result.Value.Median
	}
	const million = 1e6
	duration := func(cpu, memory, wait float64) (ms, dollars float64) {
		ms = cpu*oneProcessor/memory + wait
		return ms, million * ms / 1000 * memory / 1024 * perGBSecond
	}
	units := median["ledger.units"]
	ingestMs, ingestTime := duration(median["cpu.ingest"], ingestMemory, waitQueue)
	workerMs, workerTime := duration(median["cpu.worker"], workerMemory, units*waitTable+waitCentercode)
	logged := median["log.ingest"] + median["log.worker"] + accessLogLine
	gigabytes := func(bytes float64) float64 { return million * bytes / 1e9 }
	return bill{
		{"API Gateway", "1 request", million * perAPIRequest},
		{"Lambda, ingest", fmt.Sprintf("1 invocation of %.0f ms with %.0f MB", ingestMs, ingestMemory), million*perInvocation + ingestTime},
		{"Lambda, worker", fmt.Sprintf("1 invocation of %.0f ms with %.0f MB", workerMs, workerMemory), million*perInvocation + workerTime},
		{"SQS", fmt.Sprintf("%d requests: send, receive, change of visibility, delete", queueRequests), million * queueRequests * perQueueRequest},
		{"DynamoDB, writes", fmt.Sprintf("%.0f write units", units), million * units * perWriteUnit},
		{"DynamoDB, table and backup", "1 KB for 35 days", gigabytes(storedEntry) * storedMonths * perGBStored},
		{"CloudWatch Logs", fmt.Sprintf("%.1f KB: a line of each function and one of the API", logged/1e3), gigabytes(logged) * perGBLogged},
		{"Traffic to Centercode", fmt.Sprintf("%.0f KB", ticketBytes/1e3), gigabytes(ticketBytes) * perGBOut},
	}
}

// markdown returns the bill as a table, with notes on what it does not include.
func (b bill) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "| service | a feedback | a million, $ |\n| --- | --- | ---: |\n")
	b.lines(&out)
	fmt.Fprintf(&out, "| each %.0f KB of attachments, on top | traffic to Centercode | %.2f |\n", screenshot/1e3, screenshot/1e3*perGBOut)
	fmt.Fprintf(&out, "| X-Ray, on top | at most 2 traces | up to %.2f |\n", 2e6*perTrace)
	fmt.Fprintf(&out, "\nList prices of us-east-1, without free tiers, looked up on %s.\n", pricesOf)
	return out.String()
}
