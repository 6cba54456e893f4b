// Package events embeds the sample payloads, byte for byte as TestFairy sends them.
package events

import "embed"

// Samples are realistic webhook payloads, one a file, except for the longest.
//
//go:embed crash.json download.json new-udid.json upload.json feedback.json feedback-[ceu]*.json feedback-n*.json
var Samples embed.FS
