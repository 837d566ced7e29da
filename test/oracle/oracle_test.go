package oracle

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/dynamic"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/test/testenv"
)

var (
	count = flag.Int("n", 200, "number of objects that are deployed and edited")
	seed  = flag.Uint64("seed", 1, "seed of the edits; 0 takes a fresh one")

	env *testenv.Env
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, 0, &env)) }

const (
	namespace = "oracle"
	deployer  = "ci-deploy"
)

var people = []string{"kubectl-edit", "k9s", "rancher", "somebody"}

// world is the API server and what is known of its kinds.
type world struct {
	client  dynamic.Interface
	cluster *cluster.Cluster
	schemas *differ.Schemas
	types   managedfields.TypeConverter
	objects []object.Object
}

func newWorld(t *testing.T) world {
	t.Helper()
	config, err := env.Config("oracle", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	definition, err := os.ReadFile("testdata/widgets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	user := env.User(t, "oracle", "system:masters")
	user.Kubectl(t, "create", "namespace", namespace)
	user.KubectlIn(t, string(definition), "apply", "-f", "-")
	user.Kubectl(t, "wait", "--for=condition=Established", "crd/widgets.oracle.example.com")
	var w world
	if w.client, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if w.cluster, err = cluster.Connect(t.Context(), config, cluster.Options{}); err != nil {
		t.Fatal(err)
	}
	documents := served(t, w.cluster)
	w.schemas = differ.NewSchemas()
	all := map[string]*spec.Schema{}
	for _, d := range documents {
		if err := w.schemas.Add(d); err != nil {
			t.Fatal(err)
		}
		for name, s := range d {
			all[name] = s
		}
	}
	if w.types, err = managedfields.NewTypeConverter(all, false); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/objects.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if w.objects, err = object.Decode("objects.yaml", text); err != nil {
		t.Fatal(err)
	}
	return w
}

// served returns the schemas of all kinds, as soon as the new kind's are served.
func served(t *testing.T, c *cluster.Cluster) []cluster.Components {
	t.Helper()
	var documents []cluster.Components
	ok := testenv.Poll(30*time.Second, func() bool {
		var err error
		if documents, err = c.Schemas(t.Context(), c.GroupVersions()); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(documents, func(d cluster.Components) bool { return d["com.example.oracle.v1.Widget"] != nil })
	})
	if !ok {
		t.Fatal("the API server serves no schema of the new kind")
	}
	return documents
}

// TestOracle deploys objects, edits them and wants the differ to say what the API
// server says: as much of what git declares as a dry-run apply would change, and
// as much of what it does not as an untouched object has otherwise.
func TestOracle(t *testing.T) {
	w := newWorld(t)
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	}
	t.Logf("oracle: %d objects, seed %d (repeat with -args -n %d -seed %d)", *count, *seed, *count, *seed)
	disagreed, unanswered := 0, 0
	for i := range *count {
		r := rand.New(rand.NewPCG(*seed, uint64(i))) //nolint:gosec // reproducible
		c := &testCase{world: w, name: fmt.Sprintf("object-%d", i), declared: w.objects[r.IntN(len(w.objects))]}
		wrong, err := c.run(t.Context(), r)
		if errors.Is(err, errNoAnswer) {
			unanswered++
			continue
		}
		if err != nil {
			t.Fatalf("case %d (%s): %v", i, c.declared.ID.Kind, err)
		}
		if len(wrong) > 0 {
			disagreed++
			t.Errorf("case %d, %s, after %s:\n  %s", i, c.declared.ID.Kind, strings.Join(c.log, "; "), strings.Join(wrong, "\n  "))
		}
	}
	t.Logf("oracle: %d agree, %d disagree; to %d the API server had no answer", *count-disagreed-unanswered, disagreed, unanswered)
	if unanswered > *count/10 {
		t.Errorf("the API server had no answer to %d of %d", unanswered, *count)
	}
}

// testCase is one object and its history.
type testCase struct {
	world
	name     string
	declared object.Object
	log      []string
}

func (c *testCase) resource() (dynamic.ResourceInterface, error) {
	id := c.declared.ID
	r, err := c.cluster.Resource(id.Group, id.Version, id.Kind)
	if err != nil {
		return nil, err
	}
	return c.client.Resource(schema.GroupVersionResource{Group: id.Group, Version: id.Version, Resource: r.Plural}).Namespace(namespace), nil
}

func (c *testCase) run(ctx context.Context, r *rand.Rand) ([]string, error) {
	resource, err := c.resource()
	if err != nil {
		return nil, err
	}
	git := named(c.declared, c.name)
	if _, err := apply(ctx, resource, git, false); err != nil {
		return nil, fmt.Errorf("deploying: %w", err)
	}
	defer resource.Delete(ctx, c.name, metav1.DeleteOptions{}) //nolint:errcheck // the cluster goes with the test
	for range 1 + r.IntN(4) {
		if err := c.edit(ctx, resource, r, git); err != nil {
			return nil, err
		}
	}
	live, err := resource.Get(ctx, c.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return c.judge(ctx, resource, git, live)
}

// edit makes one random edit by a person, or deploys a change that git does not
// have. An edit that the server refuses is none.
func (c *testCase) edit(ctx context.Context, resource dynamic.ResourceInterface, r *rand.Rand, git *unstructured.Unstructured) error {
	if r.IntN(6) == 0 {
		changed, what := mutate(r, git)
		if _, err := apply(ctx, resource, changed, false); err == nil {
			c.log = append(c.log, deployer+": "+what)
		}
		return nil
	}
	live, err := resource.Get(ctx, c.name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	changed, what := mutate(r, live)
	person := people[r.IntN(len(people))]
	if _, err := resource.Update(ctx, changed, metav1.UpdateOptions{FieldManager: person}); err == nil {
		c.log = append(c.log, person+": "+what)
	}
	return nil
}

// judge compares the differ's word with the server's: what an apply of git would
// change, and what the live object has beside an untouched one. A default that
// somebody removed and the server did not put back is not among these.
func (c *testCase) judge(ctx context.Context, resource dynamic.ResourceInterface, git, live *unstructured.Unstructured) ([]string, error) {
	applied, err := apply(ctx, resource, git, true)
	if apierrors.IsInvalid(err) {
		return nil, errNoAnswer // git and the edits together are no valid object
	}
	if err != nil {
		return nil, fmt.Errorf("asking what an apply would change: %w", err)
	}
	byApply, err := compare(c.types, live, applied)
	if err != nil {
		return nil, err
	}
	untouched, err := apply(ctx, resource, named(c.declared, c.name+"-untouched"), true)
	if err != nil {
		return nil, fmt.Errorf("asking what an untouched object has: %w", err)
	}
	beside, err := compare(c.types, untouched, live)
	if err != nil {
		return nil, err
	}
	declared, undeclared := placesOf(byApply.Added, byApply.Modified, byApply.Removed), placesOf(beside.Added, beside.Modified)
	owned, err := c.owned(git, live)
	if err != nil {
		return nil, err
	}
	said := c.said(git, live)
	declared.keep(owned, said.declared)
	undeclared.keep(owned, said.undeclared)
	maps.DeleteFunc(undeclared, func(path string, _ bool) bool { return declared.covered(path) })
	wrong := disagreement("declared", said.declared, declared)
	wrong = append(wrong, said.orders(live, applied)...)
	if said.unattributed {
		return wrong, nil // what nobody is recorded for cannot be told, and that was said
	}
	return append(wrong, disagreement("undeclared", said.undeclared, undeclared)...), nil
}

// owned returns the places that git declares or that have an owner. The others
// are the server's own: they follow from those.
func (c *testCase) owned(git, live *unstructured.Unstructured) (places, error) {
	typed, err := c.types.ObjectToTyped(git)
	if err != nil {
		return nil, err
	}
	set, err := typed.ToFieldSet()
	if err != nil {
		return nil, err
	}
	owned := placesOf(set)
	for _, record := range live.GetManagedFields() {
		var fields fieldpath.Set
		if err := fields.FromJSON(bytes.NewReader(record.FieldsV1.GetRawBytes())); err != nil {
			return nil, err
		}
		maps.Copy(owned, placesOf(&fields))
	}
	return owned, nil
}

// errNoAnswer: the server has no answer to compare with.
var errNoAnswer = errors.New("the API server has no answer")

// word is what the differ said.
type word struct {
	declared, undeclared places
	reordered            []differ.Path
	unattributed         bool
}

func (c *testCase) said(git, live *unstructured.Unstructured) word {
	g, l := c.declared, object.Object{ID: c.declared.ID, Content: live.Object}
	g.Content = git.Object
	id := g.ID
	diff := differ.Compare(g, l, c.schemas.Type(id.Group, id.Version, id.Kind), differ.Options{Deployers: []string{deployer}})
	w := word{declared: places{}, undeclared: places{}, unattributed: diff.Unattributed}
	for _, change := range diff.Changes {
		switch change.Op {
		case differ.Reordered:
			w.reordered = append(w.reordered, change.Path)
		case differ.Added:
			w.undeclared[spelled(change.Path)] = true
		default:
			w.declared[spelled(change.Path)] = true
		}
	}
	return w
}

// orders wants each list that was said to be in another order to be in another
// order after an apply.
func (w word) orders(live, applied *unstructured.Unstructured) []string {
	var wrong []string
	for _, path := range w.reordered {
		if reflect.DeepEqual(valueAt(live.Object, path), valueAt(applied.Object, path)) {
			wrong = append(wrong, "order: false alarm about "+path.String())
		}
	}
	return wrong
}

// valueAt returns the value at a path of fields and merge keys.
func valueAt(v any, path differ.Path) any {
	for _, step := range path {
		switch at := v.(type) {
		case map[string]any:
			name, _ := step.(string)
			v = at[name]
		case []any:
			keys, _ := step.(map[string]any)
			i := slices.IndexFunc(at, func(item any) bool {
				fields, _ := item.(map[string]any)
				for k, want := range keys {
					if fields[k] != want {
						return false
					}
				}
				return true
			})
			if i < 0 {
				return nil
			}
			v = at[i]
		}
	}
	return v
}

// named returns the declared object under a name of its own.
func named(o object.Object, name string) *unstructured.Unstructured {
	u := (&unstructured.Unstructured{Object: o.Content}).DeepCopy()
	u.SetName(name)
	u.SetNamespace(namespace)
	return u
}

func apply(ctx context.Context, resource dynamic.ResourceInterface, o *unstructured.Unstructured, dryRun bool) (*unstructured.Unstructured, error) {
	data, err := yaml.Marshal(o.Object)
	if err != nil {
		return nil, err
	}
	force := true
	options := metav1.PatchOptions{FieldManager: deployer, Force: &force}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return resource.Patch(ctx, o.GetName(), "application/apply-patch+yaml", data, options)
}
