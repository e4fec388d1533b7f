package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// operation describes an operation, with the usual status of its method.
func operation(id, method, path, summary, tag string) huma.Operation {
	o := huma.Operation{
		OperationID:     id,
		Method:          method,
		Path:            "/api/v1" + path,
		Summary:         summary,
		Tags:            []string{tag},
		MaxBodyBytes:    maxAPIBody,
		BodyReadTimeout: -1, // the body is in memory
	}

	switch method {
	case http.MethodPost:
		o.DefaultStatus = http.StatusCreated
	case http.MethodDelete:
		o.DefaultStatus = http.StatusNoContent
	}
	return o
}

// status sets the answer's status where it is not the method's usual one.
func status(o huma.Operation, code int) huma.Operation {
	o.DefaultStatus = code
	return o
}

// none is an answer without a body.
type none struct{}

// idInput is the input of an operation on something outside of apps.
type idInput struct {
	ID string `path:"id"`
}

// AppPath is the input of every operation in an app.
type AppPath struct {
	App string `path:"app" doc:"slug of the app" example:"default"`
}

// handler answers an operation outside of apps, appHandler one in an app.
type (
	handler[I, O any]    func(context.Context, *auth.Principal, *I) (*O, error)
	appHandler[I, O any] func(context.Context, *edge.AppCaller, *I) (*O, error)
)

// op registers an operation outside of apps.
func op[I, O any](s *Server, o huma.Operation, h handler[I, O]) {
	if strings.HasPrefix(o.OperationID, "list-") {
		o.Middlewares = append(o.Middlewares, s.inTurn)
	}

	huma.Register(s.api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, callerOf(ctx), in)
		if err != nil {
			return nil, s.ProblemOf(err)
		}
		return out, nil
	})

	// After rawBody the handler says what is missing, and the description knows better than "bytes".
	if o.RequestBody != nil {
		o.RequestBody.Required = false
		delete(o.RequestBody.Content, "application/octet-stream")
	}
}

// appOp registers an operation in an app that needs a capability, which is asked for before the input is
// looked at. An app that is none of the caller's business, and one that does not exist, are the same 404.
func appOp[I, O any](
	s *Server, o huma.Operation, need auth.Capability, h func(context.Context, *edge.AppCaller, *I) (*O,
		error),
) {
	enter := func(ctx huma.Context, next func(huma.Context)) {
		c, err := s.InApp(ctx.Context(), callerOf(ctx.Context()), ctx.Param("app"), need)
		if err != nil {
			s.refuse(ctx, err)
			return
		}
		next(huma.WithValue(ctx, appCallerKey, c))
	}
	o.Middlewares = append(o.Middlewares, enter)

	op(s, o, func(ctx context.Context, _ *auth.Principal, in *I) (*O, error) {
		return h(ctx, appCallerOf(ctx), in)
	})
}

// guarded has a question of rights asked before anything else that the caller sent is looked at.
func (s *Server) guarded(o huma.Operation, may func(huma.Context, *auth.Principal) error) huma.Operation {
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		if err := may(ctx, callerOf(ctx.Context())); err != nil {
			s.refuse(ctx, err)
			return
		}
		next(ctx)
	})
	return o
}

// adminOnly guards an operation of instance admins, and of their keys with a scope.
func (s *Server) adminOnly(scope string, o huma.Operation) huma.Operation {
	return s.guarded(o, func(_ huma.Context, p *auth.Principal) error { return edge.InstanceAdmin(p, scope) })
}

// refuse answers with the problem of an error, before huma reads the input of an operation.
func (s *Server) refuse(ctx huma.Context, err error) {
	p := s.ProblemOf(err)
	for name, values := range p.GetHeaders() {
		ctx.SetHeader(name, values[0])
	}
	ctx.SetHeader("Content-Type", edge.ProblemType)
	ctx.SetStatus(p.Status)
	_, _ = ctx.BodyWriter().Write(edge.EncodeProblem(p)) // into a buffer
}

// useProblems makes huma's own refusals the same problem documents as ours. huma keeps this in a package
// variable.
var useProblems = sync.OnceFunc(func() { huma.NewError = refusal })

// refusal is the problem of a request that huma refuses before an operation sees it.
func refusal(status int, message string, errs ...error) huma.StatusError {
	p := &edge.Problem{Status: status, Detail: message, Code: "invalid"}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		p.Code = string(cloud.CodeTooLarge)
	case status >= http.StatusInternalServerError:
		p.Code = string(cloud.CodeInternal)
	case status != http.StatusUnprocessableEntity:
		p.Code = string(cloud.CodeMalformed)
	}

	// The first error completes the sentence, all of them are listed.
	var details []map[string]any
	for _, e := range errs {
		var d huma.ErrorDetailer
		if !errors.As(e, &d) {
			continue
		}
		detail := d.ErrorDetail()
		details = append(details, map[string]any{"message": detail.Message, "location": detail.Location})
		if len(details) == 1 {
			p.Detail += ": " + detail.Message + " (" + detail.Location + ")"
		}
	}

	if len(details) > 0 {
		p.Details = map[string]any{"errors": details}
	}
	return p
}
