package simulator

import (
	"cmp"
	"time"
)

// DefaultMaxFileBytes is Centercode's limit for one file, 2 GiB.
const DefaultMaxFileBytes = 2 << 30

// Config says how a [Simulator] behaves. The zero value takes everything from
// everyone and keeps it in memory.
type Config struct {
	// APIKeys are the keys that are accepted; none accepts every key, but there
	// must be one. See also [Simulator.SetAPIKeys].
	APIKeys []string
	// WrongKeyStatus answers a wrong key: 401 (the default) or 403.
	WrongKeyStatus int
	// Projects maps the known projects' keys to their External Sources' keys; nil
	// knows every project and source. The rest is 404.
	Projects map[string][]string

	// RequireSubmitter takes the Default Submitter away: a ticket without a
	// submitter, or with one that is not among Users, is 400.
	RequireSubmitter bool
	// DefaultSubmitter gets such tickets otherwise.
	DefaultSubmitter string
	// Users are the project's users; nil makes one of every email address.
	Users []string
	// RequireStatus makes `status` a required parameter.
	RequireStatus bool
	// Choices maps a parameter to the values that the form has for it, `status`
	// included; any other value is 400. They are compared to the letter.
	Choices map[string][]string

	// FileElements are the form's file elements; the default is screenshot and
	// log, which are named in the answer, while files are taken for any other too.
	FileElements []string
	// Shape is the form of the answer to a created ticket; "" is [ShapeObject].
	Shape Shape
	// FileField is the form field that must hold the file; "" takes any.
	FileField string
	// MaxFileBytes is the limit for one file; 0 is [DefaultMaxFileBytes].
	MaxFileBytes int64
	// Origin is what the endpoints in an answer begin with where it is not what the
	// request was sent to: the site's canonical address, "https://host".
	Origin string
	// RefuseExpect answers 417 to a request with Expect.
	RefuseExpect bool
	// RefuseChunked answers 411 to an upload without Content-Length.
	RefuseChunked bool
	// PageRows is the number of rows on a page of a data package; 0 is 100.
	PageRows int

	// Dir keeps tickets and files on disk; files are then kept whole. Without it
	// only pictures of at most 1 MiB are kept, of the rest size and SHA-256.
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

// fileElements are the elements that an answer names.
func (o Config) fileElements() []string {
	if o.FileElements == nil {
		return []string{"screenshot", "log"}
	}
	return o.FileElements
}
