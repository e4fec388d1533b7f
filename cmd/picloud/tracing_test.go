package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	otlp "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spanSink is a collector: it keeps the spans of executions by their ids.
type spanSink struct {
	url string

	mu    sync.Mutex // guards spans: exports arrive while the test looks
	spans map[string]*v1.Span
}

func newSpanSink(t *testing.T) *spanSink {
	t.Helper()
	sink := &spanSink{spans: map[string]*v1.Span{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var export otlp.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &export); err != nil {
			t.Errorf("an export that cannot be read: %v", err)
		}
		if r.URL.Path != "/v1/traces" {
			t.Errorf("export to %s", r.URL.Path)
		}
		if key := r.Header.Get("X-Key"); key != "k" {
			t.Errorf("OTEL_EXPORTER_OTLP_HEADERS was not sent: X-Key is %q", key)
		}
		sink.add(&export)
	}))
	t.Cleanup(server.Close)
	sink.url = server.URL
	return sink
}

func (s *spanSink) add(export *otlp.ExportTraceServiceRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, resource := range export.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				s.spans[attributeOf(span, "faas.invocation_id")] = span
			}
		}
	}
}

// of is the span of an execution, nil while it was not exported.
func (s *spanSink) of(execution string) *v1.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spans[execution]
}

// With a collector each run is a span: what one root caused is one trace, a caller's trace goes on, and
// nothing of a secret is in it. Without one there is no tracer. Not parallel: the collector is configured by
// the environment.
func TestTracing(t *testing.T) {
	needsNode(t)
	sink := newSpanSink(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	w := newFixture(t)
	w.deploy("put", `import { kv } from "picloud"; export default {
		async fetch(r) { await kv.collection("c").set("k", 1); return "ok" },
		kv() { throw new Error("no") } }`)

	w.trigger(map[string]any{
		"kind": "kv", "script": "put", "collection": "c", "retry": map[string]any{"max_attempts": 1},
	})

	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	plain := w.do("GET", "/f/default/put", nil).want(200).header.Get("X-Execution-Id")
	called := w.do("GET", "/f/default/put", nil, "traceparent", "00-"+trace+"-"+parent+"-01").want(200).
		header.Get("X-Execution-Id")
	var event string
	w.eventually("the event's execution", func() bool {
		for _, it := range w.api("GET", "/apps/default/executions?root="+plain, nil).want(200).items() {
			if m := it.(map[string]any); m["source"] == "kv" {
				event = m["id"].(string)
			}
		}
		return event != ""
	})

	w.eventually("the spans", func() bool {
		return sink.of(plain) != nil && sink.of(called) != nil && sink.of(event) != nil
	})

	request := sink.of(plain)
	same(t, "request: name", request.Name, "default/put")
	same(t, "request: trace id", hex.EncodeToString(request.TraceId), strings.ReplaceAll(plain, "-", ""))
	same(t, "request: parent", hex.EncodeToString(request.ParentSpanId), "")
	same(t, "request: kind", request.Kind, v1.Span_SPAN_KIND_SERVER)
	same(t, "request: outcome", attributeOf(request, "picloud.outcome"), "succeeded")
	same(t, "request: version", attributeOf(request, "faas.version"), "1")
	same(t, "request: trigger", attributeOf(request, "faas.trigger"), "http")
	same(t, "request: cold", isCold(request), true)
	same(t, "the second request: cold", isCold(sink.of(called)), false)
	if request.EndTimeUnixNano <= request.StartTimeUnixNano {
		t.Errorf("request: from %d to %d", request.StartTimeUnixNano, request.EndTimeUnixNano)
	}

	caused := sink.of(event)
	same(t, "event: trace id", hex.EncodeToString(caused.TraceId), strings.ReplaceAll(plain, "-", ""))
	same(t, "event: parent", hex.EncodeToString(caused.ParentSpanId), hex.EncodeToString(request.SpanId))
	same(t, "event: kind", caused.Kind, v1.Span_SPAN_KIND_CONSUMER)
	same(t, "event: trigger", attributeOf(caused, "faas.trigger"), "datasource")
	same(t, "event: status", caused.Status.GetCode(), v1.Status_STATUS_CODE_ERROR)
	same(t, "event: message", caused.Status.GetMessage(), "Error: no")

	traced := sink.of(called)
	same(t, "traced request: trace id", hex.EncodeToString(traced.TraceId), trace)
	same(t, "traced request: parent", hex.EncodeToString(traced.ParentSpanId), parent)
}

// What OpenTelemetry cannot do is said in the program's log.
func TestTracingErrors(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")

	var written bytes.Buffer
	provider, err := openTracing(t.Context(), "n", slog.New(slog.NewTextHandler(&written, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = provider.Shutdown(t.Context()) }()

	otel.Handle(errors.New("no collector"))
	if !strings.Contains(written.String(), `level=WARN msg="send traces" error="no collector"`) {
		t.Errorf("the log has %q", written.String())
	}
}

// The standard variables switch tracing off, and a protocol that PiCloud does not speak is refused.
func TestTracingSettings(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if p, err := openTracing(t.Context(), "n", slog.New(slog.DiscardHandler)); p != nil || err != nil {
		t.Errorf("tracing although it is disabled: %v", err)
	}

	t.Setenv("OTEL_SDK_DISABLED", "")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	_, err := openTracing(t.Context(), "n", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "http/protobuf") {
		t.Errorf("another protocol: %v", err)
	}
}

// isCold gives the attribute that says whether the script had to be loaded first.
func isCold(s *v1.Span) bool {
	for _, a := range s.Attributes {
		if a.Key == "faas.coldstart" {
			return a.Value.GetBoolValue()
		}
	}
	return false
}

// same compares one thing that a test asserts, so that a failure names it alone.
func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func attributeOf(s *v1.Span, name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return a.Value.GetStringValue()
		}
	}

	return ""
}
