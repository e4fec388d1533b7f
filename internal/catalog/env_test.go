package catalog

import (
	"testing"

	"picloud/internal/cloud"
)

// Secrets are hidden in texts, the longest first, so that of one which begins like another nothing is left
// over.
func TestMask(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		secrets    []string
		text, want string
	}{
		"none":       {nil, "a secret", "a secret"},
		"everywhere": {[]string{"s3cret-one"}, "s3cret-one and s3cret-one", "*** and ***"},
		"one begins like another": {[]string{"s3cret", "s3cret-and-more"}, "s3cret-and-more, s3cret",
			"***, ***"},
		"in whatever order they come": {[]string{"s3cret-and-more", "s3cret"}, "s3cret-and-more, s3cret",
			"***, ***"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := &App{mask: maskFor(c.secrets)}
			if got := app.MaskText(c.text); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Of an outcome the error and the log are masked. What a script answers is its own business.
func TestMaskOutcome(t *testing.T) {
	t.Parallel()
	newOutcome := func() *cloud.Outcome {
		return &cloud.Outcome{
			Error:    cloud.ScriptError{Name: "Error", Message: "s3cret-one", Stack: "at s3cret-one"},
			Logs:     []cloud.LogLine{{Message: "it is s3cret-one"}, {Message: "nothing"}},
			Response: &cloud.Response{Body: []byte("s3cret-one")},
		}
	}
	o := newOutcome()
	(&App{mask: maskFor([]string{"s3cret-one"})}).MaskOutcome(o)
	if o.Error.Message != "***" || o.Error.Stack != "at ***" || o.Logs[0].Message != "it is ***" ||
		o.Logs[1].Message != "nothing" {
		t.Errorf("outcome %+v", o)
	}
	if string(o.Response.Body) != "s3cret-one" {
		t.Errorf("body %s", o.Response.Body)
	}
	plain := newOutcome()
	(&App{}).MaskOutcome(plain)
	if plain.Error.Message != "s3cret-one" || plain.Logs[0].Message != "it is s3cret-one" {
		t.Errorf("without secrets: %+v", plain)
	}
}
