// Package simulator simulates Centercode, as net/http/httptest simulates a server: for
// tests, and for a bridge that runs before anyone has an API key.
//
// It accepts tickets and files as Centercode's help article "Send TestFairy feedback to
// Centercode" describes, responds in any of the shapes that the real API might use, and
// fails on request. Besides the API it serves:
//
//   - / is a page with the tickets and their files.
//   - /simulator/tickets is the same as JSON, for a test in another process.
//   - /simulator/faults adds (POST), lists (GET) and clears (DELETE) faults.
//
// With a folder, a ticket or file is on disk before its request is answered, so that what a
// bridge saw acknowledged survives a kill -9 of both.
package simulator
