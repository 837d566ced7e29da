package deployers

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source"
	sourcehelm "plumbline.dev/plumbline/source/helm"
)

// chartFiles is a chart of ours, with what a release may leave out or change: a
// dependency that is switched off, an ignored template, a byte order mark.
var chartFiles = fstest.MapFS{
	"charts/web/Chart.yaml":            {Data: []byte("apiVersion: v2\nname: web\nversion: 1.2.3\nhome: https://example.com/web\ndependencies: [{name: db, version: 1.x, alias: store, repository: \"file://../db\", condition: store.enabled}]\n")},
	"charts/web/values.yaml":           {Data: []byte("password: hunter2\nstore: {enabled: false}\n")},
	"charts/web/.helmignore":           {Data: []byte("*.md\n")},
	"charts/web/templates/README.md":   {Data: []byte("none of this is a template\n")},
	"charts/web/templates/_x.tpl":      {Data: []byte("\xef\xbb\xbf{{ define \"x\" }}x{{ end }}\n")},
	"charts/web/templates/sub/cm.yaml": {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  labels: {helm.sh/chart: web-1.2.3}\ndata: {password: {{ .Values.password }}}\n")},
	"charts/web/charts/db/Chart.yaml":  {Data: []byte("apiVersion: v2\nname: db\nversion: 1.0.0\n")},
}

// TestHelmReleases installs a chart of ours, and the same with one template changed,
// with both Helms and in both kinds of records, and judges the releases.
func TestHelmReleases(t *testing.T) {
	charts, err := sourcehelm.Charts(chartFiles)
	if err != nil {
		t.Fatal(err)
	}
	ours := writeChart(t, chartFiles)
	changed := fstest.MapFS{"charts/web/templates/miner.yaml": {Data: []byte("# mines\n")}}
	for name, file := range chartFiles {
		changed[name] = file
	}
	theirs := writeChart(t, changed)
	for _, built := range []string{"helm-v3", "helm-v4"} {
		for _, driver := range []string{"secret", "configmap"} {
			t.Run(built+"/"+driver, func(t *testing.T) {
				s := newShop(t)
				t.Setenv("HELM_DRIVER", driver)
				s.run(t, "", built, "helm", "install", "ours", theirs, "-n", s.namespace)
				s.run(t, "", built, "helm", "upgrade", "ours", ours, "-n", s.namespace)
				s.run(t, "", built, "helm", "install", "theirs", theirs, "-n", s.namespace)
				objects, err := object.Decode("live", []byte(s.admin.Kubectl(t, "get", "secrets,configmaps", "-n", s.namespace, "-o", "yaml")))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{"Release.helm.sh " + s.namespace + "/theirs"}, releases(t, objects, charts, v1alpha1.Read)); diff != "" {
					t.Errorf("read: -want +got\n%s", diff)
				}
				// The labels of both claim the same.
				if got := releases(t, objects, charts, ""); got != nil {
					t.Errorf("not read: %s", got)
				}
				if diff := cmp.Diff([]string{"Release.helm.sh " + s.namespace + "/ours", "Release.helm.sh " + s.namespace + "/theirs"}, releases(t, objects, nil, "")); diff != "" {
					t.Errorf("not read, and no chart of ours: -want +got\n%s", diff)
				}
			})
		}
	}
}

// releases returns what is found of Helm's releases.
func releases(t *testing.T, live []object.Object, own []sourcehelm.Chart, read string) []string {
	t.Helper()
	p, err := source.New(v1alpha1.Sources{Charts: []string{"registry.example.com/charts"}, Releases: read}, source.Own{Charts: own})
	if err != nil {
		t.Fatal(err)
	}
	found, unjudged := p.Releases(object.LooseAll(live))
	if len(unjudged) > 0 {
		t.Errorf("unjudged: %v", unjudged)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Object.String())
		t.Log(f.Message)
		if strings.Contains(f.Message, "hunter2") {
			t.Errorf("a secret is told: %s", f.Message)
		}
	}
	return names
}

// writeChart writes a repository's chart to disk and returns its directory.
func writeChart(t *testing.T, repo fstest.MapFS) string {
	t.Helper()
	dir := t.TempDir()
	for name, file := range repo {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Data, fs.FileMode(0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "charts", "web")
}
