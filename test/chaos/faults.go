package main

import (
	"net/http"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// silence is longer than a bridge waits for Centercode's answer or for the next bytes of a
// source.
const silence = 31 * time.Second

// The faults, by operation and name. Those named "done" affect a request that was carried
// out: only its answer is damaged. A 5xx other than 504 means that the request was not
// carried out, so it has no such form.
var (
	createFaults = map[string]centercodesim.Fault{
		"create: 400":               {Status: 400},
		"create: 404":               {Status: 404},
		"create: 422":               {Status: 422},
		"create: 401":               {Status: 401},
		"create: 408":               {Status: 408},
		"create: 429, wait 1 s":     {Status: 429, RetryAfter: "1"},
		"create: 500":               {Status: 500},
		"create: 502, a web page":   {Status: 502, Body: centercodesim.BodyHTML},
		"create: 503":               {Status: 503, Body: centercodesim.BodyEmpty},
		"create: 504":               {Status: 504},
		"create: 504, done":         {Status: 504, Body: centercodesim.BodyHTML, After: true},
		"create: dropped":           {Drop: true},
		"create: dropped, done":     {Drop: true, After: true},
		"create: slow":              {Delay: 300 * time.Millisecond},
		"create: slow answer, done": {Delay: 300 * time.Millisecond, After: true},
		"create: a web page":        {Status: 200, Body: centercodesim.BodyHTML},
		"create: a web page, done":  {Body: centercodesim.BodyHTML, After: true},
		"create: cut answer, done":  {Body: centercodesim.BodyTruncated, After: true},
		"create: endless, done":     {Body: centercodesim.BodyEndless, After: true},
		"create: no body, done":     {Body: centercodesim.BodyEmpty, After: true},
	}
	fileFaults = map[string]centercodesim.Fault{
		"file: 403":              {Status: 403},
		"file: 404":              {Status: 404},
		"file: 413":              {Status: 413},
		"file: 429, wait 1 s":    {Status: 429, RetryAfter: "1"},
		"file: 500, a web page":  {Status: 500, Body: centercodesim.BodyHTML},
		"file: 503":              {Status: 503},
		"file: 504":              {Status: 504},
		"file: 504, done":        {Status: 504, After: true},
		"file: dropped early":    {Drop: true, ReadFirst: 100},
		"file: dropped":          {Drop: true, ReadFirst: 1 << 30},
		"file: dropped, done":    {Drop: true, After: true},
		"file: slow":             {Delay: 300 * time.Millisecond},
		"file: a web page, done": {Body: centercodesim.BodyHTML, After: true},
		"file: cut answer, done": {Body: centercodesim.BodyTruncated, After: true},
	}
	lookupFaults = map[string]centercodesim.Fault{
		"look-up: 403":             {Status: 403},
		"look-up: 429, wait 1 s":   {Status: 429, RetryAfter: "1"},
		"look-up: 500, a web page": {Status: 500, Body: centercodesim.BodyHTML},
		"look-up: 504":             {Status: 504},
		"look-up: dropped":         {Drop: true},
		"look-up: cut answer":      {Body: centercodesim.BodyTruncated, After: true},
		"look-up: a web page":      {Status: 200, Body: centercodesim.BodyHTML},
		"look-up: slow":            {Delay: 300 * time.Millisecond},
	}
	sourceFaults = map[string]testfairysim.Fault{
		"source: 403":                {Status: 403},
		"source: 404":                {Status: 404},
		"source: 429, wait 1 s":      {Status: 429, Header: http.Header{"Retry-After": {"1"}}},
		"source: 500":                {Status: 500},
		"source: 503":                {Status: 503},
		"source: dropped":            {Drop: true},
		"source: broken":             {Drop: true, DropAfter: 1500},
		"source: broken, chunked":    {Drop: true, DropAfter: 1500, NoLength: true},
		"source: broken, no ETag":    {Drop: true, DropAfter: 1500, NoValidators: true},
		"source: slow":               {BytesPerSecond: 200_000},
		"source: late":               {Delay: 300 * time.Millisecond},
		"source: ends early":         {LengthError: 100},
		"source: a sign-in page":     {SignIn: true},
		"source: redirect to inside": {Status: 302, Header: http.Header{"Location": {"https://169.254.169.254/latest"}}},
	}
)

// The faults that last for a while, and those of which a plan has only a few.
const (
	silentCreate   = "create: silent"
	silentSource   = "source: silent"
	wrongKey       = "wrong key for a while"
	busy           = "429 for a while"
	unavailable    = "503 for a while"
	deliveredEarly = "queue: delivered early"
	deliveredTwice = "queue: delivered twice"
)

var (
	silentCreateFault = centercodesim.Fault{Delay: silence}
	silentSourceFault = testfairysim.Fault{Delay: silence}
	busyFault         = centercodesim.Fault{Status: 429, RetryAfter: "1"}
	unavailableFault  = centercodesim.Fault{Status: 503, RetryAfter: "1", Body: centercodesim.BodyHTML}
)
