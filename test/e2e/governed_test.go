package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/images"
	"plumbline.dev/plumbline/test/testenv"
)

// governed is a Baseline for what corpora have deployed, from whose registry none of
// their images come.
const governed = `apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: corpora}
spec:
  scope:
    namespaces: [%s]
    clusterKinds: [APIService, IngressClass, Node, PriorityClass, StorageClass]
  deployer: {managers: [ci-deploy, kubectl-client-side-apply]}
  sources: {registries: [registry.example.com/ours], tags: Any}
`

// quietCorpus deploys nothing: it wants the program to find nothing rogue in what
// corpora have deployed so far, and every image that the directory names told, as
// foreign or as not to be judged.
func (w *watch) quietCorpus(t *testing.T, repository, dir, kubeconfig string) {
	t.Helper()
	before := map[object.ID]bool{}
	for id := range w.declared {
		before[id] = true
	}
	w.declare(t, repository, dir)
	var documents []string
	for _, o := range w.declared { // what earlier corpora left in the same namespaces is declared too
		document, err := json.Marshal(o.Content)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(document))
	}
	slices.Sort(documents)
	files := write(t, map[string]string{
		"all/all.yaml":  strings.Join(documents, "\n---\n"),
		"baseline.yaml": fmt.Sprintf(governed, strings.Join(w.scope.Namespaces, ", ")),
	})
	var report jsonReport
	var r result
	rogues := func() (lines []string) {
		report, r = diff(t, kubeconfig, filepath.Join(files, "all"), "-n", "default", "-f", filepath.Join(files, "baseline.yaml"))
		for _, f := range report.Findings {
			if strings.HasPrefix(f.Rule, "rogue/") {
				lines = append(lines, fmt.Sprintf("%s %s %s %s/%s: %s", f.Rule, f.Severity, f.Object.Kind, f.Object.Namespace, f.Object.Name, f.Message))
			}
		}
		return append(lines, report.Errors...)
	}
	if !testenv.Poll(20*time.Second, func() bool { return len(rogues()) == 0 }) {
		t.Errorf("exit %d, found:\n%s", r.code, strings.Join(rogues(), "\n"))
	}
	foreign, refused := w.classified(t, report, before)
	t.Logf("%d images are foreign, %d could not be judged", foreign, refused)
}

// classified counts what is told of the images of the objects that are new.
func (w *watch) classified(t *testing.T, report jsonReport, before map[object.ID]bool) (foreign, refused int) {
	t.Helper()
	told := map[string]bool{}
	for _, f := range report.Findings {
		if f.Rule == "source/image" {
			told[f.Object.Kind+" "+f.Object.Namespace+"/"+f.Object.Name+" "+f.Subject] = true
		}
	}
	for _, u := range report.Unknown {
		if u.Object == nil {
			t.Errorf("unknown: %s", u.Reason)
		} else {
			told[u.Object.Kind+" "+u.Object.Namespace+"/"+u.Object.Name] = true
		}
	}
	for id, o := range w.declared {
		uses, errs := images.Finder{}.Find(o)
		if len(errs) > 0 {
			t.Errorf("%s: %v", id, errs)
		}
		name := id.Kind + " " + id.Namespace + "/" + id.Name
		for _, use := range uses {
			switch {
			case use.Image == "" || before[id]:
			case told[name+" "+use.Subject()]:
				foreign++
			case told[name]:
				refused++
			default:
				t.Errorf("%s: nothing is said of %s, which is %s", name, use.Subject(), use.Image)
			}
		}
	}
	return foreign, refused
}
