package dynamotest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// value is an attribute value on the wire: a single member named by its type, such as
// {"N":"1"}. Type B is base64.
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

// putItem and getItem are the requests, with the parameters that are supported.
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

type deleteItem struct {
	TableName string
	Key       item
}

// query reads an index, which is named after its partition key.
type query struct {
	TableName, IndexName      string
	KeyConditionExpression    string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]value
	ExclusiveStartKey         item
}

// carryOut returns the response to a call, or a *failure.
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
	case "DeleteItem":
		var in deleteItem
		if f := s.decode(r, &in, &in.TableName); f != nil {
			return f
		}
		return s.delete(in)
	case "Query":
		var in query
		if f := s.decode(r, &in, &in.TableName); f != nil {
			return f
		}
		return s.query(in)
	case "Scan":
		var in scan
		if f := s.decode(r, &in, &in.TableName); f != nil {
			return f
		}
		return s.scan(in)
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
	holds, f := true, (*failure)(nil)
	if in.ConditionExpression != "" {
		holds, f = in.holds(old)
	}
	if f != nil {
		return f
	}
	if size := in.Item.size(); size > maxItem {
		return invalid("Item size has exceeded the maximum allowed size")
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

// get answers an eventually consistent read with the item before its last change, which
// DynamoDB may do.
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

func (s *Server) delete(in deleteItem) any {
	id := in.Key["id"]["S"]
	if id == "" || len(in.Key) != 1 {
		return invalid("the key is not id (S)")
	}
	delete(s.items, id)
	delete(s.before, id)
	return struct{}{}
}

// query returns one item a page, so that callers have to paginate.
func (s *Server) query(in query) any {
	m := equals.FindStringSubmatch(in.KeyConditionExpression)
	if m == nil || in.ExpressionAttributeNames[m[1]] != in.IndexName {
		return invalid("the condition %q is not known here", in.KeyConditionExpression)
	}
	var found []item
	for _, it := range s.items {
		if maps.Equal(it[in.IndexName], in.ExpressionAttributeValues[m[2]]) && it["since"]["N"] != "" {
			found = append(found, it)
		}
	}
	order := func(a, b item) int {
		return cmp.Or(cmp.Compare(len(a["since"]["N"]), len(b["since"]["N"])), cmp.Compare(a["since"]["N"], b["since"]["N"]),
			cmp.Compare(a["id"]["S"], b["id"]["S"]))
	}
	slices.SortFunc(found, order)
	if in.ExclusiveStartKey != nil {
		found = slices.DeleteFunc(found, func(it item) bool { return order(it, in.ExclusiveStartKey) <= 0 })
	}
	var page struct {
		Items            []item
		LastEvaluatedKey item `json:",omitempty"`
	}
	page.Items = found[:min(1, len(found))]
	if len(found) > 1 {
		last := found[0]
		page.LastEvaluatedKey = item{"id": last["id"], "since": last["since"], in.IndexName: last[in.IndexName]}
	}
	return page
}

// maxItem is DynamoDB's limit, including attribute names.
const maxItem = 400 << 10

func (it item) size() int {
	n := 0
	for name, v := range it {
		n += len(name)
		for kind, text := range v {
			if kind == "B" {
				n += len(text) / 4 * 3
			} else {
				n += len(text)
			}
		}
	}
	return n
}

var (
	notExists = regexp.MustCompile(`^attribute_not_exists\((#\w+)\)$`)
	equals    = regexp.MustCompile(`^(#\w+) = (:\w+)$`)
)

// holds evaluates the condition. As in DynamoDB, a name or value that the expression does
// not use is an error.
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
