package admin

import (
	"net/http"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

func (s *Server) showMembers(v *visit) error { return s.membersPage(v, http.StatusOK, "") }

// membersPage lists who may do what in the app; after a refusal with what was typed.
func (s *Server) membersPage(v *visit, status int, problem string) error {
	frame, err := v.frame("Members", "members")
	if err != nil {
		return err
	}
	frame.Error = problem

	list := edge.ListName(v.app, "members")
	after, err := s.OpenCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	rows, err := s.Manager.Members(v.UserContext(), v.app.App, after, pageSize+1)
	if err != nil {
		return err
	}

	members, next := edge.Cut(s.Edge, list, rows, pageSize,
		func(m *manager.Member) string { return m.Username })

	vm := views.MembersPage{Page: frame, Next: v.next(next), MayEdit: v.may(auth.AdminApp)}
	for _, m := range members {
		vm.Rows = append(vm.Rows, views.MemberRow{Username: m.Username, Role: m.Role, Active: m.Active})
	}

	if f := v.form; f != nil {
		vm.Username = f.Get("username")
		vm.Role = f.Get("role")
	}
	return v.render(status, views.Members(vm))
}

// setMember adds a member or changes one.
func (s *Server) setMember(v *visit, create bool) error {
	err := s.Manager.SetMember(v.UserContext(), edge.Actor(v.p), v.app.App, v.form.Get("username"),
		v.form.Get("role"), create)
	if cloud.CodeOf(err) == cloud.CodeNotFound && err != nil {
		return s.membersPage(v, http.StatusUnprocessableEntity,
			"There is no such user. An instance admin creates users.")
	}

	if message, ok := refused(err); ok {
		return s.membersPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/members")
}

func (s *Server) addMemberPage(v *visit) error { return s.setMember(v, true) }
func (s *Server) setMemberPage(v *visit) error { return s.setMember(v, false) }

// removeMemberPage takes a user out of the app; the user stays.
func (s *Server) removeMemberPage(v *visit) error {
	err := s.Manager.RemoveMember(v.UserContext(), edge.Actor(v.p), v.app.App, v.form.Get("username"))
	if err != nil {
		return err
	}
	return v.to("/members")
}
