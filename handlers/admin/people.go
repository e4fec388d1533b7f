package admin

import (
	"net/http"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

func (s *Server) userRow(v *visit, u *manager.User) views.UserRow {
	r := views.UserRow{Username: u.Username, Role: u.Role, Active: u.Active, Self: u.Username == v.p.Username, CreatedAt: u.CreatedAt}
	if u.Email != nil {
		r.Email = *u.Email
	}
	return r
}

func (s *Server) showUsers(v *visit) error { return s.usersPage(v, http.StatusOK, "") }

func (s *Server) usersPage(v *visit, status int, problem string) error {
	frame, err := v.frame("Users", "users")
	if err != nil {
		return err
	}
	frame.Error = problem
	switch v.Query("done") {
	case "created":
		frame.Notice = "Created. Add the user to apps as a member."
	case "deleted":
		frame.Notice = "The user is gone."
	}
	after, err := s.OpenCursor("users", v.Query("cursor"))
	if err != nil {
		return err
	}
	rows, err := s.Manager.Users(v.UserContext(), after, pageSize+1)
	if err != nil {
		return err
	}
	users, next := edge.Cut(s.Edge, "users", rows, pageSize, func(u *manager.User) string { return u.Username })
	vm := views.UsersPage{Page: frame, Next: v.next(next), Owner: v.p.Role == auth.RoleOwner}
	for k := range users {
		vm.Rows = append(vm.Rows, s.userRow(v, &users[k]))
	}
	if f := v.form; f != nil {
		vm.Username, vm.Role, vm.Email = f.Get("username"), f.Get("role"), f.Get("email")
	}
	return v.render(status, views.Users(vm))
}

func (s *Server) createUserPage(v *visit) error {
	role, email := v.form.Get("role"), v.form.Get("email")
	_, err := s.Manager.CreateUser(v.UserContext(), edge.Actor(v.p), v.form.Get("username"), v.form.Get("password"), manager.UserChange{Role: &role, Email: &email})
	if message, ok := refused(err); ok {
		return s.usersPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin/users?done=created", http.StatusSeeOther)
}

func (s *Server) showUserPage(v *visit) error { return s.userPage(v, http.StatusOK, "") }

func (s *Server) userPage(v *visit, status int, problem string) error {
	name, err := edge.Unescape(v.Params("username"))
	if err != nil {
		return err
	}
	u, err := s.Manager.User(v.UserContext(), name)
	if err != nil {
		return err
	}
	frame, err := v.frame(u.Username, "users")
	if err != nil {
		return err
	}
	frame.Error = problem
	if v.Query("done") == "saved" {
		frame.Notice = "Saved."
	}
	return v.render(status, views.User(views.UserPage{Page: frame, Row: s.userRow(v, u), Owner: v.p.Role == auth.RoleOwner}))
}

// changeUser applies a change to the user of the address and shows the page again.
func (s *Server) changeUser(v *visit, c manager.UserChange) error {
	name, err := edge.Unescape(v.Params("username"))
	if err != nil {
		return err
	}
	_, err = s.Manager.UpdateUser(v.UserContext(), edge.Actor(v.p), name, c)
	if message, ok := refused(err); ok {
		return s.userPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin/users/"+name+"?done=saved", http.StatusSeeOther)
}

func (s *Server) updateUserPage(v *visit) error {
	role, email, active := v.form.Get("role"), v.form.Get("email"), v.form.Get("active") == "true"
	return s.changeUser(v, manager.UserChange{Role: &role, Email: &email, Active: &active})
}

func (s *Server) setUserPassword(v *visit) error {
	password := v.form.Get("password")
	return s.changeUser(v, manager.UserChange{Password: &password})
}

func (s *Server) deleteUserPage(v *visit) error {
	name, err := edge.Unescape(v.Params("username"))
	if err != nil {
		return err
	}
	if err = v.confirmed(name); err == nil {
		err = s.Manager.DeleteUser(v.UserContext(), edge.Actor(v.p), name)
	}
	if message, ok := refused(err); ok {
		return s.userPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin/users?done=deleted", http.StatusSeeOther)
}

func (s *Server) showMembers(v *visit) error { return s.membersPage(v, http.StatusOK, "") }

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
	members, next := edge.Cut(s.Edge, list, rows, pageSize, func(m *manager.Member) string { return m.Username })
	vm := views.MembersPage{Page: frame, Next: v.next(next), MayEdit: v.may(auth.AdminApp)}
	for _, m := range members {
		vm.Rows = append(vm.Rows, views.MemberRow{Username: m.Username, Role: m.Role, Active: m.Active})
	}
	if f := v.form; f != nil {
		vm.Username, vm.Role = f.Get("username"), f.Get("role")
	}
	return v.render(status, views.Members(vm))
}

// setMember adds a member or changes one.
func (s *Server) setMember(v *visit, create bool) error {
	err := s.Manager.SetMember(v.UserContext(), edge.Actor(v.p), v.app.App, v.form.Get("username"), v.form.Get("role"), create)
	if cloud.CodeOf(err) == cloud.CodeNotFound && err != nil {
		return s.membersPage(v, http.StatusUnprocessableEntity, "There is no such user. An instance admin creates users.")
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

func (s *Server) removeMemberPage(v *visit) error {
	if err := s.Manager.RemoveMember(v.UserContext(), edge.Actor(v.p), v.app.App, v.form.Get("username")); err != nil {
		return err
	}
	return v.to("/members")
}

func (s *Server) showAudit(v *visit) error { return s.auditPage(v, 0, "audit") }

func (s *Server) showAppAudit(v *visit) error {
	return s.auditPage(v, v.app.ID(), edge.ListName(v.app, "audit"))
}

func (s *Server) auditPage(v *visit, app cloud.AppID, list string) error {
	frame, err := v.frame("Audit", "audit")
	if err != nil {
		return err
	}
	filter := manager.AuditFilter{App: app, Actor: v.Query("actor"), Action: v.Query("action")}
	list += "\x00" + filter.Actor + "\x00" + filter.Action
	before, err := s.OpenIDCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	rows, err := s.Manager.Audit(v.UserContext(), filter, before, pageSize+1)
	if err != nil {
		return err
	}
	rows, next := edge.Cut(s.Edge, list, rows, pageSize, func(a *db.Audit) string { return cloud.ID(a.ID).String() })
	vm := views.AuditPage{Page: frame, Actor: filter.Actor, Action: filter.Action, Next: v.next(next)}
	for k := range rows {
		vm.Rows = append(vm.Rows, auditRow(&rows[k]))
	}
	return v.render(http.StatusOK, views.Audit(vm))
}

// auditRow shows an entry of the audit trail, without a detail that says nothing.
func auditRow(a *db.Audit) views.AuditRow {
	row := views.AuditRow{At: a.At, Actor: a.Actor, App: orEmpty(a.App), Action: a.Action, Target: a.Target}
	if a.Detail != "{}" && a.Detail != "null" {
		row.Detail = a.Detail
	}
	return row
}
