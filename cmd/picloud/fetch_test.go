package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// No app gets a connection to an upstream that another one has used.
func TestAppsShareNoConnections(t *testing.T) {
	needsNode(t)
	t.Parallel()

	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RemoteAddr)
	}))
	defer upstream.Close()

	w := newFixture(t, func(c *Config) { c.FetchAllowPrivate = true })
	w.api("POST", "/apps", map[string]any{"slug": "other"}).want(201)

	users := map[string]string{} // of connections

	for _, app := range []string{"default", "other"} {
		source := `export default async () => (await fetch("` + upstream.URL + `")).text()`
		w.api("PUT", "/apps/"+app+"/scripts/ask", map[string]any{"source": source}).want(201)

		for range 3 {
			connection := w.do("GET", "/f/"+app+"/ask", nil).want(200).body
			if user := users[connection]; user != "" && user != app {
				t.Errorf("app %s has the connection of app %s", app, user)
			}
			users[connection] = app
		}
	}
}
