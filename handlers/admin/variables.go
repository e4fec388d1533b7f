package admin

import (
	"net/http"
	"strings"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/views"
)

// variablesShown is more than an app can have of either.
const variablesShown = 1000

func (s *Server) showVariables(v *visit) error { return s.variablesPage(v, http.StatusOK, "") }

// variablesPage lists variables with their values and secrets without; what was typed of a secret is not
// shown again.
func (s *Server) variablesPage(v *visit, status int, problem string) error {
	frame, err := v.frame("Variables", "variables")
	if err != nil {
		return err
	}

	frame.Error = problem
	switch v.Query("done") {
	case "set":
		frame.Notice = "Set. Runs that begin from now on find it."
	case "deleted":
		frame.Notice = "Gone. Runs that begin from now on do not find it."
	}

	vm := views.VariablesPage{Page: frame, MayEdit: v.may(auth.WriteVariables)}
	if f := v.form; f != nil {
		vm.Name = f.Get("name")
		vm.Secret = f.Get("kind") == "secret"
		if !vm.Secret {
			vm.Value = f.Get("value")
		}
		vm.ForScripts = f.Get("scripts")
	}

	for _, kind := range []struct {
		secret bool
		to     *[]views.VariableRow
	}{{false, &vm.Variables}, {true, &vm.Secrets}} {
		rows, err := s.Manager.Variables(v.UserContext(), v.app.App, kind.secret, "", variablesShown)
		if err != nil {
			return err
		}

		for _, r := range rows {
			row := views.VariableRow{
				Name:      r.Name,
				Scripts:   r.Scripts,
				UpdatedBy: r.UpdatedBy,
				UpdatedAt: r.UpdatedAt,
			}
			if vm.MayEdit { // who may set a value may read it
				row.Value = r.Value
			}
			*kind.to = append(*kind.to, row)
		}
	}

	return v.render(status, views.Variables(vm))
}

// setVariablePage sets a variable or a secret; a refusal is the page again.
func (s *Server) setVariablePage(v *visit) error {
	err := s.setVariable(v)
	if message, ok := refused(err); ok {
		return s.variablesPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/variables?done=set")
}

// setVariable sets what the form says. Its names of scripts are separated by commas or spaces.
func (s *Server) setVariable(v *visit) error {
	name := v.form.Get("name")
	value := normalizeLines(v.form.Get("value"))
	scripts := strings.Fields(strings.ReplaceAll(v.form.Get("scripts"), ",", " "))
	secret := v.form.Get("kind") == "secret"

	switch {
	case len(scripts) == 0:
		return s.Manager.SetVariable(v.UserContext(), v.app.Actor(), v.app.App, name, value, secret)
	case !secret:
		return cloud.Errorf(cloud.CodeInvalid, "only a secret can be for some scripts alone")
	default:
		return s.Manager.SetSecret(v.UserContext(), v.app.Actor(), v.app.App, name, value, scripts)
	}
}

func (s *Server) deleteVariablePage(v *visit) error {
	err := s.Manager.DeleteVariable(v.UserContext(), v.app.Actor(), v.app.App, v.form.Get("name"),
		v.form.Get("kind") == "secret")
	if err != nil {
		return err
	}
	return v.to("/variables?done=deleted")
}
