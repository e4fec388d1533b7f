package pglocal

import (
	"os"
	"path/filepath"
	"testing"
)

// A crash between the steps of an upgrade leaves the old cluster or the new one in place, whole.
func TestFinishUpgrade(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		there  []string
		want   string // what is in the cluster's place
		exists bool
	}{
		{"nothing", nil, "", false},
		{"before the upgrade", []string{"postgres"}, "postgres", true},
		{"while the new one is filled", []string{"postgres", "postgres.next"}, "postgres", true},
		{"the new one is whole", []string{"postgres", "postgres.ready"}, "postgres", true},
		{"the old one is moved away", []string{"postgres-15", "postgres.ready"}, "postgres.ready", true},
		{"half of a new one alone", []string{"postgres.next"}, "", false},
	} {
		home := t.TempDir()
		for _, dir := range c.there {
			if err := os.Mkdir(filepath.Join(home, dir), 0o700); err != nil {
				t.Fatal(err)
			}

			for name, text := range map[string]string{"PG_VERSION": "15", "was": dir} {
				if err := os.WriteFile(filepath.Join(home, dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}

		dir := filepath.Join(home, "postgres")
		if exists, err := Exists(dir); err != nil || exists != c.exists {
			t.Errorf("%s: exists is %v: %v", c.name, exists, err)
		}

		p, err := placeOf(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.finishUpgrade(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}

		was, err := os.ReadFile(filepath.Join(dir, "was"))
		if string(was) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: in place is %q: %v", c.name, was, err)
		}
		if _, err := os.Stat(p.ready()); err == nil {
			t.Errorf("%s: a cluster that is out of date stays", c.name)
		}
	}
}
