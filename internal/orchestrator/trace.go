package orchestrator

import (
	"context"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"picloud/internal/cloud"
)

// A run is a span. Its ids are those of executions: everything that one root caused is one trace, named by
// the root's id, and a span's parent is the execution that caused it. A request that brings a traceparent
// (W3C Trace Context) goes on with that trace instead.

// SpanID is the id of an execution's span.
func SpanID(execution cloud.ID) (id trace.SpanID) {
	copy(id[:], execution[8:])
	return id
}

// spanKey carries the task whose ids the next span is to have.
type spanKey struct{}

// WantedIDs are the ids for a span that is started with this context, if there are any.
func WantedIDs(ctx context.Context) (trace.TraceID, trace.SpanID, bool) {
	t, ok := ctx.Value(spanKey{}).(*task)
	if !ok {
		return trace.TraceID{}, trace.SpanID{}, false
	}
	return trace.TraceID(t.root), SpanID(t.execution), true
}

// startSpan starts the span of a task. The function it returns ends it with the first outcome, whichever way
// the run was started and whoever waits for it. Without a tracer it costs a comparison.
func (r *runner) startSpan(ctx context.Context, t *task) (context.Context, func(*finished)) {
	if r.tracer == nil || t.dry {
		return ctx, func(*finished) {}
	}

	kind := trace.SpanKindConsumer
	if t.request != nil {
		kind = trace.SpanKindServer
	}
	name := t.app.Slug + "/" + t.script.Name
	ctx, span := r.tracer.Start(spanParent(ctx, t), name, trace.WithSpanKind(kind), trace.WithAttributes(
		attribute.String("faas.name", name),
		attribute.String("faas.version", strconv.Itoa(t.script.Version)),
		attribute.String("faas.trigger", faasTrigger(t.source)),
		attribute.String("faas.invocation_id", t.execution.String()),
		attribute.String("picloud.source", t.source),
		attribute.String("picloud.root", t.root.String()),
		attribute.Int("picloud.attempt", t.attempt),
		attribute.Int("picloud.depth", t.depth),
	))

	return ctx, func(fin *finished) { endSpan(span, t, fin) }
}

// faasTrigger is what started a run, in the words of OpenTelemetry's conventions for functions.
func faasTrigger(source string) string {
	switch source {
	case cloud.SourceHTTP:
		return "http"
	case cloud.SourceCron:
		return "timer"
	case cloud.SourceKV:
		return "datasource"
	default:
		return "other"
	}
}

// spanParent is the context whose span becomes the parent: the caller's, or that of the execution that caused
// the task.
func spanParent(ctx context.Context, t *task) context.Context {
	ctx = context.WithValue(ctx, spanKey{}, t)
	switch {
	case t.request != nil && carrier(t.request.Headers).Get("traceparent") != "":
		return propagation.TraceContext{}.Extract(ctx, carrier(t.request.Headers))
	case !t.parent.IsZero():
		return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID:    trace.TraceID(t.root),
			SpanID:     SpanID(t.parent),
			TraceFlags: trace.FlagsSampled,
			Remote:     true,
		}))
	default:
		return ctx
	}
}

func endSpan(span trace.Span, t *task, fin *finished) {
	defer span.End()

	if fin == nil { // the run panicked
		span.SetStatus(codes.Error, "the run was not finished")
		return
	}
	span.SetAttributes(
		attribute.String("picloud.outcome", string(fin.outcome.Status)),
		attribute.Bool("faas.coldstart", fin.outcome.Cold),
	)
	if t.request != nil {
		span.SetAttributes(
			attribute.String("http.request.method", t.request.Method),
			attribute.Int("http.response.status_code", fin.record.HTTPStatus),
		)
	}
	if !fin.succeeded() {
		span.SetStatus(codes.Error, fin.outcome.Error.String())
	}
}

// carrier reads trace context from a request.
type carrier []cloud.Header

// Get finds a header.
func (c carrier) Get(name string) string {
	for _, h := range c {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Set does nothing: a request is only read.
func (c carrier) Set(string, string) {}

// Keys lists what there is.
func (c carrier) Keys() []string {
	names := make([]string, len(c))
	for k, h := range c {
		names[k] = h.Name
	}
	return names
}
