package edge

import (
	"bytes"
	"io"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
)

// ReadBody reads at most limit bytes. A longer body is dropped, up to four times the limit, so that the
// client sees the 413 instead of a broken connection.
func ReadBody(c *fiber.Ctx, limit int) ([]byte, error) {
	stream := c.Request().BodyStream()
	if stream == nil {
		return bytes.Clone(c.Request().Body()), nil
	}

	tooLarge := cloud.Errorf(cloud.CodeTooLarge, "the body is over %d bytes", limit)
	declared := c.Request().Header.ContentLength()
	var body bytes.Buffer
	if declared > 0 && declared <= limit {
		body.Grow(declared)
	}

	if declared <= limit { // or unknown
		if _, err := io.Copy(&body, io.LimitReader(stream, int64(limit)+1)); err != nil {
			c.Context().SetConnectionClose()
			return nil, cloud.Errorf(cloud.CodeMalformed, "the body did not arrive").Because(err)
		}
		if body.Len() <= limit {
			return body.Bytes(), nil
		}
	}

	// What still comes of the body must not be taken for the next request, hence the close.
	_, _ = io.Copy(io.Discard, io.LimitReader(stream, 4*int64(limit)))
	c.Context().SetConnectionClose()
	return nil, tooLarge
}
