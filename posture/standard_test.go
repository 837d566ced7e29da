package posture_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/posture"
)

// TestUpstreamFixtures plays the Pods with which the standards' own library tests
// admission: testdata/LEVEL/VERSION/{pass,fail}/*.yaml of its module.
func TestUpstreamFixtures(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "test", "testdata")
	files, err := filepath.Glob(filepath.Join(root, "*", "*", "*", "*.yaml"))
	if err != nil || len(files) < 1000 {
		t.Fatalf("%d fixtures (%v)", len(files), err)
	}
	policies := map[string]*posture.Policy{}
	for _, file := range files {
		relative, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(filepath.ToSlash(relative), "/")
		level, version, want := parts[0], parts[1], parts[2]
		p := policies[level+version]
		if p == nil {
			p = mustNew(t, v1alpha1.Posture{PodSecurity: level, PodSecurityVersion: version})
			policies[level+version] = p
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := object.Decode(relative, data)
		if err != nil {
			t.Fatal(err)
		}
		findings, unjudged := p.Find(posture.World{Declared: object.PackAll(objects)})
		if (len(findings) > 0) != (want == "fail") || len(unjudged) > 0 {
			t.Errorf("%s: %s", relative, told(findings, unjudged))
		}
	}
	t.Logf("%d fixtures", len(files))
}
