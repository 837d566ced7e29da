package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

const (
	configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\n"
	bomb      = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
		"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n" +
		"e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n" +
		"g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]\nh: [*g, *g, *g, *g, *g, *g, *g, *g, *g, *g]\n"
)

func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i+1 < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

// nested returns kustomizations of which each names the next one twice.
func nested(levels int) fstest.MapFS {
	fsys := files("kustomization.yaml", "resources: [a0, b0]\n")
	for i := range levels {
		for _, side := range []string{"a", "b"} {
			fsys[fmt.Sprintf("%s%d/kustomization.yaml", side, i)] = &fstest.MapFile{
				Data: fmt.Appendf(nil, "namePrefix: %s\nresources: [../a%d, ../b%d]\n", side, i+1, i+1),
			}
		}
	}
	for _, side := range []string{"a", "b"} {
		fsys[fmt.Sprintf("%s%d/kustomization.yaml", side, levels)] = &fstest.MapFile{Data: []byte("resources: [cm.yaml]\n")}
		fsys[fmt.Sprintf("%s%d/cm.yaml", side, levels)] = &fstest.MapFile{Data: []byte(configMap)}
	}
	return fsys
}

func many(n int) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := range n {
		fsys[fmt.Sprintf("f%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm-%d}\n", i)}
	}
	return fsys
}

func listing(fsys fstest.MapFS) fstest.MapFS {
	var b strings.Builder
	b.WriteString("resources:\n")
	for _, name := range sortedKeys(fsys) {
		fmt.Fprintf(&b, "- %s\n", name)
	}
	fsys["kustomization.yaml"] = &fstest.MapFile{Data: []byte(b.String())}
	return fsys
}

// linkedFS fails to open what would be a link out of the repository.
type linkedFS struct{ fs.FS }

func (l linkedFS) Open(name string) (fs.File, error) {
	if name == "link.yaml" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("path escapes from parent")}
	}
	return l.FS.Open(name)
}

// offline fails the test for every request, and leaves no program to run.
type offline struct{ t *testing.T }

func (o offline) RoundTrip(r *http.Request) (*http.Response, error) {
	o.t.Errorf("the rendering asks for %s", r.URL)
	return nil, errors.New("offline")
}

func TestHostile(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	before := http.DefaultTransport
	http.DefaultTransport = offline{t}
	t.Cleanup(func() { http.DefaultTransport = before })
	patched := "resources: [cm.yaml]\npatches: [{path: p.yaml}]\n"
	for _, test := range []struct {
		name string
		fsys fs.FS
		want string // part of the error; empty: it renders
	}{
		{"path escape", files("kustomization.yaml", "resources: [../../../../etc/passwd]\n"), "kustomization.yaml:1: resources: ../../../../etc/passwd leads out of the repository"},
		{"patch escape", files("kustomization.yaml", "resources: [cm.yaml]\npatches:\n- path: ../x.yaml\n", "cm.yaml", configMap), "kustomization.yaml:3: patches: ../x.yaml leads out of the repository"},
		{"generator escape", files("kustomization.yaml", "configMapGenerator:\n- name: x\n  files:\n  - passwd=../../etc/passwd\n"), "kustomization.yaml:4: configMapGenerator: ../../etc/passwd leads out"},
		{"env escape", files("kustomization.yaml", "secretGenerator:\n- name: x\n  envs: [/proc/self/environ]\n"), "kustomization.yaml:3: secretGenerator: /proc/self/environ is an absolute path"},
		{"openapi escape", files("kustomization.yaml", "resources: [cm.yaml]\nopenapi: {path: ../x.json}\n", "cm.yaml", configMap), "kustomization.yaml:2: openapi: ../x.json leads out"},
		{"remote openapi", files("kustomization.yaml", "resources: [cm.yaml]\nopenapi: {path: 'https://example.com/x.json'}\n", "cm.yaml", configMap), "kustomization.yaml:2: openapi: https://example.com/x.json is remote"},
		{"remote crd", files("kustomization.yaml", "resources: [cm.yaml]\ncrds: ['http://example.com/x.json']\n", "cm.yaml", configMap), "is remote"},
		{"remote patch", files("kustomization.yaml", "resources: [cm.yaml]\npatchesStrategicMerge: ['http://example.com/{x}']\n", "cm.yaml", configMap), "kustomization.yaml:2: patchesStrategicMerge: http://example.com/{x} is remote"},
		{"remote generator file", files("kustomization.yaml", "configMapGenerator:\n- {name: x, files: ['a=https://example.com/x']}\n"), "is remote"},
		{"remote replacement", files("kustomization.yaml", "resources: [cm.yaml]\nreplacements: [{path: 'https://example.com/x'}]\n", "cm.yaml", configMap), "is remote"},
		{"remote component", files("kustomization.yaml", "components: ['https://github.com/org/repo//c?ref=x']\n"), "is remote"},
		{"forced git", files("kustomization.yaml", "resources: ['git::https://example.com/org/repo']\n"), "is remote"},
		{"ssh", files("kustomization.yaml", "resources: ['ssh://git@example.com/org/repo']\n"), "is remote"},
		{"local clone", files("kustomization.yaml", "resources: ['file:///etc//x']\n"), "is remote"},
		{"remote in a merged field", files("kustomization.yaml", "metadata: &m {name: x}\n<<: {helmCharts: [{name: x}]}\n"), "Helm charts are not rendered"},
		{"address as transformer", files("kustomization.yaml", "resources: [cm.yaml]\ntransformers:\n- \"https://example.com/a/b: 1\\napiVersion: builtin\\nkind: LabelTransformer\"\n", "cm.yaml", configMap), "is remote"},
		{"link out", linkedFS{files("kustomization.yaml", "resources:\n- link.yaml\n", "link.yaml", "")}, "kustomization.yaml:2: resources: reading link.yaml: path escapes from parent"},
		{"plain link out", linkedFS{files("link.yaml", "", "cm.yaml", configMap)}, "link.yaml: path escapes from parent"},
		{"exec", files("kustomization.yaml", "generators: [g.yaml]\n", "g.yaml", "apiVersion: x/v1\nkind: G\nmetadata: {name: g, annotations: {config.kubernetes.io/function: 'exec: {path: /bin/sh}'}}\n"), "g.yaml:1: x/v1 G is not a builtin plugin"},
		{"bomb in a resource", files("kustomization.yaml", "resources: [cm.yaml]\n", "cm.yaml", configMap+bomb), "cm.yaml:9: expands to more than"},
		{"bomb in a plain file", files("cm.yaml", configMap+bomb), "cm.yaml:9: expands to more than"},
		{"bomb in a kustomization", files("kustomization.yaml", bomb), "kustomization.yaml:6: expands to more than"},
		{"bomb in a patch", files("kustomization.yaml", patched, "cm.yaml", configMap, "p.yaml", configMap+bomb), "p.yaml:9: expands to more than"},
		{"bomb in an inline patch", files("kustomization.yaml", "resources: [cm.yaml]\npatches:\n- patch: |\n    "+strings.ReplaceAll(configMap+bomb, "\n", "\n    ")+"\n", "cm.yaml", configMap), "kustomization.yaml:12: expands to more than"},
		{"self-reference", files("kustomization.yaml", "resources: [cm.yaml]\n", "cm.yaml", configMap+"data: &x {y: *x}\n"), "cm.yaml"},
		{"self-reference in a kustomization", files("kustomization.yaml", "labels: &x [*x]\n"), "kustomization.yaml"},
		{"doubling bases", nested(20), "unfolds to more than"},
		{"a large file", files("kustomization.yaml", "resources:\n- cm.yaml\n", "cm.yaml", configMap+"data: {x: "+strings.Repeat("x", 10<<20)+"}\n"), "kustomization.yaml:2: resources: reading cm.yaml: larger than 5242880 bytes"},
		{"a large plain file", files("cm.yaml", strings.Repeat("x", 10<<20)), "cm.yaml: larger than"},
		{"a long line", files("kustomization.yaml", "resources: [cm.yaml]\nnamePrefix: p-\n", "cm.yaml", configMap+"data: {x: "+strings.Repeat("x", 1<<20)+"}\n"), ""},
		{"invalid UTF-8", files("kustomization.yaml", "resources: [cm.yaml]\n", "cm.yaml", configMap+"data: {x: \xff}\n"), "cm.yaml:4: not valid UTF-8"},
		{"invalid UTF-8 in a kustomization", files("kustomization.yaml", "a: 1\nb: \xff\n"), "kustomization.yaml:2: not valid UTF-8"},
		{"duplicate keys", files("kustomization.yaml", "resources: [cm.yaml]\n", "cm.yaml", configMap+"kind: Secret\n"), `cm.yaml:4: the key "kind" stands twice`},
		{"base of itself", files("kustomization.yaml", "resources:\n- .\n"), "kustomization.yaml:2: a cycle: . → ."},
		{"parent as base", files("a/kustomization.yaml", "resources: [b]\n", "a/b/kustomization.yaml", "resources:\n- ..\n"), "a/b/kustomization.yaml:2: a cycle: a → a/b → a"},
		{"deep nesting", files("kustomization.yaml", "resources: [cm.yaml]\n", "cm.yaml", configMap+"data: "+strings.Repeat("[", 10_100)+strings.Repeat("]", 10_100)+"\n"), "cm.yaml"},
		{"very deep nesting", files("cm.yaml", strings.Repeat("[", 1_000_000)), "cm.yaml"},
		{"deep nesting in a kustomization", files("kustomization.yaml", "resources: "+strings.Repeat("[", 9_000)+strings.Repeat("]", 9_000)+"\n"), "kustomization.yaml"},
		{"a directory as kustomization", files("kustomization.yaml/cm.yaml", configMap), "kustomization.yaml: is a directory"},
		{"two kustomizations", files("kustomization.yaml", "resources: [cm.yaml]\n", "kustomization.yml", "namePrefix: x\n", "cm.yaml", configMap), "has several kustomization files"},
		{"an empty kustomization", files("kustomization.yaml", "# nothing\n"), "kustomization.yaml: the kustomization is empty"},
		{"a list as kustomization", files("kustomization.yaml", "- a\n"), "kustomization.yaml:1: a kustomization is a mapping"},
		{"a foreign kind", files("kustomization.yaml", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nnamePrefix: x\n"), "kustomization.yaml:1: apiVersion for Kustomization should be"},
		{"syntax error in a resource", files("kustomization.yaml", "resources: [cm.yaml]\n", "cm.yaml", configMap+"data: {\n"), "cm.yaml:"},
		{"syntax error in a patch", files("kustomization.yaml", patched, "cm.yaml", configMap, "p.yaml", "a: 1\nb: [\n"), "p.yaml:"},
		{"syntax error in an inline patch", files("kustomization.yaml", "resources: [cm.yaml]\npatches:\n- patch: 'a: ['\n", "cm.yaml", configMap), "kustomization.yaml:3: patches: "},
		{"missing patch target", files("kustomization.yaml", patched, "cm.yaml", configMap, "p.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: nowhere}\n"), "p.yaml:1: the patch changes Secret nowhere, which is not there"},
		{"missing patch file", files("kustomization.yaml", patched, "cm.yaml", configMap), "kustomization.yaml:2: patches: reading p.yaml: file does not exist"},
		{"failing JSON patch", files("kustomization.yaml", "resources: [cm.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: '[{op: remove, path: /nowhere}]'\n", "cm.yaml", configMap), "kustomization.yaml:4: unable to parse SM or JSON patch from the inline patch"},
		{"missing JSON path", files("kustomization.yaml", "resources: [cm.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: |-\n    - op: remove\n      path: /nowhere\n", "cm.yaml", configMap), "kustomization.yaml:5: "},
		{"copy bomb", files("kustomization.yaml", "resources: [cm.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: |\n"+strings.Repeat("    - {op: copy, from: /data, path: /data/x}\n    - {op: copy, from: /data, path: /data/y}\n", 40), "cm.yaml", configMap+"data: {a: b}\n"), "kustomization.yaml"},
		{"the same resource twice", files("kustomization.yaml", "resources: [cm.yaml, a]\n", "cm.yaml", configMap, "a/kustomization.yaml", "namePrefix: ''\nresources: [cm.yaml]\ncommonAnnotations: {a: b}\n", "a/cm.yaml", configMap), "ConfigMap cm is declared a second time, after"},
		{"a file listed twice", files("kustomization.yaml", "resources:\n- cm.yaml\n- ./cm.yaml\n", "cm.yaml", configMap), "kustomization.yaml:3: resources: ./cm.yaml is listed twice"},
		{"component among resources", files("kustomization.yaml", "resources:\n- c\n- cm.yaml\n", "cm.yaml", configMap, "c/kustomization.yaml", "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nnamePrefix: x\n"), "kustomization.yaml:2: resources: c is a Component"},
		{"unknown openapi version", files("kustomization.yaml", "resources: [cm.yaml]\nopenapi: {version: v0}\n", "cm.yaml", configMap), "kustomization.yaml"},
		{"keys that are no texts", files("kustomization.yaml", "resources: [cm.yaml]\n", "cm.yaml", configMap+"data: {8080: x}\n"), "cm.yaml:1: kustomize cannot encode ConfigMap cm"},
		{"empty CRD", files("kustomization.yaml", "resources: [cm.yaml]\ncrds: [x.yaml]\n", "cm.yaml", configMap, "x.yaml", ""), "x.yaml: is empty"},
		{"nothing there", fstest.MapFS{}, ".: declares no objects"},
		{"many kustomized files", listing(many(2000)), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			dir := "."
			if _, err := fs.Stat(test.fsys, "a/b"); err == nil {
				dir = "a"
			}
			_, err := Render(context.Background(), test.fsys, dir, Options{})
			runtime.ReadMemStats(&after)
			if spent := time.Since(start); spent > 10*time.Second {
				t.Errorf("it took %v", spent)
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 1024 {
				t.Errorf("it took %d MiB", used)
			}
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got error %v, want one with %q", err, test.want)
			}
			checkError(t, err)
			t.Log(err)
		})
	}
}

func TestBounds(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		name    string
		fsys    fs.FS
		options Options
		want    string
	}{
		{"files", many(101), Options{MaxFiles: 100}, "too much to render: more than 100 files"},
		{"kustomized files", listing(many(101)), Options{MaxFiles: 100}, "too much to render: more than 100 files"},
		{"bytes", many(100), Options{MaxBytes: 1000}, "too much to render: more than 1000 bytes"},
		{"objects", many(100), Options{MaxObjects: 99}, "declares more than 99 objects"},
		{"kustomized objects", listing(many(100)), Options{MaxObjects: 99}, "declares more than 99 objects"},
		{"time", listing(many(100)), Options{Timeout: time.Nanosecond}, "rendering was given up"},
		{"nonsense", many(1), Options{MaxFiles: -1}, "negative"},
		{"default files", many(100_000), Options{}, "too much to render: more than 50000 files"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Render(ctx, test.fsys, ".", test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got error %v, want one with %q", err, test.want)
			}
			if n := len(flatten([]error{err})); n > 1 {
				t.Errorf("a bound is reported %d times", n)
			}
		})
	}
}

// TestConcurrent renders the same trees from many goroutines: kustomize itself
// must not be called by two at once.
func TestConcurrent(t *testing.T) {
	overlay := files("kustomization.yaml", "resources: [cm.yaml]\nnamePrefix: p-\nopenapi: {path: schema.json}\n", "cm.yaml", configMap, "schema.json", `{"definitions": {}}`)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			options := Options{}
			if i%5 == 0 {
				options.Timeout = time.Millisecond
			}
			result, err := Render(context.Background(), overlay, ".", options)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if err == nil && len(result.Objects) != 1 {
				t.Errorf("got %d objects", len(result.Objects))
			}
		})
	}
	group.Wait()
}

// TestSchemaDoesNotLeak renders a tree with an OpenAPI schema of its own before
// one without: the second must still merge containers by their names.
func TestSchemaDoesNotLeak(t *testing.T) {
	foreign := files("kustomization.yaml", "resources: [cm.yaml]\nnamePrefix: p-\nopenapi: {path: schema.json}\n", "cm.yaml", configMap, "schema.json", `{"definitions": {}}`)
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
	patched := files("kustomization.yaml", "resources: [pod.yaml]\npatches: [{path: patch.yaml}]\n",
		"pod.yaml", pod+"  - {name: a, image: a}\n  - {name: b, image: b}\n", "patch.yaml", pod+"  - {name: b, tty: true}\n")
	nested := files("kustomization.yaml", "resources: [base]\nnameSuffix: -s\n")
	for name, f := range foreign {
		nested["base/"+name] = f
	}
	for _, first := range []fs.FS{foreign, nested} {
		if _, err := Render(context.Background(), first, ".", Options{}); err != nil {
			t.Fatal(err)
		}
		result, err := Render(context.Background(), patched, ".", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if containers, _ := valueAt(result.Objects[0].Content, []any{"spec", "containers"}).([]any); len(containers) != 2 {
			t.Errorf("got containers %v", containers)
		}
	}
}

func TestDirOutside(t *testing.T) {
	for _, dir := range []string{"..", "/etc", "a/../../b"} {
		if _, err := Render(context.Background(), fstest.MapFS{}, dir, Options{}); err == nil {
			t.Errorf("%s: rendered", dir)
		}
	}
}

// TestNoSecretInErrors holds every error of kustomize's to keep secrets.
func TestNoSecretInErrors(t *testing.T) {
	const secret = "hunter2hunter2"
	for name, kustomization := range map[string]string{
		"literal": "secretGenerator:\n- {name: s, literals: [" + secret + "]}\n",
		"twice":   "secretGenerator:\n- {name: s, literals: [a=" + secret + ", a=" + secret + "]}\n",
		"env":     "secretGenerator:\n- {name: s, envs: [env]}\n",
		"bad key": "secretGenerator:\n- {name: s, literals: ['a b=" + secret + "']}\n",
		"patch":   "resources: [s.yaml]\npatches:\n- target: {kind: Secret}\n  patch: '[{op: test, path: /stringData/a, value: x}]'\n",
		"behave":  "secretGenerator:\n- {name: s, behavior: merge, literals: [a=" + secret + "]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			fsys := files("kustomization.yaml", kustomization, "env", secret+" x\n",
				"s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: "+secret+"}\n")
			_, err := Render(context.Background(), fsys, ".", Options{})
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("got error %v", err)
			}
			checkError(t, err)
			t.Log(err)
		})
	}
}
