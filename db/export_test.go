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
