package controller

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"plumbline.dev/plumbline/test/testenv"
)

// spans collects what is sent to it by OTLP over HTTP.
type spans struct {
	*httptest.Server
	mu   sync.Mutex
	all  []*otlp.Span
	sent bytes.Buffer // as it came
}

func collect(t *testing.T) *spans {
	t.Helper()
	s := &spans{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			http.Error(answer, "not traces", http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent.Write(body)
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				s.all = append(s.all, scope.Spans...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// of returns the names of the parts of looks at a Baseline, and whether any has failed.
func (s *spans) of(baseline string) (parts []string, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	looks := map[string]bool{}
	for _, span := range s.all {
		for _, a := range span.Attributes {
			if span.Name == "look" && a.Key == "plumbline.baseline" && a.Value.GetStringValue() == baseline {
				looks[string(span.SpanId)] = true
				failed = failed || span.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR
			}
		}
	}
	for _, span := range s.all {
		if looks[string(span.ParentSpanId)] && !slices.Contains(parts, span.Name) {
			parts = append(parts, span.Name)
		}
	}
	slices.Sort(parts)
	return parts, failed
}

// TestTraces wants each look to be sent with its parts to whom the environment names, and
// no secret with it.
func TestTraces(t *testing.T) {
	w := prepare(t)
	sent := collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sent.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
	w.admin.Kubectl(t, "create", "namespace", "traced")
	w.deploy(map[string]string{"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: traced}\nstringData: {key: declared-secret}\n"})
	w.admin.Kubectl(t, "-n", system, "create", "secret", "generic", "traced", "--from-literal=token=token-of-the-forge")
	w.start()
	spec := "  git: {url: " + w.server.Repo() + ", interval: 10h, secretRef: {name: traced}}\n  scope: {namespaces: [traced], kinds: [Secret]}\n  deployer: {managers: [ci-deploy]}\n"
	w.apply(spec)
	w.until("True Compared", "False InSync")
	w.admin.Kubectl(t, "-n", "traced", "patch", "secret", "a", "--field-manager=kubectl-edit", "-p", `{"stringData":{"key":"edited-secret"}}`)
	w.until("True Compared", "True Drifted")
	want := []string{"compare", "fetch", "judge", "render"}
	if !testenv.Poll(within, func() bool { parts, _ := sent.of("shop"); return slices.Equal(parts, want) }) {
		parts, _ := sent.of("shop")
		t.Errorf("looks have the parts %v, want %v", parts, want)
	}
	if _, failed := sent.of("shop"); failed {
		t.Error("a look is said to have failed")
	}
	w.apply(strings.Replace(spec, w.server.Repo(), w.server.Repo()+"-with-a-secret-name", 1))
	w.until("False GitFailed", "Unknown NotCompared")
	if !testenv.Poll(within, func() bool { _, failed := sent.of("shop"); return failed }) {
		t.Error("no look is said to have failed")
	}
	w.stopped()
	sent.mu.Lock()
	defer sent.mu.Unlock()
	for _, secret := range []string{"declared-secret", "edited-secret", "token-of-the-forge", "-with-a-secret-name"} {
		if bytes.Contains(sent.sent.Bytes(), []byte(secret)) {
			t.Errorf("traces hold %s", secret)
		}
	}
	if !bytes.Contains(sent.sent.Bytes(), []byte("GitFailed")) {
		t.Error("traces do not say why a look failed")
	}
}
