package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// flushWithin is how long the last traces may take to be sent.
const flushWithin = 5 * time.Second

// exported are the variables of the environment that name where traces go, and which
// protocol is spoken, as OpenTelemetry has them; the former of each pair comes first.
var exported = struct{ endpoints, protocols []string }{
	endpoints: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"},
	protocols: []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"},
}

// tracing returns what makes traces, and what ends it. They go to an OTLP endpoint by HTTP:
// the one that is given, or the environment's. Where neither names one nothing is made.
func tracing(ctx context.Context, endpoint, version string, log *slog.Logger) (trace.TracerProvider, func(), error) {
	nothing := func() {}
	if endpoint == "" && (first(exported.endpoints) == "" || os.Getenv("OTEL_TRACES_EXPORTER") == "none") || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return noop.NewTracerProvider(), nothing, nil
	}
	var options []otlptracehttp.Option
	if endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, nothing, errors.New("the OTLP endpoint is no URL: write one such as http://collector:4318/v1/traces")
		}
		options = append(options, otlptracehttp.WithEndpointURL(endpoint))
	}
	if p := first(exported.protocols); p != "" && p != "http/protobuf" {
		return nil, nothing, fmt.Errorf("the environment wants the OTLP protocol %q: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL to http/protobuf, the one there is", p)
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, nothing, fmt.Errorf("setting up traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", name), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, nothing, fmt.Errorf("setting up traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Error("traces cannot be sent", "error", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return provider, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Error("the last traces cannot be sent", "error", err)
		}
	}, nil
}

// first returns the first of some variables of the environment that is set.
func first(names []string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// span begins a part of what the context is about; nothing where that is not traced. Its
// attributes are names and numbers: never an error's text, which may quote anything.
func span(ctx context.Context, part string) (context.Context, trace.Span) {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(name).Start(ctx, part)
}

// traced does a part of what the context is about.
func traced(ctx context.Context, part string, do func(context.Context) error) error {
	ctx, s := span(ctx, part)
	defer s.End()
	err := do(ctx)
	if err != nil {
		s.SetStatus(codes.Error, "")
	}
	return err
}

// describe tells how a look went.
func (o outcome) describe(s trace.Span) {
	s.SetAttributes(attribute.Bool("plumbline.whole", o.whole))
	if o.failure != nil {
		s.SetStatus(codes.Error, o.reason)
	}
	if o.report != nil {
		s.SetAttributes(
			attribute.String("plumbline.commit", o.report.Source.Commit), attribute.Int("plumbline.objects", o.report.Objects()),
			attribute.Int("plumbline.findings", len(o.report.Findings)), attribute.Int("plumbline.not_compared", len(o.report.Unknown)+len(o.report.Errors)))
	}
}
