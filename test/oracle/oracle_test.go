package oracle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	count   = flag.Int("n", 500, "number of edits that are judged")
	seed    = flag.Uint64("seed", 12, "seed of the programs; 0 takes a fresh one")
	without = flag.String("without", strings.Join(notYetKinds, ","), "kinds that are left out, with commas")
	only    = flag.String("only", "", "only objects of this kind")
	leave   = flag.String("off", strings.Join(notYet, ","), "features that are left out, with commas")
	keep    = flag.String("keep", "", "directory for the smallest programs that fail")
	corpora = flag.Bool("corpora", false, "take objects from public configurations too; always for more than 500 edits")
	kept    = flag.String("found", "testdata/found", "directory of the programs that are run always")
	shown   = flag.Bool("show", false, "print the objects of these programs")
	workers = flag.Int("workers", 4, "programs that run side by side")

	env *testenv.Env
)

// At these features of programs, and these kinds, the differ is not right yet.
var (
	notYet      = []string{"forge", "impostor", "uncommitted", "commit", "empty", "client-side", "deployer-update", "version"}
	notYetKinds = []string{
		"LimitRange", "Namespace", "CertificateSigningRequest", "ClusterRole", "PriorityLevelConfiguration", "CSIDriver",
		"ResourceClaim", "ResourceClaimTemplate", "ServiceAccount", "IngressClass",
	}
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, 0, &env)) }

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
	w := &world{schemas: differ.NewSchemas(), shapes: shapes{}, roots: map[schema.GroupVersionKind]shape{}}
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

// tally counts what was judged.
type tally struct {
	mu                                                        sync.Mutex
	edits, agree, disagree, noAnswer, refused, said, unspoken int
	kinds                                                     map[string]int
	failures                                                  []failure
}

type failure struct {
	index   int
	program Program
	wrong   []string
}

// TestOracle runs random programs and wants the differ to be right after each
// step.
func TestOracle(t *testing.T) {
	g := theWorld(t)
	for _, left := range strings.Split(*without, ",") {
		maps.DeleteFunc(g.sources, func(kind string, _ []source) bool { return strings.Split(kind, ".")[0] == left })
	}
	if *only != "" {
		maps.DeleteFunc(g.sources, func(kind string, _ []source) bool { return !strings.HasPrefix(kind, *only) })
	}
	t.Logf("oracle: %d edits, seed %d (repeat with: make oracle N=%d SEED=%d)", *count, *seed, *count, *seed)
	total := &tally{kinds: map[string]int{}}
	var wait sync.WaitGroup
	indexes := make(chan int)
	for range *workers {
		wait.Go(func() {
			for i := range indexes {
				if err := g.random(t.Context(), i, total); err != nil {
					t.Errorf("program %d of seed %d: %v", i, *seed, err)
				}
			}
		})
	}
	for i := 0; total.judged() < *count && i < *count; i++ {
		indexes <- i
	}
	close(indexes)
	wait.Wait()
	report(t, g, total)
}

func (c *tally) judged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edits
}

// random runs the program of a number.
func (g *generator) random(ctx context.Context, index int, total *tally) (err error) {
	r := rand.New(rand.NewPCG(*seed, uint64(index)+1)) //nolint:gosec // reproducible
	p := g.program(r)
	run, err := g.start(ctx, p)
	if errors.Is(err, errRefused) && p.Definition != nil {
		return nil // not all that is made up is valid
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.end(ctx)) }()
	for range 3 + r.IntN(8) {
		s, ok := g.next(ctx, r, run, total)
		if !ok {
			continue
		}
		p.Steps = append(p.Steps, s)
		v, err := run.judge(ctx)
		if stop, err := total.add(run, v, err); err != nil || stop {
			if len(v.wrong) > 0 {
				total.fail(failure{index, p, v.wrong})
			}
			return err
		}
	}
	return nil
}

// next makes a step, of several that the server may refuse.
func (g *generator) next(ctx context.Context, r *rand.Rand, run *run, total *tally) (Step, bool) {
	for range 6 {
		s, ok := g.step(r, run)
		if !ok {
			continue
		}
		err := run.do(ctx, s)
		if err == nil {
			return s, true
		}
		total.mu.Lock()
		total.refused++
		total.mu.Unlock()
	}
	return Step{}, false
}

func (c *tally) add(r *run, v verdict, err error) (stop bool, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && !errors.Is(err, errNoAnswer) {
		return true, err
	}
	c.edits++
	c.kinds[r.git.GetKind()]++
	c.said += v.imposturesSaid
	c.unspoken += v.imposturesMissed
	switch {
	case err != nil:
		c.noAnswer++
		return true, nil
	case len(v.wrong) > 0:
		c.disagree++
		return true, nil
	}
	c.agree++
	return false, nil
}

func (c *tally) fail(f failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, f)
}

// report prints the agreement, and the smallest programs that show each sort of
// disagreement.
func report(t *testing.T, g *generator, total *tally) {
	t.Helper()
	slices.SortFunc(total.failures, func(a, b failure) int { return cmp.Compare(a.index, b.index) })
	seen := map[string]int{}
	for _, f := range total.failures {
		kind, _ := f.program.Git["kind"].(string)
		group := strings.TrimRight(kind, "0123456789") + " " + sort(f.wrong[0])
		if seen[group]++; seen[group] > 2 {
			t.Errorf("program %d, %s: %s", f.index, kind, strings.Join(f.wrong, "\n  "))
			continue
		}
		small := g.shrink(t.Context(), f.program, f.wrong[0])
		wrong, err := g.play(t.Context(), small, nil)
		if err != nil || len(wrong) == 0 {
			small, wrong = f.program, f.wrong
			wrong = append(wrong, fmt.Sprintf("(not seen again: %v)", err))
		}
		small.Why = strings.Join(wrong, "; ")
		text, err := json.MarshalIndent(small, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("program %d, %s, after %v:\n  %s", f.index, kind, small.Steps, strings.Join(wrong, "\n  "))
		if *keep != "" {
			name := fmt.Sprintf("%s-%d-%d.json", strings.ToLower(kind), *seed, f.index)
			if err := os.WriteFile(filepath.Join(*keep, name), append(text, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("oracle: %d edits, %d agree, %d disagree, %d without an answer; of %d by an impostor %d said; %d refused; seed %d",
		total.edits, total.agree, total.disagree, total.noAnswer, total.said+total.unspoken, total.said, total.refused, *seed)
}

// TestFound runs the programs that were kept, at all of which the differ was once
// wrong.
func TestFound(t *testing.T) {
	g := theWorld(t)
	for name, p := range found(t) {
		t.Run(strings.TrimSuffix(name, ".json"), func(t *testing.T) {
			t.Parallel()
			wrong, err := g.play(t.Context(), p, func(r *run) { show(t, r) })
			switch {
			case err != nil && !errors.Is(err, errNoAnswer):
				t.Fatal(err)
			case p.Known != "" && len(wrong) > 0:
				t.Logf("known to be wrong: %s: %s", p.Known, strings.Join(wrong, "; "))
			case p.Known != "":
				t.Logf("is right now: take the \"known\" out of %s", name)
			case len(wrong) > 0:
				t.Errorf("after %v:\n  %s", p.Steps, strings.Join(wrong, "\n  "))
			}
		})
	}
}

// show prints an object's state and what the differ says of it, where -show asks
// for it.
func show(t *testing.T, r *run) {
	t.Helper()
	if !*shown {
		return
	}
	git, err := yaml.Marshal(r.git.Object)
	if err != nil {
		t.Fatal(err)
	}
	live, err := yaml.Marshal(r.live.Object)
	if err != nil {
		t.Fatal(err)
	}
	said, err := yaml.Marshal(r.said())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("git:\n%s\nlive:\n%s\nsaid:\n%s", git, live, said)
}

// found are the programs that were kept.
func found(t *testing.T) map[string]Program {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(*kept, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Program{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p Program
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = p
	}
	return all
}
