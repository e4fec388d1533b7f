package catalog

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"picloud/internal/cloud"
)

// Of an outcome the error and the log are masked. What a script answers is its own business.
func TestMaskOutcome(t *testing.T) {
	t.Parallel()
	newOutcome := func() *cloud.Outcome {
		return &cloud.Outcome{
			Error:    cloud.ScriptError{Name: "E s3cret-one", Message: "s3cret-one", Stack: "at s3cret-one"},
			Logs:     []cloud.LogLine{{Message: "it is s3cret-one"}, {Message: "nothing"}},
			Response: &cloud.Response{Body: []byte("s3cret-one")},
		}
	}
	o := newOutcome()
	secretive := &App{Env: &cloud.Env{Mask: cloud.NewMask([]string{"s3cret-one"})}}
	secretive.MaskOutcome(o)
	if want := (cloud.ScriptError{Name: "E ***", Message: "***", Stack: "at ***"}); o.Error != want {
		t.Errorf("error %+v", o.Error)
	}
	if o.Logs[0].Message != "it is ***" || o.Logs[1].Message != "nothing" {
		t.Errorf("logs %+v", o.Logs)
	}
	if string(o.Response.Body) != "s3cret-one" {
		t.Errorf("body %s", o.Response.Body)
	}
	plain := newOutcome()
	(&App{Env: &cloud.Env{}}).MaskOutcome(plain)
	if plain.Error != newOutcome().Error || plain.Logs[0].Message != "it is s3cret-one" {
		t.Errorf("without secrets: %+v", plain)
	}
}

// A secret that names scripts is in the env of those alone, whether there are such scripts or not; all hide it.
func TestEnvOfNamedScripts(t *testing.T) {
	t.Parallel()
	app := &App{}
	app.setEnvs([]envValue{
		{"REGION", "eu", nil},
		{"KEY", "s3cret-key", []string{"pay", "refund"}},
		{"TOKEN", "s3cret-token", []string{"pay"}},
	}, cloud.NewMask([]string{"s3cret-key", "s3cret-token"}))

	for script, want := range map[string]string{
		"pay":    "[KEY REGION TOKEN]",
		"refund": "[KEY REGION]",
		"other":  "[REGION]",
		"":       "[REGION]",
	} {
		env := app.EnvFor(script)
		if got := fmt.Sprint(slices.Sorted(maps.Keys(env.Values))); got != want {
			t.Errorf("%q finds %s, want %s", script, got, want)
		}
		if got := env.Mask.Text("s3cret-key s3cret-token"); got != "*** ***" {
			t.Errorf("the log of %q says %s", script, got)
		}
	}

	ids := map[cloud.ID]bool{
		app.EnvFor("pay").ID: true, app.EnvFor("refund").ID: true, app.EnvFor("other").ID: true,
	}
	if len(ids) != 3 {
		t.Error("scripts with other secrets share runtimes")
	}

	app.setEnvs([]envValue{{"KEY", "s3cret-key", []string{"pay"}}}, nil)
	if id := app.EnvFor("other").ID; !id.IsZero() {
		t.Errorf("an empty env has the id %s", id)
	}
}
