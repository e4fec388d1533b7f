package db

// Statements are those whose plans TestOutboxPlans checks, by name.
var Statements = map[string]string{
	"LockClaimed":   lockClaimed,
	"DeleteOutbox":  deleteOutbox,
	"RetryOutbox":   retryOutbox,
	"BuryOutbox":    buryOutbox,
	"RenewLeases":   renewLeases,
	"ReleaseClaims": releaseClaims,
	"ClaimDue":      claimDue,
	"FirstWakes":    firstWakes,
}

// CapacityOf and Fit are the arithmetic of TestCapacity.
var CapacityOf = capacityOf

// Fit is how many of the connections that are wanted a node takes.
func (c Capacity) Fit(wanted int) int { return c.fit(wanted) }
