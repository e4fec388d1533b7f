package admin

import (
	"net/http"
	"runtime"
	"time"

	"picloud/views"
)

// quietAfter is when a node that has not spoken is called silent: one that is alone speaks every five minutes.
const quietAfter = 6 * time.Minute

func (s *Server) showSystem(v *visit) error {
	ctx, o := v.UserContext(), s.Orchestrator
	frame, err := v.frame("System", "system")
	if err != nil {
		return err
	}
	sys, err := o.System(ctx)
	if err != nil {
		return err
	}
	n, err := s.Manager.CountDefinitions(ctx)
	if err != nil {
		return err
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	st, sandbox := o.Stats(), s.Sandbox()
	vm := views.SystemPage{Page: frame, Version: s.Version, Go: runtime.Version(), Node: s.Node, Started: s.started, Memory: int64(mem.Sys),
		Database: sys.Database.Version, DatabaseSize: sys.Database.Size, Connections: sys.Database.Connections, MaxConnections: sys.Database.MaxConnections,
		Apps: n.Apps, Scripts: n.Scripts, PermitsFree: st.PermitsFree, PermitsAll: st.PermitsAll, AtGate: st.WaitingAtGate, RunningRows: st.RunningRows,
		Children: sandbox.Children, ChildrenStarted: sandbox.Started, ChildrenDied: sandbox.Died, Commits: st.Commits, Groups: st.CommitGroups,
		Conflicts: st.Conflicts, RecordsDropped: st.RecordsDropped}
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
	nodes, err := o.Nodes(ctx)
	if err != nil {
		return err
	}
	for k := range nodes {
		n := &nodes[k]
		row := views.NodeRow{
			Name:    n.Name,
			Version: n.Version,
			Free:    int(n.Free),
			Started: n.StartedAt,
			Seen:    n.SeenAt,
			Self:    n.Name == s.Node,
		}
		if row.Self { // it knows better than what it last wrote
			row.Free = st.FreeForOthers
			row.Seen = time.Now()
		}
		row.Quiet = time.Since(row.Seen) > quietAfter
		vm.Nodes = append(vm.Nodes, row)
	}
	return v.render(http.StatusOK, views.System(vm))
}
