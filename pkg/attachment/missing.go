package attachment

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// lateFor is how long after its webhook a file may be missing: TestFairy may announce a
// screenshot while the tester's phone is still sending it.
const lateFor = 15 * time.Minute

// refused returns the error for an answer without the file.
func (s *stream) refused(a *answer) *Error {
	e := statusError(a.Response, a.target)
	now := s.fetcher.now()
	age := now.Sub(s.request.Announced).Abs()
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		if end, signed := signedUntil(a.target.url.Query()); signed && now.After(end) {
			// A URL from the payload stays the same; a redirect may get a new signature.
			e.Permanent, e.Expired, e.Reason = !a.target.moved, !a.target.moved, reasonExpired
			return e
		}
	}
	switch e.Status {
	case http.StatusUnauthorized:
		if s.request.Auth != nil {
			// The credentials are wrong, not the file, and they can be corrected.
			e.Permanent = false
		}
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		// S3 answers 403 for a missing object if the caller may not list the bucket.
		if age < lateFor {
			e.Permanent = false
			e.Reason += "; the file may not be there yet"
		}
	}
	return e
}

// signedUntil returns when a pre-signed URL expires: one of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html), of Google
// Cloud Storage, which is similar, of CloudFront, or with S3's earlier signature.
func signedUntil(q url.Values) (time.Time, bool) {
	for _, prefix := range []string{"X-Amz-", "X-Goog-"} {
		signed, err := time.Parse("20060102T150405Z", q.Get(prefix+"Date"))
		if err != nil {
			continue
		}
		if seconds, err := strconv.ParseUint(q.Get(prefix+"Expires"), 10, 32); err == nil {
			return signed.Add(time.Duration(seconds) * time.Second), true
		}
	}
	seconds, err := strconv.ParseUint(q.Get("Expires"), 10, 40)
	return time.Unix(int64(seconds), 0), err == nil && q.Has("Signature")
}
