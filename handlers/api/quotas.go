package api

import (
	"context"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// quotasItem is what an app may use, or what it uses; null is no limit, or not counted.
type quotasItem struct {
	KVBytes           *int64 `json:"kv_bytes" doc:"bytes of the names and values of KV entries"`
	LogBytes          *int64 `json:"log_bytes" doc:"bytes of the logs of recorded executions"`
	Executions        *int64 `json:"executions" doc:"recorded executions"`
	Scripts           *int64 `json:"scripts" doc:"endpoints and modules"`
	RequestsPerSecond *int64 `json:"requests_per_second" doc:"requests that each node takes for the app; their use is not shown"`
}

// quotasBody changes quotas: null takes one away, what is left out stays.
type quotasBody struct {
	KVBytes           nullable[int64] `json:"kv_bytes,omitempty"`
	LogBytes          nullable[int64] `json:"log_bytes,omitempty"`
	Executions        nullable[int64] `json:"executions,omitempty"`
	Scripts           nullable[int64] `json:"scripts,omitempty"`
	RequestsPerSecond nullable[int64] `json:"requests_per_second,omitempty"`
}

// change is the body as the manager takes it, nil for none.
func (b *quotasBody) change() *manager.QuotaChange {
	if b == nil {
		return nil
	}
	return &manager.QuotaChange{
		KVBytes:           b.KVBytes.Nullable,
		LogBytes:          b.LogBytes.Nullable,
		Executions:        b.Executions.Nullable,
		Scripts:           b.Scripts.Nullable,
		RequestsPerSecond: b.RequestsPerSecond.Nullable,
	}
}

// mayChange refuses quotas that are not from an instance admin, or from a key that is made for one app: who
// runs the app does not decide what it costs.
func (b *quotasBody) mayChange(c *edge.AppCaller) error {
	if b == nil {
		return nil
	}
	return edge.InstanceAdmin(c.Principal, "apps:admin")
}

// addQuotas shows what an app may use, and what it uses.
func (s *Server) addQuotas(ctx context.Context, app cloud.AppID, it *appItem) error {
	may, uses, err := s.Orchestrator.History.Quotas(ctx, app)
	it.Quotas = (*quotasItem)(&may)
	it.Usage = (*quotasItem)(&uses)
	return err
}
