package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// BenchmarkRules has all rules but those that ask registries judge 5,000 live objects
// of which nothing is wrong, beside what it takes to compare the declared ones of them:
// in turns, so that both have the machine alike. Of both it reports the processor's
// time, of one object and as a ratio. The objects are as a real API server returned
// them, in testdata/bench: an application of a Deployment with its ReplicaSet and two
// Pods, a Service with what controllers make of it, and a ConfigMap.
func BenchmarkRules(b *testing.B) {
	const applications = 625
	live := append(copies(b, "live.yaml", applications), copies(b, "shared.yaml", 1)...)
	declared := object.LooseAll(append(copies(b, "declared.yaml", applications), named(live, "Namespace", "shop"), named(live, "NetworkPolicy", "deny")))
	source := newMemory(live)
	writers := differ.Options{Deployers: []string{"ci-deploy"}}
	rules, err := audit.New(everything(), audit.Repository{FS: fstest.MapFS{}, Dir: "."}, writers, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	if err != nil {
		b.Fatal(err)
	}
	survey := rules.Look(b.Context(), source, declared)
	var drift, judged time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := processor()
		assessments, err := assess.All(b.Context(), declared, source, assess.Options{Compare: writers, Namespace: "shop"})
		middle := processor()
		outcome := rules.Judge(b.Context(), declared, survey, nil)
		drift, judged = drift+middle-start, judged+processor()-middle
		if err != nil || len(outcome.Findings)+len(outcome.Unjudged) > 0 {
			b.Fatalf("found %v in a cluster in which nothing is wrong; and %v, %v", outcome.Findings, outcome.Unjudged, err)
		}
		for _, a := range assessments {
			if len(a.Findings) > 0 || a.Err != nil {
				b.Fatalf("found %v in an unchanged object, %v", a.Findings, a.Err)
			}
		}
	}
	perDeclared := float64(drift.Nanoseconds()) / float64(b.N*len(declared))
	perLive := float64(judged.Nanoseconds()) / float64(b.N*len(live))
	b.ReportMetric(perDeclared, "drift-ns/object")
	b.ReportMetric(perLive, "rules-ns/object")
	b.ReportMetric(100*perLive/perDeclared, "%of-drift/object")
	b.ReportMetric(100*judged.Seconds()/drift.Seconds(), "%of-drift")
}

// everything is a Baseline that has all rules look.
func everything() v1alpha1.BaselineSpec {
	return v1alpha1.BaselineSpec{
		Scope: v1alpha1.Scope{Namespaces: []string{"shop"}},
		Sources: v1alpha1.Sources{
			Registries: []string{"registry.example.com/shop"}, Tags: v1alpha1.Fixed,
			Charts: []string{"charts.example.com"}, Repositories: []string{"git.example.com"}, Releases: v1alpha1.Read,
		},
		Posture: v1alpha1.Posture{
			PodSecurity: "restricted", NetworkDefaultDeny: true, Justification: "shop.example.com/reason", Groups: true, Secrets: true,
		},
		Runtime: v1alpha1.Runtime{MaxAge: metav1.Duration{Duration: 24 * time.Hour}, Outliers: true},
	}
}

// processor is how much of the processor's time this process has taken.
func processor() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// copies decodes the objects of a file as package cluster would, n times under names
// of their own.
func copies(b *testing.B, name string, n int) []object.Object {
	b.Helper()
	file := filepath.Join("testdata", "bench", name)
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	templates, err := object.Decode(file, text)
	if err != nil {
		b.Fatal(err)
	}
	var all []object.Object
	for _, template := range templates {
		text, err := json.Marshal(template.Content)
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			content, err := object.DecodeJSON(bytes.ReplaceAll(text, []byte("app-0000"), fmt.Appendf(nil, "app-%04d", i)))
			if err != nil {
				b.Fatal(err)
			}
			o, err := object.FromContent(content)
			if err != nil {
				b.Fatal(err)
			}
			o.ID.Namespace = map[bool]string{true: "shop"}[!isClusterWide(o.ID)]
			all = append(all, o)
		}
	}
	return all
}

func isClusterWide(id object.ID) bool { return id.Kind == "Namespace" || id.Kind == "Node" }

func named(objects []object.Object, kind, name string) object.Object {
	for _, o := range objects {
		if o.ID.Kind == kind && o.ID.Name == name {
			return o
		}
	}
	return object.Object{}
}

// memory is a Lister of decoded objects: what they take to be read and decoded is the
// same for all who look at them.
type memory struct {
	objects map[object.ID]object.Object
	all     []object.Object
	schemas cluster.Components
	kinds   []cluster.Resource
}

func newMemory(objects []object.Object) *memory {
	m := &memory{objects: map[object.ID]object.Object{}, all: objects}
	m.schemas, _ = differ.Builtin()
	seen := map[cluster.Resource]bool{}
	for _, o := range objects {
		m.objects[o.ID] = o
		r := cluster.Resource{Group: o.ID.Group, Version: o.ID.Version, Kind: o.ID.Kind, Namespaced: o.ID.Namespace != "", Listable: true}
		if !seen[r] {
			seen[r] = true
			m.kinds = append(m.kinds, r)
		}
	}
	return m
}

func (m *memory) Kinds() ([]cluster.Resource, error) { return m.kinds, nil }

func (m *memory) Resource(group, version, kind string) (cluster.Resource, error) {
	for _, r := range m.kinds {
		if r.Group == group && r.Version == version && r.Kind == kind {
			return r, nil
		}
	}
	return cluster.Resource{}, errors.New("there is none")
}

func (m *memory) Read(_ context.Context, wanted []object.ID) map[object.ID]cluster.Answer {
	answers := make(map[object.ID]cluster.Answer, len(wanted))
	for _, id := range wanted {
		if o, ok := m.objects[id]; ok {
			answers[id] = cluster.Answer{Object: o}
		} else {
			answers[id] = cluster.Answer{Err: cluster.ErrNotFound}
		}
	}
	return answers
}

func (m *memory) List(_ context.Context, listings []cluster.Listing) []cluster.Listed {
	all := make([]cluster.Listed, len(listings))
	for i, l := range listings {
		all[i].Listing = l
		for _, o := range m.all {
			if l.Labels == "" && o.ID.Group == l.Resource.Group && o.ID.Kind == l.Resource.Kind && o.ID.Namespace == l.Namespace {
				all[i].Objects = append(all[i].Objects, object.Loose(o))
			}
		}
	}
	return all
}

func (m *memory) Schemas(context.Context, []string) ([]cluster.Components, error) {
	return []cluster.Components{m.schemas}, nil
}

func (m *memory) Mutators(context.Context) (cluster.Mutators, error) { return cluster.Mutators{}, nil }
