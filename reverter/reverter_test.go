package reverter_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/reverter"
)

func one(t *testing.T, text string) object.Object {
	t.Helper()
	objects, err := object.Decode("test.yaml", []byte(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	return objects[0]
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	declared = `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop, labels: {app: web}}, data: {x: "1", y: "2"}}`
	applied  = `metadata: {name: a, namespace: shop, uid: u1, resourceVersion: "7", labels: {app: web}, managedFields: [{manager: ci-deploy, operation: Apply, apiVersion: v1, fieldsV1: {"f:metadata": {"f:labels": {"f:app": {}}}, "f:data": {"f:y": {}}}}, {manager: kubectl-edit, operation: Update, apiVersion: v1, fieldsV1: {"f:data": {"f:x": {}, "f:z": {}}}}]}`
	updated  = `metadata: {name: a, namespace: shop, uid: u1, resourceVersion: "7", labels: {app: web}, managedFields: [{manager: ci-deploy, operation: Update, apiVersion: v1, fieldsV1: {"f:metadata": {"f:labels": {"f:app": {}}}, "f:data": {"f:y": {}}}}, {manager: kubectl-edit, operation: Update, apiVersion: v1, fieldsV1: {"f:data": {"f:x": {}, "f:z": {}}}}]}`
	uidTest  = `{"op":"test","path":"/metadata/uid","value":"u1"}`
)

// plan compares and plans to undo everything.
func plan(t *testing.T, declared, live string) (reverter.Write, []differ.Change, error) {
	t.Helper()
	c := reverter.Case{Declared: one(t, declared), Live: one(t, live), Options: differ.Options{Deployers: []string{"ci-deploy"}}}
	c.Changes = differ.Compare(c.Declared, c.Live, c.Type, c.Options).Changes
	w, err := reverter.Plan(c)
	return w, c.Changes, err
}

// TestPlan wants what is put back to become the deployer's again by its own kind of write,
// and each write to hold for nothing but what it was decided on. The API server's word on
// it is test/oracle's TestRevert.
func TestPlan(t *testing.T) {
	t.Parallel()
	head := `{apiVersion: v1, kind: ConfigMap, `
	for name, c := range map[string]struct{ declared, live, patch, whole, apply string }{
		"changed and added, of who applies": {
			live:  head + applied + `, data: {x: "9", y: "2", z: "3"}}`,
			patch: `[` + uidTest + `,{"op":"test","path":"/data/z","value":"3"},{"op":"remove","path":"/data/z","value":null}]`,
			whole: `[` + uidTest + `,{"op":"test","path":"/data/z","value":"3"},{"op":"remove","path":"/data/z","value":null},` +
				`{"op":"test","path":"/data/x","value":"9"},{"op":"replace","path":"/data/x","value":"1"}]`,
			apply: `{"apiVersion":"v1","data":{"x":"1","y":"2"},"kind":"ConfigMap","metadata":{"labels":{"app":"web"},"name":"a","namespace":"shop","resourceVersion":"7","uid":"u1"}}`,
		},
		"gone, of who applies": {
			live:  head + applied + `, data: {y: "2"}}`,
			patch: `null`,
			apply: `{"apiVersion":"v1","data":{"x":"1","y":"2"},"kind":"ConfigMap","metadata":{"labels":{"app":"web"},"name":"a","namespace":"shop","resourceVersion":"7","uid":"u1"}}`,
		},
		"changed and added, of who updates": {
			live: head + updated + `, data: {x: "9", y: "2", z: "3"}}`,
			patch: `[` + uidTest + `,{"op":"test","path":"/data/z","value":"3"},{"op":"remove","path":"/data/z","value":null},` +
				`{"op":"test","path":"/data/x","value":"9"},{"op":"replace","path":"/data/x","value":"1"}]`,
		},
		"gone, of who updates": {
			live:  head + updated + `, data: {y: "2"}}`,
			patch: `[` + uidTest + `,{"op":"add","path":"/data/x","value":"1"}]`,
		},
		"all of it gone, of who updates": {
			live:  head + updated + `}`,
			patch: `[` + uidTest + `,{"op":"add","path":"/data","value":{"x":"1","y":"2"}}]`,
		},
		"some of it gone with what it stood in, and the rest is let be, of who updates": {
			declared: `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop, labels: {app: web, tier: web}}, data: {y: "2"}}`,
			live:     head + strings.ReplaceAll(updated, ` labels: {app: web},`, ``) + `, data: {y: "2"}}`,
			patch: `[` + uidTest + `,{"op":"add","path":"/metadata/labels","value":{"tier":"web"}},` +
				`{"op":"add","path":"/metadata/labels/app","value":"web"}]`,
		},
		"a Secret's text, of who updates": {
			declared: `{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: shop, labels: {app: web}}, stringData: {x: "1", y: "2"}}`,
			live:     `{apiVersion: v1, kind: Secret, ` + updated + `, data: {x: OQ==, y: Mg==}}`,
			patch:    `[` + uidTest + `,{"op":"test","path":"/data/x","value":"OQ=="},{"op":"replace","path":"/data/x","value":"MQ=="}]`,
		},
		"a name that has to be escaped": {
			declared: strings.Replace(declared, `y: "2"`, `a/b~c: "1", y: "2"`, 1),
			live:     head + updated + `, data: {x: "1", y: "2", "a/b~c": "9"}}`,
			patch:    `[` + uidTest + `,{"op":"test","path":"/data/a~1b~0c","value":"9"},{"op":"replace","path":"/data/a~1b~0c","value":"1"}]`,
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			if c.declared == "" {
				c.declared = declared
			}
			w, changes, err := plan(t, c.declared, c.live)
			if err != nil || len(changes) == 0 {
				t.Fatalf("%v of %v", err, changes)
			}
			if got := text(t, w.Patch); got != c.patch {
				t.Errorf("the patch is\n%s, want\n%s", got, c.patch)
			}
			if got := text(t, w.Whole); got != cmp.Or(c.whole, "null") {
				t.Errorf("the whole is\n%s, want\n%s", got, c.whole)
			}
			if w.Manager != "ci-deploy" || w.Applies() != (c.apply != "") {
				t.Errorf("written by %s, applies: %t", w.Manager, w.Applies())
			}
			if c.apply == "" {
				return
			}
			body, err := w.Apply(one(t, c.live))
			if got := text(t, body); err != nil || got != c.apply {
				t.Errorf("the apply is\n%s, want\n%s, %v", got, c.apply, err)
			}
		})
	}
}

// TestRefused wants nothing written of what cannot be told apart or is another by now.
func TestRefused(t *testing.T) {
	t.Parallel()
	live := one(t, `{apiVersion: v1, kind: ConfigMap, `+updated+`, data: {x: "1", y: "2"}}`)
	for _, path := range []differ.Path{
		{"data", "gone"}, {"data", "x", "deeper"}, {"data", map[string]any{"name": "x"}}, {"spec", "list", map[string]any{"name": "x"}},
	} {
		for _, op := range []differ.Op{differ.Added, differ.Modified} {
			c := reverter.Case{Declared: one(t, declared), Live: live, Changes: []differ.Change{{Path: path, Op: op}}}
			if w, err := reverter.Plan(c); err == nil {
				t.Errorf("%s %s: %+v", path, op, w)
			}
		}
	}
	twice := one(t, `{apiVersion: v1, kind: ConfigMap, `+updated+`, list: [{name: x}, {name: x}]}`)
	c := reverter.Case{Declared: one(t, declared), Live: twice, Changes: []differ.Change{{Path: differ.Path{"list", map[string]any{"name": "x"}}, Op: differ.Added}}}
	if w, err := reverter.Plan(c); err == nil {
		t.Errorf("of two of one name: %+v", w)
	}
}

// recorder is told what is written.
type recorder struct {
	calls []string
	err   error
	now   object.Object
}

func (r *recorder) call(what string) (object.Object, error) {
	r.calls = append(r.calls, what)
	return object.Object{Content: map[string]any{"metadata": map[string]any{"uid": "u1", "resourceVersion": "8"}}}, r.err
}

func (r *recorder) Create(_ context.Context, _ object.ID, content map[string]any, manager string) (object.Object, error) {
	return r.call("create by " + manager + " " + object.Text(object.Map(content, "metadata"), "resourceVersion"))
}

func (r *recorder) Patch(_ context.Context, _ object.ID, _ any, manager string) (object.Object, error) {
	return r.call("patch by " + manager)
}

func (r *recorder) Apply(_ context.Context, _ object.ID, content map[string]any, manager string) (object.Object, error) {
	return r.call("apply by " + manager + " to " + object.Text(object.Map(content, "metadata"), "resourceVersion"))
}

func (r *recorder) Get(context.Context, object.ID) (object.Object, error) {
	r.calls = append(r.calls, "get")
	return r.now, nil
}

// TestDo wants the apply to be to what the patch has left, and nothing more written after
// something failed than what the whole was made of.
func TestDo(t *testing.T) {
	t.Parallel()
	w, _, err := plan(t, declared, `{apiVersion: v1, kind: ConfigMap, `+applied+`, data: {x: "9", y: "2", z: "3"}}`)
	if err != nil {
		t.Fatal(err)
	}
	var to recorder
	if _, err := w.Do(t.Context(), &to); err != nil || strings.Join(to.calls, ", ") != "patch by ci-deploy, apply by ci-deploy to 8" {
		t.Errorf("%q, %v", to.calls, err)
	}
	for calls, err := range map[int]error{1: cluster.ErrChanged, 2: errors.New("no")} {
		failing := recorder{err: err}
		if _, err := w.Do(t.Context(), &failing); err == nil || len(failing.calls) != calls {
			t.Errorf("%q, %v", failing.calls, err)
		}
	}
	const live = `{apiVersion: v1, kind: ConfigMap, ` + applied + `, data: {x: "9", y: "2"}}`
	if w, _, err = plan(t, declared, live); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		now  string
		want int
	}{
		"the status": {strings.Replace(live, `"7"`, `"9"`, 1) + "", 20}, "a value": {strings.Replace(live, `x: "9"`, `x: "8"`, 1), 2},
	} {
		changed := recorder{err: cluster.ErrChanged, now: one(t, c.now)}
		if _, err := w.Do(t.Context(), &changed); !errors.Is(err, cluster.ErrChanged) || len(changed.calls) > c.want || len(changed.calls) < c.want-1 {
			t.Errorf("where %s changes: %q, %v", name, changed.calls, err)
		}
	}
	missing := reverter.Case{Declared: one(t, strings.Replace(declared, "name: a,", `name: a, resourceVersion: "3", uid: u9,`, 1))}
	for deployer, manager := range map[string]string{"ci-deploy": "ci-deploy", "helm*": reverter.Manager} {
		missing.Options.Deployers = []string{deployer}
		var to recorder
		w, err := reverter.Plan(missing)
		if _, did := w.Do(t.Context(), &to); err != nil || did != nil || strings.Join(to.calls, ", ") != "create by "+manager+" " {
			t.Errorf("%q, %v, %v", to.calls, err, did)
		}
	}
}
