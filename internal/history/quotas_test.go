package history

import "testing"

// A quota is enforced when a twentieth of it has come anew: of a small one with each record, of none never.
func TestPruningIsDue(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		quota *int64
		added int64
		want  bool
	}{
		{"no quota", nil, 1_000_000, false},
		{"nothing", new(int64(0)), 0, false},
		{"nothing may be kept", new(int64(0)), 1, true},
		{"a small quota", new(int64(10)), 1, true},
		{"less than a twentieth", new(int64(1000)), 49, false},
		{"a twentieth", new(int64(1000)), 50, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := isDue(c.quota, c.added); got != c.want {
				t.Errorf("due: %v", got)
			}
		})
	}
}
