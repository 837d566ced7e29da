package posture_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/posture"
)

var update = flag.Bool("update", false, "write what is found into testdata as what is wanted")

// TestFind plays testdata: spec.posture, what git declares, what lives where the
// cluster was looked at, and what is to be said of it.
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
			var policy *posture.Policy
			var world posture.World
			for i, f := range archive.Files {
				switch f.Name {
				case "posture.yaml":
					var spec v1alpha1.Posture
					if err := yaml.UnmarshalStrict(f.Data, &spec); err != nil {
						t.Fatal(err)
					}
					policy = mustNew(t, spec)
				case "namespaces":
					world.Namespaces = strings.Fields(string(f.Data))
				case "unread":
					namespace := strings.TrimSpace(string(f.Data))
					world.Listed = func(id object.ID) bool { return id.Kind != "NetworkPolicy" || id.Namespace != namespace }
				case "git.yaml":
					world.Declared = object.PackAll(decode(t, f.Name, string(f.Data)))
				case "live.yaml":
					world.Live = object.PackAll(decode(t, "", string(f.Data)))
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
		fmt.Fprintf(&b, "%s %s %s", f.Severity, f.Rule, f.Object)
		if f.Origin.File != "" {
			fmt.Fprintf(&b, " (%s)", f.Origin.Position)
		}
		if f.Subject != "" {
			fmt.Fprintf(&b, " [%s]", f.Subject)
		}
		fmt.Fprintf(&b, "\n  %s\n", f.Message)
		for _, child := range f.Children {
			fmt.Fprintf(&b, "  with %s\n", child)
		}
	}
	for _, u := range unjudged {
		fmt.Fprintf(&b, "not judged %s %s\n  %s\n", u.Rule, u.Object, u.Reason)
	}
	return b.String()
}

func mustNew(t testing.TB, spec v1alpha1.Posture) *posture.Policy {
	t.Helper()
	p, err := posture.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// decode reads objects; live ones, of no file, have no origin.
func decode(t testing.TB, file, text string) []object.Object {
	t.Helper()
	objects, err := object.Decode(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if file == "" {
		for i := range objects {
			objects[i].Origin = object.Origin{}
		}
	}
	return objects
}

// TestNew wants what is wrong to be named, with what to write instead.
func TestNew(t *testing.T) {
	for _, c := range []struct {
		spec v1alpha1.Posture
		want string // nothing: it is right
	}{
		{v1alpha1.Posture{}, ""},
		{v1alpha1.Posture{PodSecurity: "restricted", PodSecurityVersion: "v1.30", Justification: "example.com/why", Groups: true}, ""},
		{v1alpha1.Posture{PodSecurity: "baseline", PodSecurityVersion: "latest", Justification: "why"}, ""},
		{v1alpha1.Posture{PodSecurity: "privileged"}, ""},
		{v1alpha1.Posture{PodSecurity: "Restricted"}, `spec.posture.podSecurity is "Restricted": write privileged, baseline or restricted`},
		{v1alpha1.Posture{PodSecurity: "baseline", PodSecurityVersion: "1.30"}, `spec.posture.podSecurityVersion is "1.30": write latest, or a version such as v1.37`},
		{v1alpha1.Posture{PodSecurity: "baseline", PodSecurityVersion: "v1.99"}, `spec.posture.podSecurityVersion is "v1.99", and the last that is known here is v1.37: write that or an earlier one`},
		{v1alpha1.Posture{PodSecurityVersion: "v1.30"}, `spec.posture.podSecurityVersion is "v1.30" and there is no spec.posture.podSecurity: write baseline or restricted there`},
		{v1alpha1.Posture{Justification: "a reason!"}, `spec.posture.justification is "a reason!", which is no name of an annotation: write one such as plumbline.dev/reason`},
	} {
		_, err := posture.New(c.spec)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.spec, got, c.want)
		}
	}
}
