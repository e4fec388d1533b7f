package admin

import (
	"net/http"
	"runtime"
	"time"

	"picloud/views"
)

// quietAfter is how long ago a node last wrote itself down when it is called silent: a node that is alone
// does so every five minutes.
const quietAfter = 6 * time.Minute

// showSystem shows the installation: database, sandbox processes, the gate, commits, what the doctor finds,
// and the nodes.
func (s *Server) showSystem(v *visit) error {
	ctx := v.UserContext()
	frame, err := v.frame("System", "system")
	if err != nil {
		return err
	}
	vm := views.SystemPage{
		Page:    frame,
		Version: s.Version,
		Go:      runtime.Version(),
		Node:    s.Node,
		Started: s.started,
	}
	s.addFigures(&vm)

	system, err := s.Orchestrator.History.System(ctx)
	if err != nil {
		return err
	}
	vm.Database = system.Database.Version
	vm.DatabaseSize = system.Database.Size
	vm.Connections = system.Database.Connections

	vm.MaxConnections = system.Database.MaxConnections
	for _, l := range system.Leases {
		vm.Leases = append(vm.Leases, views.LeaseRow{Node: l.Node, N: l.N, Ended: l.Ended, Ends: l.Ends})
	}
	definitions, err := s.Manager.CountDefinitions(ctx)
	if err != nil {
		return err
	}
	vm.Apps = definitions.Apps
	vm.Scripts = definitions.Scripts

	report, checked, err := s.checks.report(ctx, s.Orchestrator.Examine)
	if err != nil {
		return err
	}

	vm.Checked = checked

	vm.Unbalanced = report.Unbalanced
	for _, f := range report.Findings {
		vm.Findings = append(vm.Findings, views.Finding(f))
	}
	if vm.Nodes, err = s.nodeRows(v); err != nil {
		return err
	}
	return v.render(http.StatusOK, views.System(vm))
}

// addFigures shows what this process counts.
func (s *Server) addFigures(vm *views.SystemPage) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	vm.Memory = int64(memory.Sys)

	stats := s.Orchestrator.Stats()
	vm.PermitsFree = stats.PermitsFree
	vm.PermitsAll = stats.PermitsAll
	vm.AtGate = stats.WaitingAtGate
	vm.RunningRows = stats.RunningRows
	vm.Commits = stats.Commits.Commits
	vm.Groups = stats.Commits.Groups
	vm.Conflicts = stats.Commits.Conflicts
	vm.RecordsDropped = stats.RecordsDropped

	sandbox := s.Sandbox()
	vm.Children = sandbox.Children
	vm.ChildrenStarted = sandbox.Started
	vm.ChildrenDied = sandbox.Died
}

// nodeRows shows the nodes as they last wrote themselves down; the one that answers knows better.
func (s *Server) nodeRows(v *visit) ([]views.NodeRow, error) {
	nodes, err := s.Orchestrator.History.Nodes(v.UserContext())
	if err != nil {
		return nil, err
	}

	var rows []views.NodeRow
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
		if row.Self {
			row.Free = s.Orchestrator.Stats().FreeForOthers
			row.Seen = time.Now()
		}
		row.Quiet = time.Since(row.Seen) > quietAfter
		rows = append(rows, row)
	}
	return rows, nil
}
