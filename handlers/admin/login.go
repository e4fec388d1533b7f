package admin

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

// showLogin asks for a password, unless the browser has a session.
func (s *Server) showLogin(c *fiber.Ctx) error {
	v := &visit{Ctx: c, s: s}
	if p, _, err := s.BrowserPrincipal(c); err == nil && p != nil {
		return c.Redirect("/admin", http.StatusSeeOther)
	}
	return s.loginPage(v, http.StatusOK, "", "")
}

// loginPage is the form; on an installation that was never used it says where the first password is.
func (s *Server) loginPage(v *visit, status int, username, problem string) error {
	first, err := s.Manager.NeverUsed(v.UserContext())
	if err != nil {
		return err
	}

	return v.render(status, views.Login(views.LoginPage{
		Page:     views.Page{Title: "Log in", Error: problem, Assets: s.Assets},
		Username: username,
		First:    first,
	}))
}

// maxLoginForm bounds the form of the login page in bytes: anybody may send it.
const maxLoginForm = 64 << 10

// submitLogin checks the form of the login page. A session is made anew at every login. Whoever logs in to an
// empty installation is led to the first steps.
func (s *Server) submitLogin(c *fiber.Ctx) error {
	v := &visit{Ctx: c, s: s}
	form, err := s.ReadForm(c, maxLoginForm)
	if err != nil {
		return err
	}
	if !edge.SameOrigin(c) {
		return cloud.Errorf(cloud.CodeForbidden, "this form is from another page")
	}

	username := form.Get("username")
	token, expires, err := s.Login(c.UserContext(), manager.Attempt{
		Username:  username,
		Password:  form.Get("password"),
		Address:   s.Client(c),
		UserAgent: c.Get("User-Agent"),
	})
	if known, ok := edge.LoginRefused(err); ok {
		problem := s.ProblemOf(known)
		c.Set("Retry-After", problem.GetHeaders().Get("Retry-After"))
		return s.loginPage(v, problem.Status, username, known.Message)
	}
	if err != nil {
		return err
	}

	if err := s.SetSession(c, token, expires); err != nil {
		return err
	}
	return c.Redirect("/admin/welcome?first=1", http.StatusSeeOther)
}

// logout ends the session and takes the cookie away.
func (s *Server) logout(v *visit) error {
	if err := s.Manager.EndSession(v.UserContext(), v.p, v.p.Session); err != nil {
		return err
	}
	if err := s.SetSession(v.Ctx, "", time.Now()); err != nil {
		return err
	}
	return v.Redirect("/admin/login", http.StatusSeeOther)
}

// showWelcome leads through the first steps. After a login it is shown only to the owner of an installation
// without script.
func (s *Server) showWelcome(v *visit) error {
	n, err := s.Manager.CountDefinitions(v.UserContext())
	if err != nil {
		return err
	}

	if v.Query("first") != "" && (v.p.Role != auth.RoleOwner || n.Scripts > 0) {
		return v.Redirect("/admin", http.StatusSeeOther)
	}

	_, err = s.Manager.App(v.UserContext(), manager.DefaultApp)
	if err != nil && cloud.CodeOf(err) == cloud.CodeNotFound { // the steps are about an app that is gone
		return v.Redirect("/admin", http.StatusSeeOther)
	}

	frame, err := v.frame("Welcome", "")
	if err != nil {
		return err
	}

	return v.render(http.StatusOK, views.Welcome(views.WelcomePage{
		Page:       frame,
		HasScript:  n.Scripts > 0,
		HasTrigger: n.Triggers > 0,
	}))
}
