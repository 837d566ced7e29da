package render

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/object"
)

// corpora returns the folder of public configurations, or skips the test.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("PLUMBLINE_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpora")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpora: set PLUMBLINE_CORPORA to a folder of public configurations (%v)", err)
	}
	return dir
}

// corporaErrors are the directories that cannot be rendered, with a part of the
// reason. Every other one must render.
var corporaErrors = map[string]string{
	"microservices-demo/kustomize/components/alloydb":                 "kustomization.yaml:22: the patch changes Deployment cartservice, which is not there",
	"microservices-demo/kustomize/components/cymbal-branding":         "kustomization.yaml:19: the patch changes Deployment frontend, which is not there",
	"microservices-demo/kustomize/components/google-cloud-operations": "kustomization.yaml:23: the patch changes Deployment checkoutservice, which is not there",
	"microservices-demo/kustomize/components/memorystore":             "kustomization.yaml:20: the patch changes Deployment cartservice, which is not there",
	"microservices-demo/kustomize/components/non-public-frontend":     "the patch changes Service frontend-external, which is not there",
	"microservices-demo/kustomize/components/service-mesh-istio":      "the patch changes Service frontend-external, which is not there",
	"microservices-demo/kustomize/components/shopping-assistant":      "kustomization.yaml:21: the patch changes Deployment frontend, which is not there",
	"microservices-demo/kustomize/components/single-shared-session":   "kustomization.yaml:20: the patch changes Deployment frontend, which is not there",
	"microservices-demo/kustomize/components/spanner":                 "kustomization.yaml:20: the patch changes Deployment cartservice, which is not there",
	"microservices-demo/kustomize/components/without-loadgenerator":   "delete-loadgenerator.patch.yaml:1: the patch changes Deployment loadgenerator, which is not there",
}

// corporaPlain are the directories that have no kustomization at their top, with
// the number of objects they declare.
var corporaPlain = map[string]int{
	"knative-serving-config/config/core": 59,
	"kube-prometheus/manifests":          131,
}

func TestCorpora(t *testing.T) {
	root := corpora(t)
	sets, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range sets {
		if !set.IsDir() {
			continue
		}
		fsys := os.DirFS(filepath.Join(root, set.Name()))
		for _, dir := range kustomizationDirs(t, fsys) {
			t.Run(path.Join(set.Name(), dir), func(t *testing.T) {
				checkAgainstKustomize(t, fsys, dir, corporaErrors[path.Join(set.Name(), dir)])
			})
		}
	}
}

func kustomizationDirs(t testing.TB, fsys fs.FS) []string {
	t.Helper()
	var dirs []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && isKustomizationFile(d.Name()) {
			dirs = append(dirs, path.Dir(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// checkAgainstKustomize renders a directory and compares with what kustomize
// makes of it by itself. A non-empty reason is an error that is expected.
func checkAgainstKustomize(t *testing.T, fsys fs.FS, dir, reason string) Result {
	t.Helper()
	got, err := Render(context.Background(), fsys, dir, Options{})
	if reason != "" {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Fatalf("got error %v, want one with %q", err, reason)
		}
		checkError(t, err)
		return got
	}
	if err != nil {
		t.Fatal(err)
	}
	src := newSource(context.Background(), fsys, Options{}.withDefaults())
	resources, err := kustomize(kustomizeFS{src: src}, dir, true)
	if err != nil {
		t.Fatalf("kustomize itself fails: %v", err)
	}
	want := map[string]map[string]any{}
	for _, r := range resources {
		o, err := object.FromContent(r.content)
		if err != nil {
			t.Fatal(err)
		}
		want[o.ID.String()] = o.Content
	}
	have := map[string]map[string]any{}
	for _, o := range got.Objects {
		have[o.ID.String()] = o.Content
		if o.Origin.File == "" || o.Origin.Line == 0 {
			t.Errorf("%s has no origin: %+v", o.ID, o.Origin)
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("kustomize (-) and the rendering (+) differ:\n%s", diff)
	}
	return got
}

// checkError holds every error to one line with a position.
func checkError(t *testing.T, err error) {
	t.Helper()
	for _, err := range flatten([]error{err}) {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("the error has several lines: %q", err)
		}
		if positionOf(err).File == "" {
			t.Errorf("the error has no position: %q", err)
		}
	}
}

func TestCorporaPlain(t *testing.T) {
	root := corpora(t)
	for _, name := range sortedKeys(corporaPlain) {
		set, dir, _ := strings.Cut(name, "/")
		got, err := Render(context.Background(), os.DirFS(filepath.Join(root, set)), dir, Options{})
		if err != nil || len(got.Objects) != corporaPlain[name] || !got.Direct {
			t.Errorf("%s: got %d objects, direct %t, and error %v; want %d, direct", name, len(got.Objects), got.Direct, err, corporaPlain[name])
		}
	}
}
