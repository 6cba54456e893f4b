package mapping

// schema is the part of JSON Schema that the file needs.
type schema struct {
	Description string
	Type        string
	Alternative string   // a second type
	Second      string   // a third
	Enum        []string // the only texts
	Pattern     string
	Examples    []any
	Properties  []property
	Required    []string
	Closed      bool    // no other keys
	Values      *schema // of keys that are the user's own
	Items       *schema
	MinItems    int
	AnyOf       []schema
}

// property is one key and its schema; a list of them keeps the order.
type property struct {
	name string
	schema
}
