package cloud

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

const (
	// MaxErrorText bounds each field of an error that is recorded, in bytes. The sandbox cuts what is longer,
	// and ends it with CutMark.
	MaxErrorText = 8 << 10
	// CutMark ends a text that was cut.
	CutMark = "..."
)

const (
	// minMasked is the length in bytes from which a secret is hidden: a shorter one would hide ordinary
	// words.
	minMasked = 8
	// masked stands where a secret was.
	masked = "***"
)

// Mask hides secrets in texts that others than their owner may read: in the forms that programs give them, as
// JSON, URL, base64 or hexadecimal text, and line by line. A nil Mask hides nothing.
type Mask struct {
	forms    []string // the longest first
	replacer *strings.Replacer
}

// NewMask makes a Mask of secrets. Those of less than minMasked bytes are left out; if no other is there it
// is nil.
func NewMask(secrets []string) *Mask {
	var forms []string
	for _, secret := range secrets {
		forms = append(forms, formsOf(secret)...)
	}
	forms = slices.DeleteFunc(forms, func(form string) bool { return len(form) < minMasked })
	if len(forms) == 0 {
		return nil
	}

	// The longest come first, so that a secret which begins like another is hidden whole.
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	forms = slices.Compact(forms)

	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, masked)
	}
	return &Mask{forms: forms, replacer: strings.NewReplacer(pairs...)}
}

// Text hides the secrets in a text, and the beginning of one at the end of a text that was cut.
func (m *Mask) Text(text string) string {
	if m == nil || text == "" {
		return text
	}
	return m.replacer.Replace(m.hideCut(text))
}

// hideCut hides what the cut has left of a secret.
func (m *Mask) hideCut(text string) string {
	kept, isCut := strings.CutSuffix(text, CutMark)
	if !isCut || len(text) < MaxErrorText {
		return text
	}

	most := 0
	for _, form := range m.forms {
		most = max(most, overlap(kept, form))
	}
	if most == 0 {
		return text
	}
	return kept[:len(kept)-most] + masked + CutMark
}

// overlap is how many bytes of a form's beginning a text ends with; the whole form does not count.
func overlap(text, form string) int {
	for n := min(len(form)-1, len(text)); n > 0; n-- {
		if text[len(text)-n] == form[0] && strings.HasSuffix(text, form[:n]) {
			return n
		}
	}
	return 0
}

// formsOf gives the texts in which a secret may turn up.
func formsOf(secret string) []string {
	if len(secret) < minMasked {
		return nil
	}

	forms := append([]string{secret}, inJSON(secret)...)
	forms = append(forms, inURLs(secret)...)
	forms = append(forms, inBase64(secret)...)
	digits := hex.EncodeToString([]byte(secret))
	forms = append(forms, digits, strings.ToUpper(digits))

	// Logs are written line by line, and a private key is recognised by any of its lines.
	if strings.ContainsAny(secret, "\r\n") {
		for line := range strings.Lines(secret) {
			line = strings.TrimSpace(line)
			forms = append(forms, line)
			forms = append(forms, inJSON(line)...)
		}
	}
	return forms
}

// inJSON gives a text as it stands within a JSON string, and within a string of JSON that is itself in one.
// Programs differ in what they escape besides what must be.
func inJSON(text string) []string {
	var forms []string
	for _, html := range []bool{false, true} {
		once := escapeJSON(text, html)
		forms = append(forms, once, escapeJSON(once, html))
	}
	return append(forms, strings.ReplaceAll(forms[0], "/", `\/`))
}

func escapeJSON(text string, html bool) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(html)
	if encoder.Encode(text) != nil {
		return "" // a string has JSON
	}
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

// inURLs gives a text as encodeURIComponent, encodeURI and forms write it, with digits of either case.
func inURLs(text string) []string {
	var forms []string
	for _, unescaped := range []string{"-_.!~*'()", "-_.!~*'();/?:@&=+$,#", "*-._", ""} {
		upper := escapeURL(text, unescaped, "%%%02X")
		lower := escapeURL(text, unescaped, "%%%02x")
		forms = append(forms, upper, lower, strings.ReplaceAll(upper, "%20", "+"),
			strings.ReplaceAll(lower, "%20", "+"))
	}
	return append(forms, url.PathEscape(text), url.QueryEscape(text))
}

// escapeURL escapes every byte but letters, digits and those that are named.
func escapeURL(text, unescaped, format string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		isPlain := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if isPlain || strings.IndexByte(unescaped, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, format, c)
		}
	}
	return b.String()
}

// inBase64 gives the digits that a text has in base64 wherever it stands in what was encoded, as the password
// does in Basic credentials: there are three ways, of which the first and the last digit may hold bits of its
// neighbours and are left out.
func inBase64(text string) []string {
	var forms []string
	for before := range 3 {
		padded := append(make([]byte, before), text...)
		bits := 8 * before
		first := (bits + 5) / 6

		last := 8 * len(padded) / 6
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, encoding.EncodeToString(padded)[first:last])
		}
	}
	return forms
}
