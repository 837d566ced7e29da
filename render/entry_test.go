package render

import (
	"testing"
	"testing/fstest"
)

func TestEntry(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, file := range []string{"top.yaml", "a/Kustomization", "a/b.yaml", "two/kustomization.yaml", "two/kustomization.yml", "none/x.yaml"} {
		fsys[file] = &fstest.MapFile{}
	}
	for dir, want := range map[string]string{".": "", "a": "a/Kustomization", "two": "", "none": "", "missing": ""} {
		if got := Entry(fsys, dir); got != want {
			t.Errorf("%s begins with %q, want %q", dir, got, want)
		}
	}
	fsys["kustomization.yml"] = &fstest.MapFile{}
	if got := Entry(fsys, "."); got != "kustomization.yml" {
		t.Errorf("the top begins with %q", got)
	}
}
