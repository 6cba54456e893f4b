package simulator

import (
	"net/url"
	"strconv"
	"time"
)

// amzDate is the time format of a presigned URL of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
const amzDate = "20060102T150405Z"

// sign adds the query of a URL presigned now to a screenshot's URL. Only its time is
// checked later, not the signature.
func (s *Server) sign(screenshotURL string) string {
	if s.config.Signed == 0 || screenshotURL == "" {
		return screenshotURL
	}
	return screenshotURL + "?" + url.Values{
		"X-Amz-Algorithm": {"AWS4-HMAC-SHA256"}, "X-Amz-Date": {s.config.Now().UTC().Format(amzDate)},
		"X-Amz-Expires": {strconv.Itoa(int(s.config.Signed.Seconds()))}, "X-Amz-Signature": {"5167"},
	}.Encode()
}

// expired reports whether a signed URL is no longer valid.
func (s *Server) expired(query url.Values) bool {
	signed, err := time.Parse(amzDate, query.Get("X-Amz-Date"))
	seconds, _ := strconv.Atoi(query.Get("X-Amz-Expires"))
	return err == nil && s.config.Now().After(signed.Add(time.Duration(seconds)*time.Second))
}
