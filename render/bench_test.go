package render

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// deployments returns n Deployments, each a file, listed by one kustomization.
func deployments(n int) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := range n {
		fsys[fmt.Sprintf("app-%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, `# app %[1]d
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-%[1]d
  namespace: shop
  labels:
    app.kubernetes.io/name: app-%[1]d
  annotations:
    example.com/contact: "team@example.com"
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: app-%[1]d
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-%[1]d
    spec:
      serviceAccountName: app-%[1]d
      containers:
      - name: app
        image: registry.example.com/shop/app-%[1]d:1.0.%[1]d
        args: ["--port=8080", "--verbose"]
        env:
        - name: MODE
          value: production
        - name: POD
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        ports:
        - containerPort: 8080
          name: http
        resources:
          requests:
            cpu: 100m
            memory: 64Mi
          limits:
            memory: 128Mi
        readinessProbe:
          httpGet:
            path: /ready
            port: http
          periodSeconds: 10
`, i)}
	}
	return listing(fsys)
}

// BenchmarkRender renders 1,000 Deployments directly and through kustomize, and
// reports the ratio.
func BenchmarkRender(b *testing.B) {
	fsys := deployments(1000)
	overlaid := deployments(1000)
	overlaid["kustomization.yaml"] = &fstest.MapFile{Data: append([]byte("labels: [{pairs: {team: shop}}]\n"), overlaid["kustomization.yaml"].Data...)}
	render := func(b *testing.B, fsys fstest.MapFS, direct bool) time.Duration {
		start := time.Now()
		result, err := Render(context.Background(), fsys, ".", Options{})
		if err != nil || len(result.Objects) != 1000 || result.Direct != direct {
			b.Fatalf("got %d objects, direct %t, error %v", len(result.Objects), result.Direct, err)
		}
		return time.Since(start)
	}
	var direct, kustomized time.Duration
	for b.Loop() {
		direct += render(b, fsys, true)
		start := time.Now()
		src := newSource(context.Background(), fsys, Options{}.withDefaults())
		if _, err := kustomize(kustomizeFS{src: src}, ".", true); err != nil {
			b.Fatal(err)
		}
		kustomized += time.Since(start)
	}
	b.ReportMetric(float64(direct.Milliseconds())/float64(b.N), "direct-ms/op")
	b.ReportMetric(float64(kustomized.Milliseconds())/float64(b.N), "kustomize-ms/op")
	b.ReportMetric(float64(kustomized)/float64(direct), "kustomize/direct")
	b.ReportMetric(float64(render(b, overlaid, false).Milliseconds()), "overlay-ms/op")
}

// TestDirectDeployments holds the benchmark's tree to what kustomize makes of it.
func TestDirectDeployments(t *testing.T) {
	if result := checkAgainstKustomize(t, deployments(50), ".", ""); !result.Direct {
		t.Error("not direct")
	}
}

// FuzzRender renders a kustomization with a resource and a patch, whatever they
// are: no panic, no hang, no error of several lines, and, where kustomize alone
// succeeds too, the same objects.
func FuzzRender(f *testing.F) {
	f.Add("resources: [r.yaml]\nnamePrefix: a-\n", configMap, "")
	f.Add("resources: [r.yaml]\npatches: [{path: p.yaml}]\n", configMap, configMap+"data: {a: b}\n")
	f.Add("resources: [r.yaml]\nconfigMapGenerator: [{name: x, files: [p.yaml]}]\n", configMap, "x")
	f.Add("components: [r.yaml]\ntransformers: [p.yaml]\n", "a: &a [*a]\n", "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\n")
	f.Add("resources: [r.yaml]\nreplacements: [{path: p.yaml}]\nvars: [{name: X}]\n", bomb, "[]")
	for name := range quirks {
		f.Add("resources: [r.yaml]\n", "apiVersion: v1\nkind: Quirk\nmetadata: {name: q}\n"+quirks[name], "")
	}
	f.Fuzz(func(t *testing.T, kustomization, resource, patch string) {
		if strings.Contains(kustomization, "git::") {
			t.Skip("kustomize's parser of addresses writes to the log")
		}
		fsys := files("kustomization.yaml", kustomization, "r.yaml", resource, "p.yaml", patch)
		result, err := Render(context.Background(), fsys, ".", Options{MaxObjects: 1000, Timeout: 10 * time.Second})
		if err != nil && strings.Contains(err.Error(), "given up") {
			t.Errorf("it hangs: %v", err)
		}
		for _, err := range flatten([]error{err}) {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("several lines: %q", err)
			}
		}
		for _, o := range result.Objects {
			Position(fsys, o, []any{"metadata", "name"})
			Position(fsys, o, []any{"data", "a", 0, map[string]any{"name": "x"}})
		}
		if err == nil && !strings.Contains(strings.ToLower(kustomization), "openapi") { // a schema would stay behind
			checkAgainstKustomize(t, fsys, ".", "")
		}
	})
}
