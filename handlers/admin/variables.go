package admin

import (
	"net/http"

	"picloud/handlers/edge"
	"picloud/internal/auth"
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
			*kind.to = append(*kind.to, views.VariableRow{
				Name:      r.Name,
				Value:     r.Value,
				UpdatedBy: r.UpdatedBy,
				UpdatedAt: r.UpdatedAt,
			})
		}
	}

	return v.render(status, views.Variables(vm))
}

// setVariablePage sets a variable or a secret; a refusal is the page again.
func (s *Server) setVariablePage(v *visit) error {
	value := normalizeLines(v.form.Get("value"))
	err := s.Manager.SetVariable(v.UserContext(), edge.Actor(v.p), v.app.App, v.form.Get("name"), value,
		v.form.Get("kind") == "secret")
	if message, ok := refused(err); ok {
		return s.variablesPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/variables?done=set")
}

func (s *Server) deleteVariablePage(v *visit) error {
	err := s.Manager.DeleteVariable(v.UserContext(), edge.Actor(v.p), v.app.App, v.form.Get("name"),
		v.form.Get("kind") == "secret")
	if err != nil {
		return err
	}
	return v.to("/variables?done=deleted")
}
