package manager_test

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// A rate limit stays until a change speaks of it, null takes it away, and the audit trail has both.
func TestRouteRateLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.deploy(t, f.app, "s", "export fetch")
	limit := &cloud.RateLimit{Requests: 5, Seconds: 60}
	route, err := f.CreateRoute(t.Context(), f.owner, f.app, manager.RouteChange{
		Script: new("s"), Path: new("/x"), RateLimit: manager.ValueOf(limit),
	})
	if err != nil {
		t.Fatal(err)
	}

	const stored = `{"requests":5,"seconds":60,"by":"address"}`
	for _, c := range []struct {
		name   string
		change manager.RouteChange
		want   string
	}{
		{"another field", manager.RouteChange{Method: new("GET")}, stored},
		{"null", manager.RouteChange{RateLimit: manager.ValueOf[cloud.RateLimit](nil)}, ""},
		{"a limit again", manager.RouteChange{RateLimit: manager.ValueOf(limit)}, stored},
	} {
		if _, err := f.UpdateRoute(t.Context(), f.owner, f.app, route.ID, c.change); err != nil {
			t.Fatal(err)
		}
		got, err := f.Route(t.Context(), f.app, route.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.RateLimit != c.want {
			t.Errorf("%s: %s, want %s", c.name, got.RateLimit, c.want)
		}
	}

	entries, err := f.Audit(t.Context(), manager.AuditFilter{Action: "route.update"}, cloud.ID{}, 10)
	if err != nil {
		t.Fatal(err)
	}

	for k, want := range []string{`"requests":5`, `"rate_limit":null`, `"method":"GET"`} {
		if !strings.Contains(entries[k].Detail, want) {
			t.Errorf("the audit trail has %s, not %s", entries[k].Detail, want)
		}
	}
	if strings.Contains(entries[2].Detail, "rate_limit") {
		t.Errorf("a change that does not speak of the limit: %s", entries[2].Detail)
	}
}

// A limit that cannot be counted is refused, in a new route as in one that exists.
func TestRouteRateLimitIsChecked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.deploy(t, f.app, "s", "export fetch")
	bad := manager.ValueOf(&cloud.RateLimit{Requests: 5, Seconds: 60, By: cloud.LimitByHeader})

	change := manager.RouteChange{Script: new("s"), Path: new("/x"), RateLimit: bad}
	_, err := f.CreateRoute(t.Context(), f.owner, f.app, change)
	check(t, err, cloud.CodeInvalid, "name it in rate_limit.header")

	route, err := f.CreateRoute(t.Context(), f.owner, f.app, manager.RouteChange{
		Script: new("s"), Path: new("/x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.UpdateRoute(t.Context(), f.owner, f.app, route.ID, manager.RouteChange{RateLimit: bad})
	check(t, err, cloud.CodeInvalid, "name it in rate_limit.header")
}
