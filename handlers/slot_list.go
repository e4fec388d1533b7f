package handlers

import (
	"time"

	"picloud/internal/orchestrator"
)

// endOfTime is where a list of slots starts, newest first: after every slot that there can be.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// slotKey is where a slot stands in lists.
func slotKey(s *orchestrator.Slot) string { return s.Slot.UTC().Format(time.RFC3339Nano) }
