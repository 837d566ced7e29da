package oracle

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/test/testenv"
)

var (
	sharedGenerator *generator
	sharedOnce      sync.Once
)

// theWorld is made once for all tests.
func theWorld(t *testing.T) *generator {
	t.Helper()
	sharedOnce.Do(func() {
		if *seed == 0 {
			*seed = uint64(time.Now().UnixNano()) % 1e9 //nolint:gosec // any number will do
		}
		sharedGenerator = newGenerator(t)
	})
	if sharedGenerator == nil {
		t.Fatal("the world was not made")
	}
	return sharedGenerator
}

const gadgets = 8

func newGenerator(t *testing.T) *generator {
	t.Helper()
	config, err := env.Config("oracle", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	user := env.User(t, "oracle", "system:masters")
	user.Kubectl(t, "create", "namespace", namespace)
	user.Kubectl(t, "create", "namespace", limited)
	definitions := readObjects(t, "testdata/widgets.yaml")
	r := rand.New(rand.NewPCG(*seed, 0)) //nolint:gosec // reproducible
	var made []source
	for i := range gadgets {
		group := fmt.Sprintf("s%d.oracle.example.com", *seed)
		definition := gadget(r, group, i)
		definitions = append(definitions, definition)
		git := map[string]any{"apiVersion": group + "/v1", "kind": fmt.Sprintf("Gadget%d", i), "metadata": map[string]any{"name": nameToken}}
		made = append(made, source{definition: definition, made: true, git: git})
	}
	var public []map[string]any
	if *corpora || *count > 500 {
		var more []map[string]any
		more, public = corpus(t)
		definitions = append(definitions, more...)
	}
	for _, p := range found(t) {
		if p.Definition != nil {
			definitions = append(definitions, p.Definition)
		}
	}
	text := strings.Builder{}
	for _, d := range definitions {
		data, err := yaml.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n" + string(data))
	}
	user.KubectlIn(t, text.String(), "apply", "--server-side", "--force-conflicts", "-f", "-")
	user.Kubectl(t, "wait", "--for=condition=Established", "crd", "--all")
	w := newWorld(t, config, definitions)
	g := &generator{world: w, values: values{shapes: w.shapes, seen: map[string][]any{}}, off: map[string]bool{}, sources: map[string][]source{}}
	for _, feature := range strings.Split(*leave, ",") {
		g.off[feature] = true
	}
	g.values.off = g.off
	for _, file := range []string{"testdata/objects.yaml", "testdata/kinds.yaml"} {
		for _, git := range readObjects(t, file) {
			g.add(source{git: git})
		}
	}
	taken := 0
	for _, git := range public {
		if _, known := g.roots[gvkOf(git)]; known && w.takes(t.Context(), git) {
			g.add(source{git: git})
			taken++
		}
	}
	if len(public) > 0 {
		t.Logf("of %d objects of public configurations the API server takes %d", len(public), taken)
	}
	for _, kind := range sortedKeys(g.sources) {
		for _, s := range g.sources[kind] {
			g.values.learn(s.git, g.roots[gvkOf(s.git)])
		}
	}
	for _, s := range made {
		g.add(s)
	}
	return g
}

func (g *generator) add(s source) {
	kind := gvkOf(s.git).GroupKind().String()
	g.sources[kind] = append(g.sources[kind], s)
}

func gvkOf(content map[string]any) schema.GroupVersionKind {
	return (&unstructured.Unstructured{Object: content}).GroupVersionKind()
}

// readObjects reads a file's objects, under a name that each run replaces.
func readObjects(t *testing.T, file string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := object.Decode(file, text)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for _, o := range objects {
		u := (&unstructured.Unstructured{Object: o.Content}).DeepCopy()
		if !strings.Contains(u.GetName(), nameToken) && u.GetKind() != "CustomResourceDefinition" {
			u.SetName(nameToken)
		}
		all = append(all, u.Object)
	}
	return all
}

func newWorld(t *testing.T, config *rest.Config, definitions []map[string]any) *world {
	t.Helper()
	w := &world{compare: differ.Compare, names: &atomic.Int64{}, untouched: &sync.Map{}, schemas: differ.NewSchemas(), shapes: shapes{}, roots: map[schema.GroupVersionKind]shape{}}
	var err error
	if w.client, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if w.cluster, err = cluster.Connect(t.Context(), config, cluster.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, d := range served(t, w.cluster, definitions) {
		if err := w.schemas.Add(d); err != nil {
			t.Fatal(err)
		}
		maps.Copy(w.shapes, d)
	}
	for name, s := range w.shapes {
		for _, gvk := range kindsOf(s) {
			w.roots[gvk] = shape{Schema: s, typeName: name}
		}
	}
	if w.types, err = managedfields.NewTypeConverter(w.shapes, false); err != nil {
		t.Fatal(err)
	}
	return w
}

func kindsOf(s *spec.Schema) []schema.GroupVersionKind {
	list, _ := s.Extensions["x-kubernetes-group-version-kind"].([]any)
	var kinds []schema.GroupVersionKind
	for _, entry := range list {
		fields, _ := entry.(map[string]any)
		text := func(name string) string { s, _ := fields[name].(string); return s }
		kinds = append(kinds, schema.GroupVersionKind{Group: text("group"), Version: text("version"), Kind: text("kind")})
	}
	return kinds
}

// served returns the schemas of all kinds, as soon as the defined kinds' are
// served.
func served(t *testing.T, c *cluster.Cluster, definitions []map[string]any) []cluster.Components {
	t.Helper()
	var documents []cluster.Components
	var missing []string
	ok := testenv.Poll(60*time.Second, func() bool {
		var err error
		if documents, err = c.Schemas(t.Context(), c.GroupVersions()); err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, d := range documents {
			for _, s := range d {
				for _, gvk := range kindsOf(s) {
					known[gvk.GroupKind().String()] = true
				}
			}
		}
		missing = nil
		for _, d := range definitions {
			group, _, _ := unstructured.NestedString(d, "spec", "group")
			kind, _, _ := unstructured.NestedString(d, "spec", "names", "kind")
			if name := kind + "." + group; !known[name] {
				missing = append(missing, name)
			}
		}
		return len(missing) == 0
	})
	if !ok {
		t.Fatalf("the API server serves no schema of %v", missing)
	}
	return documents
}
