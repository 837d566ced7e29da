package controller

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestTracesGoWhereTheyAreSent wants nothing to be made unless somebody names a place, and
// the flag to come before the environment.
func TestTracesGoWhereTheyAreSent(t *testing.T) {
	var byFlag, byEnvironment atomic.Int32
	count := func(n *atomic.Int32) string {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n.Add(1) }))
		t.Cleanup(server.Close)
		return server.URL
	}
	flag, environment := count(&byFlag), count(&byEnvironment)
	for name, test := range map[string]struct {
		endpoint        string
		environment     map[string]string
		flag, elsewhere int32
		failure         string
	}{
		"nowhere":               {},
		"by the flag":           {endpoint: flag + "/v1/traces", flag: 1},
		"by the environment":    {environment: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": environment}, elsewhere: 1},
		"of traces alone":       {environment: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": environment + "/v1/traces"}, elsewhere: 1},
		"the flag comes first":  {endpoint: flag, environment: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": environment}, flag: 1},
		"switched off":          {endpoint: flag, environment: map[string]string{"OTEL_SDK_DISABLED": "true"}},
		"no traces are wanted":  {environment: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": environment, "OTEL_TRACES_EXPORTER": "none"}},
		"by another protocol":   {environment: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": environment, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, failure: "http/protobuf"},
		"to what is no address": {endpoint: "collector:4318", failure: "http://collector:4318"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range test.environment {
				t.Setenv(key, value)
			}
			byFlag.Store(0)
			byEnvironment.Store(0)
			provider, flush, err := tracing(t.Context(), test.endpoint, "v1", slog.New(slog.DiscardHandler))
			if err != nil || test.failure != "" {
				if err == nil || test.failure == "" || !strings.Contains(err.Error(), test.failure) {
					t.Errorf("%v, want %q", err, test.failure)
				}
				return
			}
			_, s := provider.Tracer("test").Start(t.Context(), "look")
			s.End()
			flush()
			if byFlag.Load() != test.flag || byEnvironment.Load() != test.elsewhere {
				t.Errorf("%d were sent to the flag's, want %d, and %d to the environment's, want %d", byFlag.Load(), test.flag, byEnvironment.Load(), test.elsewhere)
			}
		})
	}
}
