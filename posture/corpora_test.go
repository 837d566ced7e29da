package posture_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/posture"
)

// corpora returns the objects of real public configurations, or skips the test.
func corpora(t testing.TB) map[string][]object.Object {
	t.Helper()
	dir := cmp.Or(os.Getenv("PLUMBLINE_CORPORA"), filepath.Join("..", "..", "shared", "corpora"))
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("set PLUMBLINE_CORPORA to a folder that holds public configurations: %v", err)
	}
	sets := map[string][]object.Object{}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".yaml") && !strings.HasSuffix(file, ".yml") {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		set, _, _ := strings.Cut(filepath.ToSlash(relative), "/")
		objects, _ := object.Decode(relative, data) // the rest is no objects: templates, kustomizations
		sets[set] = append(sets[set], objects...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sets
}

// TestSecretsOfCorpora wants nothing to be taken for a credential that is none. What
// there is, a person has looked at: three Secrets that are configuration files in
// plain text, and no credential besides.
func TestSecretsOfCorpora(t *testing.T) {
	want := map[string]bool{"alertmanager-main": true, "grafana-config": true, "grafana-datasources": true}
	p := mustNew(t, v1alpha1.Posture{Secrets: true})
	for set, objects := range corpora(t) {
		findings, unjudged := p.Find(posture.World{Declared: object.PackAll(objects)})
		t.Logf("%s: %d objects, %d findings", set, len(objects), len(findings))
		for _, f := range findings {
			if f.Object.Kind != "Secret" || !want[f.Object.Name] {
				t.Errorf("%s: %s: %s", f.Origin.Position, f.Object, f.Message)
			}
		}
		if len(unjudged) > 0 {
			t.Errorf("%s: not judged: %v", set, unjudged)
		}
	}
}

// TestPodsOfCorpora wants each template to be judged.
func TestPodsOfCorpora(t *testing.T) {
	p := mustNew(t, v1alpha1.Posture{PodSecurity: "restricted", NetworkDefaultDeny: true, Justification: "plumbline.dev/reason", Groups: true})
	for set, objects := range corpora(t) {
		findings, unjudged := p.Find(posture.World{Declared: object.PackAll(objects)})
		count := map[finding.Rule]int{}
		for _, f := range findings {
			count[f.Rule]++
		}
		t.Logf("%s: %d objects: %v", set, len(objects), count)
		for _, u := range unjudged {
			if strings.HasSuffix(u.Origin.File, ".patch.yaml") {
				continue // no object of its own
			}
			t.Errorf("%s: not judged: %s: %s", u.Origin.Position, u.Object, u.Reason)
		}
	}
}

// BenchmarkFind is all rules over 5,000 objects: those of the public configurations,
// repeated under other names, and as many live ones.
func BenchmarkFind(b *testing.B) {
	p := mustNew(b, v1alpha1.Posture{PodSecurity: "restricted", NetworkDefaultDeny: true, Justification: "plumbline.dev/reason", Groups: true, Secrets: true})
	var all []object.Object
	sets := corpora(b)
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		all = append(all, sets[set]...)
	}
	w := posture.World{Live: []object.Packed{}}
	for i := 0; len(w.Declared) < 5000; i++ {
		o := all[i%len(all)]
		o.ID.Name = fmt.Sprint(o.ID.Name, "-", i)
		w.Declared = append(w.Declared, object.Loose(o))
		o.Origin = object.Origin{}
		w.Live = append(w.Live, object.Loose(o))
	}
	for b.Loop() {
		p.Find(w)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(w.Declared)), "µs/object")
}
