package cloud

import (
	"testing"
	"time"
)

// Ids grow within a process, carry their time, and read back.
func TestIDs(t *testing.T) {
	var s IDSource
	last := s.New()
	for range 20_000 {
		id := s.New()
		if string(id[:]) <= string(last[:]) {
			t.Fatalf("%s is not after %s", id, last)
		}
		last = id
	}

	if d := time.Since(last.Time()); d < -10*time.Second || d > 10*time.Second {
		t.Errorf("the id's time is off by %s", d)
	}
	if back, ok := ParseID(last.String()); !ok || back != last {
		t.Errorf("%s reads back as %s", last, back)
	}

	for _, bad := range []string{"", "x", "00000000-0000-0000-0000-000000000000", last.String() + "0", "zz" + last.String()[2:]} {
		if _, ok := ParseID(bad); ok {
			t.Errorf("%q is no id", bad)
		}
	}

	if first := FirstID(last.Time()); string(first[:]) > string(last[:]) {
		t.Error("FirstID is not the least")
	}
}
