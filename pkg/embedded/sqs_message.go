package embedded

import (
	"crypto/md5" // SQS's checksum; not used for security
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	envelope "fairbridge/pkg/queue"
)

// SQS's quotas, from the page "message quotas" of the developer guide.
const (
	maxMessageBytes   = 1 << 20 // of a message with its attributes, and of a batch
	maxAttributes     = 10      // of a message
	maxAttributeName  = 256     // bytes
	maxBatchEntries   = 10
	maxDelaySeconds   = 15 * 60
	maxWaitSeconds    = 20
	maxReceiveAtATime = 10
)

// content is what the sender provides. It never changes.
type content struct {
	body       string
	attributes map[string]types.MessageAttributeValue
}

// size is what counts towards [maxMessageBytes].
func (c content) size() int {
	n := len(c.body)
	for name, a := range c.attributes {
		n += len(name) + len(aws.ToString(a.DataType)) + len(aws.ToString(a.StringValue)) + len(a.BinaryValue)
	}
	return n
}

// delivery returns the id of the message's delivery. The ledger keeps its entry as long as
// there is such a message.
func (c content) delivery() string {
	if id := aws.ToString(c.attributes["deliveryId"].StringValue); envelope.IsDeliveryID(id) {
		return id
	}
	return envelope.DeliveryID(c.body)
}

// check returns SQS's error for invalid content.
func (c content) check() error {
	if c.body == "" {
		return badRequest("MissingParameter", "The request must contain the parameter MessageBody.")
	}
	if !validText(c.body) {
		return errContents()
	}
	if len(c.attributes) > maxAttributes {
		return invalidParameter(fmt.Sprintf("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(c.attributes), maxAttributes))
	}
	for name, a := range c.attributes {
		if err := checkAttribute(name, a); err != nil {
			return err
		}
	}
	return nil
}

func errContents() error {
	return &types.InvalidMessageContents{Message: aws.String("Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.")}
}

// validText reports whether SQS accepts s: UTF-8 without control characters (except tab,
// line feed, carriage return) and without U+FFFE and U+FFFF. See the developer guide,
// message quotas.
func validText(s string) bool {
	for i, r := range s {
		switch {
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return false
		case r == utf8.RuneError:
			if _, width := utf8.DecodeRuneInString(s[i:]); width == 1 {
				return false // invalid UTF-8, not a U+FFFD that was sent
			}
		}
	}
	return true
}

// checkAttribute validates a message attribute by the rules in the page "message metadata"
// of the developer guide.
func checkAttribute(name string, a types.MessageAttributeValue) error {
	lower := strings.ToLower(name)
	if name == "" || len(name) > maxAttributeName || strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") ||
		strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") ||
		strings.IndexFunc(name, func(r rune) bool { return r != '.' && !validName(string(r)) }) >= 0 {
		return invalidParameter(fmt.Sprintf("The message attribute name %q is invalid.", name))
	}
	kind, _, _ := strings.Cut(aws.ToString(a.DataType), ".")
	switch kind {
	case "String", "Number":
		if aws.ToString(a.StringValue) == "" || a.BinaryValue != nil {
			return invalidParameter(fmt.Sprintf("The message attribute %q must contain a non-empty string value.", name))
		}
		if !validText(*a.StringValue) {
			return errContents()
		}
		if kind == "Number" && !isNumber(*a.StringValue) {
			return invalidParameter(fmt.Sprintf("Can't cast the value of message attribute %q to a number.", name))
		}
	case "Binary":
		if len(a.BinaryValue) == 0 || a.StringValue != nil {
			return invalidParameter(fmt.Sprintf("The message attribute %q must contain a non-empty binary value.", name))
		}
	default:
		return invalidParameter(fmt.Sprintf("The type of message attribute %q is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name))
	}
	return nil
}

func isNumber(s string) bool {
	_, err := json.Number(strings.TrimPrefix(s, "+")).Float64()
	return err == nil && strings.Trim(s, "+-.0123456789eE") == ""
}

// storedAttribute is an attribute as stored in the file.
type storedAttribute struct {
	Type   string  `json:"type"`
	String *string `json:"string,omitempty"`
	Binary []byte  `json:"binary,omitempty"`
}

func (c content) encodeAttributes() (string, error) {
	if len(c.attributes) == 0 {
		return "", nil
	}
	stored := make(map[string]storedAttribute, len(c.attributes))
	for name, a := range c.attributes {
		stored[name] = storedAttribute{aws.ToString(a.DataType), a.StringValue, a.BinaryValue}
	}
	text, err := json.Marshal(stored)
	return string(text), err
}

// decodeAttributes returns the attributes that wanted selects.
func decodeAttributes(text string, wanted []string) (map[string]types.MessageAttributeValue, error) {
	if text == "" || len(wanted) == 0 {
		return nil, nil
	}
	var stored map[string]storedAttribute
	if err := json.Unmarshal([]byte(text), &stored); err != nil {
		return nil, fmt.Errorf("read message attributes: %w", err)
	}
	var attributes map[string]types.MessageAttributeValue
	for name, a := range stored {
		if !slices.ContainsFunc(wanted, func(w string) bool { return selects(w, name) }) {
			continue
		}
		if attributes == nil {
			attributes = map[string]types.MessageAttributeValue{}
		}
		attributes[name] = types.MessageAttributeValue{DataType: aws.String(a.Type), StringValue: a.String, BinaryValue: a.Binary}
	}
	return attributes, nil
}

// selects implements ReceiveMessage's MessageAttributeNames: a name, a prefix with ".*",
// "All" or ".*".
func selects(wanted, name string) bool {
	if prefix, ok := strings.CutSuffix(wanted, ".*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return wanted == "All" || wanted == name
}

func md5Hex(s string) *string {
	sum := md5.Sum([]byte(s))
	return aws.String(hex.EncodeToString(sum[:]))
}

// attributesMD5 computes the checksum in the developer guide's section "calculating the MD5
// message digest for message attributes"; nil without attributes.
func attributesMD5(attributes map[string]types.MessageAttributeValue) *string {
	if len(attributes) == 0 {
		return nil
	}
	sum := md5.New()
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		addField(sum, name)
		addField(sum, aws.ToString(a.DataType))
		if a.StringValue != nil {
			sum.Write([]byte{1})
			addField(sum, *a.StringValue)
		} else {
			sum.Write([]byte{2})
			addField(sum, string(a.BinaryValue))
		}
	}
	return aws.String(hex.EncodeToString(sum.Sum(nil)))
}

func addField(h hash.Hash, s string) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(s)))
	h.Write(length[:])
	h.Write([]byte(s))
}
