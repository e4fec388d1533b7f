package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// Compile bundles a script in a child of its app, and evaluates the bundle once to learn its handlers. A
// syntax or import error is a *cloud.Error of code invalid with file, line and column. An error of the
// evaluation is in the bundle instead.
func (p *Pool) Compile(
	ctx context.Context, app cloud.AppID, build cloud.ID, src *cloud.Source,
) (*cloud.Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, compileTimeout)
	defer cancel()

	c, err := p.acquire(ctx, childKey{app: app, memoryMiB: compileMemoryMiB, compile: true}, false)
	if err != nil {
		return nil, fmt.Errorf("start compiler: %w", err)
	}

	reply, err := c.compile(ctx, src)
	p.release(c, 0) // before the next is asked for: who holds memory does not wait for more
	if err != nil {
		return nil, err
	}

	var out wire.CompiledMsg
	if err := json.Unmarshal(reply, &out); err != nil {
		return nil, fmt.Errorf("read compiled bundle: %w", err)
	}
	if out.Error != nil {
		return nil, compileError(out.Error)
	}

	bundle := &cloud.Bundle{Code: out.Code, Imports: out.Imports}
	p.inspect(ctx, app, build, src, bundle)
	return bundle, nil
}

// compile has a child bundle sources.
func (c *child) compile(ctx context.Context, src *cloud.Source) ([]byte, error) {
	body, err := json.Marshal(src)
	if err != nil {
		return nil, fmt.Errorf("encode source: %w", err)
	}

	reply, err := c.ask(ctx, wire.Compile, func(e *wire.Encoder) { e.Raw(body) })
	if err != nil {
		return nil, explainCompileFailure(ctx, err)
	}
	return reply, nil
}

// compileError turns a compiler's message into an error for the author.
func compileError(e *wire.CompileError) error {
	message := e.Message
	if e.Line > 0 {
		message = fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}

	err := cloud.Errorf(cloud.CodeInvalid, "%s", message)
	if e.Line > 0 {
		err = err.With("line", e.Line).With("column", e.Column)
	}
	if e.File != "" {
		err = err.With("file", e.File)
	}
	return err
}

// explainCompileFailure explains a compiler that died or did not answer in time.
func explainCompileFailure(ctx context.Context, err error) error {
	var died *deathError
	switch {
	case ctx.Err() != nil:
		return cloud.Errorf(cloud.CodeInvalid,
			"the source took more than %s to compile: make it smaller or less deeply nested", compileTimeout)
	case errors.As(err, &died):
		return cloud.Errorf(cloud.CodeInvalid,
			"the source cannot be compiled: it nests too deeply or needs more than %d MiB to parse",
			compileMemoryMiB)
	default:
		return fmt.Errorf("compile: %w", err)
	}
}

// inspect evaluates a bundle to learn its handlers. A module that loops, dies or throws is deployed all the
// same, since its runs will say so; only its handlers stay unknown. It is evaluated alone: its death must not
// hurt the app's runs.
func (p *Pool) inspect(
	ctx context.Context, app cloud.AppID, build cloud.ID, src *cloud.Source, bundle *cloud.Bundle,
) {
	c, err := p.acquire(ctx, childKey{app: app, memoryMiB: p.cfg.MemoryMiB, compile: true}, true)
	if err != nil {
		bundle.HandlersError = "the module could not be evaluated"
		return
	}
	defer p.release(c, 0)
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()

	// A child that cannot be written to does not answer below.
	_ = c.w.Send(wire.Program, 0, func(e *wire.Encoder) {
		e.Bytes(build[:])
		e.String(src.Name)
		e.String(bundle.Code)
	})
	_ = c.setEnv(src.Env)
	env := cloud.ID{}
	if src.Env != nil {
		env = src.Env.ID
	}
	reply, err := c.ask(ctx, wire.Inspect, func(e *wire.Encoder) {
		e.Bytes(build[:])
		e.Bytes(env[:])
	})
	if err != nil {
		bundle.HandlersError = "evaluating the module did not end within " + inspectTimeout.String()
		if ctx.Err() == nil {
			bundle.HandlersError = "evaluating the module used up the sandbox's memory"
		}
		return
	}

	var out wire.InspectedMsg
	if json.Unmarshal(reply, &out) != nil {
		return
	}

	bundle.Handlers = out.Handlers
	bundle.Hint = out.Hint
	if out.Error != nil {
		bundle.HandlersError = fmt.Sprintf("evaluating the module failed: %s: %s",
			out.Error.Name, out.Error.Message)
	}
}
