package dynamotest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// value is an attribute value on the wire: one member, its type, such as
// {"N":"1"}.
type value map[string]string

// item is an item on the wire.
type item map[string]value

const errorPrefix = "com.amazonaws.dynamodb.v20120810#"

// failure is an error on the wire.
type failure struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
	Item    item   `json:",omitempty"`
}

func fail(kind, format string, args ...any) *failure {
	return &failure{Type: errorPrefix + kind, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *failure {
	return fail("ValidationException", format, args...)
}

// putItem and getItem are the requests, with the parameters that are known.
type putItem struct {
	TableName                           string
	Item                                item
	ConditionExpression                 string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           map[string]value
	ReturnValuesOnConditionCheckFailure string
}

type getItem struct {
	TableName      string
	Key            item
	ConsistentRead bool
}

// carryOut returns the answer to a call, or a *failure.
func (s *Server) carryOut(r Request) any {
	switch r.Operation {
	case "PutItem":
		var in putItem
		if f := s.decode(r, &in, &in.TableName); f != nil {
			return f
		}
		return s.put(in)
	case "GetItem":
		var in getItem
		if f := s.decode(r, &in, &in.TableName); f != nil {
			return f
		}
		return s.get(in)
	default:
		return fail("UnknownOperationException", "%q is not known here", r.Operation)
	}
}

func (s *Server) decode(r Request, in any, table *string) *failure {
	d := json.NewDecoder(strings.NewReader(r.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return fail("SerializationException", "%v", err)
	}
	if *table != s.table {
		return fail("ResourceNotFoundException", "there is no table %q", *table)
	}
	return nil
}

func (s *Server) put(in putItem) any {
	id := in.Item["id"]["S"]
	if id == "" {
		return invalid("the key id (S) is missing")
	}
	old, exists := s.items[id]
	holds, f := in.holds(old)
	if f != nil {
		return f
	}
	if !holds {
		f := fail("ConditionalCheckFailedException", "The conditional request failed")
		if in.ReturnValuesOnConditionCheckFailure == "ALL_OLD" {
			f.Item = old
		}
		return f
	}
	if exists {
		s.before[id] = old
	}
	s.items[id] = in.Item
	return struct{}{}
}

// get answers an eventually consistent read with what was there before, which
// DynamoDB may do too.
func (s *Server) get(in getItem) any {
	id := in.Key["id"]["S"]
	if id == "" || len(in.Key) != 1 {
		return invalid("the key is not id (S)")
	}
	found := s.items[id]
	if !in.ConsistentRead {
		found = s.before[id]
	}
	return struct {
		Item item `json:",omitempty"`
	}{found}
}

var (
	notExists = regexp.MustCompile(`^attribute_not_exists\((#\w+)\)$`)
	equals    = regexp.MustCompile(`^(#\w+) = (:\w+)$`)
)

// holds evaluates the condition. As with DynamoDB, a name or a value that the
// expression does not use is an error.
func (in putItem) holds(old item) (bool, *failure) {
	var name, operand string
	if m := notExists.FindStringSubmatch(in.ConditionExpression); m != nil {
		name = m[1]
	} else if m := equals.FindStringSubmatch(in.ConditionExpression); m != nil {
		name, operand = m[1], m[2]
	} else {
		return false, invalid("the condition %q is not known here", in.ConditionExpression)
	}
	attribute, named := in.ExpressionAttributeNames[name]
	if !named || len(in.ExpressionAttributeNames) != 1 {
		return false, invalid("ExpressionAttributeNames is not just %s", name)
	}
	current, exists := old[attribute]
	if operand == "" {
		if len(in.ExpressionAttributeValues) > 0 {
			return false, invalid("ExpressionAttributeValues is not used")
		}
		return !exists, nil
	}
	want, given := in.ExpressionAttributeValues[operand]
	if !given || len(in.ExpressionAttributeValues) != 1 {
		return false, invalid("ExpressionAttributeValues is not just %s", operand)
	}
	return exists && maps.Equal(current, want), nil
}
