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
	appOp(s, operation("list-variables", http.MethodGet, "/apps/{app}/variables", "Variables by name", "variables"), auth.ReadVariables,
		func(ctx context.Context, c *edge.AppCaller, in *listInput) (*page[variableItem], error) {
			return listVariables(ctx, s, c, &in.PageQuery, false, func(v *manager.Variable) variableItem {
				return variableItem{v.Name, v.Value, v.UpdatedBy, utc(v.UpdatedAt)}
			})
		})
	appOp(s, operation("list-secrets", http.MethodGet, "/apps/{app}/secrets", "Names of secrets", "variables"), auth.ReadVariables,
		func(ctx context.Context, c *edge.AppCaller, in *listInput) (*page[secretItem], error) {
			return listVariables(ctx, s, c, &in.PageQuery, true, func(v *manager.Variable) secretItem {
				return secretItem{v.Name, v.UpdatedBy, utc(v.UpdatedAt)}
			})
		})
	for _, kind := range []struct {
		noun   string
		secret bool
	}{{"variable", false}, {"secret", true}} {
		path := "/apps/{app}/" + kind.noun + "s/{name}"
		put := operation("put-"+kind.noun, http.MethodPut, path, "Set a "+kind.noun+"; scripts find it in env", "variables")
		appOp(s, put, auth.WriteVariables, func(ctx context.Context, c *edge.AppCaller, in *putVariable) (*namedOutput, error) {
			if err := s.Manager.SetVariable(ctx, edge.Actor(c.Principal), c.App, in.Name, in.Body.Value, kind.secret); err != nil {
				return nil, err
			}
			out := &namedOutput{}
			out.Body.Name = in.Name
			return out, nil
		})
		del := operation("delete-"+kind.noun, http.MethodDelete, path, "Delete a "+kind.noun, "variables")
		appOp(s, del, auth.WriteVariables, func(ctx context.Context, c *edge.AppCaller, in *VariablePath) (*none, error) {
			return nil, s.Manager.DeleteVariable(ctx, edge.Actor(c.Principal), c.App, in.Name, kind.secret)
		})
	}
}

func listVariables[T any](ctx context.Context, s *Server, c *edge.AppCaller, in *PageQuery, secret bool, show func(*manager.Variable) T) (*page[T], error) {
	list := edge.ListName(c, "variables")
	if secret {
		list = edge.ListName(c, "secrets")
	}
	after, err := s.OpenCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Manager.Variables(ctx, c.App, secret, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, next := edge.Cut(s.Edge, list, rows, in.Limit, func(v *manager.Variable) string { return v.Name })
	return pageOf(rows, next, show), nil
}
