package cloud

// Quotas are what an app may use, or what it uses; nil is no limit, or not counted.
type Quotas struct {
	// KVBytes are those of the names and values of KV entries.
	KVBytes *int64
	// LogBytes are those of the logs of recorded executions, Executions how many are recorded.
	LogBytes   *int64
	Executions *int64
	// Scripts are endpoints and modules.
	Scripts *int64
	// RequestsPerSecond are those that each node takes for the app's scripts.
	RequestsPerSecond *int64
}

// Names of quotas, as the API has them.
const (
	QuotaKVBytes           = "kv_bytes"
	QuotaLogBytes          = "log_bytes"
	QuotaExecutions        = "executions"
	QuotaScripts           = "scripts"
	QuotaRequestsPerSecond = "requests_per_second"
)
