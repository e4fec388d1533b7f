package api

import (
	"context"
	"errors"
	"net/http"
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

func (p *AppPath) slug() string { return p.App }

// sluggy is the pointer of an input with an app.
type sluggy[T any] interface {
	*T
	slug() string
}

// handler answers an operation outside of apps, appHandler one in an app.
type (
	handler[I, O any]    func(context.Context, *auth.Principal, *I) (*O, error)
	appHandler[I, O any] func(context.Context, *edge.AppCaller, *I) (*O, error)
)

// op registers an operation outside of apps.
func op[I, O any](s *Server, o huma.Operation, h handler[I, O]) {
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

// appOp registers an operation in an app that needs a capability. An app that is none of the caller's
// business, and one that does not exist, are the same 404.
func appOp[I any, P sluggy[I], O any](
	s *Server, o huma.Operation, need auth.Capability, h func(context.Context, *edge.AppCaller, *I) (*O,
		error),
) {
	op(s, o, func(ctx context.Context, p *auth.Principal, in *I) (*O, error) {
		c, err := s.InApp(ctx, p, P(in).slug(), need)
		if err != nil {
			return nil, err
		}
		return h(ctx, c, in)
	})
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
