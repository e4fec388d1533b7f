package edge

import (
	"picloud/internal/history"
	"time"
)

// EndOfTime is where a list of slots starts, newest first: after every slot that there can be.
var EndOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// SlotKey is where a slot stands in lists.
func SlotKey(s *history.Slot) string { return s.Slot.UTC().Format(time.RFC3339Nano) }
