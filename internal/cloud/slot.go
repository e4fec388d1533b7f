package cloud

import "time"

// LateAfter is how much later than its time a slot of a schedule may fire and still count as fired in time.
const LateAfter = 30 * time.Second

// States of a slot.
const (
	SlotFired   = "fired"
	SlotLate    = "late"    // fired more than LateAfter after its time
	SlotMissed  = "missed"  // not fired: PiCloud was away
	SlotSkipped = "skipped" // not fired: the run before was not over
)
