package manager_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// A variable is listed with its value, a secret without. A name is one of the two.
func TestVariables(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()
	set := func(name, value string, secret bool) error {
		return f.SetVariable(ctx, f.owner, f.app, name, value, secret)
	}

	for _, err := range []error{
		set("B", "two", false), set("A", "one", false), set("A", "three", false),
		set("TOKEN", "hidden", true),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	names := func(secret bool, after string) string {
		t.Helper()
		list, err := f.Variables(ctx, f.app, secret, after, 10)
		if err != nil {
			t.Fatal(err)
		}

		var all []string
		for _, v := range list {
			all = append(all, fmt.Sprintf("%s=%s by %s", v.Name, v.Value, v.UpdatedBy))
		}

		return strings.Join(all, ", ")
	}

	for _, c := range []struct{ got, want string }{
		{names(false, ""), "A=three by root, B=two by root"},
		{names(false, "A"), "B=two by root"},
		{names(true, ""), "TOKEN= by root"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}

	wantError(t, set("A", "x", true), cloud.CodeConflict, "A is a variable: delete it first")
	wantError(t, set("TOKEN", "x", false), cloud.CodeConflict, "TOKEN is a secret: delete it first")
	wantError(t, f.DeleteVariable(ctx, f.owner, f.app, "A", true), cloud.CodeNotFound, "no such secret")
	wantError(t, f.DeleteVariable(ctx, f.owner, f.app, "N\x00", false), cloud.CodeNotFound,
		"no such variable")
	if err := f.DeleteVariable(ctx, f.owner, f.app, "A", false); err != nil {
		t.Fatal(err)
	}
	if err := set("A", "x", true); err != nil {
		t.Errorf("a name that is free again: %v", err)
	}
}

func TestVariableRules(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)

	for _, c := range []struct {
		name, variable, value string
		text                  string
	}{
		{"name", "1A", "", `the name "1A" must match`},
		{"empty name", "", "", "must match"},
		{"long name", strings.Repeat("A", 129), "", "must match"},
		{"NUL", "A", "\x00", "the value must be valid UTF-8 without NUL, of at most 65536 bytes"},
		{"UTF-8", "A", "\xff", "the value must be valid UTF-8"},
		{"long value", "A", strings.Repeat("v", 64<<10+1), "of at most 65536 bytes"},
		{"longest value", "A", strings.Repeat("v", 64<<10), ""},
		{"empty value", "B", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := f.SetVariable(t.Context(), f.owner, f.app, c.variable, c.value, false)
			if c.text == "" {
				check(t, err, "", "")
				return
			}
			wantError(t, err, cloud.CodeInvalid, c.text)
		})
	}
}

// The limits are those of variables and secrets together. Replacing a value is not adding one.
func TestVariableLimits(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	ctx := t.Context()

	t.Run("number", func(t *testing.T) {
		t.Parallel()
		app := f.newApp(t)
		_, err := f.db.General.Exec(ctx, `
			INSERT INTO variables (app_id, name, secret, sealed, key_id, updated_by)
			SELECT $1, 'V' || n, n % 2 = 0, '', 'k1', 'root' FROM generate_series(1, 200) n`, app.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, f.SetVariable(ctx, f.owner, app, "ONE_MORE", "", false),
			cloud.CodeInvalid, "an app can have 200 variables and secrets")
		if err := f.SetVariable(ctx, f.owner, app, "V1", "new", false); err != nil {
			t.Errorf("a value that is there already: %v", err)
		}
	})

	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		app := f.newApp(t)

		value := strings.Repeat("v", 60<<10)
		for k := range 4 {
			if err := f.SetVariable(ctx, f.owner, app, fmt.Sprint("V", k), value, k%2 == 0); err != nil {
				t.Fatal(err)
			}
		}

		wantError(t, f.SetVariable(ctx, f.owner, app, "ONE_MORE", value, false),
			cloud.CodeInvalid, "the variables and secrets of an app can have 262144 bytes together")
		if err := f.SetVariable(ctx, f.owner, app, "V1", value, false); err != nil {
			t.Errorf("a value that is there already: %v", err)
		}
	})
}

// A process with another master key does not start: it could open nothing.
func TestCheckKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	if err := f.CheckKeys(ctx); err != nil {
		t.Errorf("an empty database: %v", err)
	}
	if err := f.SetVariable(ctx, f.owner, f.app, "A", "one", true); err != nil {
		t.Fatal(err)
	}
	if err := f.CheckKeys(ctx); err != nil {
		t.Errorf("the right key: %v", err)
	}

	// Who goes on with a key that is not the installation's any more could open what it sets, and nobody else.
	f.sealer.key = "k2"
	wantError(t, f.SetVariable(ctx, f.owner, f.app, "B", "two", false), cloud.CodeConflict,
		"the installation's values are sealed under another master key than this node has: "+
			"start the node again with the present key")

	const text = "1 variables and secrets in the database are sealed under the master key k1, " +
		"but this one is k2"
	if err := f.CheckKeys(ctx); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("another key: %v", err)
	}
}

// A rotation seals everything anew, or nothing: it ends with the last step of its caller.
func TestReseal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()

	other := f.newApp(t)
	for _, app := range []*manager.App{f.app, other} {
		if err := f.SetVariable(ctx, f.owner, app, "A", app.Slug, false); err != nil {
			t.Fatal(err)
		}
	}

	next := &fakeSealer{key: "k2"}

	failed := errors.New("the new key cannot be written")
	if _, err := f.Reseal(ctx, next, func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("a rotation that failed ended with %v", err)
	}
	if err := f.CheckKeys(ctx); err != nil {
		t.Errorf("after a rotation that failed: %v", err)
	}

	n, err := f.Reseal(ctx, next, func() error { return nil })
	if err != nil || n != 2 {
		t.Fatalf("%d values: %v", n, err)
	}
	if entry := f.lastAudit(t, nil); entry.Action != "key.rotate" || entry.Detail != `{"values":2}` {
		t.Errorf("the audit row is %+v", entry)
	}

	f.sealer.key = "k2"
	list, err := f.Variables(ctx, other, false, "", 10)
	if err != nil || len(list) != 1 || list[0].Value != other.Slug {
		t.Errorf("under the new key: %+v %v", list, err)
	}
	if app, err := f.App(ctx, other.Slug); err != nil || app.Revision <= other.Revision+1 {
		t.Errorf("the app's revision is %d after %d: %v", app.Revision, other.Revision, err)
	}
}
