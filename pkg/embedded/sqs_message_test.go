package embedded

import (
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// TestAttributesMD5 uses a digest from AWS, found in the tests of the emulator moto
// (tests/test_sqs/test_sqs.py).
func TestAttributesMD5(t *testing.T) {
	attributes := map[string]types.MessageAttributeValue{
		"timestamp": {DataType: aws.String("Number"), StringValue: aws.String("1493147359900")},
	}
	if got, want := aws.ToString(attributesMD5(attributes)), "235c5c510d26fb653d073faed50ae77c"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := attributesMD5(nil); got != nil {
		t.Errorf("of none: %s", *got)
	}
}

func FuzzValidText(f *testing.F) {
	for _, s := range []string{"plain", "\x00", "tab\tand\r\n", "\uFFFD", "\uFFFE", "\xff", "\xed\xa0\x80", "🙂"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := utf8.ValidString(s)
		for _, r := range s {
			// The list in the developer guide.
			allowed := r == 0x9 || r == 0xA || r == 0xD || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
			want = want && allowed
		}
		if got := validText(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	f.Add(newReceipt(7).String())
	f.Add("")
	f.Fuzz(func(t *testing.T, handle string) {
		if r, err := parseReceipt(&handle); err == nil && len(r.nonce) != nonceBytes {
			t.Errorf("%q has a nonce of %d bytes", handle, len(r.nonce))
		}
	})
}
