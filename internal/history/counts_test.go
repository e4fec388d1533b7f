package history

import (
	"testing"

	"picloud/internal/cloud"
)

// Counts that could not be written are added to those of runs that ended meanwhile, and other counts do not
// change.
func TestPutBack(t *testing.T) {
	t.Parallel()
	both := countKey{app: 1, minute: 1}
	waits := countKey{app: 1, minute: 2}
	other := countKey{app: 2, minute: 1}
	all := counts{
		both:  {n: 1, histogram: [buckets]int64{0: 1}},
		other: {n: 9},
	}
	from := counts{
		both:  {n: 2, histogram: [buckets]int64{0: 1, 3: 1}},
		waits: {n: 4},
	}

	if lost := all.putBack([]countKey{both, waits}, from); lost != 0 {
		t.Errorf("%d are lost", lost)
	}
	if c := all[both]; c.n != 3 || c.histogram != [buckets]int64{0: 2, 3: 1} {
		t.Errorf("added up: %+v", c)
	}
	if all[waits].n != 4 || all[other].n != 9 || len(all) != 3 {
		t.Errorf("the others: %+v, %+v", all[waits], all[other])
	}
}

// A database that is away for long does not fill the memory: counts that are new are lost, known ones go on.
func TestCountsAreBounded(t *testing.T) {
	t.Parallel()

	all := counts{}
	for n := range int64(maxCounts) {
		all[countKey{minute: n}] = &count{n: 1}
	}
	from := counts{{minute: 0}: {n: 1}, {minute: -1}: {n: 1}}

	lost := all.putBack([]countKey{{minute: -1}, {minute: 0}}, from)
	if lost != 1 || len(all) != maxCounts || all[countKey{minute: 0}].n != 2 {
		t.Errorf("%d lost, %d kept, %+v", lost, len(all), all[countKey{minute: 0}])
	}
}

// A histogram is written as PostgreSQL reads an array.
func TestCountText(t *testing.T) {
	t.Parallel()
	c := count{histogram: [buckets]int64{0: 12, buckets - 1: 3}}
	if got, want := c.text(), "{12,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,3}"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A statement has counts of one minute, each script's and outcome's in the place of its amount.
func TestCountRows(t *testing.T) {
	t.Parallel()
	all := counts{}
	all.count(&cloud.Execution{App: 1, Script: cloud.ID{1}, Status: cloud.Succeeded}, 0)
	all.count(&cloud.Execution{App: 1, Script: cloud.ID{1}, Status: cloud.Succeeded}, 2)
	all.count(&cloud.Execution{App: 2, Script: cloud.ID{2}, Status: cloud.Failed}, 0)

	keys := all.byMinute()
	if len(keys) != 1 {
		t.Fatalf("by minute: %v", keys)
	}

	for minute, list := range keys {
		p := all.rows(minute, list)
		if len(p.Apps) != 2 {
			t.Errorf("%d rows, want 2", len(p.Apps))
		}

		for i := range p.Apps {
			c := all[countKey{app: cloud.AppID(p.Apps[i]), script: p.Scripts[i], minute: minute,
				outcome: cloud.Status(p.Outcomes[i])}]
			if c == nil || p.Amounts[i] != c.n || p.Histograms[i] != c.text() {
				t.Errorf("row %d of %+v is of %+v", i, p, c)
			}
		}
	}
}
