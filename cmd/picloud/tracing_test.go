package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// With a collector each run is a span: what one root caused is one trace, a caller's trace goes on, and nothing of a secret
// is in it. Without one there is no tracer.
func TestTracing(t *testing.T) {
	var mu sync.Mutex
	spans := map[string]*v1.Span{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m otlp.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Key") != "k" {
			t.Errorf("export to %s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range m.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					spans[attributeOf(s, "faas.invocation_id")] = s
				}
			}
		}
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	w := newFixture(t)
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if p, err := openTracing(t.Context(), "n"); p != nil || err != nil {
		t.Errorf("tracing although it is disabled: %v", err)
	}
	t.Setenv("OTEL_SDK_DISABLED", "")
	w.deploy("put", `import { kv } from "picloud"; export default { async fetch(r) { await kv.collection("c").set("k", 1); return "ok" },
		kv() { throw new Error("no") } }`)
	w.trigger(map[string]any{"kind": "kv", "script": "put", "collection": "c", "retry": map[string]any{"max_attempts": 1}})
	plain := w.do("GET", "/f/default/put", nil).want(200).header.Get("X-Execution-Id")
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	called := w.do("GET", "/f/default/put", nil, "traceparent", "00-"+trace+"-"+parent+"-01").want(200).header.Get("X-Execution-Id")
	var event string
	w.eventually("the spans", func() bool {
		r := w.api("GET", "/apps/default/executions?root="+plain, nil).want(200)
		for _, it := range r.items() {
			if m := it.(map[string]any); m["source"] == "kv" {
				event = m["id"].(string)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return event != "" && spans[plain] != nil && spans[called] != nil && spans[event] != nil
	})
	mu.Lock()
	defer mu.Unlock()
	bytesOf := func(id string) string { return strings.ReplaceAll(id, "-", "") }
	first, second, third := spans[plain], spans[called], spans[event]
	if first.Name != "default/put" || hex.EncodeToString(first.TraceId) != bytesOf(plain) || len(first.ParentSpanId) != 0 || first.Kind != v1.Span_SPAN_KIND_SERVER ||
		attributeOf(first, "picloud.outcome") != "succeeded" || first.EndTimeUnixNano <= first.StartTimeUnixNano {
		t.Errorf("the request's span: %v", first)
	}
	if hex.EncodeToString(third.TraceId) != bytesOf(plain) || string(third.ParentSpanId) != string(first.SpanId) || third.Kind != v1.Span_SPAN_KIND_CONSUMER ||
		third.Status.GetCode() != v1.Status_STATUS_CODE_ERROR || third.Status.GetMessage() != "Error: no" {
		t.Errorf("the event's span: %v", third)
	}
	if hex.EncodeToString(second.TraceId) != trace || hex.EncodeToString(second.ParentSpanId) != parent {
		t.Errorf("the span of a traced request: %v", second)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if _, err := openTracing(t.Context(), "n"); err == nil || !strings.Contains(err.Error(), "http/protobuf") {
		t.Errorf("another protocol: %v", err)
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
