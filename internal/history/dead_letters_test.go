package history

import (
	"slices"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// A list and its count select the same dead letters: by when they were given up, and by a text in the error or
// the payload, as a person reads it and whatever its case.
func TestDeadLetterFilters(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	at := func(hour int) time.Time { return time.Date(2026, 11, 29, hour, 0, 0, 0, time.UTC) }
	letter := func(hour int, payload, message string) cloud.ID {
		id := f.ids.New()
		text := string(cloud.AppendJSON(nil, cloud.ScriptError{Name: "Error", Message: message}))
		mustExec(t, f.db, `
			INSERT INTO dead_letters (app_id, id, outbox_id, source, op, script_id, script, payload, reason, error,
				attempts, depth, root_id, created_at)
			VALUES (1, '`+id.String()+`', gen_random_uuid(), 'kv', '', gen_random_uuid(), 's', '`+payload+`', 'failed',
				'`+text+`', 1, 0, gen_random_uuid(), '`+at(hour).Format(time.RFC3339)+`')`)
		return id
	}

	first := letter(10, `{"key":"Order-1"}`, "no customer")
	second := letter(11, `{"note":"say \"hi\""}`, "timeout")
	third := letter(12, `null`, "50% of \"hi\" failed")

	for _, c := range []struct {
		name   string
		filter LetterFilter
		want   []cloud.ID
	}{
		{"all", LetterFilter{}, []cloud.ID{third, second, first}},
		{"from is included", LetterFilter{From: at(11)}, []cloud.ID{third, second}},
		{"to is not", LetterFilter{To: at(11)}, []cloud.ID{first}},
		{"between", LetterFilter{From: at(11), To: at(12)}, []cloud.ID{second}},
		{"in the payload", LetterFilter{Search: "order-1"}, []cloud.ID{first}},
		{"in the error", LetterFilter{Search: "TIMEOUT"}, []cloud.ID{second}},
		{"with quotes", LetterFilter{Search: `"hi"`}, []cloud.ID{third, second}},
		{"no pattern", LetterFilter{Search: "%"}, []cloud.ID{third}},
		{"nowhere", LetterFilter{Search: "absent"}, nil},
		{"both", LetterFilter{Search: "hi", From: at(12)}, []cloud.ID{third}},
	} {
		t.Run(c.name, func(t *testing.T) {
			letters, _, err := f.reader.DeadLetters(t.Context(), 1, c.filter, cloud.ID{}, 10)
			if err != nil {
				t.Fatal(err)
			}

			var got []cloud.ID
			for _, d := range letters {
				got = append(got, d.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("listed %v, want %v", got, c.want)
			}

			n, err := f.reader.CountMatching(t.Context(), 1, c.filter)
			if err != nil || int(n) != len(c.want) {
				t.Errorf("counted %d, want %d: %v", n, len(c.want), err)
			}
		})
	}
}
