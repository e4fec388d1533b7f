package main

import (
	"slices"
	"testing"
)

// A misspelt variable is told from those of PiCloud's commands.
func TestUnknownVariables(t *testing.T) {
	t.Parallel()

	got, err := unknownVariables([]string{
		"PATH=/bin",
		"PICLOUD_LISTEN=:8000",
		"PICLOUD_CONCURENCY=64",
		"PICLOUD_SECRET_KEY_FILE=/run/key",
		"PICLOUD_LISTENER_FILE=x",
		"PICLOUD_TEST_BINARY=bin/picloud",
		"PICLOUD_=",
		"DATABASE_URL=postgres:///x",
	})
	want := []string{"PICLOUD_", "PICLOUD_CONCURENCY", "PICLOUD_LISTENER_FILE"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
