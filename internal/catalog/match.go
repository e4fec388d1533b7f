package catalog

import (
	"slices"

	"picloud/internal/cloud"
)

// Target is what a request met: a script, and the parameters of the route that led to it.
type Target struct {
	App    *App
	Script *cloud.Script
	Params []cloud.Header
	// Route is the route that was met, nil at the script's own address.
	Route *cloud.Route
	// Dispatch is how the route wants its calls to be run (cloud.DispatchSync and so on).
	Dispatch string
}

// AppID is the app the target belongs to.
func (t *Target) AppID() cloud.AppID { return t.App.ID }

var errNoRoute = cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")

// MatchScript finds the endpoint script of /f/{app}/{script}.
func (c *Catalog) MatchScript(slug, script string) (*Target, error) {
	app := c.snapshot.Load().bySlug[slug]
	if app == nil {
		return nil, errNoRoute
	}
	s := app.Scripts[script]
	if s == nil || s.Kind != cloud.KindEndpoint {
		return nil, errNoRoute
	}

	return &Target{App: app, Script: s, Dispatch: cloud.DispatchSync}, nil
}

// MatchRoute finds the script of a route. host is lower case, without port; path is as it came. An error of
// code method carries the detail "allow".
func (c *Catalog) MatchRoute(method, host, path string) (*Target, *cloud.Route, error) {
	state := c.snapshot.Load()
	match, err := state.routes.Match(method, host, path)
	if err != nil {
		return nil, nil, err
	}
	if match.Route == nil {
		if len(match.Allow) > 0 {
			return nil, nil, cloud.Errorf(cloud.CodeMethod, "this address does not take %s", method).
				With("allow", match.Allow)
		}
		return nil, nil, errNoRoute
	}

	app := state.byID[match.Route.App]
	s := app.Script(match.Route.Script)
	if s == nil {
		return nil, nil, errNoRoute
	}
	return &Target{
		App:      app,
		Script:   s,
		Params:   match.Params,
		Route:    match.Route,
		Dispatch: match.Route.Dispatch,
	}, match.Route, nil
}

// MatchingKV counts the triggers that a change in a collection may raise; it is asked before the write is
// collected.
func (c *Catalog) MatchingKV(app cloud.AppID, collection string) int {
	a := c.App(app)
	if a == nil {
		return 0
	}
	return a.CountKVTriggers(collection)
}

// CountKVTriggers counts the enabled KV triggers that some change in a collection raises, whatever its op.
func (a *App) CountKVTriggers(collection string) int {
	n := 0
	for _, t := range a.Triggers {
		if t.Enabled && t.Kind == cloud.SourceKV && cloud.MatchesCollection(t.Collection, collection) {
			n++
		}
	}

	return n
}

// KVTriggers are the triggers that a KV change raises, by id. op is insert, update or delete.
func (a *App) KVTriggers(collection, op string) []*cloud.Trigger {
	return a.matching(func(t *cloud.Trigger) bool { return t.MatchesKV(collection, op) })
}

// DeadLetterTriggers are the triggers that a dead letter of that origin raises, by id.
func (a *App) DeadLetterTriggers(source string, trigger, script cloud.ID) []*cloud.Trigger {
	return a.matching(func(t *cloud.Trigger) bool { return t.MatchesDeadLetter(source, trigger, script) })
}

func (a *App) matching(want func(*cloud.Trigger) bool) []*cloud.Trigger {
	var matching []*cloud.Trigger
	for _, t := range a.Triggers {
		if want(t) {
			matching = append(matching, t)
		}
	}
	slices.SortFunc(matching, func(a, b *cloud.Trigger) int { return slices.Compare(a.ID[:], b.ID[:]) })

	return matching
}
