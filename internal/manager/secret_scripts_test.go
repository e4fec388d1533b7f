package manager_test

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// A secret may be for some scripts alone. Setting it again says anew for which.
func TestSecretForScripts(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	app := f.newApp(t)
	set := func(scripts ...string) error {
		return f.SetSecret(t.Context(), f.owner, app, "KEY", "s3cret", scripts)
	}
	named := func() string {
		t.Helper()
		list, err := f.Variables(t.Context(), app, true, "", 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		return strings.Join(list[0].Scripts, " ")
	}

	check(t, set("refund", "pay", "pay"), "", "")
	if got := named(); got != "pay refund" {
		t.Errorf("it is for %q", got)
	}
	if entry := f.lastAudit(t, app); entry.Action != "secret.set" || entry.Target != "KEY" ||
		entry.Detail != `{"scripts":["pay","refund"]}` {
		t.Errorf("the audit row is %+v", entry)
	}

	check(t, set(), "", "") // nil: every script
	if got := named(); got != "" {
		t.Errorf("it is for %q alone", got)
	}

	const some = "scripts must name 1 to 100 scripts"
	wantError(t, f.SetSecret(t.Context(), f.owner, app, "KEY", "", []string{}), cloud.CodeInvalid, some)
	wantError(t, set(strings.Split(strings.Repeat("a ", 101), " ")[:101]...), cloud.CodeInvalid, some)
	wantError(t, set("pay", "Not A Name"), cloud.CodeInvalid, `the script name "Not A Name" must match`)
	wantError(t, set(""), cloud.CodeInvalid, "must match")
}

// Whoever may not set secrets deploys no code that would receive one which is for some scripts alone: not under a
// name that it has, not the name of a script that is not there yet, not a module of such a script, and no older
// version of either.
func TestDeployingWhatReceivesSecrets(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	app := f.newApp(t)
	f.deployModule(t, app, "lib", "export x")
	f.deploy(t, app, "pay", "import lib")
	f.deploy(t, app, "other", "export fetch")
	check(t, f.SetSecret(t.Context(), f.owner, app, "KEY", "s3cret", []string{"pay", "later"}), "", "")

	editor := manager.Actor{Username: "eve"}
	admin := manager.Actor{Username: "ann", SetsSecrets: true}
	const source = "export fetch changed"

	for _, c := range []struct {
		name     string
		old      bool // there is a version to go back to
		receives bool
	}{
		{"lib", true, true}, // before pay, which imports it until the admin deploys it below
		{"pay", true, true},
		{"later", false, true},
		{"other", true, false},
		{"new", false, false},
	} {
		name := c.name
		deploy := func(actor manager.Actor) error {
			may := f.MayDeploy(t.Context(), actor, app, name)
			_, err := f.PutScript(t.Context(), actor, app, name, manager.ScriptChange{Source: source})
			if (may == nil) != (err == nil) {
				t.Errorf("%s: may deploy: %v; deployed: %v", name, may, err)
			}
			return err
		}
		rollBack := func(actor manager.Actor) error {
			_, err := f.Rollback(t.Context(), actor, app, name, 1)
			return err
		}

		for what, do := range map[string]func(manager.Actor) error{"deploy": deploy, "roll back": rollBack} {
			if what == "roll back" && !c.old {
				continue
			}

			err := do(editor)
			if c.receives {
				wantError(t, err, cloud.CodeForbidden, "the secret KEY is for the script")
			} else {
				check(t, err, "", "")
			}
		}
		check(t, deploy(admin), "", "")
	}
}

// What is no name of a script is refused as that before the database is asked about it, whoever asks.
func TestDeployingUnderNoName(t *testing.T) {
	t.Parallel()
	f := sharedFixture(t)
	app := f.newApp(t)

	for _, actor := range []manager.Actor{{Username: "eve"}, f.owner} {
		for _, name := range []string{"a\x00", "a\xff", "", "A", "a b", strings.Repeat("a", 64)} {
			wantError(t, f.MayDeploy(t.Context(), actor, app, name), cloud.CodeInvalid, "must match")

			_, err := f.PutScript(t.Context(), actor, app, name, manager.ScriptChange{Source: "export fetch"})
			wantError(t, err, cloud.CodeInvalid, "must match")

			_, err = f.Rollback(t.Context(), actor, app, name, 1)
			wantError(t, err, cloud.CodeNotFound, "no such script")

			wantError(t, f.DeleteScript(t.Context(), actor, app, name, true), cloud.CodeNotFound, "no such script")
		}
	}
}
