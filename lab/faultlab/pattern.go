package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
)

// pattern is an installation that was stopped in order before its first round. Each fault's installation
// begins with a copy of its data: to make a cluster and to deploy ten scripts takes longer than many a fault.
type pattern struct{ lab *lab }

// makePattern installs a PiCloud as every fault wants it, and stops it.
func makePattern(ctx context.Context, o *options) (*pattern, error) {
	l, err := emptyLab(o, &fault{name: "pattern", nodes: 1}, &result{})
	if err != nil {
		return nil, err
	}

	if err = l.startNodes(ctx); err == nil {
		err = l.install(ctx)
	}
	if err != nil {
		l.close()
		return nil, fmt.Errorf("make the pattern of all installations: %w", err)
	}

	// SIGINT is PostgreSQL's fast stop, which writes everything to its place first.
	l.nodes[0].end(syscall.SIGTERM)
	l.pg.end(syscall.SIGINT)
	return &pattern{lab: l}, nil
}

// copyTo puts the cluster and its password into a directory that is there.
func (p *pattern) copyTo(ctx context.Context, dir string) error {
	return copyDir(ctx, p.lab.pg.dir, dir)
}

func (p *pattern) remove() { p.lab.close() }

// copyDir copies what is in a directory, with owners and modes.
func copyDir(ctx context.Context, from, to string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "cp", "-a", filepath.Clean(from)+"/.", to)
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("copy the pattern's data: %w: %s", err, out.String())
	}
	return nil
}
