package cloud

// Resolutions of a dead letter. One that is unresolved has none, or DeadLetterHandlerFailed.
const (
	DeadLetterReplayed      = "replayed"
	DeadLetterIgnored       = "ignored"
	DeadLetterHandled       = "handled_by_script"
	DeadLetterHandlerFailed = "handler_failed"
)

// IsUnresolved reports whether a dead letter with this resolution still wants somebody's attention: it is
// shown, counted, replayable and never swept.
func IsUnresolved(resolution *string) bool {
	return resolution == nil || *resolution == DeadLetterHandlerFailed
}
