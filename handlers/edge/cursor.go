package edge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/history"
)

// macBytes is the length of a cursor's signature.
const macBytes = 12

var errCursor = cloud.Errorf(cloud.CodeInvalid, "the cursor does not belong to this list")

// ListName binds a cursor to a list: its name, the app, and whatever filters it.
func ListName(c *AppCaller, parts ...string) string {
	return fmt.Sprintf("%d\x00%s", c.App.ID, strings.Join(parts, "\x00"))
}

// Cursor signs a place in a list. Callers cannot make one up, nor use one in another list.
func (e *Edge) Cursor(list, value string) string {
	return base64.RawURLEncoding.EncodeToString(append(e.cursorMAC(list, []byte(value)), value...))
}

// OpenCursor gives the place that a cursor holds, "" without a cursor. list must be that of Cursor.
func (e *Edge) OpenCursor(list, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}

	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < macBytes {
		return "", errCursor
	}

	if !hmac.Equal(raw[:macBytes], e.cursorMAC(list, raw[macBytes:])) {
		return "", errCursor
	}
	return string(raw[macBytes:]), nil
}

func (e *Edge) cursorMAC(list string, value []byte) []byte {
	h := hmac.New(sha256.New, e.cfg.SigningKey)
	fmt.Fprintf(h, "%s\x00", list)
	_, _ = h.Write(value)
	return h.Sum(nil)[:macBytes]
}

// OpenIDCursor gives the id that a cursor holds, zero without a cursor.
func (e *Edge) OpenIDCursor(list, cursor string) (cloud.ID, error) {
	text, err := e.OpenCursor(list, cursor)
	if err != nil || text == "" {
		return cloud.ID{}, err
	}

	id, ok := cloud.ParseID(text)
	if !ok {
		return id, errCursor
	}
	return id, nil
}

// IDCursor signs an id as a place in a list, "" for the zero id.
func (e *Edge) IDCursor(list string, id cloud.ID) string {
	if id.IsZero() {
		return ""
	}
	return e.Cursor(list, id.String())
}

// OpenTimeCursor gives the moment that a cursor holds, start without a cursor.
func (e *Edge) OpenTimeCursor(list, cursor string, start time.Time) (time.Time, error) {
	text, err := e.OpenCursor(list, cursor)
	if err != nil || text == "" {
		return start, err
	}

	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return start, errCursor
	}
	return at, nil
}

// OpenNumberCursor gives the number that a cursor holds, start without a cursor.
func (e *Edge) OpenNumberCursor(list, cursor string, start int32) (int32, error) {
	text, err := e.OpenCursor(list, cursor)
	if err != nil || text == "" {
		return start, err
	}

	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return start, errCursor
	}
	return int32(n), nil
}

// Cut gives the rows of one page and the cursor of the next one, "" on the last. rows has one more than limit
// if there is another page; key is where a row stands in the list.
func Cut[R any](e *Edge, list string, rows []R, limit int, key func(*R) string) (page []R, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	rows = rows[:limit]
	return rows, e.Cursor(list, key(&rows[limit-1]))
}

// CutBySize is Cut for rows whose texts may be long: the page also ends before the row that takes it above
// history.MaxListBytes, but has at least one. size is a row's texts in bytes.
func CutBySize[R any](
	e *Edge, list string, rows []R, limit int, size func(*R) int, key func(*R) string,
) (page []R, next string) {
	bytes := 0
	for k := range rows {
		if bytes += size(&rows[k]); k > 0 && bytes > history.MaxListBytes {
			return Cut(e, list, rows, min(k, limit), key)
		}
	}
	return Cut(e, list, rows, limit, key)
}

// NextAfter is the cursor of the page behind rows, "" if none follows.
func NextAfter[R any](e *Edge, list string, rows []R, more bool, key func(*R) string) string {
	if !more {
		return ""
	}
	return e.Cursor(list, key(&rows[len(rows)-1]))
}
