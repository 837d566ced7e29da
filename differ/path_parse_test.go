package differ_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/differ"
)

func TestParsePath(t *testing.T) {
	for text, want := range map[string]differ.Path{
		"":                                     nil,
		"spec.replicas":                        {"spec", "replicas"},
		`metadata.labels["example.com/tier"]`:  {"metadata", "labels", "example.com/tier"},
		`data["a\"b\n"]`:                       {"data", "a\"b\n"},
		"c[name=web].image":                    {"c", map[string]any{"name": "web"}, "image"},
		"p[containerPort=80,protocol=TCP]":     {"p", map[string]any{"containerPort": "80", "protocol": "TCP"}},
		`c[name="a,b=c",x=y z]`:                {"c", map[string]any{"name": "a,b=c", "x": "y z"}},
		"f[=x/y]":                              {"f", differ.Item{Value: "x/y"}},
		`metadata.finalizers[="a]b"].x["y.z"]`: {"metadata", "finalizers", differ.Item{Value: "a]b"}, "x", "y.z"},
	} {
		got, err := differ.ParsePath(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", text, d)
		}
	}
	for _, text := range []string{"a b", "a[0]", "a[*]", "a..b", ".a", "a[", `a["x]`, "a[name=]]", `a["b"]`} {
		if got, err := differ.ParsePath(text); err == nil {
			t.Errorf("%s is read as %#v", text, got)
		}
	}
}

// FuzzParsePath wants what is read to be spelled as it was, and every spelling to be read.
func FuzzParsePath(f *testing.F) {
	f.Add("spec", "web")
	f.Add("a]", "b=c,\"d\"")
	f.Add("", "\x00\xff")
	f.Fuzz(func(t *testing.T, field, value string) {
		if got, err := differ.ParsePath(value); err == nil && got.String() != value {
			t.Errorf("%q is read as %q", value, got)
		}
		path := differ.Path{field, map[string]any{"name": value}, field, differ.Item{Value: value}, "x"}
		got, err := differ.ParsePath(path.String())
		if err != nil || got.String() != path.String() {
			t.Errorf("%q is read as %q: %v", path, got, err)
		}
	})
}
