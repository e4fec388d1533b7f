package db

// Statements are those that TestOutboxPlans looks at.
var Statements = map[string]string{"LockClaimed": lockClaimed, "DeleteOutbox": deleteOutbox, "RetryOutbox": retryOutbox, "BuryOutbox": buryOutbox,
	"RenewLeases": renewLeases, "ReleaseClaims": releaseClaims, "ClaimDue": claimDue, "FirstWakes": firstWakes}
