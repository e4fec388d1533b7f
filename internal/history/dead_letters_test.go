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

// The kept counts of unresolved dead letters are those of the letters, whatever changes them.
func TestKeptCounts(t *testing.T) {
	t.Parallel()
	d := openDB(t, 2)
	r := NewReader(d, nil)

	const insert = `INSERT INTO dead_letters (app_id, id, outbox_id, source, op, script_id, script, payload, reason,
			error, attempts, depth, root_id, error_group, resolution)
		SELECT x.app, gen_random_uuid(), gen_random_uuid(), 'kv', '', gen_random_uuid(), x.script, '', '', '', 1, 0,
			gen_random_uuid(), x.error, nullif(x.resolution, '') FROM (VALUES `

	for _, step := range []struct{ name, sql string }{
		{"nothing", "SELECT 1"},
		{"one", insert + `(1, 'a', 'E', '')) x (app, script, error, resolution)`},
		{"several", insert + `(1, 'a', 'E', ''), (1, 'a', 'F', ''), (1, 'b', 'E', 'handler_failed'), (2, 'a', 'E', ''),
			(1, 'a', 'E', 'ignored')) x (app, script, error, resolution)`},
		{"a handler failed", "UPDATE dead_letters SET resolution = 'handler_failed' WHERE script = 'a' AND resolution IS NULL"},
		{"some are resolved", "UPDATE dead_letters SET resolution = 'replayed' WHERE app_id = 1 AND error_group = 'E'"},
		{"folded", ""},
		{"opened again", "UPDATE dead_letters SET resolution = NULL WHERE script = 'b'"},
		{"the script has another name", "UPDATE dead_letters SET script = 'c' WHERE script = 'b'"},
		{"folded twice", ""},
		{"an app goes", "DELETE FROM apps WHERE id = 2"},
		{"all go", "DELETE FROM dead_letters"},
		{"folded at last", ""},
	} {
		if step.sql == "" {
			for n := int64(1); n > 0; {
				var err error
				if n, err = d.Queries().FoldLetterCounts(t.Context()); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
			}
		} else if _, err := d.General.Exec(t.Context(), step.sql); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}

		for app := cloud.AppID(1); app <= 2; app++ {
			var want, groups int64
			err := d.General.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT (script, error_group)) FROM dead_letters
				WHERE app_id = $1 AND (resolution IS NULL OR resolution = 'handler_failed')`, app).Scan(&want, &groups)
			if err != nil {
				t.Fatal(err)
			}

			got, err := r.CountDeadLetters(t.Context(), app)
			if err != nil || got != want {
				t.Errorf("%s: app %d has %d, %v, want %d", step.name, app, got, err, want)
			}

			list, err := r.GroupDeadLetters(t.Context(), app, 10)
			if err != nil || int64(len(list)) != groups {
				t.Errorf("%s: app %d has the groups %v, %v, want %d", step.name, app, list, err, groups)
			}
		}
	}

	var left int
	if err := d.General.QueryRow(t.Context(), "SELECT count(*) FROM dead_letter_counts").Scan(&left); err != nil || left > 0 {
		t.Errorf("%d counts are left: %v", left, err)
	}
}
