package cloud

import "testing"

func TestTriggerMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, collection string
		want                bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"*", "anything", true}, {"a:*", "a:b", true}, {"a:*", "a", false}, {"a:*", "a:", true}, {"a:*", "ab:c", false},
	} {
		if got := MatchesCollection(c.pattern, c.collection); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.collection, got)
		}
	}

	kv := Trigger{Kind: SourceKV, Enabled: true, Collection: "c", Ops: []string{"insert", "delete"}}
	if !kv.MatchesKV("c", "insert") || kv.MatchesKV("c", "update") || kv.MatchesKV("d", "insert") {
		t.Error("operations are not matched")
	}

	kv.Enabled = false
	if kv.MatchesKV("c", "insert") {
		t.Error("a disabled trigger matches")
	}

	dl := Trigger{Kind: SourceDeadLetter, Enabled: true, Source: "kv", FailedScript: ID{1}}
	if !dl.MatchesDeadLetter("kv", ID{9}, ID{1}) || dl.MatchesDeadLetter("http", ID{9}, ID{1}) || dl.MatchesDeadLetter("kv", ID{9}, ID{2}) {
		t.Error("dead letters are not matched")
	}
}
