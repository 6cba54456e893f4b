// Package events has the sample payloads, raw, as TestFairy sends them.
package events

import "embed"

// Samples are payloads that a webhook can have, one a file, without the longest.
//
//go:embed crash.json download.json new-udid.json upload.json feedback.json feedback-[ceu]*.json feedback-n*.json
var Samples embed.FS
