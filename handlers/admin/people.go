package admin

import (
	"net/http"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/manager"
	"picloud/views"
)

// userRow shows a user; of oneself less can be changed.
func (s *Server) userRow(v *visit, u *manager.User) views.UserRow {
	return views.UserRow{
		Username:  u.Username,
		Role:      u.Role,
		Email:     orEmpty(u.Email),
		Active:    u.Active,
		Self:      u.Username == v.p.Username,
		CreatedAt: u.CreatedAt,
	}
}

func (s *Server) showUsers(v *visit) error { return s.usersPage(v, http.StatusOK, "") }

// usersPage lists the users; after a refusal with what was typed.
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

	users, next := edge.Cut(s.Edge, "users", rows, pageSize,
		func(u *manager.User) string { return u.Username })

	vm := views.UsersPage{Page: frame, Next: v.next(next), Owner: v.p.Role == auth.RoleOwner}
	for k := range users {
		vm.Rows = append(vm.Rows, s.userRow(v, &users[k]))
	}

	if f := v.form; f != nil {
		vm.Username = f.Get("username")
		vm.Role = f.Get("role")
		vm.Email = f.Get("email")
	}
	return v.render(status, views.Users(vm))
}

// createUserPage makes a user, who has no app yet; a refusal is the list again, with what was typed but the
// password.
func (s *Server) createUserPage(v *visit) error {
	role := v.form.Get("role")
	email := v.form.Get("email")
	_, err := s.Manager.CreateUser(v.UserContext(), edge.Actor(v.p), v.form.Get("username"),
		v.form.Get("password"), manager.UserChange{Role: &role, Email: &email})
	if message, ok := refused(err); ok {
		return s.usersPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin/users?done=created", http.StatusSeeOther)
}

func (s *Server) showUserPage(v *visit) error { return s.userPage(v, http.StatusOK, "") }

// userPage is the form of one user.
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

	return v.render(status, views.User(views.UserPage{
		Page:  frame,
		Row:   s.userRow(v, u),
		Owner: v.p.Role == auth.RoleOwner,
	}))
}

// changeUser applies a change to the user of the address and shows the page again. It says no present
// password, so that visitors change their own on their profile alone.
func (s *Server) changeUser(v *visit, c manager.UserChange) error {
	name, err := edge.Unescape(v.Params("username"))
	if err != nil {
		return err
	}

	_, err = s.UpdateUser(v.UserContext(), v.p, edge.UserUpdate{Username: name, UserChange: c})
	if message, ok := refused(err); ok {
		return s.userPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.Redirect("/admin/users/"+name+"?done=saved", http.StatusSeeOther)
}

// updateUserPage saves role, address and whether the user may log in.
func (s *Server) updateUserPage(v *visit) error {
	role := v.form.Get("role")
	email := v.form.Get("email")
	active := v.form.Get("active") == "true"
	return s.changeUser(v, manager.UserChange{Role: &role, Email: &email, Active: &active})
}

// setUserPassword gives a user who forgot it a new password, which ends the user's sessions.
func (s *Server) setUserPassword(v *visit) error {
	password := v.form.Get("password")
	return s.changeUser(v, manager.UserChange{Password: &password})
}

// deleteUserPage deletes a user whose name was typed. Triggers of the user stay, disabled.
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
