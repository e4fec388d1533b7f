package webapi

import (
	"encoding/base64"
	"strings"

	"picloud/internal/cloud"
)

// dataURL gives the response of a data: URL (Fetch standard, 6): its MIME type and its bytes. It reports
// false for a malformed one.
func dataURL(url string) (*cloud.Response, bool) {
	url, _, _ = strings.Cut(url, "#")
	kind, data, ok := strings.Cut(strings.TrimPrefix(url, "data:"), ",")
	if !ok {
		return nil, false
	}

	kind = strings.Trim(kind, " \t\r\n\f")
	body := percentDecode(data)
	if rest, isBase64 := cutBase64(kind); isBase64 {
		kind = rest
		if body, ok = forgivingBase64(body); !ok {
			return nil, false
		}
	}

	if strings.HasPrefix(kind, ";") {
		kind = "text/plain" + kind
	}
	m, ok := parseMIMEType(kind)
	if !ok {
		m = mimeType{
			essence:    "text/plain",
			parameters: []cloud.Header{{Name: "charset", Value: "US-ASCII"}},
		}
	}

	headers := []cloud.Header{{Name: "content-type", Value: m.String()}}
	return &cloud.Response{Status: 200, StatusText: "OK", Headers: headers, Body: body}, true
}

// cutBase64 takes the mark of base64 from the end of a data: URL's type: a semicolon, spaces and the word.
func cutBase64(kind string) (string, bool) {
	const word = "base64"
	at := len(kind) - len(word)
	if at < 0 || !strings.EqualFold(kind[at:], word) {
		return "", false
	}
	return strings.CutSuffix(strings.TrimRight(kind[:at], " "), ";")
}

// percentDecode decodes the escapes of a text; what is none it takes as it is.
func percentDecode(s string) []byte {
	out := make([]byte, 0, len(s))
	for k := 0; k < len(s); k++ {
		if s[k] == '%' && k+2 < len(s) && isHex(s[k+1]) && isHex(s[k+2]) {
			out = append(out, unhex(s[k+1])<<4|unhex(s[k+2]))
			k += 2
		} else {
			out = append(out, s[k])
		}
	}
	return out
}

// forgivingBase64 decodes base64 as atob does (Infra standard, 7).
func forgivingBase64(data []byte) ([]byte, bool) {
	text := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n\f", r) {
			return -1
		}
		return r
	}, string(data))
	if len(text)%4 == 0 {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
	}

	// The last bits of a text may be any; the padding is gone.
	raw, err := base64.RawStdEncoding.DecodeString(text)
	return raw, err == nil
}
