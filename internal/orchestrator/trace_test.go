package orchestrator_test

import (
	"context"
	"crypto/rand"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/testkit/testcloud"
)

// executionIDs gives spans the ids of their executions, as cmd/picloud does.
type executionIDs struct{}

func (executionIDs) NewIDs(ctx context.Context) (t trace.TraceID, s trace.SpanID) {
	if t, s, ok := orchestrator.WantedIDs(ctx); ok {
		return t, s
	}
	_, _ = rand.Read(t[:])
	_, _ = rand.Read(s[:])
	return t, s
}

func (i executionIDs) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, s := i.NewIDs(ctx)
	return s
}

// traced gives an option that has spans recorded.
func traced() (*tracetest.SpanRecorder, func(*orchestrator.Config)) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder),
		sdktrace.WithIDGenerator(executionIDs{}))
	return recorder, func(cfg *orchestrator.Config) { cfg.Tracer = provider.Tracer("test") }
}

func attributeOf(span sdktrace.ReadOnlySpan, key string) string {
	for _, a := range span.Attributes() {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// Each run is one span, whichever way it was started and whoever waits for it: its ids are those of the
// execution.
func TestEveryRunIsASpan(t *testing.T) {
	t.Parallel()
	direct := func(*orchestrator.HTTPCall) {}
	outbox := func(c *orchestrator.HTTPCall) { c.Outbox = true }
	async := func(c *orchestrator.HTTPCall) { c.Async = true }

	for name, c := range map[string]struct {
		way     func(*orchestrator.HTTPCall)
		outcome cloud.Outcome
		status  string
	}{
		"direct":              {direct, testcloud.OK("hi"), "200"},
		"outbox on this node": {outbox, testcloud.OK("hi"), "200"},
		"async":               {async, testcloud.OK("hi"), "200"},
		"direct, failed":      {direct, testcloud.Fail("bad"), "502"},
		"outbox, failed":      {outbox, testcloud.Fail("bad"), "502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans, option := traced()
			one := testcloud.New(t, option)
			one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return c.outcome })
			reply := one.Call("hello", c.way)
			one.AwaitEmptyOutbox()
			one.Stop()

			ended := spans.Ended()
			if len(ended) != 1 || len(spans.Started()) != 1 {
				t.Fatalf("%d spans were started, %d ended", len(spans.Started()), len(ended))
			}
			span := ended[0]
			if span.SpanContext().SpanID() != orchestrator.SpanID(reply.Execution) ||
				span.SpanContext().TraceID() != trace.TraceID(reply.Execution) {
				t.Errorf("the span of %s is %v", reply.Execution, span.SpanContext())
			}

			for key, want := range map[string]string{
				"faas.name":                 "default/hello",
				"faas.version":              "1",
				"faas.trigger":              "http",
				"faas.coldstart":            "false",
				"faas.invocation_id":        reply.Execution.String(),
				"picloud.root":              reply.Execution.String(),
				"picloud.source":            "http",
				"picloud.attempt":           "1",
				"picloud.outcome":           string(c.outcome.Status),
				"http.request.method":       "GET",
				"http.response.status_code": c.status,
			} {
				if got := attributeOf(span, key); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			if failed := span.Status().Code == codes.Error; failed != (c.outcome.Status != cloud.Succeeded) {
				t.Errorf("status %+v", span.Status())
			}
			if span.SpanKind() != trace.SpanKindServer {
				t.Errorf("kind %s", span.SpanKind())
			}
		})
	}
}

// What one request caused is one trace: the span of an event's run has that of the run which raised it as its
// parent.
func TestSpansOfAChain(t *testing.T) {
	t.Parallel()
	spans, option := traced()
	one := testcloud.New(t, option)
	one.Deploy("handler", succeed)
	one.OnKV("in", "handler", 1)
	one.Deploy("write", func(r *testcloud.Run) cloud.Outcome {
		_ = r.Set("in", "k", "1")
		return testcloud.OK("")
	})
	reply := one.Call("write")
	one.AwaitEmptyOutbox()
	one.Stop()

	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans", len(ended))
	}

	for _, span := range ended {
		if span.SpanContext().TraceID() != trace.TraceID(reply.Execution) {
			t.Errorf("%s is in the trace %s", span.Name(), span.SpanContext().TraceID())
		}

		want := map[string]string{"default/write": "http", "default/handler": "datasource"}[span.Name()]
		if got := attributeOf(span, "faas.trigger"); got != want {
			t.Errorf("%s: faas.trigger is %q", span.Name(), got)
		}
	}
	event := ended[0]
	if event.Name() != "default/handler" {
		event = ended[1]
	}
	if event.Parent().SpanID() != orchestrator.SpanID(reply.Execution) ||
		event.SpanKind() != trace.SpanKindConsumer {
		t.Errorf("%s, a %s, has the parent %s", event.Name(), event.SpanKind(), event.Parent().SpanID())
	}
}

// A request that brings a trace goes on with it. A dry run leaves no span.
func TestSpanOfACallersTrace(t *testing.T) {
	t.Parallel()
	spans, option := traced()
	one := testcloud.New(t, option)
	one.Deploy("hello", func(*testcloud.Run) cloud.Outcome { return testcloud.OK("") })
	one.Call("hello", func(c *orchestrator.HTTPCall) {
		c.Request.Headers = []cloud.Header{{Name: "Traceparent",
			Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	})
	in := &orchestrator.Invocation{Script: "hello", Handler: "kv", Event: "{}", DryRun: true,
		Principal: one.Operator()}
	if _, err := one.Operations.Invoke(t.Context(), one.AppID(), in); err != nil {
		t.Fatal(err)
	}
	one.Stop()

	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans", len(ended))
	}
	if id := ended[0].SpanContext().TraceID().String(); id != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("trace %s", id)
	}
	if id := ended[0].Parent().SpanID().String(); id != "b7ad6b7169203331" {
		t.Errorf("parent %s", id)
	}
}
