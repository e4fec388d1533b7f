package cloud

import (
	"strings"
	"testing"
)

// A limit that cannot be counted is refused in a sentence that names the field.
func TestCheckRateLimit(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		limit RateLimit
		want  string // "" if it is accepted
	}{
		{"by address without saying so", RateLimit{Requests: 1, Seconds: 1}, ""},
		{"the most", RateLimit{Requests: 1_000_000, Seconds: 86_400, By: "everybody"}, ""},
		{"by header", RateLimit{Requests: 5, Seconds: 60, By: "header", Header: "X-Api-Key"}, ""},
		{"no requests", RateLimit{Seconds: 1}, "rate_limit.requests must be from 1 to 1000000"},
		{"negative requests", RateLimit{Requests: -1, Seconds: 1}, "rate_limit.requests"},
		{"too many requests", RateLimit{Requests: 1_000_001, Seconds: 1}, "rate_limit.requests"},
		{"no seconds", RateLimit{Requests: 1}, "rate_limit.seconds must be from 1 to 86400"},
		{"too many seconds", RateLimit{Requests: 1, Seconds: 86_401}, "rate_limit.seconds"},
		{"by what", RateLimit{Requests: 1, Seconds: 1, By: "user"}, "address, everybody or header"},
		{"no header", RateLimit{Requests: 1, Seconds: 1, By: "header"}, "name it in rate_limit.header"},
		{"a header for nothing", RateLimit{Requests: 1, Seconds: 1, Header: "a"}, "goes with rate_limit.by"},
		{"no name of a header", RateLimit{Requests: 1, Seconds: 1, By: "header", Header: "a b"}, "the name of"},
		{"beyond ASCII", RateLimit{Requests: 1, Seconds: 1, By: "header", Header: "ä"}, "the name of"},
		{"a long name", RateLimit{Requests: 1, Seconds: 1, By: "header", Header: strings.Repeat("a", 101)},
			"at most 100 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			err := c.limit.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && CodeOf(err) != CodeInvalid {
				t.Errorf("code %s", CodeOf(err))
			}
		})
	}
}

// What is stored is read again as it was; what is no limit limits nothing.
func TestRateLimitText(t *testing.T) {
	t.Parallel()

	limit := &RateLimit{Requests: 3, Seconds: 60, By: LimitByHeader, Header: "X-Api-Key"}
	if got := ParseRateLimit(RateLimitText(limit)); got == nil || *got != *limit {
		t.Errorf("%+v became %+v", limit, got)
	}
	if RateLimitText(nil) != "" {
		t.Error("no limit is stored as something")
	}

	for _, text := range []string{"", "{", "null", `{"requests":0,"seconds":1}`} {
		if got := ParseRateLimit(text); got != nil {
			t.Errorf("%q is the limit %+v", text, got)
		}
	}
}
