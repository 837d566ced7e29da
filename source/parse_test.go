package source

import (
	"strings"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/source/address"
)

// FuzzParse holds references that are read by their repositories to those that are read as
// a whole, the first time and when their repository is known.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "a", "a:1", "a/b", "a/b:1", "a/b:-1", "a/b:", "A/b:1", "a:5000/b", "a:5000/b:1", "a/b:1@sha256:" + strings.Repeat("a", 64), "a/b@sha256:" + strings.Repeat("a", 64),
		"sha256:" + strings.Repeat("a", 64), "x/sha256:" + strings.Repeat("a", 64), strings.Repeat("a", 64) + ":1", "https://a/b:1", "a//b:1", "/b:1", "a/b:" + strings.Repeat("1", 128),
		"a/b:" + strings.Repeat("1", 129), "a/" + strings.Repeat("b", 300) + ":1", "docker.io/b:1", "index.docker.io/b:1", "b.c:443/d:1", "[::1]/b:1", "a/b:1:2", "a/b:ä", "a/b: 1", "a b/c:1",
	} {
		f.Add(text)
	}
	p, err := New(v1alpha1.Sources{}, Own{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, wrong := address.ParseImage(text)
		for range 2 {
			got, err := p.parse(text)
			if got != want || (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error() {
				t.Errorf("%q is read as %+v, %v, and as a whole as %+v, %v", text, got, err, want, wrong)
			}
		}
	})
}
