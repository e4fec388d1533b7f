package edge

import (
	"encoding/base64"
	"slices"
	"strconv"
	"testing"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/history"
)

// A cursor is good for the list that made it, and nothing else: callers cannot reach over an app or a
// filter with it.
func TestCursorIsBoundToItsList(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	other, _ := newEdge(t, func(c *Config) { c.SigningKey = []byte("another") })
	list := ListName(callerIn(1), "scripts")
	good := e.Cursor(list, "orders")
	if got, err := e.OpenCursor(list, good); got != "orders" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := e.OpenCursor(list, ""); got != "" || err != nil {
		t.Fatalf("no cursor: %q, %v", got, err)
	}

	raw, _ := base64.RawURLEncoding.DecodeString(good)
	forged := slices.Clone(raw)
	forged[len(forged)-1] ^= 1

	for _, c := range []struct {
		name, list, cursor string
	}{
		{"another app", ListName(callerIn(2), "scripts"), good},
		{"another list", ListName(callerIn(1), "routes"), good},
		{"another filter", ListName(callerIn(1), "scripts", "x"), good},
		{"another key", list, other.Cursor(list, "orders")},
		{"cut", list, good[:len(good)-2]},
		{"cut within the signature", list, good[:8]},
		{"longer", list, good + "AA"},
		{"changed", list, base64.RawURLEncoding.EncodeToString(forged)},
		{"no base64", list, "%%%"},
		{"a plain name", list, "orders"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := e.OpenCursor(c.list, c.cursor)
			if got != "" {
				t.Errorf("opened %q", got)
			}
			wantCode(t, err, cloud.CodeInvalid)
		})
	}
}

// The parts of a list's name cannot be shifted into one another.
func TestListNamesDiffer(t *testing.T) {
	t.Parallel()

	seen := map[string][]string{}
	for _, parts := range [][]string{{"x"}, {"x", ""}, {"x", "", ""}, {"x", "a", "b"}, {"x", "ab", ""},
		{"x", "", "ab"}, {"xa", "b"}} {
		name := ListName(callerIn(1), parts...)
		if before, ok := seen[name]; ok {
			t.Errorf("%q and %q have one name", before, parts)
		}
		seen[name] = parts
	}
}

// A signed cursor that holds what is no place in the list is refused as well.
func TestTypedCursors(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	id := cloud.ID{1, 2, 3}
	start := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	at := time.Date(2026, 5, 6, 7, 8, 9, 10, time.UTC)

	if got, err := e.OpenIDCursor("l", e.Cursor("l", id.String())); got != id || err != nil {
		t.Errorf("id: %v, %v", got, err)
	}
	if got, err := e.OpenIDCursor("l", ""); !got.IsZero() || err != nil {
		t.Errorf("no id: %v, %v", got, err)
	}
	if got, err := e.OpenTimeCursor("l", e.Cursor("l", at.Format(time.RFC3339Nano)),
		start); !got.Equal(at) || err != nil {
		t.Errorf("time: %v, %v", got, err)
	}

	if got, err := e.OpenTimeCursor("l", "", start); !got.Equal(start) || err != nil {
		t.Errorf("no time: %v, %v", got, err)
	}
	if got, err := e.OpenNumberCursor("l", e.Cursor("l", "17"), 99); got != 17 || err != nil {
		t.Errorf("number: %v, %v", got, err)
	}
	if got, err := e.OpenNumberCursor("l", "", 99); got != 99 || err != nil {
		t.Errorf("no number: %v, %v", got, err)
	}

	word := e.Cursor("l", "word")
	_, err := e.OpenIDCursor("l", word)
	wantCode(t, err, cloud.CodeInvalid)
	_, err = e.OpenTimeCursor("l", word, start)
	wantCode(t, err, cloud.CodeInvalid)
	_, err = e.OpenNumberCursor("l", e.Cursor("l", "99999999999"), 1)
	wantCode(t, err, cloud.CodeInvalid)
}

// Rows with long texts end a page before its number does.
func TestCutBySize(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	const half = history.MaxListBytes / 2
	size := func(n *int) int { return *n }

	for _, c := range []struct {
		name string
		rows []int
		want int
		more bool
	}{
		{"none", nil, 0, false},
		{"small", []int{1, 2}, 2, false},
		{"small, and one more", []int{1, 2, 3}, 2, true},
		{"just as large", []int{half, half}, 2, false},
		{"too large", []int{half, half + 1}, 1, true},
		{"one that is too large alone", []int{3 * half}, 1, false},
		{"such a one, and another", []int{3 * half, 1}, 1, true},
	} {
		rows, next := CutBySize(e, "l", c.rows, 2, size, func(n *int) string { return strconv.Itoa(*n) })
		if len(rows) != c.want || (next != "") != c.more {
			t.Errorf("%s: %d rows, next %q", c.name, len(rows), next)
		}
	}
}

// The row that was read too much only shows that there is another page; the cursor is the last row of this
// one.
func TestCut(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	key := func(n *int) string { return strconv.Itoa(*n) }

	for _, c := range []struct {
		name string
		rows []int
		want []int
		next string
	}{
		{"none", nil, nil, ""},
		{"fewer", []int{1}, []int{1}, ""},
		{"just as many", []int{1, 2}, []int{1, 2}, ""},
		{"one more", []int{1, 2, 3}, []int{1, 2}, "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows, next := Cut(e, "l", c.rows, 2, key)
			if !slices.Equal(rows, c.want) {
				t.Errorf("rows %v, want %v", rows, c.want)
			}
			if (next == "") != (c.next == "") {
				t.Fatalf("next %q", next)
			}
			if got, err := e.OpenCursor("l", next); got != c.next || err != nil {
				t.Errorf("next holds %q, %v; want %q", got, err, c.next)
			}
		})
	}
}

// A bulk action goes on before an id and, at a rate, behind a time; no cursor of another kind passes for its
// own.
func TestBulkCursor(t *testing.T) {
	t.Parallel()
	e, _ := newEdge(t, nil)
	id := cloud.ID{1, 2, 3}
	due := time.Date(2026, 5, 6, 7, 8, 9, 10_000, time.UTC)

	for name, c := range map[string]struct {
		id  cloud.ID
		due time.Time
	}{
		"at once":   {id: id},
		"at a rate": {id, due},
		"the end":   {due: due},
	} {
		text := e.BulkCursor("l", c.id, c.due)
		if (text == "") != c.id.IsZero() {
			t.Errorf("%s: cursor %q", name, text)
		}
		if c.id.IsZero() {
			continue
		}
		before, after, err := e.OpenBulkCursor("l", text)
		if before != c.id || !after.Equal(c.due) || err != nil {
			t.Errorf("%s: %v, %v, %v", name, before, after, err)
		}
	}

	for _, value := range []string{"x", id.String() + " ", id.String() + " soon", "x " + due.Format(time.RFC3339)} {
		_, _, err := e.OpenBulkCursor("l", e.Cursor("l", value))
		wantCode(t, err, cloud.CodeInvalid)
	}
	if before, after, err := e.OpenBulkCursor("l", ""); !before.IsZero() || !after.IsZero() || err != nil {
		t.Errorf("without a cursor: %v, %v, %v", before, after, err)
	}
}
