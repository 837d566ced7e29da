package running_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/running"
)

var update = flag.Bool("update", false, "write what is found into testdata as what is wanted")

var now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// TestFind plays testdata: spec.runtime, what lives, what tags name now, and what is to
// be said of it.
func TestFind(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var policy *running.Policy
			world := running.World{Now: now}
			for i, f := range archive.Files {
				switch f.Name {
				case "runtime.yaml":
					var spec v1alpha1.Runtime
					if err := yaml.UnmarshalStrict(f.Data, &spec); err != nil {
						t.Fatal(err)
					}
					if policy, err = running.New(spec); err != nil {
						t.Fatal(err)
					}
				case "newest.yaml":
					if err := yaml.UnmarshalStrict(f.Data, &world.Newest); err != nil {
						t.Fatal(err)
					}
				case "live.yaml":
					live, err := object.Decode("", f.Data)
					if err != nil {
						t.Fatal(err)
					}
					world.Live = object.PackAll(live)
				case "want":
					got := told(policy.Find(world))
					if *update {
						archive.Files[i].Data = []byte(got)
					} else if d := cmp.Diff(string(f.Data), got); d != "" {
						t.Errorf("-want +got:\n%s", d)
					}
				default:
					t.Fatalf("%s has a part %q", file, f.Name)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func told(findings []finding.Finding, unjudged []finding.Unjudged) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s %s [%s]\n  %s\n", f.Severity, f.Rule, f.Object, f.Subject, f.Message)
		for _, child := range f.Children {
			fmt.Fprintf(&b, "  with %s\n", child)
		}
	}
	for _, u := range unjudged {
		fmt.Fprintf(&b, "not judged %s %s\n  %s\n", u.Rule, u.Object, u.Reason)
	}
	return b.String()
}

func TestNew(t *testing.T) {
	for age, ok := range map[time.Duration]bool{0: true, time.Hour: true, -time.Hour: false, time.Second: false} {
		_, err := running.New(v1alpha1.Runtime{MaxAge: metav1.Duration{Duration: age}})
		if (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), "spec.runtime.maxAge is ") {
			t.Errorf("%s: %v", age, err)
		}
	}
}

// replicas are the Pods of one Deployment, alike but for what the API server and the
// scheduler give each.
func replicas(n int) []object.Object {
	pods := make([]object.Object, n)
	for i := range pods {
		name := fmt.Sprintf("web-1-%05d", i)
		volume := fmt.Sprintf("kube-api-access-%05d", i)
		var env []any
		for v := range 10 {
			env = append(env, map[string]any{"name": fmt.Sprint("VARIABLE_", v), "value": "x"})
		}
		pods[i] = object.Object{ID: object.ID{Version: "v1", Kind: "Pod", Namespace: "shop", Name: name}, Content: map[string]any{
			"metadata": map[string]any{"name": name, "uid": name, "labels": map[string]any{"pod-template-hash": "1"},
				"ownerReferences": []any{map[string]any{"kind": "ReplicaSet", "name": fmt.Sprint("web-", i/10), "uid": fmt.Sprint("r", i/10), "controller": true}}},
			"spec": map[string]any{
				"nodeName":   fmt.Sprint("node-", i%7),
				"volumes":    []any{map[string]any{"name": volume, "projected": map[string]any{"sources": []any{}}}, map[string]any{"name": "config", "configMap": map[string]any{"name": "web"}}},
				"containers": []any{map[string]any{"name": "web", "image": "registry.example.com/shop/web:1", "env": env, "volumeMounts": []any{map[string]any{"name": volume, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}}}},
			},
			"status": map[string]any{"phase": "Running", "containerStatuses": []any{map[string]any{"name": "web", "imageID": "registry.example.com/shop/web@sha256:1", "restartCount": int64(0),
				"state": map[string]any{"running": map[string]any{"startedAt": "2026-06-15T11:00:00Z"}}}}},
		}}
	}
	return pods
}

var everything = v1alpha1.Runtime{MaxAge: metav1.Duration{Duration: 168 * time.Hour}, Outliers: true, Newest: true}

// TestAlike wants nothing to be found of replicas that are alike.
func TestAlike(t *testing.T) {
	p, err := running.New(everything)
	if err != nil {
		t.Fatal(err)
	}
	if got := told(p.Find(running.World{Live: object.LooseAll(replicas(30)), Now: now})); got != "" {
		t.Error(got)
	}
}

// TestUnlike has two Pods, of which one is known not to be as its template says: only
// that one is told of, however few the others are.
func TestUnlike(t *testing.T) {
	p, err := running.New(everything)
	if err != nil {
		t.Fatal(err)
	}
	pods := replicas(3)
	unlike := map[object.ID]bool{}
	for _, pod := range pods[1:] {
		pod.Content["spec"].(map[string]any)["hostPID"] = true
		unlike[pod.ID] = true
	}
	want := "warning runtime/outlier Pod shop/web-1-00001 []\n  the Pod is not as in the Pods that are as the template says, of ReplicaSet web-0: hostPID\n" +
		"warning runtime/outlier Pod shop/web-1-00002 []\n  the Pod is not as in the Pods that are as the template says, of ReplicaSet web-0: hostPID\n"
	if d := cmp.Diff(want, told(p.Find(running.World{Live: object.LooseAll(pods), Now: now, Unlike: unlike}))); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// BenchmarkFind is all rules over 5,000 Pods in groups of ten.
func BenchmarkFind(b *testing.B) {
	p, err := running.New(everything)
	if err != nil {
		b.Fatal(err)
	}
	w := running.World{Live: object.LooseAll(replicas(5000)), Now: now, Newest: map[string]running.Named{"registry.example.com/shop/web:1": {Digest: "sha256:1"}}}
	for b.Loop() {
		p.Find(w)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(w.Live)), "µs/object")
}
