package source

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/address"
	"plumbline.dev/plumbline/source/remote"
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

// corporaObjects are all objects in the files of the corpora.
func corporaObjects(t testing.TB) []object.Object {
	t.Helper()
	root := os.DirFS(corpora(t))
	var all []object.Object
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		ext := path.Ext(name)
		if err != nil || d.IsDir() || ext != ".yaml" && ext != ".yml" && ext != ".json" {
			return err
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		objects, _ := object.Decode(name, data) // what is no object has no image that anything reads
		all = append(all, objects...)
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d objects, %v", len(all), err)
	}
	return all
}

// corporaImages are the fields of the corpora's custom resources that hold images.
var corporaImages = []v1alpha1.ImageField{
	{Group: "monitoring.coreos.com", Kind: "Prometheus", Path: "$.spec.image"},
	{Group: "monitoring.coreos.com", Kind: "Alertmanager", Path: "$.spec.image"},
	{Group: "caching.internal.knative.dev", Kind: "Image", Path: "$.spec.image"},
}

// TestCorporaImages holds what is found in the corpora against everything in them
// that is called an image: each is found, and each is ours, from outside or refused.
func TestCorporaImages(t *testing.T) {
	p, err := New(v1alpha1.Sources{Registries: []string{"quay.io", "registry.k8s.io", "docker.io/library"}, Images: corporaImages}, Own{})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, o := range corporaObjects(t) {
		uses, errs := p.finder.Find(o)
		if len(errs) > 0 {
			t.Errorf("%s of %s: %v", o.ID, o.Origin, errs)
		}
		var known []string
		for _, use := range uses {
			known = append(known, use.Image)
			switch j := p.judge(use.Image); {
			case j.err == nil && j.outside:
				counts["outside"]++
			case j.err == nil:
				counts["ours"]++
			case strings.HasPrefix(use.Image, "ko://"): // what ko replaces by an image when it deploys
				counts["refused"]++
			default:
				t.Errorf("%s of %s: %s %q is refused: %v", o.ID, o.Origin, use, use.Image, j.err)
			}
		}
		for _, image := range called(o.Content) {
			if !slices.Contains(known, image) {
				t.Errorf("%s of %s: the image %q is not found", o.ID, o.Origin, image)
			}
		}
	}
	t.Log("images:", counts)
	if counts["ours"] == 0 || counts["outside"] == 0 {
		t.Errorf("nothing of a class: %v", counts)
	}
}

// called returns the texts that are called an image, wherever they stand.
func called(v any) []string {
	var all []string
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if text, ok := value.(string); ok && strings.EqualFold(key, "image") {
				all = append(all, text)
			}
			all = append(all, called(value)...)
		}
	case []any:
		for _, item := range v {
			all = append(all, called(item)...)
		}
	}
	return all
}

// corporaRemotes are the places from which the corpora take something.
var corporaRemotes = []string{
	"docker.io/envoyproxy/gateway-helm",    // oci://
	"quay.io/jetstack/charts/cert-manager", // oci://
	"stefanprodan.github.io/podinfo",       // https://
}

func TestCorporaRemotes(t *testing.T) {
	root := os.DirFS(corpora(t))
	places := map[string]string{}
	references, err := remote.Kustomizations(root, ".")
	if err != nil {
		t.Error(err)
	}
	for _, r := range references {
		place, err := address.ParseURL(r.Address)
		if err != nil {
			t.Errorf("%s: %s: %v", r.Position, r.Field, err)
		}
		places[place.String()] = fmt.Sprint(r.Position)
	}
	for _, o := range corporaObjects(t) {
		for _, r := range remote.Of(o) {
			place, err := address.ParseURL(r.Address)
			if err != nil {
				t.Errorf("%s of %s: %s: %v", o.ID, o.Origin, r.Field, err)
			}
			places[place.String()] = fmt.Sprint(o.Origin.Position)
		}
	}
	if len(places) != len(corporaRemotes) {
		t.Errorf("%d places, and the table has %d", len(places), len(corporaRemotes))
	}
	for place, at := range places {
		if !slices.Contains(corporaRemotes, place) {
			t.Errorf("%s at %s is not in the table", place, at)
		}
	}
}
