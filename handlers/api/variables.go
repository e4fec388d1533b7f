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
	Value     *string   `json:"value" doc:"null for those who may not set variables"`
	UpdatedBy string    `json:"updated_by"`
	UpdatedAt time.Time `json:"updated_at"`
}

// secretItem has no value: nobody is ever shown it again.
type secretItem struct {
	Name      string    `json:"name"`
	Scripts   []string  `json:"scripts" doc:"names of the scripts that receive it; null: every script"`
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

type putSecret struct {
	VariablePath
	Body struct {
		Value   string   `json:"value" doc:"at most 64 KiB"`
		Scripts []string `json:"scripts,omitempty" doc:"names of the scripts that receive it, at most 100; absent: every script"`
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
			"Variables by name, with their values for admins", "variables"),
		auth.ReadVariables, s.listVariables)
	appOp(s,
		operation("list-secrets", http.MethodGet, "/apps/{app}/secrets", "Names of secrets", "variables"),
		auth.ReadVariables, s.listSecrets)

	appOp(s,
		operation("put-variable", http.MethodPut, "/apps/{app}/variables/{name}",
			"Set a variable; scripts find it in env", "variables"),
		auth.WriteVariables, s.putVariable)
	appOp(s,
		operation("put-secret", http.MethodPut, "/apps/{app}/secrets/{name}",
			"Set a secret; the scripts that it names, or all, find it in env", "variables"),
		auth.WriteVariables, s.putSecret)

	for _, kind := range []variableKind{{"variable", false}, {"secret", true}} {
		path := "/apps/{app}/" + kind.noun + "s/{name}"
		appOp(s, operation("delete-"+kind.noun, http.MethodDelete, path, "Delete a "+kind.noun, "variables"),
			auth.WriteVariables, kind.remove(s))
	}
}

func (s *Server) putVariable(
	ctx context.Context, c *edge.AppCaller, in *putVariable,
) (*namedOutput, error) {
	return named(in.Name, s.Manager.SetVariable(ctx, c.Actor(), c.App, in.Name, in.Body.Value, false))
}

func (s *Server) putSecret(ctx context.Context, c *edge.AppCaller, in *putSecret) (*namedOutput, error) {
	return named(in.Name, s.Manager.SetSecret(ctx, c.Actor(), c.App, in.Name, in.Body.Value, in.Body.Scripts))
}

// named answers with the name of what was set.
func named(name string, err error) (*namedOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &namedOutput{}
	out.Body.Name = name
	return out, nil
}

// variableKind is one of the two kinds of variables.
type variableKind struct {
	noun   string
	secret bool
}

// remove is the operation that deletes one.
func (k variableKind) remove(s *Server) appHandler[VariablePath, none] {
	return func(ctx context.Context, c *edge.AppCaller, in *VariablePath) (*none, error) {
		return nil, s.Manager.DeleteVariable(ctx, c.Actor(), c.App, in.Name, k.secret)
	}
}

// listVariables lists variables. Their values are for those who may set them; the names are part of what a
// script is.
func (s *Server) listVariables(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[variableItem], error) {
	rows, next, err := s.variables(ctx, c, in, false)
	if err != nil {
		return nil, err
	}

	mayRead := c.May(auth.WriteVariables, c.Role, c.ID()) == nil
	return pageOf(rows, next, func(v *manager.Variable) variableItem {
		item := variableItem{Name: v.Name, UpdatedBy: v.UpdatedBy, UpdatedAt: utc(v.UpdatedAt)}
		if mayRead {
			item.Value = &v.Value
		}
		return item
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
		return secretItem{v.Name, v.Scripts, v.UpdatedBy, utc(v.UpdatedAt)}
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
