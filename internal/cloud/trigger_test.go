package cloud

import "testing"

// A pattern is an exact name, a prefix, or everything.
func TestMatchesCollection(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		pattern, collection string
		want                bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"*", "anything", true},
		{"a:*", "a:b", true},
		{"a:*", "a", false},
		{"a:*", "a:", true},
		{"a:*", "ab:c", false},
		{"a:*", "b:a:c", false},
	} {
		if got := MatchesCollection(c.pattern, c.collection); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.collection, got)
		}
	}
}

func TestMatchesKV(t *testing.T) {
	t.Parallel()

	trigger := Trigger{Kind: SourceKV, Enabled: true, Collection: "c", Ops: []string{"insert", "delete"}}
	for _, c := range []struct {
		name           string
		change         func(*Trigger)
		collection, op string
		want           bool
	}{
		{"named operation", func(*Trigger) {}, "c", "insert", true},
		{"other operation", func(*Trigger) {}, "c", "update", false},
		{"all operations", func(t *Trigger) { t.Ops = nil }, "c", "update", true},
		{"other collection", func(*Trigger) {}, "d", "insert", false},
		{"prefix", func(t *Trigger) { t.Collection = "c:*" }, "c:1", "insert", true},
		{"disabled", func(t *Trigger) { t.Enabled = false }, "c", "insert", false},
		{"other kind", func(t *Trigger) { t.Kind = SourceCron }, "c", "insert", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			trigger := trigger
			c.change(&trigger)
			if got := trigger.MatchesKV(c.collection, c.op); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestMatchesDeadLetter(t *testing.T) {
	t.Parallel()

	// The letter is of kv, trigger 1, script 2.
	for _, c := range []struct {
		name    string
		trigger Trigger
		want    bool
	}{
		{"no filter", Trigger{}, true},
		{"source", Trigger{Source: "kv"}, true},
		{"other source", Trigger{Source: "http"}, false},
		{"trigger", Trigger{Trigger: ID{1}}, true},
		{"other trigger", Trigger{Trigger: ID{9}}, false},
		{"script", Trigger{FailedScript: ID{2}}, true},
		{"other script", Trigger{FailedScript: ID{9}}, false},
		{"all", Trigger{Source: "kv", Trigger: ID{1}, FailedScript: ID{2}}, true},
		{"all but one", Trigger{Source: "kv", Trigger: ID{9}, FailedScript: ID{2}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.trigger.Kind = SourceDeadLetter
			c.trigger.Enabled = true
			if got := c.trigger.MatchesDeadLetter("kv", ID{1}, ID{2}); got != c.want {
				t.Errorf("got %v", got)
			}

			c.trigger.Enabled = false
			if c.trigger.MatchesDeadLetter("kv", ID{1}, ID{2}) {
				t.Error("a disabled trigger matches")
			}

			c.trigger = Trigger{Kind: SourceKV, Enabled: true}
			if c.trigger.MatchesDeadLetter("kv", ID{1}, ID{2}) {
				t.Error("a kv trigger matches")
			}
		})
	}
}
