package catalog

import (
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
