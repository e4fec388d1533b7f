package main

import (
	"path/filepath"
	"testing"

	"picloud/internal/testkit"
)

// The selection of faults that is tried on every change; make faultlab tries all of them, and longer.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks things for a minute or two")
	}

	binary := testkit.Binary(t)
	file := filepath.Join(t.TempDir(), "faults.md")
	if err := run(t.Context(), &options{binary: binary, seed: 1, short: true}, pick("", true), 3, file); err != nil {
		t.Error(err)
	}
}
