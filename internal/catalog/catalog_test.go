package catalog

import (
	"testing"

	"picloud/internal/cloud"
)

func appOf(id cloud.AppID, slug string, revision int64) *App {
	return &App{ID: id, Slug: slug, Revision: revision, Env: &cloud.Env{},
		Triggers: map[cloud.ID]*cloud.Trigger{}}
}

// Apps are replaced whole. A load that was overtaken by a newer one changes nothing: definitions never go
// back.
func TestReplace(t *testing.T) {
	t.Parallel()
	c := New(Config{})
	c.replace([]*App{appOf(1, "one", 5), appOf(2, "two", 1)}, nil)
	before := c.snapshot.Load()

	c.replace([]*App{appOf(1, "one", 4)}, nil)
	if got := c.App(1).Revision; got != 5 {
		t.Errorf("revision %d after an older load", got)
	}
	c.replace([]*App{appOf(1, "renamed", 6)}, nil)
	if got := c.App(1); got.Revision != 6 || c.snapshot.Load().bySlug["renamed"] != got ||
		c.snapshot.Load().bySlug["one"] != nil {
		t.Errorf("app %+v", got)
	}
	c.replace(nil, []cloud.AppID{1})
	if c.App(1) != nil || c.App(2) == nil || c.snapshot.Load().bySlug["renamed"] != nil {
		t.Error("the app that is gone is there, or another is not")
	}

	// Whoever took a snapshot has it as it was.
	if before.byID[1].Revision != 5 || before.bySlug["one"] == nil {
		t.Error("a snapshot was changed")
	}
}

// The matcher of routes is built anew if and only if a route may have come or gone.
func TestReplaceRoutes(t *testing.T) {
	t.Parallel()
	routed := appOf(1, "one", 1)
	script := &cloud.Script{App: 1, ID: cloud.ID{1}, Name: "hello", Kind: cloud.KindEndpoint}
	routed.AddScript(script)
	routed.routes = []*cloud.Route{{App: 1, ID: cloud.ID{9}, Script: script.ID, Method: "GET", Host: "any",
		Path: "/hello/:name"}}

	c := New(Config{})
	c.replace([]*App{routed, appOf(2, "two", 1)}, nil)
	built := c.snapshot.Load().routes
	c.replace([]*App{appOf(2, "two", 2)}, nil)
	if c.snapshot.Load().routes != built {
		t.Error("the matcher was built although no route changed")
	}
	if target, _, err := c.MatchRoute("GET", "host", "/hello/ann"); err != nil || target.Script != script ||
		len(target.Params) != 1 || target.Params[0] != (cloud.Header{Name: "name", Value: "ann"}) {
		t.Errorf("target %+v, %v", target, err)
	}
	_, _, err := c.MatchRoute("PUT", "host", "/hello/ann")
	if cloud.CodeOf(err) != cloud.CodeMethod {
		t.Errorf("another method: %v", err)
	}

	c.replace([]*App{appOf(1, "one", 2)}, nil)
	if _, _, err := c.MatchRoute("GET", "host", "/hello/ann"); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("a route that is gone: %v", err)
	}
}

// An endpoint answers at its address; a module, and what is not there, does not.
func TestMatchScript(t *testing.T) {
	t.Parallel()
	app := appOf(1, "one", 1)
	app.AddScript(&cloud.Script{App: 1, ID: cloud.ID{1}, Name: "hello", Kind: cloud.KindEndpoint})
	app.AddScript(&cloud.Script{App: 1, ID: cloud.ID{2}, Name: "library", Kind: cloud.KindModule})
	c := New(Config{})
	c.replace([]*App{app}, nil)

	if target, err := c.MatchScript("one", "hello"); err != nil || target.Script.ID != (cloud.ID{1}) ||
		target.AppID() != 1 ||
		target.Dispatch != cloud.DispatchSync {
		t.Errorf("target %+v, %v", target, err)
	}

	for _, address := range [][2]string{{"one", "library"}, {"one", "missing"}, {"two", "hello"}} {
		if _, err := c.MatchScript(address[0], address[1]); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("%v: %v", address, err)
		}
	}
	if id, ok := c.ScriptID(1, "library"); !ok || id != (cloud.ID{2}) {
		t.Errorf("id %v, %v", id, ok)
	}

	for _, missing := range []cloud.AppID{1, 2} {
		if _, ok := c.ScriptID(missing, "missing"); ok {
			t.Errorf("app %d has a script that is not there", missing)
		}
	}
	if app.ScriptName(cloud.ID{1}) != "hello" || app.ScriptName(cloud.ID{9}) != "" ||
		app.Script(cloud.ID{9}) != nil {
		t.Error("scripts are not found by their ids")
	}
}

// A change raises the enabled triggers of its collection and operation, by id. They are counted whatever the
// operation, since the count bounds what a write may raise.
func TestMatchingTriggers(t *testing.T) {
	t.Parallel()

	app := appOf(1, "one", 1)
	for k, trigger := range []cloud.Trigger{
		{Kind: cloud.SourceKV, Collection: "orders", Enabled: true},
		{Kind: cloud.SourceKV, Collection: "orders", Ops: []string{"delete"}, Enabled: true},
		{Kind: cloud.SourceKV, Collection: "ord:*", Enabled: true},
		{Kind: cloud.SourceKV, Collection: "*", Ops: []string{"insert", "delete"}, Enabled: true},
		{Kind: cloud.SourceKV, Collection: "orders"},
		{Kind: cloud.SourceCron, Collection: "orders", Enabled: true},
		{Kind: cloud.SourceDeadLetter, Enabled: true},
		{Kind: cloud.SourceDeadLetter, Source: "kv", Enabled: true},
		{Kind: cloud.SourceDeadLetter, Trigger: cloud.ID{1}, Enabled: true},
		{Kind: cloud.SourceDeadLetter, FailedScript: cloud.ID{0x5c}, Enabled: true},
		{Kind: cloud.SourceDeadLetter},
	} {
		trigger.ID = cloud.ID{byte(k)}
		app.Triggers[trigger.ID] = &trigger
	}
	c := New(Config{})
	c.replace([]*App{app}, nil)
	ids := func(triggers []*cloud.Trigger) string {
		b := []byte{}
		for _, trigger := range triggers {
			b = append(b, 'a'+trigger.ID[0])
		}
		return string(b)
	}

	for name, c := range map[string]struct{ got, want string }{
		"insert":                       {ids(app.KVTriggers("orders", "insert")), "ad"},
		"delete":                       {ids(app.KVTriggers("orders", "delete")), "abd"},
		"update":                       {ids(app.KVTriggers("orders", "update")), "a"},
		"a collection with the prefix": {ids(app.KVTriggers("ord:1", "update")), "c"},
		"another collection":           {ids(app.KVTriggers("other", "update")), ""},
		"dead letter of a trigger": {ids(app.DeadLetterTriggers("kv", cloud.ID{1}, cloud.ID{2})),
			"ghi"},
		"dead letter of a request": {ids(app.DeadLetterTriggers("http", cloud.ID{}, cloud.ID{2})),
			"g"},
		"dead letter of a certain script": {ids(app.DeadLetterTriggers("cron", cloud.ID{9}, cloud.ID{0x5c})),
			"gj"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
	if n := c.MatchingKV(1, "orders"); n != 3 {
		t.Errorf("%d triggers may be raised", n)
	}
	if n := c.MatchingKV(2, "orders"); n != 0 {
		t.Errorf("%d triggers of an app that is not there", n)
	}
}
