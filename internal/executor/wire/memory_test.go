package wire

import (
	"errors"
	"testing"

	"picloud/internal/cloud"
)

// What a child says of its memory arrives, and what no child says is refused.
func TestMemoryMessages(t *testing.T) {
	t.Parallel()
	build := cloud.ID{1, 2, 3}

	for level := Roomy; level <= Spent; level++ {
		m := MemoryMsg{Level: level, Owner: build}
		if got, err := DecodeMemory(encoded(m.Encode)); err != nil || got != m {
			t.Errorf("%+v: %+v %v", m, got, err)
		}
	}

	for why := Loss(1); why < LossCount; why++ {
		m := LostMsg{Build: build, Why: why}
		if got, err := DecodeLost(encoded(m.Encode)); err != nil || got != m {
			t.Errorf("%+v: %+v %v", m, got, err)
		}
	}
	dropped := DroppedMsg{Build: build}
	if got, err := DecodeDropped(encoded(dropped.Encode)); err != nil || got != dropped {
		t.Errorf("%+v %v", got, err)
	}

	unknown := MemoryMsg{Level: Spent + 1}
	if _, err := DecodeMemory(encoded(unknown.Encode)); !errors.Is(err, ErrProtocol) {
		t.Errorf("an unknown level: %v", err)
	}

	for _, why := range []Loss{0, LossCount} {
		m := LostMsg{Build: build, Why: why}
		if _, err := DecodeLost(encoded(m.Encode)); !errors.Is(err, ErrProtocol) {
			t.Errorf("reason %d: %v", why, err)
		}
	}
}
