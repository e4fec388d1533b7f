package admin

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

func (s *Server) showProfile(v *visit) error {
	return s.profilePage(v, http.StatusOK, &views.ProfilePage{}, "")
}

// profileRows bounds keys and sessions on the page.
const profileRows = 200

// profilePage completes the visitor's own page with sessions and keys.
func (s *Server) profilePage(v *visit, status int, vm *views.ProfilePage, problem string) error {
	ctx := v.UserContext()
	frame, err := v.frame("Profile", "profile")
	if err != nil {
		return err
	}

	frame.Error = problem
	switch v.Query("done") {
	case "password":
		frame.Notice = "The password is changed, and every other session of yours has ended. " +
			"Your API keys still work."
	case "password-keys":
		frame.Notice = "The password is changed, and every other session and API key of yours has ended."
	case "revoked":
		frame.Notice = "The key is revoked."
	}

	vm.Page = frame
	vm.Role = v.p.Role
	vm.AllScopes = auth.Scopes

	sessions, err := s.Manager.Sessions(ctx, v.p.UserID, cloud.ID{}, profileRows)
	if err != nil {
		return err
	}

	for _, r := range sessions {
		vm.Sessions = append(vm.Sessions, views.SessionRow{
			ID:        cloud.ID(r.ID).String(),
			Agent:     r.UserAgent,
			CreatedAt: r.CreatedAt,
			LastSeen:  r.LastSeenAt,
			Current:   cloud.ID(r.ID) == v.p.Session,
		})
	}

	keys, err := s.Manager.Keys(ctx, v.p.UserID, cloud.ID{}, profileRows)
	if err != nil {
		return err
	}

	for _, k := range keys {
		vm.Keys = append(vm.Keys, views.KeyRow{
			ID:        cloud.ID(k.ID).String(),
			Name:      k.Name,
			App:       k.App,
			Scopes:    k.Scopes,
			ExpiresAt: k.ExpiresAt,
			CreatedAt: k.CreatedAt,
			LastUsed:  k.LastUsedAt,
		})
	}
	return v.render(status, views.Profile(*vm))
}

// changePassword asks for the present one and begins a new session: the others end.
func (s *Server) changePassword(v *visit) error {
	ctx := v.UserContext()
	password := v.form.Get("password")
	revoke := v.form.Get("revoke_keys") == "true"

	_, err := s.UpdateUser(ctx, v.p, edge.UserUpdate{
		Username:   v.p.Username,
		Current:    v.form.Get("current"),
		From:       s.Client(v.Ctx),
		UserChange: manager.UserChange{Password: &password, RevokeKeys: revoke},
	})
	if message, ok := refused(err); ok {
		if cloud.CodeOf(err) == cloud.CodeForbidden {
			message = "The present password is wrong."
		}
		return s.profilePage(v, http.StatusUnprocessableEntity, &views.ProfilePage{}, message)
	}
	if err != nil {
		return err
	}

	// The change ended every session, this one as well.
	token, expires, err := s.Login(ctx, manager.Attempt{
		Username:  v.p.Username,
		Password:  password,
		Address:   s.Client(v.Ctx),
		UserAgent: v.Get("User-Agent"),
	})
	if err != nil {
		return err
	}

	if err := s.SetSession(v.Ctx, token, expires); err != nil {
		return err
	}
	done := "password"
	if revoke {
		done = "password-keys"
	}
	return v.Redirect("/admin/profile?done="+done, http.StatusSeeOther)
}

// createOwnKey makes a key and shows it, this once: the page is the answer to the form and is stored nowhere.
func (s *Server) createOwnKey(v *visit) error {
	f := v.form
	form := views.KeyForm{Name: f.Get("name"), App: f.Get("app"), Days: f.Get("days"), Scopes: f["scopes"]}

	key, err := s.makeOwnKey(v.UserContext(), v.p, form)
	if message, ok := refused(err); ok || cloud.CodeOf(err) == cloud.CodeNotFound && err != nil {
		return s.profilePage(v, http.StatusUnprocessableEntity, &views.ProfilePage{Form: form},
			cmp.Or(message, "there is no such app"))
	}
	if err != nil {
		return err
	}
	return s.profilePage(v, http.StatusOK, &views.ProfilePage{NewKey: key, NewKeyName: form.Name}, "")
}

// makeOwnKey makes a key of the form and gives its text.
func (s *Server) makeOwnKey(ctx context.Context, p *auth.Principal, form views.KeyForm) (string, error) {
	key := manager.NewKey{Name: form.Name, Scopes: form.Scopes}
	if form.Days != "" {
		days, err := strconv.ParseInt(form.Days, 10, 16)
		if err != nil || days < 1 {
			return "", cloud.Errorf(cloud.CodeInvalid,
				"a key expires after a number of days, at least one, or never")
		}
		at := time.Now().Add(time.Duration(days) * day)
		key.ExpiresAt = &at
	}

	var err error
	if key.App, err = s.KeyApp(ctx, p, form.App); err != nil {
		return "", err
	}
	_, text, err := s.Manager.CreateKey(ctx, p, key)
	return text, err
}

// revokeOwnKey ends a key at once: requests that carry it are refused from now on.
func (s *Server) revokeOwnKey(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "API key")
	if err != nil {
		return err
	}

	if err := s.Manager.DeleteKey(v.UserContext(), v.p, id); err != nil {
		return err
	}
	return v.Redirect("/admin/profile?done=revoked", http.StatusSeeOther)
}

// endOwnSession ends one of the visitor's sessions, perhaps on a device that is lost.
func (s *Server) endOwnSession(v *visit) error {
	id, err := edge.IDParam(v.Params("id"), "session")
	if err != nil {
		return err
	}

	if err := s.Manager.EndSession(v.UserContext(), v.p, id); err != nil {
		return err
	}
	return v.Redirect("/admin/profile", http.StatusSeeOther)
}

// endOwnSessions ends all of them, this one as well.
func (s *Server) endOwnSessions(v *visit) error {
	if err := s.Manager.EndSessions(v.UserContext(), v.p); err != nil {
		return err
	}
	return v.Redirect("/admin/login", http.StatusSeeOther)
}
