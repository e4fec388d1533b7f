package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"picloud/internal/orchestrator"
)

// openTracing sends a span of each run to a collector that the standard variables of OpenTelemetry name
// (OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, OTEL_TRACES_SAMPLER ...), by OTLP over HTTP. Without them there is
// none: nil. What cannot be sent is said in the log.
func openTracing(ctx context.Context, nodeName string, log *slog.Logger) (*sdktrace.TracerProvider, error) {
	if !tracingWanted() {
		return nil, nil
	}

	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if v := os.Getenv(name); v != "" && v != "http/protobuf" {
			return nil, fmt.Errorf("%s is %q: PiCloud sends traces by http/protobuf", name, v)
		}
	}

	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("trace to the collector of OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}

	// What the environment says of the resource goes before what we say.
	res, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "picloud"),
		attribute.String("service.version", version),
		attribute.String("service.instance.id", nodeName),
	), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describe this node to the collector: %w", err)
	}

	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("send traces", "error", err) }))

	return sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(res),
		sdktrace.WithIDGenerator(executionIDs{}),
	), nil
}

// tracingWanted reports whether the environment names a collector and does not switch tracing off.
func tracingWanted() bool {
	named := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" ||
		os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	off := strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") ||
		os.Getenv("OTEL_TRACES_EXPORTER") == "none"
	return named && !off
}

// executionIDs gives spans of runs the ids of their executions, and others random ones.
type executionIDs struct{}

// NewIDs is for a span without a parent.
func (executionIDs) NewIDs(ctx context.Context) (t trace.TraceID, s trace.SpanID) {
	if t, s, ok := orchestrator.WantedIDs(ctx); ok {
		return t, s
	}
	_, _ = rand.Read(t[:])
	_, _ = rand.Read(s[:])
	return t, s
}

// NewSpanID is for a span with a parent.
func (executionIDs) NewSpanID(ctx context.Context, _ trace.TraceID) (s trace.SpanID) {
	if _, s, ok := orchestrator.WantedIDs(ctx); ok {
		return s
	}
	_, _ = rand.Read(s[:])
	return s
}

// tracer is what the orchestrator gets; nil without a collector.
func (n *node) tracer() trace.Tracer {
	if n.tracing == nil {
		return nil
	}
	return n.tracing.Tracer("picloud")
}
