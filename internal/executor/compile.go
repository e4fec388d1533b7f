package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// Compile bundles a script in a child of the app. A syntax error is a *cloud.Error of code invalid with line and column.
func (p *Pool) Compile(ctx context.Context, app cloud.AppID, build cloud.ID, src *cloud.Source) (*cloud.Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, compileTimeout)
	defer cancel()
	c, err := p.acquire(ctx, childKey{app: app, memoryMiB: compileMemoryMiB, compile: true}, false)
	if err != nil {
		return nil, fmt.Errorf("start compiler: %w", err)
	}
	defer p.done(c, 0)
	body, err := json.Marshal(src)
	if err != nil {
		return nil, fmt.Errorf("encode source: %w", err)
	}
	reply, err := c.ask(ctx, wire.Compile, func(e *wire.Encoder) { e.Raw(body) })
	if err != nil {
		return nil, compileDeath(ctx, err)
	}
	var out wire.CompiledMsg
	if err := json.Unmarshal(reply, &out); err != nil {
		return nil, fmt.Errorf("read compiled bundle: %w", err)
	}
	if e := out.Error; e != nil {
		err := cloud.Errorf(cloud.CodeInvalid, "%s", describeCompile(e))
		if e.Line > 0 {
			err = err.With("line", e.Line).With("column", e.Column)
		}
		if e.File != "" {
			err = err.With("file", e.File)
		}
		return nil, err
	}
	b := &cloud.Bundle{Code: out.Code, Imports: out.Imports}
	p.inspect(ctx, app, build, src, b)
	return b, nil
}

func describeCompile(e *wire.CompileError) string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}
	return e.Message
}

// compileDeath explains a compiler that died or did not answer.
func compileDeath(ctx context.Context, err error) error {
	var died *deathError
	switch {
	case ctx.Err() != nil:
		return cloud.Errorf(cloud.CodeInvalid, "the source took more than %s to compile: make it smaller or less deeply nested", compileTimeout)
	case errors.As(err, &died):
		return cloud.Errorf(cloud.CodeInvalid, "the source cannot be compiled: it nests too deeply or needs more than %d MiB to parse",
			compileMemoryMiB)
	default:
		return fmt.Errorf("compile: %w", err)
	}
}

// inspect evaluates the bundle once to learn its handlers. A module that loops, dies or throws is deployed all the same:
// its runs will say so; only what it exports stays unknown.
func (p *Pool) inspect(ctx context.Context, app cloud.AppID, build cloud.ID, src *cloud.Source, b *cloud.Bundle) {
	c, err := p.acquire(ctx, childKey{app: app, memoryMiB: p.cfg.MemoryMiB, compile: true}, true)
	if err != nil {
		b.HandlersError = "the module could not be evaluated"
		return
	}
	defer p.done(c, 0)
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	_ = c.w.Send(wire.Program, 0, func(e *wire.Encoder) { e.Bytes(build[:]); e.String(src.Name); e.String(b.Code) })
	_ = c.setEnv(src.Env) // a child that cannot be written to does not answer below
	env := cloud.ID{}
	if src.Env != nil {
		env = src.Env.ID
	}
	reply, err := c.ask(ctx, wire.Inspect, func(e *wire.Encoder) { e.Bytes(build[:]); e.Bytes(env[:]) })
	if err != nil {
		b.HandlersError = "evaluating the module did not end within " + inspectTimeout.String()
		if ctx.Err() == nil {
			b.HandlersError = "evaluating the module used up the sandbox's memory"
		}
		return
	}
	var out wire.InspectedMsg
	if json.Unmarshal(reply, &out) != nil {
		return
	}
	b.Handlers = out.Handlers
	if out.Error != nil {
		b.HandlersError = fmt.Sprintf("evaluating the module failed: %s: %s", out.Error.Name, out.Error.Message)
	}
}
