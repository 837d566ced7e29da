package differ_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/policy"
	"plumbline.dev/plumbline/report"
)

// fuzzKinds have schemas of every sort, and one has none.
var fuzzKinds = []object.ID{
	{Group: "apps", Version: "v1", Kind: "Deployment", Name: "x"},
	{Version: "v1", Kind: "Pod", Name: "x"},
	{Version: "v1", Kind: "Secret", Name: "x"},
	{Version: "v1", Kind: "Service", Name: "x"},
	{Group: "example.com", Version: "v1", Kind: "Widget", Name: "x"},
	{Group: "other.example.com", Version: "v1", Kind: "Gadget", Name: "x"},
	{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition", Name: "x"},
}

// anyObject makes an object of the JSON, whatever that is.
func anyObject(id object.ID, text string) (object.Object, bool) {
	var content map[string]any
	if err := json.Unmarshal([]byte(text), &content); err != nil || content == nil {
		return object.Object{}, false
	}
	content, _ = integers(content).(map[string]any)
	content["apiVersion"], content["kind"] = id.APIVersion(), id.Kind
	return object.Object{ID: id, Content: content}, true
}

// integers spells whole numbers as the API machinery does.
func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = integers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case float64:
		if i := int64(v); float64(i) == v {
			return i
		}
	}
	return v
}

func addSeeds(f *testing.F) {
	f.Helper()
	for i := range fuzzKinds {
		for _, seed := range [][2]string{
			{`{"metadata":{"name":"x"}}`, `{"metadata":{"name":"x","managedFields":[{"manager":"m","fieldsV1":{"f:spec":{}}}]}}`},
			{`{"spec":{"template":{"spec":{"containers":[{"name":"a","ports":[{"containerPort":80}]}]}}}}`,
				`{"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"a"},{}]}}},"metadata":{"managedFields":[{"manager":"ci-deploy","operation":"Apply","fieldsV1":{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:ports":{}}}}}}}}]}}`},
			{`{"spec":{"roles":["a",1,null],"parts":[{"name":"a"},7,{}],"steps":{},"whole":[],"tolerations":[]}}`,
				`{"spec":{"roles":["b",1.5,"a"],"parts":[{"name":"a","protocol":"UDP"},null],"steps":[{}],"whole":{"a":1}}}`},
			{`{"data":{"a":"YQ=="},"stringData":{"b":"c"},"metadata":{"annotations":{},"labels":{"a":null}}}`,
				`{"data":{"a":"Yg=="},"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":1}"}}}`},
		} {
			f.Add(byte(i), seed[0], seed[1], "/spec/*/a")
		}
	}
}

// FuzzCompare compares any two objects: it does not panic, edits neither, says
// the same each time whatever order Go's maps are in, and finds nothing to say
// of an object's own declared part.
func FuzzCompare(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, kind byte, declaredText, liveText, ignore string) {
		id := fuzzKinds[int(kind)%len(fuzzKinds)]
		declared, ok := anyObject(id, declaredText)
		live, also := anyObject(id, liveText)
		if !ok || !also {
			return
		}
		o := differ.Options{ShowControllers: kind%2 == 0}
		if p, err := differ.ParsePattern(ignore); err == nil {
			o.Ignore = always(differ.Ignore{Paths: []differ.Pattern{p}})
		}
		checkCompare(t, declared, live, o)
	})
}

// FuzzCompareSensible is FuzzCompare with objects of the fields that the kinds
// have, and records that speak of them.
func FuzzCompareSensible(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := generator{rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // reproducible
		ignore, err := differ.ParsePattern("/spec/containers/name=a/image")
		if err != nil {
			t.Fatal(err)
		}
		declared, live := g.pair()
		checkCompare(t, declared, live, differ.Options{ShowControllers: true, Ignore: always(differ.Ignore{Paths: []differ.Pattern{ignore}})})
	})
}

// generator makes random objects of names that schemas know.
type generator struct{ *rand.Rand }

// pair makes two objects of one kind, with records of three managers.
func (g generator) pair() (object.Object, object.Object) {
	id := fuzzKinds[g.IntN(len(fuzzKinds))]
	one := func() object.Object {
		content := g.mapping(0)
		metadata := g.mapping(3)
		metadata["name"] = "x"
		metadata["managedFields"] = []any{
			map[string]any{"manager": "ci-deploy", "operation": "Apply", "fieldsV1": g.records(0)},
			map[string]any{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": g.records(0)},
			map[string]any{"manager": "kubelet", "operation": "Update", "fieldsV1": g.records(0)},
		}
		content["apiVersion"], content["kind"], content["metadata"] = id.APIVersion(), id.Kind, metadata
		return object.Object{ID: id, Content: content}
	}
	return one(), one()
}

var names = []string{
	"spec", "template", "containers", "initContainers", "name", "image", "env", "value", "ports", "containerPort", "protocol",
	"resources", "limits", "cpu", "tolerations", "labels", "annotations", "finalizers", "ownerReferences", "uid", "data", "stringData",
	"roles", "parts", "steps", "whole", "free", "size", "replicas", "selector", "port", "versions", "nodeSelector", "hostNetwork",
}

func (g generator) name() string { return names[g.IntN(len(names))] }

func (g generator) mapping(depth int) map[string]any {
	m := map[string]any{}
	for range g.IntN(5) {
		m[g.name()] = g.value(depth + 1)
	}
	if depth == 0 {
		m["spec"] = g.mapping(1)
	}
	return m
}

func (g generator) value(depth int) any {
	scalars := []any{nil, "", "a", "b", "1", "1000m", int64(0), int64(1), int64(80), 0.5, 1.0, true, false}
	switch n := g.IntN(6); {
	case depth < 6 && n < 2:
		return g.mapping(depth)
	case depth < 6 && n < 4:
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(depth+1))
		}
		return list
	default:
		return scalars[g.IntN(len(scalars))]
	}
}

func (g generator) records(depth int) map[string]any {
	keys := []string{".", `k:{"name":"a"}`, `k:{"name":"b"}`, `k:{"name": "a"}`, `k:{"containerPort":80,"protocol":"TCP"}`, `v:"a"`, `v:1`}
	m := map[string]any{}
	for range g.IntN(5) {
		key := "f:" + g.name()
		if depth > 1 && g.IntN(3) == 0 {
			key = keys[g.IntN(len(keys))]
		}
		m[key] = map[string]any{}
		if depth < 6 {
			m[key] = g.records(depth + 1)
		}
	}
	if depth == 0 {
		m["f:spec"], m["f:metadata"] = g.records(1), g.records(1)
	}
	return m
}

// checkCompare holds one comparison to what is true of all.
func checkCompare(t *testing.T, declared, live object.Object, o differ.Options) {
	t.Helper()
	before := []map[string]any{runtime.DeepCopyJSON(declared.Content), runtime.DeepCopyJSON(live.Content)}
	typ := typeOf(t, live.ID)
	d := differ.Compare(declared, live, typ, o)
	if !reflect.DeepEqual(before, []map[string]any{declared.Content, live.Content}) {
		t.Errorf("an input was edited: -before +after:\n%s", cmp.Diff(before, []map[string]any{declared.Content, live.Content}))
	}
	for range 3 { // maps are in another order each time
		again := differ.Compare(declared, live, typ, o)
		if !reflect.DeepEqual(d, again) {
			t.Fatalf("two comparisons differ:\n%s", cmp.Diff(d, again))
		}
	}
	checkOrder(t, d.Changes)
	other := object.Object{ID: live.ID, Content: withRecordsReversed(live.Content)}
	if again := differ.Compare(declared, other, typ, o); !reflect.DeepEqual(d, again) {
		t.Fatalf("with the records in another order the comparison differs:\n%s", cmp.Diff(d, again))
	}
	if c := declaredChanges(differ.Compare(live, live, typ, o)); len(c) > 0 {
		t.Fatalf("an object differs from itself: %v", c)
	}
}

// checkOrder wants changes sorted, and none within another. Where a list holds two
// items of one key, what is said of one may seem to be within the other.
func checkOrder(t *testing.T, changes []differ.Change) {
	t.Helper()
	for i := 1; i < len(changes); i++ {
		before, after := changes[i-1].Path, changes[i].Path
		if before.Compare(after) > 0 {
			t.Fatalf("not sorted: %s before %s", before, after)
		}
		ofItem := slices.ContainsFunc(before, func(step any) bool { _, ok := step.(string); return !ok })
		if !ofItem && len(before) <= len(after) && before.Compare(after[:len(before)]) == 0 {
			t.Fatalf("%s is within %s", after, before)
		}
	}
}

func withRecordsReversed(content map[string]any) map[string]any {
	content = runtime.DeepCopyJSON(content)
	metadata, _ := content["metadata"].(map[string]any)
	if records, ok := metadata["managedFields"].([]any); ok {
		slices.Reverse(records)
	}
	return content
}

// declaredChanges are those of declared fields.
func declaredChanges(d differ.Diff) []differ.Change {
	var changes []differ.Change
	for _, c := range d.Changes {
		switch c.Op {
		case differ.Modified, differ.Removed, differ.Contested, differ.Reordered:
			changes = append(changes, c)
		}
	}
	return changes
}

// FuzzManagedFields reads records of any shape.
func FuzzManagedFields(f *testing.F) {
	for i, seed := range []string{
		`[]`, `null`, `{}`, `[null,1,"a",[],{}]`,
		`[{"manager":1,"operation":{},"time":"never","fieldsV1":[]}]`,
		`[{"manager":"m","fieldsV1":{"f:spec":{"f:replicas":1,".":{},"v:1":{},"k:{":{},"i:0":{}}}}]`,
		`[{"manager":"m","fieldsV1":{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{}},"k:{\"name\": \"a\"}":{"f:x":{}},"k:[]":{},"k:null":{},"v:{}":{},"":{},"k":{}}}}}}}]`,
	} {
		f.Add(byte(i), seed)
	}
	f.Fuzz(func(t *testing.T, kind byte, records string) {
		id := fuzzKinds[int(kind)%len(fuzzKinds)]
		declared, _ := anyObject(id, `{"metadata":{"name":"x"},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"a"}]}},"parts":[{"name":"a"}],"roles":["r"]}}`)
		text := `{"metadata":{"name":"x","labels":{"a":"b"},"managedFields":` + records + `},"spec":{"replicas":2,"paused":true,"template":{"spec":{"containers":[{"name":"a","image":"i"},{"name":"b"}]}},"parts":[{"name":"a","value":"v"},{"name":"b"}],"roles":["r","s"]},"data":{"a":"b"}}`
		live, ok := anyObject(id, text)
		if !ok {
			return
		}
		typ := typeOf(t, id)
		d := differ.Compare(declared, live, typ, differ.Options{ShowControllers: true})
		if again := differ.Compare(declared, live, typ, differ.Options{ShowControllers: true}); !reflect.DeepEqual(d, again) {
			t.Fatalf("two comparisons differ:\n%s", cmp.Diff(d, again))
		}
	})
}

// FuzzLastApplied reads client-side apply's own record, which anyone can write, in
// any shape.
func FuzzLastApplied(f *testing.F) {
	for i, seed := range []string{
		``, `null`, `7`, `[]`, `{`, `{}`, `{"spec":7}`, `{"spec":{"template":[]}}`, strings.Repeat("[", 20_000), strings.Repeat(`{"spec":`, 20_000),
		`{"spec":{"template":{"spec":{"containers":[{"name":"b"},7,null,{"name":["b"]}]}},"parts":{"name":"b"},"roles":[{},"s"]},"data":{"a":{}}}`,
	} {
		f.Add(byte(i), seed)
	}
	f.Fuzz(func(t *testing.T, kind byte, text string) {
		id := fuzzKinds[int(kind)%len(fuzzKinds)]
		declared, _ := anyObject(id, `{"metadata":{"name":"x"},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"a"}]}},"parts":[{"name":"a"}],"roles":["r"]}}`)
		live, _ := anyObject(id, `{"metadata":{"name":"x","labels":{"a":"b"},"managedFields":[{"manager":"kubectl-client-side-apply","operation":"Update","fieldsV1":{
			"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:data":{"f:a":{}},"f:spec":{"f:replicas":{},"f:paused":{},"f:roles":{"v:\"r\"":{},"v:\"s\"":{}},"f:parts":{"k:{\"name\":\"b\",\"protocol\":\"TCP\"}":{".":{}}},
			"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{}}}}}}}}]},
			"spec":{"replicas":2,"paused":true,"template":{"spec":{"containers":[{"name":"a","image":"i"},{"name":"b"}]}},"parts":[{"name":"a","value":"v"},{"name":"b"}],"roles":["r","s"]},"data":{"a":"b"}}`)
		metadata, _ := live.Content["metadata"].(map[string]any)
		metadata["annotations"] = map[string]any{"kubectl.kubernetes.io/last-applied-configuration": text}
		checkCompare(t, declared, live, differ.Options{})
	})
}

// FuzzSecret puts a random value into every place of a Secret that holds one,
// and looks for it in all that the comparison says.
func FuzzSecret(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, []string{"ci-deploy", "kubectl-edit", "kubelet"}[seed%3])
	}
	f.Fuzz(func(t *testing.T, seed uint64, manager string) {
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // reproducible, and no secret but in name
		value := fmt.Sprintf("s3cr3t-%016x", random.Uint64())
		declared, live := randomSecret(random, value, manager), randomSecret(random, value, manager)
		o := differ.Options{ShowControllers: true}
		if seed%2 == 0 {
			rule := differ.Ignore{Writer: func(w differ.Writer) bool { return w.Manager == manager }}
			o.Ignore = always(rule)
		}
		d := differ.Compare(declared, live, typeOf(t, declared.ID), o)
		said := fmt.Sprintf("%v %+v %#v", d, d, d) + reported(t, declared, d)
		encoded := base64.StdEncoding.EncodeToString([]byte(value))
		for _, hidden := range []string{value, encoded, strings.TrimRight(encoded, "=")} {
			if strings.Contains(said, hidden) {
				t.Fatalf("%s is said of\n%v\nand\n%v:\n%s", hidden, declared.Content, live.Content, said)
			}
		}
	})
}

// reported is all that the reports say of a comparison.
func reported(t *testing.T, declared object.Object, d differ.Diff) string {
	t.Helper()
	r := report.Report{Findings: policy.Drift(declared, d)}
	for _, i := range d.Ignored {
		for _, f := range policy.Drift(declared, differ.Diff{Changes: []differ.Change{i.Change}}) {
			r.Ignored = append(r.Ignored, finding.Silenced{Finding: f, Rules: i.Rules})
		}
	}
	r.Suggested = ignore.Suggest(r.Findings, "")
	var b strings.Builder
	for _, err := range []error{report.Text(&b, r, report.TextOptions{}), report.JSON(&b, r), report.YAML(&b, r)} {
		if err != nil {
			t.Errorf("no report: %v", err)
		}
	}
	return b.String()
}

// randomSecret is a Secret with some of the places filled in, one of them
// perhaps with what does not belong there.
func randomSecret(random *rand.Rand, value, manager string) object.Object {
	some := func() bool { return random.IntN(3) > 0 }
	encoded := base64.StdEncoding.EncodeToString([]byte(value))
	values := []any{value, encoded, []any{value}, map[string]any{"deep": value}, int64(1), nil}
	pick := func() any { return values[random.IntN(len(values))] }
	mapping := func() any {
		m := map[string]any{}
		for _, k := range []string{"a", "b", "c"} {
			if some() {
				m[k] = pick()
			}
		}
		return m
	}
	metadata := map[string]any{"name": "x"}
	if some() {
		metadata["annotations"] = map[string]any{"kubectl.kubernetes.io/last-applied-configuration": `{"data":{"a":"` + encoded + `"}}`, "tool": value}
	} else if some() {
		metadata["annotations"] = value
	}
	records := map[string]any{}
	for _, k := range []string{"f:data", "f:stringData", "f:odd"} {
		if some() {
			records[k] = map[string]any{"f:a": map[string]any{}, "f:b": map[string]any{}}
		}
	}
	metadata["managedFields"] = []any{map[string]any{"manager": manager, "operation": "Update", "fieldsV1": records}}
	content := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
	for _, k := range []string{"data", "stringData", "odd"} {
		switch {
		case some():
			content[k] = mapping()
		case some():
			content[k] = pick()
		}
	}
	return object.Object{ID: object.ID{Version: "v1", Kind: "Secret", Name: "x"}, Content: content}
}
