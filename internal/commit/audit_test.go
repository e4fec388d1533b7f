package commit

import (
	"testing"

	"picloud/internal/cloud"
)

// An audit row is written if and only if the action of its commit takes effect.
func TestAudit(t *testing.T) {
	t.Parallel()

	entry := Audit{Actor: "ann", App: "default", Action: "kv.set", Target: "c/k"}
	for name, c := range map[string]struct {
		gone bool
		want string
		rows int
	}{
		"applied": {false, "applied", 1},
		"refused": {true, "refused: " + errAppGone.Error(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			definition := newApp()
			if c.gone {
				definition = nil
			}
			f := newFixture(t, definition, commitOf(writes(set("k", 1, "1")), entry))
			f.expect(t, c.want)
			entries := of[*auditSection](f.Group).entries
			if len(entries) != c.rows {
				t.Fatalf("%d audit rows", len(entries))
			}
			if c.rows > 0 && (entries[0].Action != "kv.set" || entries[0].ID == (cloud.ID{})) {
				t.Errorf("row %+v", entries[0])
			}
		})
	}
}

// An audit row says who did what to which thing of which app, in a form that PostgreSQL takes.
func TestAuditParams(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		detail any
		want   string
	}{
		"no detail": {nil, "{}"},
		"detail":    {map[string]bool{"edited": true}, `{"edited":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry := Audit{Actor: "ann", App: "default", Action: "dead-letter.replay", Target: "a\x00",
				Detail: c.detail}
			p := entry.Params(cloud.ID{1}, app)
			if p.ID != (cloud.ID{1}) || p.Actor != "ann" || *p.AppID != int64(app) || *p.App != "default" ||
				p.Action != "dead-letter.replay" {
				t.Errorf("parameters %+v", p)
			}
			if p.Detail != c.want || p.Target == "a\x00" {
				t.Errorf("target %q, detail %s", p.Target, p.Detail)
			}
		})
	}
}
