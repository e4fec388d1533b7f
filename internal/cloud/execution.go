package cloud

import "time"

// Execution is one run of a script as it is recorded (contract: runs.md, "What is recorded").
type Execution struct {
	App    AppID
	ID     ID
	Script ID
	// Name is the script's name when it ran; it may have been renamed or deleted since.
	Name    string
	Version int

	Source  string
	Trigger ID // zero: no trigger started it
	Outbox  ID // the row it ran for; zero: a request that was served directly

	Status  Status
	Attempt int
	Depth   int
	Root    ID
	Parent  ID
	// Principal is who the run acted as.
	Principal string
	// Request is a summary of what started it: "GET /greet", "insert orders/o1".
	Request string

	Started    time.Time
	Duration   time.Duration
	HTTPStatus int // 0: it answered no request
	Error      ScriptError
	// After is the outcome of waitUntil work, "" while there is none.
	After Status

	Logs        []LogLine
	LogsDropped int
	Usage       Usage
}
