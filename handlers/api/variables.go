package api

import (
	"context"
	"net/http"
	"time"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/manager"
)

type variableItem struct {
	Name      string    `json:"name"`
	Value     string    `json:"value"`
	UpdatedBy string    `json:"updated_by"`
	UpdatedAt time.Time `json:"updated_at"`
}

// secretItem has no value: nobody is ever shown it again.
type secretItem struct {
	Name      string    `json:"name"`
	UpdatedBy string    `json:"updated_by"`
	UpdatedAt time.Time `json:"updated_at"`
}

// VariablePath is the input of an operation on one variable or secret.
type VariablePath struct {
	AppPath
	Name string `path:"name"`
}

type putVariable struct {
	VariablePath
	Body struct {
		Value string `json:"value" doc:"at most 64 KiB"`
	}
}

type namedOutput struct {
	Body struct {
		Name string `json:"name"`
	}
}

func (s *Server) variablesAPI() {
	appOp(s,
		operation("list-variables", http.MethodGet, "/apps/{app}/variables",
			"Variables by name", "variables"),
		auth.ReadVariables, s.listVariables)
	appOp(s,
		operation("list-secrets", http.MethodGet, "/apps/{app}/secrets", "Names of secrets", "variables"),
		auth.ReadVariables, s.listSecrets)

	for _, kind := range []variableKind{{"variable", false}, {"secret", true}} {
		path := "/apps/{app}/" + kind.noun + "s/{name}"
		appOp(s,
			operation("put-"+kind.noun, http.MethodPut, path,
				"Set a "+kind.noun+"; scripts find it in env", "variables"),
			auth.WriteVariables, kind.set(s))
		appOp(s, operation("delete-"+kind.noun, http.MethodDelete, path, "Delete a "+kind.noun, "variables"),
			auth.WriteVariables, kind.remove(s))
	}
}

// variableKind is one of the two kinds of variables.
type variableKind struct {
	noun   string
	secret bool
}

// set is the operation that sets one.
func (k variableKind) set(s *Server) appHandler[putVariable, namedOutput] {
	return func(ctx context.Context, c *edge.AppCaller, in *putVariable) (*namedOutput, error) {
		err := s.Manager.SetVariable(ctx, edge.Actor(c.Principal), c.App, in.Name, in.Body.Value, k.secret)
		if err != nil {
			return nil, err
		}
		out := &namedOutput{}
		out.Body.Name = in.Name
		return out, nil
	}
}

// remove is the operation that deletes one.
func (k variableKind) remove(s *Server) appHandler[VariablePath, none] {
	return func(ctx context.Context, c *edge.AppCaller, in *VariablePath) (*none, error) {
		return nil, s.Manager.DeleteVariable(ctx, edge.Actor(c.Principal), c.App, in.Name, k.secret)
	}
}

func (s *Server) listVariables(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[variableItem], error) {
	rows, next, err := s.variables(ctx, c, in, false)
	if err != nil {
		return nil, err
	}
	return pageOf(rows, next, func(v *manager.Variable) variableItem {
		return variableItem{v.Name, v.Value, v.UpdatedBy, utc(v.UpdatedAt)}
	}), nil
}

func (s *Server) listSecrets(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[secretItem], error) {
	rows, next, err := s.variables(ctx, c, in, true)
	if err != nil {
		return nil, err
	}
	return pageOf(rows, next, func(v *manager.Variable) secretItem {
		return secretItem{v.Name, v.UpdatedBy, utc(v.UpdatedAt)}
	}), nil
}

// variables reads a page of variables or secrets, and the cursor of the next.
func (s *Server) variables(
	ctx context.Context, c *edge.AppCaller, in *listInput, secret bool,
) (rows []manager.Variable, next string, err error) {
	list := edge.ListName(c, "variables")
	if secret {
		list = edge.ListName(c, "secrets")
	}
	after, err := s.OpenCursor(list, in.Cursor)
	if err != nil {
		return nil, "", err
	}

	rows, err = s.Manager.Variables(ctx, c.App, secret, after, in.Limit+1)
	if err != nil {
		return nil, "", err
	}
	rows, next = edge.Cut(s.Edge, list, rows, in.Limit, func(v *manager.Variable) string { return v.Name })
	return rows, next, nil
}
