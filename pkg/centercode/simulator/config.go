package simulator

import (
	"cmp"
	"time"
)

// DefaultMaxFileBytes is Centercode's limit for one file, 2 GiB.
const DefaultMaxFileBytes = 2 << 30

// Config configures a [Simulator]. The zero value accepts every request and keeps
// everything in memory.
type Config struct {
	// APIKeys are the accepted keys. If there are none, any key that is not empty is
	// accepted. See also [Simulator.SetAPIKeys].
	APIKeys []string
	// WrongKeyStatus is the answer to a wrong key: 401 (the default) or 403.
	WrongKeyStatus int
	// Projects maps the keys of the known projects to the keys of their External Sources.
	// If it is nil, every project and source exists. Unknown ones are answered 404.
	Projects map[string][]string

	// RequireSubmitter removes the Default Submitter: a ticket without a submitter, or with
	// one that is not among Users, is answered 400.
	RequireSubmitter bool
	// DefaultSubmitter gets those tickets if RequireSubmitter is false.
	DefaultSubmitter string
	// Users are the project's users. If it is nil, every email address is a user.
	Users []string
	// RequireStatus makes `status` a required parameter.
	RequireStatus bool
	// Choices maps a parameter to the values that the form allows, including `status`. Any
	// other value is answered 400. The comparison is case-sensitive.
	Choices map[string][]string

	// FileElements are the form's file elements that the response names. The default is
	// screenshot and log. Files are accepted for any other element too.
	FileElements []string
	// Shape is the form of the response to a created ticket; "" is [ShapeObject].
	Shape Shape
	// FileField is the form field that must hold the file; "" accepts any.
	FileField string
	// MaxFileBytes is the limit for one file; 0 is [DefaultMaxFileBytes].
	MaxFileBytes int64
	// Origin replaces scheme and host of the endpoints in a response: the site's canonical
	// address, "https://host". The default is the address that the request was sent to.
	Origin string
	// RefuseExpect answers 417 to a request with an Expect header.
	RefuseExpect bool
	// RefuseChunked answers 411 to an upload without Content-Length.
	RefuseChunked bool
	// PageRows is the number of rows on a page of a data package; 0 is 100.
	PageRows int

	// Dir keeps tickets and complete files on disk. Without it only pictures of at most 1
	// MiB are kept; of other files, only the size and SHA-256.
	Dir string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (o Config) withDefaults() Config {
	o.WrongKeyStatus = cmp.Or(o.WrongKeyStatus, 401)
	o.DefaultSubmitter = cmp.Or(o.DefaultSubmitter, "default.submitter@example.com")
	o.Shape = cmp.Or(o.Shape, ShapeObject)
	o.MaxFileBytes = cmp.Or(o.MaxFileBytes, DefaultMaxFileBytes)
	o.PageRows = cmp.Or(o.PageRows, 100)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// fileElements returns the elements that a response names.
func (o Config) fileElements() []string {
	if o.FileElements == nil {
		return []string{"screenshot", "log"}
	}
	return o.FileElements
}
