package orchestrator

import "context"

// KeepOrphans keeps the answers that no node took, as the sweeper has it done.
func (o *Orchestrator) KeepOrphans(ctx context.Context) error { return o.inbox.orphans(ctx) }
