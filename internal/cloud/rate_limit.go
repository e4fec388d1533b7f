package cloud

import "encoding/json"

// RateLimit says how often something may be called.
type RateLimit struct {
	// Requests may be made in Seconds. All of them may come at once; each comes back after its share of the
	// time.
	Requests int `json:"requests"`
	Seconds  int `json:"seconds"`
	// By says which requests are counted together: LimitByAddress and so on.
	By string `json:"by"`
	// Header is the name of a header field, for LimitByHeader.
	Header string `json:"header,omitempty"`
}

// Values of RateLimit.By.
const (
	// LimitByAddress counts those of one address, or of one /64 of IPv6.
	LimitByAddress = "address"
	// LimitByEverybody counts all of them.
	LimitByEverybody = "everybody"
	// LimitByHeader counts those with the same value of a header.
	LimitByHeader = "header"
)

// Limits of a rate limit.
const (
	MaxRateRequests = 1_000_000
	MaxRateSeconds  = 86_400
	// maxRateHeader is the most bytes of the name of a header.
	maxRateHeader = 100
)

// Check says what is wrong with a limit (code invalid), nil if nothing is. By is LimitByAddress if it is not
// set.
func (l *RateLimit) Check() error {
	if l.By == "" {
		l.By = LimitByAddress
	}

	switch {
	case l.Requests < 1 || l.Requests > MaxRateRequests:
		return Errorf(CodeInvalid, "rate_limit.requests must be from 1 to %d", MaxRateRequests)
	case l.Seconds < 1 || l.Seconds > MaxRateSeconds:
		return Errorf(CodeInvalid, "rate_limit.seconds must be from 1 to %d", MaxRateSeconds)
	case l.By != LimitByAddress && l.By != LimitByEverybody && l.By != LimitByHeader:
		return Errorf(CodeInvalid, "rate_limit.by must be address, everybody or header")
	case l.By == LimitByHeader && l.Header == "":
		return Errorf(CodeInvalid, "rate_limit.by is header: name it in rate_limit.header")
	case l.By != LimitByHeader && l.Header != "":
		return Errorf(CodeInvalid, "rate_limit.header goes with rate_limit.by header alone")
	case l.Header != "" && !isHeaderName(l.Header):
		return Errorf(CodeInvalid, "rate_limit.header must be the name of a header, of at most %d bytes",
			maxRateHeader)
	default:
		return nil
	}
}

// isHeaderName reports a token (RFC 9110, 5.6.2) of reasonable length.
func isHeaderName(name string) bool {
	for k := range len(name) {
		c := name[k]
		isLetter := 'a' <= c|0x20 && c|0x20 <= 'z'
		isDigit := '0' <= c && c <= '9'
		if !isLetter && !isDigit && !isTokenSign(c) {
			return false
		}
	}
	return len(name) <= maxRateHeader
}

func isTokenSign(c byte) bool {
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	default:
		return false
	}
}

// RateLimitText is a limit as it is stored, "" for none.
func RateLimitText(l *RateLimit) string {
	if l == nil {
		return ""
	}
	return string(AppendJSON(nil, l))
}

// ParseRateLimit reads what RateLimitText made. A text that this version cannot read is no limit.
func ParseRateLimit(text string) *RateLimit {
	var l RateLimit
	if text == "" || json.Unmarshal([]byte(text), &l) != nil || l.Check() != nil {
		return nil
	}
	return &l
}
