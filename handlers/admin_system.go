package handlers

import (
	"net/http"
	"runtime"
	"time"

	"picloud/views"
)

// quietAfter is when a node that has not spoken is called silent: one that is alone speaks every five minutes.
const quietAfter = 6 * time.Minute

func (s *Server) showSystem(v *visit) error {
	ctx, o := v.UserContext(), s.cfg.Orchestrator
	frame, err := v.frame("System", "system")
	if err != nil {
		return err
	}
	sys, err := o.History.System(ctx)
	if err != nil {
		return err
	}
	n, err := s.cfg.Manager.CountDefinitions(ctx)
	if err != nil {
		return err
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	st, sandbox := o.Stats(), s.cfg.Sandbox()
	vm := views.SystemPage{Page: frame, Version: s.cfg.Version, Go: runtime.Version(), Node: s.cfg.Node, Started: s.started, Memory: int64(mem.Sys),
		Database: sys.Database.Version, DatabaseSize: sys.Database.Size, Connections: sys.Database.Connections, MaxConnections: sys.Database.MaxConnections,
		Apps: n.Apps, Scripts: n.Scripts, PermitsFree: st.PermitsFree, PermitsAll: st.PermitsAll, AtGate: st.WaitingAtGate, RunningRows: st.RunningRows,
		Children: sandbox.Children, ChildrenStarted: sandbox.Started, ChildrenDied: sandbox.Died, Commits: st.Commits.Commits, Groups: st.Commits.Groups,
		Conflicts: st.Commits.Conflicts, RecordsDropped: st.RecordsDropped}
	for _, l := range sys.Leases {
		vm.Leases = append(vm.Leases, views.LeaseRow{Node: l.Node, N: l.N, Ended: l.Ended, Ends: l.Ends})
	}
	report, err := o.Examine(ctx)
	if err != nil {
		return err
	}
	vm.Unbalanced = report.Unbalanced
	for _, f := range report.Findings {
		vm.Findings = append(vm.Findings, views.Finding(f))
	}
	nodes, err := o.History.Nodes(ctx)
	if err != nil {
		return err
	}
	for k := range nodes {
		it := s.showNode(&nodes[k])
		vm.Nodes = append(vm.Nodes, views.NodeRow{Name: it.Name, Version: it.Version, Free: it.Free, Started: it.StartedAt, Seen: it.SeenAt, Self: it.Self,
			Quiet: time.Since(it.SeenAt) > quietAfter})
	}
	return v.render(http.StatusOK, views.System(vm))
}
