package history

import (
	"testing"

	"picloud/db"
	"picloud/internal/cloud"
)

// A page ends before the row that takes it above its bytes, and has at least one.
func TestCutPage(t *testing.T) {
	t.Parallel()
	const most = MaxListBytes - rowBytes // of a row that is a page of its own

	for _, c := range []struct {
		name  string
		sizes []int // as a statement gives them: one more than the limit, or ending with the one above the bytes
		limit int
		want  int
		more  bool
	}{
		{"nothing", nil, 10, 0, false},
		{"fewer than the limit", []int{1, 2}, 10, 2, false},
		{"as many as the limit", []int{1, 2}, 2, 2, false},
		{"more than the limit", []int{1, 2, 3}, 2, 2, true},
		{"exactly the bytes", []int{most/2 - rowBytes, most / 2}, 10, 2, false},
		{"one byte too many", []int{most, 0}, 10, 1, true},
		{"one large row", []int{2 * MaxListBytes}, 10, 1, false},
		{"one large row and more", []int{2 * MaxListBytes, 1}, 10, 1, true},
		{"a large row behind a small one", []int{1, 2 * MaxListBytes}, 10, 1, true},
	} {
		page, more := cutPage(c.sizes, c.limit, func(size *int) int { return *size })
		if len(page) != c.want || more != c.more {
			t.Errorf("%s: %d rows, more %v", c.name, len(page), more)
		}
	}
}

// largeText is what each row of the test below holds: eight of them are more than a page.
const largeText = 600_000

// pageFunc reads a page of a list behind an id: the ids, their bytes, and where the next one goes on, zero on the
// last.
type pageFunc func(after cloud.ID, limit int) (ids []cloud.ID, bytes int, next cloud.ID)

// Lists of what has long texts end their pages by bytes, in the statement already, and the next page goes on where
// the last one ended: nothing is missed and nothing comes twice.
func TestListsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	const rows = 20

	for name, read := range f.largeLists(rows) {
		t.Run(name, func(t *testing.T) {
			var seen []cloud.ID

			var after cloud.ID
			for pages := 0; pages == 0 || !after.IsZero(); pages++ {
				ids, bytes, next := read(after, 1000)
				if len(ids) == 0 || bytes > MaxListBytes || pages > rows {
					t.Fatalf("page %d has %d rows of %d bytes", pages, len(ids), bytes)
				}
				seen = append(seen, ids...)
				after = next
			}

			distinct := map[cloud.ID]bool{}
			for _, id := range seen {
				distinct[id] = true
			}
			if len(seen) != rows || len(distinct) != rows {
				t.Errorf("%d rows on all pages, %d of them distinct", len(seen), len(distinct))
			}

			if ids, _, next := read(cloud.ID{}, 2); len(ids) != 2 || next != ids[1] {
				t.Errorf("by number: %d rows, the next behind %s", len(ids), next)
			}
		})
	}
}

// What a page leaves out does not leave the database either, but for the row that ends it.
func TestStatementsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	f := newReaderFixture(t)
	const rows = 20
	f.largeLists(rows)

	q := f.db.Queries()
	ctx := t.Context()
	const most = MaxListBytes/largeText + 1

	for name, list := range map[string]func(maxBytes int64) (int, error){
		"ListExecutions": func(maxBytes int64) (int, error) {
			list, err := q.ListExecutions(ctx, db.ListExecutionsParams{
				AppID: 1, Before: cloud.LastID, Max: 1001, MaxBytes: maxBytes, RowBytes: rowBytes,
			})
			return len(list), err
		},
		"SearchExecutions": func(maxBytes int64) (int, error) {
			list, err := q.SearchExecutions(ctx, db.SearchExecutionsParams{
				AppID: 1, Before: cloud.LastID, Depth: SearchDepth, Max: 1001, MaxBytes: maxBytes, RowBytes: rowBytes,
			})
			return len(list), err
		},
		"ListOutbox": func(maxBytes int64) (int, error) {
			list, err := q.ListOutbox(ctx, db.ListOutboxParams{
				AppID: 1, Max: 1001, MaxBytes: maxBytes, RowBytes: rowBytes,
			})
			return len(list), err
		},
		"ListDeadLetters": func(maxBytes int64) (int, error) {
			list, err := q.ListDeadLetters(ctx, db.ListDeadLettersParams{
				AppID: 1, State: "all", ToTime: endOfTime, Max: 1001, MaxBytes: maxBytes, RowBytes: rowBytes,
			})
			return len(list), err
		},
		"ListLetterHeads": func(maxBytes int64) (int, error) {
			list, err := q.ListLetterHeads(ctx, db.ListLetterHeadsParams{
				AppID: 1, Max: 1001, MaxBytes: maxBytes / 2, RowBytes: rowBytes,
			})
			return len(list), err
		},
	} {
		if n, err := list(MaxListBytes); err != nil || n != most {
			t.Errorf("%s sends %d rows, want %d (%v)", name, n, most, err)
		}
		if n, err := list(1 << 40); err != nil || n != rows {
			t.Errorf("%s sends %d rows without a bound, want %d (%v)", name, n, rows, err)
		}
	}
}

// largeLists fills each list with so many rows and says how it is read.
func (f *readerFixture) largeLists(rows int) map[string]pageFunc {
	f.t.Helper()
	f.exec(`INSERT INTO executions (app_id, id, script_id, script, version, source, status, attempt, depth, root_id,
			node, started_at, duration_us, logs, error_stack)
		SELECT 1, gen_random_uuid(), gen_random_uuid(), 'needle', 1, 'http', 'failed', 1, 0, gen_random_uuid(), 'n',
			clock_timestamp(), 0, repeat('x', $2), repeat('y', $2) FROM generate_series(1, $1)`, rows, largeText/2)
	f.exec(`WITH shared AS (INSERT INTO event_payloads (app_id, id, payload)
			VALUES (1, gen_random_uuid(), repeat('x', $2)) RETURNING id)
		INSERT INTO outbox (app_id, id, source, script_id, root_id, depth, execution_id, max_attempts, backoff,
			base_ms, max_ms, jitter, wake_at, payload, payload_id)
		SELECT 1, gen_random_uuid(), 'kv', gen_random_uuid(), gen_random_uuid(), 0, gen_random_uuid(), 1, 'constant',
			1, 1, 0, clock_timestamp(), CASE WHEN g % 2 = 0 THEN repeat('x', $2) END,
			CASE WHEN g % 2 = 1 THEN shared.id END FROM shared, generate_series(1, $1) g`, rows, largeText)
	f.exec(`INSERT INTO dead_letters (app_id, id, outbox_id, source, op, script_id, script, payload, reason, error,
			attempts, depth, root_id)
		SELECT 1, gen_random_uuid(), gen_random_uuid(), 'kv', 'set', gen_random_uuid(), 's', repeat('x', $2), 'failed',
			repeat('y', $2), 1, 0, gen_random_uuid() FROM generate_series(1, $1)`, rows, largeText/2)

	return map[string]pageFunc{
		"executions":   f.executionPages(ExecutionFilter{}),
		"a search":     f.executionPages(ExecutionFilter{Script: "needle"}),
		"the outbox":   f.outboxPages,
		"dead letters": f.letterPages,
		"a script's dead letters": func(after cloud.ID, limit int) ([]cloud.ID, int, cloud.ID) {
			list, more, err := f.reader.DeadLettersForScript(f.t.Context(), 1, "s", after, limit)
			return f.lettersRead(list, more, err)
		},
	}
}

func (f *readerFixture) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.db.General.Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *readerFixture) executionPages(filter ExecutionFilter) pageFunc {
	return func(after cloud.ID, limit int) (ids []cloud.ID, bytes int, next cloud.ID) {
		page, err := f.reader.Executions(f.t.Context(), 1, filter, after, limit)
		if err != nil {
			f.t.Fatal(err)
		}

		for _, e := range page.List {
			ids = append(ids, e.ID)
			bytes += len(e.LogText) + len(e.Error.Stack)
		}
		return ids, bytes, page.End
	}
}

func (f *readerFixture) outboxPages(after cloud.ID, limit int) (ids []cloud.ID, bytes int, next cloud.ID) {
	list, more, err := f.reader.Outbox(f.t.Context(), 1, after, limit)
	if err != nil {
		f.t.Fatal(err)
	}

	for _, row := range list {
		ids = append(ids, row.ID)
		bytes += len(row.Payload)
	}
	if more {
		next = ids[len(ids)-1]
	}
	return ids, bytes, next
}

func (f *readerFixture) letterPages(after cloud.ID, limit int) ([]cloud.ID, int, cloud.ID) {
	list, more, err := f.reader.DeadLetters(f.t.Context(), 1, LetterFilter{State: "all"}, after, limit)
	return f.lettersRead(list, more, err)
}

func (f *readerFixture) lettersRead(list []cloud.DeadLetter, more bool, err error) (
	ids []cloud.ID, bytes int, next cloud.ID,
) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}

	for _, letter := range list {
		ids = append(ids, letter.ID)
		bytes += len(letter.Payload) + len(letter.Error.Message)
	}
	if more {
		next = ids[len(ids)-1]
	}
	return ids, bytes, next
}
