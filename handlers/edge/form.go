package edge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
)

// MaxForm bounds a dashboard form in bytes: a source of 1 MiB, percent-encoded.
const MaxForm = 4 << 20

// ReadForm reads a form of at most limit bytes, as browsers send it.
func (e *Edge) ReadForm(c *fiber.Ctx, limit int) (url.Values, error) {
	body, err := e.ReadBody(c, limit)
	if err != nil {
		return nil, err
	}

	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, cloud.Errorf(cloud.CodeMalformed, "the form cannot be read")
	}
	return form, nil
}

// CheckForm refuses a form that is not from a page of this session: the browser says that it comes from
// elsewhere, or its token is another session's.
func (e *Edge) CheckForm(c *fiber.Ctx, form url.Values, session string) error {
	if !SameOrigin(c) || !hmac.Equal([]byte(form.Get("csrf")), []byte(e.CSRF(session))) {
		return cloud.Errorf(cloud.CodeForbidden,
			"this form is from another page or session: go back, reload and try again")
	}
	return nil
}

// CSRF is the token of a session's forms.
func (e *Edge) CSRF(session string) string {
	h := hmac.New(sha256.New, e.cfg.SigningKey)
	_, _ = h.Write([]byte("csrf\x00" + session))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// SameOrigin refuses what a browser says comes from elsewhere (Fetch Metadata; Origin for those without).
// The Origin "null" is elsewhere: a sandboxed page, such as a script's on this very host, sends it. No Origin
// at all is no browser of this decade.
func SameOrigin(c *fiber.Ctx) bool {
	switch c.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "":
		header := c.Get("Origin")
		origin, err := url.Parse(header)
		return header == "" || err == nil && origin.Host != "" && origin.Host == string(c.Context().Host())
	default:
		return false
	}
}
