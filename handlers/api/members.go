package api

import (
	"context"
	"net/http"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
)

// memberItem is a user's role in an app.
type memberItem struct {
	Username string `json:"username"`
	Role     string `json:"role" enum:"admin,editor,viewer"`
	Active   bool   `json:"active"`
}

type memberOutput struct{ Body memberItem }

type addMember struct {
	AppPath
	Body struct {
		Username string `json:"username"`
		Role     string `json:"role" doc:"admin, editor or viewer"`
	}
}

// MemberPath is the input of an operation on one member.
type MemberPath struct {
	AppPath
	Username string `path:"username"`
}

type patchMember struct {
	MemberPath
	Body struct {
		Role string `json:"role"`
	}
}

func (s *Server) membersAPI() {
	const path = "/apps/{app}/members"
	appOp(s, operation("list-members", http.MethodGet, path, "Members of an app", "people"),
		auth.ReadMembers, s.listMembers)
	appOp(s, operation("add-member", http.MethodPost, path, "Add a member", "people"),
		auth.AdminApp, s.addMember)
	appOp(s,
		operation("update-member", http.MethodPatch, path+"/{username}", "Change a member's role", "people"),
		auth.AdminApp, s.updateMember)
	appOp(s, operation("remove-member", http.MethodDelete, path+"/{username}", "Remove a member", "people"),
		auth.AdminApp, s.removeMember)
}

func (s *Server) listMembers(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[memberItem], error) {
	list := edge.ListName(c, "members")
	after, err := s.OpenCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.Manager.Members(ctx, c.App, after, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit,
		func(m *db.ListMembersRow) string { return m.Username })
	return pageOf(rows, next, func(m *db.ListMembersRow) memberItem {
		return memberItem{m.Username, m.Role, m.Active}
	}), nil
}

func (s *Server) addMember(ctx context.Context, c *edge.AppCaller, in *addMember) (*memberOutput, error) {
	return s.setMember(ctx, c, memberItem{in.Body.Username, in.Body.Role, true}, true)
}

func (s *Server) updateMember(
	ctx context.Context, c *edge.AppCaller, in *patchMember,
) (*memberOutput, error) {
	name, err := edge.Unescape(in.Username)
	if err != nil {
		return nil, err
	}
	return s.setMember(ctx, c, memberItem{name, in.Body.Role, true}, false)
}

func (s *Server) removeMember(ctx context.Context, c *edge.AppCaller, in *MemberPath) (*none, error) {
	name, err := edge.Unescape(in.Username)
	if err != nil {
		return nil, err
	}
	return nil, s.Manager.RemoveMember(ctx, edge.Actor(c.Principal), c.App, name)
}

// setMember adds a member or changes one, which must then exist.
func (s *Server) setMember(
	ctx context.Context, c *edge.AppCaller, m memberItem, create bool,
) (*memberOutput, error) {
	err := s.Manager.SetMember(ctx, edge.Actor(c.Principal), c.App, m.Username, m.Role, create)
	if err != nil {
		return nil, err
	}
	return &memberOutput{m}, nil
}
