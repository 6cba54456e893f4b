package attachment

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// lateFor is how long after its webhook a file may not be there yet: TestFairy
// announces a screenshot while the tester's phone may still be sending it.
const lateFor = 15 * time.Minute

// refused is what an answer means that does not bring the file.
func (s *stream) refused(a *answer) *Error {
	e := statusError(a.Response, a.target)
	now := s.fetcher.now()
	age := now.Sub(s.request.Announced).Abs()
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		if hasExpired(a.target.url, now) {
			// One out of the payload stays as it is; a redirect may be signed anew.
			e.Permanent, e.Reason = !a.target.moved, reasonExpired
			return e
		}
	}
	switch e.Status {
	case http.StatusUnauthorized:
		if s.request.Auth != nil {
			// The key is wrong, not the file: it may be mended.
			e.Permanent = false
		}
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		// S3 says 403 of what does not exist to those who may not list.
		if age < lateFor {
			e.Permanent = false
			e.Reason += "; the file may not be there yet"
		}
	}
	return e
}

// hasExpired reports whether u is a signed URL whose time is over.
func hasExpired(u *url.URL, now time.Time) bool {
	end, ok := signedUntil(u.Query())
	return ok && now.After(end)
}

// signedUntil is how long a pre-signed URL of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html),
// of Google's store, which does it alike, of CloudFront or of S3's earlier
// signature can be used.
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
