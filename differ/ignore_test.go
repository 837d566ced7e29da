package differ_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/differ"
)

// paths reads patterns.
func paths(t testing.TB, texts ...string) []differ.Pattern {
	t.Helper()
	var patterns []differ.Pattern
	for _, text := range texts {
		p, err := differ.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, p)
	}
	return patterns
}

// always are rules for Options.
func always(rules ...differ.Ignore) func() []differ.Ignore {
	return func() []differ.Ignore { return rules }
}

// by is a rule about what one manager wrote.
func by(name string) differ.Ignore {
	return differ.Ignore{Writer: func(w differ.Writer) bool { return w.Manager == name }}
}

// told spells the changes of a Diff as told, and the ignored ones.
func told(d differ.Diff) (kept, ignored []string) {
	for _, c := range d.Changes {
		kept = append(kept, string(c.Op)+" "+c.Path.String())
	}
	for _, i := range d.Ignored {
		ignored = append(ignored, string(i.Op)+" "+i.Path.String())
	}
	return kept, ignored
}

const ignoreWeb = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: web, image: a, env: [{name: A, value: "1"}]}]}}}}`

func liveWeb(containers, records string) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, managedFields: [` +
		`{manager: ci-deploy, operation: Apply, time: "2026-01-01T00:00:00Z", fieldsV1: {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}}}}}}}}},` +
		records + `]}, spec: {template: {spec: {containers: [` + containers + `]}}}}`
}

// record is a manager's record of containers.
func record(manager, operation, time, fields string) string {
	return `{manager: ` + manager + `, operation: ` + operation + `, time: "2026-01-02T00:00:` + time + `Z", fieldsV1: {"f:spec": {"f:template": {"f:spec": {"f:containers": {` + fields + `}}}}}},`
}

const (
	web     = `{name: web, image: a, env: [{name: A, value: "1"}]}`
	proxy   = `{name: proxy, image: p, env: [{name: B, value: "2"}]}`
	image   = `'k:{"name":"web"}': {"f:image": {}}`
	sidecar = `'k:{"name":"proxy"}': {".": {}, "f:name": {}, "f:image": {}, "f:env": {".": {}, 'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}}}}`
	env     = `'k:{"name":"proxy"}': {"f:env": {".": {}, 'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}}}}`
	parts   = `'k:{"name":"proxy"}': {".": {}, "f:name": {}, "f:image": {}}`
)

// TestIgnore gives rules what they must not hide, beside what they may.
func TestIgnore(t *testing.T) {
	path := func(texts ...string) differ.Ignore { return differ.Ignore{Paths: paths(t, texts...)} }
	const proxyPath = "spec.template.spec.containers[name=proxy]"
	for name, c := range map[string]struct {
		live          string
		rules         []differ.Ignore
		kept, ignored []string
	}{
		"by its manager": {
			liveWeb(web+","+proxy, record("injector", "Update", "01", sidecar)), []differ.Ignore{by("injector")},
			nil, []string{"added " + proxyPath},
		},
		"by another": {
			liveWeb(web+","+proxy, record("injector", "Update", "01", sidecar)), []differ.Ignore{by("kubectl-edit")},
			[]string{"added " + proxyPath}, nil,
		},
		// Who touches what another made does not take it under its own rule.
		"made by one and touched by another": {
			liveWeb(web+","+proxy, record("kubectl-edit", "Update", "01", parts)+record("injector", "Update", "02", env)), []differ.Ignore{by("injector")},
			[]string{"added " + proxyPath + ".image", "added " + proxyPath + ".name"}, []string{"added " + proxyPath + ".env"},
		},
		"one value of two": {
			liveWeb(`{name: web, image: b, env: [{name: A, value: "1"}]}`, record("kubectl-edit", "Apply", "01", image)+record("injector", "Apply", "02", image)), []differ.Ignore{by("injector")},
			[]string{"modified spec.template.spec.containers[name=web].image"}, nil,
		},
		"one value of two, both named": {
			liveWeb(`{name: web, image: b, env: [{name: A, value: "1"}]}`, record("kubectl-edit", "Apply", "01", image)+record("injector", "Apply", "02", image)),
			[]differ.Ignore{{Writer: func(w differ.Writer) bool { return w.Manager != "" }}},
			nil, []string{"modified spec.template.spec.containers[name=web].image"},
		},
		// Nothing says who removed a field or gave it a value and left no record.
		"by nobody known": {
			liveWeb(`{name: web, image: b}`, record("injector", "Update", "01", sidecar)),
			[]differ.Ignore{{Writer: func(differ.Writer) bool { return true }}},
			[]string{"removed spec.template.spec.containers[name=web].env", "modified spec.template.spec.containers[name=web].image"}, nil,
		},
		"a part of what was added": {
			liveWeb(web+","+proxy, record("kubectl-edit", "Update", "01", sidecar)), []differ.Ignore{path("/spec/template/spec/containers/*/env")},
			[]string{"added " + proxyPath + ".image", "added " + proxyPath + ".name"}, []string{"added " + proxyPath + ".env"},
		},
		"a part that is not there": { // what was added stays one change
			liveWeb(web+","+proxy, record("kubectl-edit", "Update", "01", sidecar)), []differ.Ignore{path("/spec/template/spec/containers/*/args", "/spec/template/spec/containers/*/env/name=C")},
			[]string{"added " + proxyPath}, nil,
		},
		"a part, by one manager": {
			liveWeb(web+","+proxy, record("kubectl-edit", "Update", "01", sidecar)),
			[]differ.Ignore{{Paths: paths(t, "/spec/template/spec/containers/*/env"), Writer: by("injector").Writer}},
			[]string{"added " + proxyPath + ".env", "added " + proxyPath + ".image", "added " + proxyPath + ".name"}, nil,
		},
		// The first of the declared containers, whatever is put before it.
		"an index": {
			liveWeb(proxy+","+`{name: web, image: b, env: [{name: A, value: "1"}]}`, record("kubectl-edit", "Update", "01", sidecar+","+image)), []differ.Ignore{path("/spec/template/spec/containers/0")},
			[]string{"added " + proxyPath}, []string{"modified spec.template.spec.containers[name=web].image"},
		},
		"an index beyond the declared": {
			liveWeb(web+","+proxy, record("kubectl-edit", "Update", "01", sidecar)), []differ.Ignore{path("/spec/template/spec/containers/1")},
			[]string{"added " + proxyPath}, nil,
		},
		"an index of a list that git does not declare": {
			liveWeb(web+","+proxy, record("kubectl-edit", "Update", "01", sidecar)), []differ.Ignore{path("/spec/template/spec/containers/name=proxy/env/0")},
			[]string{"added " + proxyPath + ".image", "added " + proxyPath + ".name"}, []string{"added " + proxyPath + ".env[name=B]"},
		},
		"a JSONPath that selects nothing": {
			liveWeb(web+","+proxy, record("kubectl-edit", "Update", "01", sidecar)), []differ.Ignore{path("$..[?@.name=='nobody']")},
			[]string{"added " + proxyPath}, nil,
		},
		"a condition": {
			liveWeb(web+","+proxy, record("kubectl-edit", "Update", "01", sidecar)),
			[]differ.Ignore{{When: func(c differ.Change) bool { return c.Writer.Manager == "kubectl-edit" }}, {When: func(differ.Change) bool { return false }}},
			nil, []string{"added " + proxyPath},
		},
		"all of it": {
			liveWeb(`{name: web, image: b},`+proxy, record("kubectl-edit", "Update", "01", sidecar)), []differ.Ignore{path("/")},
			nil, []string{"added " + proxyPath, "removed spec.template.spec.containers[name=web].env", "modified spec.template.spec.containers[name=web].image"},
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			live := parse(t, []byte(c.live))
			kept, ignored := told(differ.Compare(parse(t, []byte(ignoreWeb)), live, typeOf(t, live.ID), differ.Options{Ignore: always(c.rules...)}))
			if d := cmp.Diff(c.kept, kept); d != "" {
				t.Errorf("told, -want +got:\n%s", d)
			}
			if d := cmp.Diff(c.ignored, ignored); d != "" {
				t.Errorf("ignored, -want +got:\n%s", d)
			}
		})
	}
}

// TestIgnoreOrder wants a changed order to be told where all else that differs in
// the list is ignored.
func TestIgnoreOrder(t *testing.T) {
	declared := parse(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, image: x}, {name: b, image: x}]}}`))
	live := parse(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: b, image: y}, {name: a, image: x}]}}`))
	kept, ignored := told(differ.Compare(declared, live, typeOf(t, live.ID), differ.Options{Ignore: always(differ.Ignore{Paths: paths(t, "/spec/containers/*/image")})}))
	if d := cmp.Diff([]string{"reordered spec.containers"}, kept); d != "" {
		t.Errorf("told, -want +got:\n%s", d)
	}
	if d := cmp.Diff([]string{"modified spec.containers[name=b].image"}, ignored); d != "" {
		t.Errorf("ignored, -want +got:\n%s", d)
	}
}

// TestIgnoreWithinData ignores one of two keys that nobody is recorded to own.
func TestIgnoreWithinData(t *testing.T) {
	declared := parse(t, []byte(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c, labels: {a: b}}}`))
	live := parse(t, []byte(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c, labels: {a: b}, managedFields: [{manager: ci-deploy, operation: Apply, fieldsV1: {"f:metadata": {"f:labels": {"f:a": {}}}}}]}, data: {x: "1", y: "2"}}`))
	kept, ignored := told(differ.Compare(declared, live, typeOf(t, live.ID), differ.Options{Ignore: always(differ.Ignore{Paths: paths(t, "/data/x")})}))
	if d := cmp.Diff([]string{"added data.y"}, kept); d != "" {
		t.Errorf("told, -want +got:\n%s", d)
	}
	if d := cmp.Diff([]string{"added data.x"}, ignored); d != "" {
		t.Errorf("ignored, -want +got:\n%s", d)
	}
}

// TestIgnoreSpelling wants what only looks different not to be called ignored.
func TestIgnoreSpelling(t *testing.T) {
	declared := parse(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, resources: {limits: {cpu: 0.5}}}]}}`))
	live := parse(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, resources: {limits: {cpu: 500m}}}]}}`))
	if kept, ignored := told(differ.Compare(declared, live, typeOf(t, live.ID), differ.Options{Ignore: always(differ.Ignore{Paths: paths(t, "/")})})); kept != nil || ignored != nil {
		t.Errorf("told %q and ignored %q", kept, ignored)
	}
}

// TestIgnoreUnasked wants rules to cost nothing where nothing differs, and to be
// asked for once where something does.
func TestIgnoreUnasked(t *testing.T) {
	declared := parse(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, resources: {limits: {cpu: 0.5}}}]}}`))
	for cpu, want := range map[string]int{"500m": 0, "501m": 1} {
		live := parse(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, resources: {limits: {cpu: `+cpu+`}}}]}}`))
		asked := 0
		var changes []string
		differ.Compare(declared, live, typeOf(t, live.ID), differ.Options{Ignore: func() []differ.Ignore {
			asked++
			return []differ.Ignore{{When: func(c differ.Change) bool {
				changes = append(changes, c.Path.String())
				return false
			}}}
		}})
		if asked != want || len(changes) != want {
			t.Errorf("%s: asked %d times, about %q", cpu, asked, changes)
		}
	}
}

// TestCovers asks rules about objects as wholes.
func TestCovers(t *testing.T) {
	missing := differ.Change{Op: differ.Missing}
	unattributed := differ.Change{Op: differ.Unattributed, Path: differ.Path{"metadata", "managedFields"}}
	for name, c := range map[string]struct {
		rule          differ.Ignore
		missing, gone bool
	}{
		"everything":     {differ.Ignore{Paths: paths(t, "/")}, true, true},
		"as JSONPath":    {differ.Ignore{Paths: paths(t, "$")}, true, true},
		"the records":    {differ.Ignore{Paths: paths(t, "/metadata/managedFields")}, false, true},
		"fields":         {differ.Ignore{Paths: paths(t, "/spec", "$..a", "/metadata/labels")}, false, false},
		"a manager":      {by("x"), false, false},
		"any manager":    {differ.Ignore{Writer: func(differ.Writer) bool { return true }}, false, false},
		"a condition":    {differ.Ignore{When: func(c differ.Change) bool { return c.Op == differ.Missing }}, true, false},
		"all, and never": {differ.Ignore{Paths: paths(t, "/"), When: func(differ.Change) bool { return false }}, false, false},
	} {
		if got := c.rule.Covers(missing); got != c.missing {
			t.Errorf("%s covers a missing object: %v", name, got)
		}
		if got := c.rule.Covers(unattributed); got != c.gone {
			t.Errorf("%s covers lost records: %v", name, got)
		}
	}
}

// TestIgnoreLosesNothing compares random objects with and without rules: what is
// told without them is told or ignored with them, as a whole or in parts.
func TestIgnoreLosesNothing(t *testing.T) {
	changes, ignored := 0, 0
	for seed := range uint64(400) {
		g := generator{rand.New(rand.NewPCG(seed, 2))} //nolint:gosec // reproducible
		declared, live := g.pair()
		without := differ.Compare(declared, live, typeOf(t, declared.ID), differ.Options{})
		with := differ.Compare(declared, live, typeOf(t, declared.ID), differ.Options{Ignore: always(
			differ.Ignore{Paths: paths(t, "/spec/*/name=a/image", "$..env[?@.name=='a']", "/metadata/labels")}, by("kubectl-edit"),
		)})
		changes, ignored = changes+len(with.Changes), ignored+len(with.Ignored)
		all := slices.Clone(with.Changes)
		for _, i := range with.Ignored {
			all = append(all, i.Change)
		}
		for _, c := range without.Changes {
			if !slices.ContainsFunc(all, func(other differ.Change) bool { return within(other.Path, c.Path) }) {
				t.Errorf("seed %d: %s %s is lost", seed, c.Op, c.Path)
			}
		}
		for _, c := range all {
			if c.Op != differ.Reordered && !slices.ContainsFunc(without.Changes, func(other differ.Change) bool { return within(c.Path, other.Path) }) {
				t.Errorf("seed %d: %s %s is made up", seed, c.Op, c.Path)
			}
		}
	}
	if changes < 100 || ignored < 100 {
		t.Errorf("the objects have only %d changes and %d ignored ones", changes, ignored)
	}
}

// within tells whether path is outer or beneath it.
func within(path, outer differ.Path) bool {
	return len(path) >= len(outer) && path[:len(outer)].Compare(outer) == 0
}
