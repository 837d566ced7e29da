package ignore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/object"
)

// FuzzRules reads rules of any text and applies them to a Secret and a custom
// resource: no panic, every difference is either told or ignored, and neither an
// error nor a failed condition holds what the Secret does.
func FuzzRules(f *testing.F) {
	for _, r := range []v1alpha1.Ignore{
		{Kind: "Secret", Name: "*", Paths: []string{"/data"}},
		{Name: `\`, Namespace: "??", Paths: []string{"/"}, Managers: []string{"mallory/Update"}},
		{Paths: []string{"$.data[?@ != 'x']"}, When: "change.live == change.declared"},
		{When: `int(object.data.a) > 0`}, {When: `declared.data["none"] == object.metadata.annotations.tool`},
		{When: `object.metadata.annotations.tool.matches(change.path)`}, {When: `timestamp(object.data.a) == change.time`},
		{When: `change.live.matches("[") || duration(object.stringData.a) > duration("1s")`},
		{When: `[1,2,3].all(x, [1,2,3].all(y, [1,2,3].exists(z, x+y+z == 6)))`}, {When: strings.Repeat("(", 300)},
		{Managers: []string{"*", "\xff", "a/Apply"}, Paths: []string{`a["b"]`, "[=x]", "$..*"}},
	} {
		f.Add(r.Kind, r.Namespace, r.Name, strings.Join(r.Paths, "\n"), strings.Join(r.Managers, "\n"), r.When)
	}
	const secret = "s3cr3t-7f3a9c"
	f.Fuzz(func(t *testing.T, kind, namespace, name, paths, managers, when string) {
		if strings.Contains(kind+namespace+name+paths+managers+when, secret[:6]) {
			return
		}
		rules, err := ignore.Rules([]v1alpha1.Ignore{{
			Kind: kind, Namespace: namespace, Name: name, Paths: lines(paths), Managers: lines(managers), When: when, Reason: "x", Line: 1,
		}}, time.Time{})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "spec.ignore[0]: ") {
				t.Errorf("the error does not say where: %v", err)
			}
			return
		}
		for _, id := range []object.ID{{Version: "v1", Kind: "Secret", Namespace: "s", Name: "x"}, {Group: "example.com", Version: "v1", Kind: "W", Namespace: "s", Name: "x"}} {
			apply(t, rules, id, secret)
		}
	})
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func apply(t *testing.T, rules []ignore.Rule, id object.ID, secret string) {
	t.Helper()
	declared, live := sides(id, secret)
	var said strings.Builder
	o := differ.Options{Ignore: func() []differ.Ignore {
		var of []differ.Ignore
		for _, r := range rules {
			if r.Concerns(declared) {
				of = append(of, r.For(declared, live, func(f ignore.Failure) { fmt.Fprintln(&said, f) }))
			}
		}
		return of
	}}
	without, with := differ.Compare(declared, live, differ.Type{}, differ.Options{}), differ.Compare(declared, live, differ.Type{}, o)
	for _, c := range without.Changes {
		if !told(with, c) {
			t.Errorf("%s %s of %s is neither told nor ignored:\n%+v", c.Op, c.Path, id, with)
		}
	}
	fmt.Fprintf(&said, "%+v", with)
	if id.Kind == "Secret" && strings.Contains(said.String(), secret) {
		t.Errorf("the Secret's value is said: %s", said.String())
	}
}

// told tells whether the change, a part of it or what holds it is in a Diff.
func told(d differ.Diff, c differ.Change) bool {
	changes := d.Changes
	for _, i := range d.Ignored {
		changes = append(changes, i.Change)
	}
	for _, other := range changes {
		n := min(len(other.Path), len(c.Path))
		if other.Path[:n].Compare(c.Path[:n]) == 0 {
			return true
		}
	}
	return false
}

// sides are a declared and a live object that hold the secret wherever they may.
func sides(id object.ID, secret string) (declared, live object.Object) {
	of := func(value string) object.Object {
		return object.Object{ID: id, Content: map[string]any{
			"apiVersion": id.APIVersion(), "kind": id.Kind, "data": map[string]any{"a": value, "b": secret}, "stringData": map[string]any{"a": value},
			"metadata": map[string]any{"name": id.Name, "namespace": id.Namespace, "annotations": map[string]any{"tool": value, "copy": secret}},
		}}
	}
	declared, live = of(secret+"-declared"), of(secret+"-live")
	metadata, _ := live.Content["metadata"].(map[string]any)
	metadata["managedFields"] = []any{map[string]any{"manager": "mallory", "operation": "Update", "time": "2026-01-02T03:04:05Z", "fieldsV1": map[string]any{
		"f:data": map[string]any{"f:a": map[string]any{}, "f:c": map[string]any{}},
	}}}
	data, _ := live.Content["data"].(map[string]any)
	data["c"] = secret
	return declared, live
}
