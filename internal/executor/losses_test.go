package executor

import (
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// Authors are told once why a runtime of a version was lost, for each reason, and every reason has words.
func TestLosses(t *testing.T) {
	t.Parallel()
	var l losses
	a, b := cloud.ID{1}, cloud.ID{2}

	if lines := l.take(a); len(lines) != 0 {
		t.Errorf("before anything was lost: %v", lines)
	}

	for why := wire.Loss(1); why < wire.LossCount; why++ {
		l.note(a, why)
		l.note(a, why)
	}
	if lines := l.take(b); len(lines) != 0 {
		t.Errorf("of another build: %v", lines)
	}

	lines := l.take(a)
	if len(lines) != int(wire.LossCount)-1 {
		t.Errorf("%d lines, want one for each reason", len(lines))
	}

	for _, line := range lines {
		if line.Level != "info" || line.Message == "" || line.At.IsZero() {
			t.Errorf("line %+v", line)
		}
	}

	l.note(a, wire.LostTimers)
	if lines := l.take(a); len(lines) != 0 {
		t.Errorf("told again: %v", lines)
	}
}

// What is remembered of builds does not grow for ever.
func TestLossesAreBounded(t *testing.T) {
	t.Parallel()

	var l losses
	for k := range 3 * maxTold {
		l.note(cloud.ID{byte(k), byte(k >> 8), byte(k >> 16)}, wire.LostTimers)
	}
	if len(l.told) > maxTold || len(l.pending) > maxTold {
		t.Errorf("%d and %d builds", len(l.told), len(l.pending))
	}
}
