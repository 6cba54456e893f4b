// Package centercode is a client for Centercode: it creates tickets through an External
// Source, streams files to them, and looks tickets up in a data package.
//
// Centercode's API reference is not completely public. What is documented is in its help
// article "Send TestFairy feedback to Centercode". The rest is read leniently: the shape of
// the answer to a created ticket (answer.go), the spelling of its file endpoints
// (endpoint.go), the text of an error (description.go).
//
// Each call makes one request and does not retry it. Whether to retry is the caller's
// decision, and [Error] has the information for it.
//
// The API key is part of Centercode's URLs. It is added to a request at the last moment, is
// sent to the base URL's host only, and is redacted from every error.
package centercode
