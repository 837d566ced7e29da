package source

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/helm"
)

var update = flag.Bool("update", false, "write what is found into testdata")

// TestFindings runs the archives of testdata. In each, sources is spec.sources;
// declared.yaml, live.yaml and nodes.yaml are objects; repo/ is a repository, of which
// repo/deploy is rendered; Secret/ and ConfigMap/ hold the JSON of Helm's records; and want is what is found of all that.
func TestFindings(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := file(archive, "want")
			if want == nil {
				t.Fatal("no want")
			}
			got := found(t, archive)
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for _, secret := range []string{"hunter2", "sesame"} {
				if strings.Contains(got, secret) {
					t.Errorf("a secret is told: %s", got)
				}
			}
		})
	}
}

func file(archive *txtar.Archive, name string) *txtar.File {
	for i := range archive.Files {
		if archive.Files[i].Name == name {
			return &archive.Files[i]
		}
	}
	return nil
}

func found(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	var sources v1alpha1.Sources
	repo := fstest.MapFS{}
	objects := map[string][]object.Packed{}
	for _, f := range archive.Files {
		switch name, ok := strings.CutPrefix(f.Name, "repo/"); {
		case ok:
			repo[name] = &fstest.MapFile{Data: f.Data}
		case strings.HasPrefix(f.Name, "Secret/") || strings.HasPrefix(f.Name, "ConfigMap/"):
			objects["live.yaml"] = append(objects["live.yaml"], new(object.Packer).Pack(record(t, f.Name, f.Data)))
		case f.Name == "sources":
			if err := yaml.UnmarshalStrict(f.Data, &sources); err != nil {
				t.Fatal(err)
			}
		case strings.HasSuffix(f.Name, ".yaml"):
			objects[f.Name] = append(objects[f.Name], object.PackAll(decode(t, f.Name, string(f.Data)))...)
		}
	}
	charts, err := helm.Charts(repo)
	p, newErr := New(sources, Own{Repository: "https://git.example.com/platform/config.git", Charts: charts})
	if err := errors.Join(err, newErr); err != nil {
		return err.Error() + "\n"
	}
	return judge(p, repo, objects)
}

// judge asks everything that a Policy can say.
func judge(p *Policy, repo fstest.MapFS, objects map[string][]object.Packed) string {
	var declared, live []finding.Finding
	var unjudged []finding.Unjudged
	var err error // of files that could not be read
	for _, o := range objects["declared.yaml"] {
		all, not := p.Images(o)
		declared, unjudged = append(append(declared, all...), p.Sources(o)...), append(unjudged, not...)
	}
	all, not := p.AllImages(objects["live.yaml"])
	live, unjudged = append(live, all...), append(unjudged, not...)
	for _, o := range objects["live.yaml"] {
		live = append(live, p.Sources(o)...)
	}
	live = append(live, p.Running(Cluster{Live: objects["live.yaml"], Nodes: objects["nodes.yaml"]})...)
	all, not = p.Releases(objects["live.yaml"])
	live, unjudged = append(live, all...), append(unjudged, not...)
	if _, missing := repo.Stat("deploy"); missing == nil {
		all, err = p.Remotes(repo, "deploy")
		declared = append(declared, all...)
	}
	return lines(Merge(declared, live), unjudged, err)
}

func lines(all []finding.Finding, unjudged []finding.Unjudged, err error) string {
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "%s %s %s", f.Severity, f.Rule, f.Object)
		if f.Subject != "" {
			fmt.Fprintf(&b, " [%s]", f.Subject)
		}
		fmt.Fprintf(&b, " (%s)", f.Evidence)
		if f.Origin.File != "" {
			fmt.Fprintf(&b, " %s", f.Origin.Position)
		}
		fmt.Fprintf(&b, ": %s\n", f.Message)
		for _, child := range f.Children {
			fmt.Fprintf(&b, "  + %s\n", child)
		}
	}
	for _, u := range unjudged {
		fmt.Fprintf(&b, "unjudged %s %s: %s\n", u.Rule, u.Object, u.Reason)
	}
	if err != nil {
		fmt.Fprintf(&b, "error: %s\n", strings.ReplaceAll(err.Error(), "\n", "\nerror: "))
	}
	return b.String()
}

func decode(t testing.TB, name, text string) []object.Object {
	t.Helper()
	objects, err := object.Decode(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if name != "declared.yaml" {
		for i := range objects {
			objects[i].Origin = object.Origin{}
		}
	}
	return objects
}

// record makes of "Secret/namespace/name" and JSON what Helm keeps of a release.
func record(t testing.TB, name string, data []byte) object.Object {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(data); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	parts := strings.Split(name, "/")
	if parts[0] == "Secret" {
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	o, err := object.FromContent(map[string]any{
		"apiVersion": "v1", "kind": parts[0], "data": map[string]any{"release": text},
		"metadata": map[string]any{"namespace": parts[1], "name": "sh.helm.release.v1." + parts[2]},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestNewSaysWhatToWrite(t *testing.T) {
	_, err := New(v1alpha1.Sources{
		Registries:   []string{"registry.example.com", "https://registry.example.com/shop", "bitnami"},
		Charts:       []string{"https://user:hunter2@charts.example.com"},
		Repositories: []string{"git@git.example.com:platform/config.git"},
		Tags:         "fixed", Digests: "Always", Releases: "Yes",
		Images: []v1alpha1.ImageField{{Path: "$.spec.image"}, {Kind: "Prometheus", Path: "spec.image"}},
	}, Own{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`spec.sources.registries[1]: "https://registry.example.com/shop" begins with https://: leave that out: "registry.example.com/shop"`,
		`spec.sources.registries[2]: "bitnami" names no host: write "docker.io/bitnami"`,
		`spec.sources.charts[0]: "…@charts.example.com" holds an @`,
		`spec.sources.repositories[0]: "…@git.example.com:platform/config.git" holds an @`,
		`spec.sources.tags is "fixed": write Fixed or Any`,
		`spec.sources.digests is "Always": write Required or Optional`,
		`spec.sources.releases is "Yes": write Read or Ignore`,
		`spec.sources.images[0].kind is missing`,
		`spec.sources.images[1].path: "spec.image" is no JSONPath`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password is told: %v", err)
	}
}
