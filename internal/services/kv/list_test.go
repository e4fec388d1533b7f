package kv

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSuccessor(t *testing.T) {
	t.Parallel()

	for prefix, want := range map[string]string{
		"":            "",
		"a":           "b",
		"az":          "a{",
		"é":           "ê",
		"\ud7ff":      "\ue000",
		"a\U0010ffff": "b",
		"\U0010ffff":  "",
	} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			if got := successor(prefix); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// A page is the committed one under the run's own writes: added keys are in their places, changed ones have
// the new value, deleted ones are gone, and what belongs to a later page is left to it.
func TestMerge(t *testing.T) {
	t.Parallel()
	// Own writes are given as key+ for a written key and key- for a deleted one.
	own := func(writes ...string) []ownWrite {
		var list []ownWrite
		for _, w := range writes {
			key, isWritten := strings.CutSuffix(w, "+")
			if isWritten {
				list = append(list, ownWrite{key, Entry{Found: true, Value: `"own"`, Version: 9}})
			} else {
				list = append(list, ownWrite{strings.TrimSuffix(w, "-"), Entry{}})
			}
		}
		return list
	}

	page := func(keys ...string) []string { return keys }
	for name, c := range map[string]struct {
		items []string
		own   []ownWrite
		more  bool
		want  []string // own values have a plus
	}{
		"nothing":              {nil, nil, false, nil},
		"no own writes":        {page("a", "b"), nil, true, page("a", "b")},
		"only own writes":      {nil, own("a+", "b-", "c+"), false, page("a+", "c+")},
		"before and between":   {page("b", "d"), own("a+", "c+"), false, page("a+", "b", "c+", "d")},
		"changed":              {page("a", "b"), own("a+"), false, page("a+", "b")},
		"deleted":              {page("a", "b"), own("b-"), false, page("a")},
		"deleted nothing":      {page("b"), own("a-", "c-"), false, page("b")},
		"behind the last page": {page("a"), own("z+"), false, page("a", "z+")},
		"of a later page":      {page("a", "b"), own("c+", "d-"), true, page("a", "b")},
		"at the end of a page": {page("a", "b"), own("b+"), true, page("a", "b+")},
		"several before one":   {page("d"), own("a+", "b+", "c+", "d-"), true, page("a+", "b+", "c+")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var items []Item
			for _, key := range c.items {
				items = append(items, Item{Key: key, Value: `"theirs"`, Version: 1})
			}

			var got []string
			for _, item := range merge(items, c.own, c.more) {
				key := item.Key
				if string(item.Value) == `"own"` && item.Version == 9 {
					key += "+"
				}
				got = append(got, key)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// An item has the fields that the script contract names; expiresAt is in milliseconds, null for never.
func TestListItem(t *testing.T) {
	t.Parallel()

	expires := time.UnixMilli(1_234_567).Add(890 * time.Microsecond)
	for expiresAt, entry := range map[string]Entry{"null": {}, "1234567": {Expires: expires}} {
		want := `{"key":"k","value":{"a":1},"version":3,"expiresAt":` + expiresAt + `}`
		got, err := json.Marshal(newListItem("k", `{"a":1}`, 3, expiry(entry)))
		if err != nil || string(got) != want {
			t.Errorf("%s %v, want %s", got, err, want)
		}
	}
}
