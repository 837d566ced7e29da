package differ_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/differ"
)

func TestPathString(t *testing.T) {
	for _, c := range []struct {
		path differ.Path
		want string
	}{
		{nil, ""},
		{differ.Path{"spec", "replicas"}, "spec.replicas"},
		{differ.Path{"metadata", "labels", "example.com/tier"}, `metadata.labels["example.com/tier"]`},
		{differ.Path{"data", "a.b"}, `data["a.b"]`},
		{differ.Path{"data", `a"b` + "\n"}, `data["a\"b\n"]`},
		{differ.Path{"data", ""}, `data[""]`},
		{differ.Path{"with space"}, `["with space"]`},
		{differ.Path{"c", map[string]any{"name": "web"}, "image"}, "c[name=web].image"},
		{differ.Path{"p", map[string]any{"protocol": "TCP", "containerPort": int64(80)}}, "p[containerPort=80,protocol=TCP]"},
		{differ.Path{"f", differ.Item{Value: "x/y"}}, "f[=x/y]"},
		{differ.Path{"f", differ.Item{Value: int64(7)}}, "f[=7]"},
		{differ.Path{"f", differ.Item{Value: "a]b,\"c\\\n"}}, `f[="a]b,\"c\\\n"]`},
		{differ.Path{"c", map[string]any{"name": "a,b=c", "x": "y z"}}, `c[name="a,b=c",x=y z]`},
		{differ.Path{"f", differ.Item{Value: func() {}}}, ""}, // anything, but no panic
	} {
		if got := c.path.String(); got != c.want && c.want != "" {
			t.Errorf("%#v is spelled %s, want %s", c.path, got, c.want)
		}
	}
}

func TestPathCompare(t *testing.T) {
	sorted := []differ.Path{
		nil,
		{"a"},
		{"a", "b"},
		{"a", "c", "d"},
		{"a", map[string]any{"name": "x"}},
		{"a", map[string]any{"name": "y"}},
		{"b"},
	}
	got := slices.Clone(sorted)
	slices.Reverse(got)
	slices.SortFunc(got, differ.Path.Compare)
	if d := cmp.Diff(sorted, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestParsePatternErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":              "an empty path matches nothing",
		"//":            "empty part",
		"/spec/":        "empty part",
		"/spec//image":  "empty part",
		"spec..image":   "cannot be read from",
		"spec image":    "cannot be read from",
		"spec[":         "cannot be read from",
		"spec[]":        "cannot be read from",
		`spec["a]`:      "cannot be read from",
		`spec["\x"]`:    "badly quoted",
		"spec.a[b]c.$d": "cannot be read from",
		`a[b="\x"]`:     "an item that cannot be read in",
		"a[b=c,d]":      "an item that cannot be read in",
		"$.":            "is no JSONPath",
		"$[?@.a == ]":   "is no JSONPath",
		"$.a[0]":        "selects by position",
		"$.a[-1].b":     "selects by position",
		"$.a[1:]":       "selects by position",
		"$..[0]":        "selects by position",
		"$[?f(@)]":      "is no JSONPath",
	} {
		_, err := differ.ParsePattern(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

// TestPattern ignores one field of a changed object by each pattern.
func TestPattern(t *testing.T) {
	declared := parse(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p, annotations: {a/b~c: "1"}, finalizers: [x/y]},
  spec: {containers: [{name: c, image: a, ports: [{containerPort: 80, hostPort: 1}]}], hostname: a}}`))
	live := parse(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p, annotations: {a/b~c: "2"}, finalizers: []},
  spec: {containers: [{name: c, image: b, ports: [{containerPort: 80, hostPort: 2}]}], hostname: b}}`))
	all := []string{
		`metadata.annotations["a/b~c"]`,
		"metadata.finalizers[=x/y]",
		"spec.containers[name=c].image",
		"spec.containers[name=c].ports[containerPort=80,protocol=TCP].hostPort",
		"spec.hostname",
	}
	for pattern, ignored := range map[string][]int{
		"/spec/hostname":                         {4},
		"spec.hostname":                          {4},
		"/spec":                                  {2, 3, 4},
		"spec.*":                                 {2, 3, 4},
		"/*/hostname":                            {4},
		"/metadata/annotations/a~1b~0c":          {0},
		`metadata.annotations["a/b~c"]`:          {0},
		"metadata.annotations[*]":                {0},
		"/metadata/finalizers":                   {1},
		"/metadata/finalizers/=x~1y":             {1},
		"metadata.finalizers[=x/y]":              {1},
		"/spec/containers/name=c/image":          {2},
		"/spec/containers/*/image":               {2},
		"spec.containers[name=c].image":          {2},
		"spec.containers[*].image":               {2},
		"spec.containers[name=d].image":          {},
		"spec.containers[*].ports[*].hostPort":   {3},
		"/spec/containers/*/ports":               {3},
		"/spec/host":                             {},
		"/spec/hostname/deeper":                  {},
		"hostname":                               {},
		"spec.containers[*].ports[*].hostPort.x": {},
		"/":                                      {0, 1, 2, 3, 4},
		`metadata.annotations["*"]`:              {},
		`["metadata"].finalizers[="x/y"]`:        {1},
		`spec.containers[name="c"].image`:        {2},
		// Some of an item's keys are enough to name it, and by any order.
		"/spec/containers/*/ports/containerPort=80":               {3},
		"/spec/containers/*/ports/protocol=UDP":                   {},
		"/spec/containers/*/ports/containerPort=80,image=a":       {},
		"spec.containers[*].ports[protocol=TCP,containerPort=80]": {3},
		// By index.
		"/spec/containers/0/image":              {2},
		"spec.containers[0].image":              {2},
		"/spec/containers/0/ports/0/hostPort":   {3},
		"/spec/containers/*/ports/0":            {3},
		"/metadata/finalizers/0":                {1},
		"/spec/containers/1":                    {},
		"/spec/containers/99999999999999999999": {},
		"/spec/0":                               {},
		// JSONPath.
		"$":                                          {0, 1, 2, 3, 4},
		"$.spec.hostname":                            {4},
		"$.spec":                                     {2, 3, 4},
		"$['metadata']['annotations']['a/b~c']":      {0},
		"$.spec.containers[*].image":                 {2},
		"$.spec.containers[?@.name=='c'].image":      {2},
		"$.spec.containers[?@.image=='b'].image":     {2}, // as it is live
		"$.spec.containers[?@.image=='a'].image":     {2}, // as declared
		"$.spec.containers[?@.name=='d'].image":      {},
		"$.spec.containers[?@.ports[0].hostPort==1]": {2, 3},
		"$..hostPort":                                {3},
		"$..ports[?@.containerPort == 80]":           {3},
		"$..['image','hostname']":                    {2, 4},
		"$.metadata.finalizers[?@=='x/y']":           {1},
		"$.spec.nothing":                             {},
		"$..nothing":                                 {},
	} {
		p, err := differ.ParsePattern(pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		var got, want []string
		for _, c := range differ.Compare(declared, live, typeOf(t, live.ID), differ.Options{Ignore: always(differ.Ignore{Paths: []differ.Pattern{p}})}).Changes {
			got = append(got, c.Path.String())
		}
		for i, path := range all {
			if !slices.Contains(ignored, i) {
				want = append(want, path)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", pattern, d)
		}
	}
}

// FuzzParsePattern reads any text as a pattern: it is refused or it matches.
func FuzzParsePattern(f *testing.F) {
	for _, text := range []string{"/a/b~1c", "/a/0", "$..[?@.a=='b']", `a[b="c"]`, "a.b[c=d]", `a["b"]`, "a[*].*", "[=x]"} {
		f.Add(text)
	}
	declared := parse(f, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostname: a}}`))
	live := parse(f, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostname: b}}`))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := differ.ParsePattern(text)
		if err != nil {
			return
		}
		differ.Compare(declared, live, differ.Type{}, differ.Options{Ignore: always(differ.Ignore{Paths: []differ.Pattern{p}})})
	})
}
