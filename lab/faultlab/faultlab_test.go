package main

import (
	"path/filepath"
	"testing"

	"picloud/internal/testkit"
)

// TestFaults protects the promises that every change must keep; make faultlab breaks more, and longer.
func TestFaults(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("breaks things for a minute or two")
	}

	binary := testkit.Binary(t)
	file := filepath.Join(t.TempDir(), "faults.md")
	o := &options{binary: binary, seed: 1, short: true, parallel: 3, file: file}
	if err := run(t.Context(), o, pick("", true)); err != nil {
		t.Error(err)
	}
}
