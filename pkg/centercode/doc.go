// Package centercode talks to Centercode: it creates tickets through an
// External Source, adds files to them as a stream, and looks a ticket up in a
// data package.
//
// Centercode's API reference is not public in full. What is documented is in
// its help article "Send TestFairy feedback to Centercode"; what is not is read
// tolerantly here: the shape of the answer to a created ticket (answer.go), the
// spelling of its file endpoints (endpoint.go), the text of an error
// (description.go).
//
// Every call makes one request and never repeats it: whether a fault may be
// tried again is the caller's decision, and [Error] carries what it needs.
//
// The API key is part of Centercode's URLs. It is added to a request at the last
// moment, goes to the base URL's own host only, and is taken out of every error.
package centercode
