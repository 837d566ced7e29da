package ignore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/object"
)

var now = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func decode(t testing.TB, text string) object.Object {
	t.Helper()
	objects, err := object.Decode("test.yaml", []byte(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, error %v in:\n%s", len(objects), err, text)
	}
	return objects[0]
}

// rule reads one rule, to which it gives a path where it has none of its own.
func rule(t testing.TB, text v1alpha1.Ignore) ignore.Rule {
	t.Helper()
	if len(text.Paths)+len(text.Managers)+len(text.When) == 0 {
		text.Paths = []string{"/"}
	}
	text.Reason = "a test"
	rules, err := ignore.Rules([]v1alpha1.Ignore{text}, now)
	if err != nil || len(rules) != 1 {
		t.Fatalf("%d rules, error %v", len(rules), err)
	}
	return rules[0]
}

func TestConcerns(t *testing.T) {
	apps, core := "apps", ""
	web := decode(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web-1, namespace: shop, labels: {app: web, tier: front}}}`)
	service := decode(t, `{apiVersion: v1, kind: Service, metadata: {name: web-1, namespace: shop}}`)
	knative := decode(t, `{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: web-1, namespace: shop}}`)
	role := decode(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "a*b?c\\d"}}`)
	all := []object.Object{web, service, knative, role}
	labels := func(m map[string]string, r ...v1alpha1.Requirement) *v1alpha1.Selector {
		return &v1alpha1.Selector{MatchLabels: m, MatchExpressions: r}
	}
	for name, c := range map[string]struct {
		rule v1alpha1.Ignore
		want []object.Object
	}{
		"anything":        {v1alpha1.Ignore{}, all},
		"group":           {v1alpha1.Ignore{Group: &apps}, []object.Object{web}},
		"core group":      {v1alpha1.Ignore{Group: &core}, []object.Object{service}},
		"kind":            {v1alpha1.Ignore{Kind: "Service"}, []object.Object{service, knative}},
		"core kind":       {v1alpha1.Ignore{Group: &core, Kind: "Service"}, []object.Object{service}},
		"kind's case":     {v1alpha1.Ignore{Kind: "service"}, nil},
		"name":            {v1alpha1.Ignore{Name: "web-1"}, []object.Object{web, service, knative}},
		"part of a name":  {v1alpha1.Ignore{Name: "web"}, nil},
		"star":            {v1alpha1.Ignore{Name: "w*1"}, []object.Object{web, service, knative}},
		"star of nothing": {v1alpha1.Ignore{Name: "web-1*"}, []object.Object{web, service, knative}},
		"question mark":   {v1alpha1.Ignore{Name: "web-?"}, []object.Object{web, service, knative}},
		"two characters":  {v1alpha1.Ignore{Name: "web??-?"}, nil},
		"no regexp":       {v1alpha1.Ignore{Name: "web.."}, nil},
		"escaped":         {v1alpha1.Ignore{Name: `a\*b\?c\\d`}, []object.Object{role}},
		"not escaped":     {v1alpha1.Ignore{Name: `a\*b\?c\d`}, nil},
		"namespace":       {v1alpha1.Ignore{Namespace: "s*"}, []object.Object{web, service, knative}},
		"no namespace":    {v1alpha1.Ignore{Namespace: "?*"}, []object.Object{web, service, knative}},
		"label":           {v1alpha1.Ignore{Selector: labels(map[string]string{"app": "web"})}, []object.Object{web}},
		"other label":     {v1alpha1.Ignore{Selector: labels(map[string]string{"app": "db"})}, nil},
		"label in":        {v1alpha1.Ignore{Selector: labels(nil, v1alpha1.Requirement{Key: "tier", Operator: "In", Values: []string{"back", "front"}})}, []object.Object{web}},
		"label not there": {v1alpha1.Ignore{Selector: labels(nil, v1alpha1.Requirement{Key: "tier", Operator: "DoesNotExist"})}, []object.Object{service, knative, role}},
		"label and kind":  {v1alpha1.Ignore{Kind: "Service", Selector: labels(map[string]string{"app": "web"})}, nil},
	} {
		r := rule(t, c.rule)
		var got []string
		for _, o := range all {
			if r.Concerns(o) {
				got = append(got, o.ID.String())
			}
		}
		var want []string
		for _, o := range c.want {
			want = append(want, o.ID.String())
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
	}
}

func TestManagers(t *testing.T) {
	for name, c := range map[string]struct {
		managers []string
		writer   string // manager/operation
		want     bool
	}{
		"name":               {[]string{"kubectl-edit"}, "kubectl-edit/Update", true},
		"another":            {[]string{"kubectl-edit"}, "kubectl-set/Update", false},
		"the beginning":      {[]string{"kubectl"}, "kubectl-set/Update", false},
		"star":               {[]string{"kubectl-*"}, "kubectl-set/Update", true},
		"one of two":         {[]string{"a", "kubectl-*"}, "kubectl-set/Update", true},
		"with operation":     {[]string{"kubectl/Apply"}, "kubectl/Apply", true},
		"another operation":  {[]string{"kubectl/Apply"}, "kubectl/Update", false},
		"star and operation": {[]string{"*/Apply"}, "x/Apply", true},
		"slash in the name":  {[]string{"agent/1.0"}, "agent/1.0/Update", true},
		"star over slashes":  {[]string{"agent*"}, "agent/1.0/Update", true},
	} {
		at := strings.LastIndex(c.writer, "/")
		w := differ.Writer{Manager: c.writer[:at], Operation: c.writer[at+1:]}
		covers := rule(t, v1alpha1.Ignore{Managers: c.managers}).For(object.Object{}, object.Object{}, nil).Writer
		if got := covers(w); got != c.want {
			t.Errorf("%s: %v covers %s: %v", name, c.managers, c.writer, got)
		}
	}
}

func TestRulesErrors(t *testing.T) {
	for name, c := range map[string]struct {
		rule v1alpha1.Ignore
		want []string
	}{
		"path":              {v1alpha1.Ignore{Paths: []string{"/a", "a["}}, []string{"paths:", "cannot be read from"}},
		"manager":           {v1alpha1.Ignore{Managers: []string{""}}, []string{"managers: an empty name"}},
		"operator":          {v1alpha1.Ignore{Paths: []string{"/"}, Selector: &v1alpha1.Selector{MatchExpressions: []v1alpha1.Requirement{{Key: "a", Operator: "Like"}}}}, []string{"selector:", "Like"}},
		"label":             {v1alpha1.Ignore{Paths: []string{"/"}, Selector: &v1alpha1.Selector{MatchLabels: map[string]string{"a b": "c"}}}, []string{"selector:", "a b"}},
		"syntax":            {v1alpha1.Ignore{When: "change.op =="}, []string{"when:", "no CEL expression", "1:13"}},
		"unknown field":     {v1alpha1.Ignore{When: `change.pth == "a"`}, []string{"when:", "undefined field 'pth'", "1:7"}},
		"unknown variable":  {v1alpha1.Ignore{When: `live.spec.a == 1`}, []string{"when:", "undeclared reference to 'live'"}},
		"no boolean":        {v1alpha1.Ignore{When: `change.path`}, []string{"when:", "does not say true or false"}},
		"perhaps a boolean": {v1alpha1.Ignore{When: `object.spec.paused`}, []string{"when:", "such as object.spec.paused == true"}},
		"type":              {v1alpha1.Ignore{When: `change.path > 3`}, []string{"when:", "no matching overload"}},
		"all of it":         {v1alpha1.Ignore{Paths: []string{"a["}, When: "("}, []string{"paths:", "when:"}},
	} {
		c.rule.Line = 7
		_, err := ignore.Rules([]v1alpha1.Ignore{{Paths: []string{"/"}}, c.rule}, now)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range append(c.want, "spec.ignore[1]: ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in: %v", name, want, err)
			}
		}
	}
}

// TestEnded wants an ended rule to be left out, and read all the same.
func TestEnded(t *testing.T) {
	ended := v1alpha1.Ignore{Paths: []string{"/a"}, Until: "2026-01-01"}
	rules, err := ignore.Rules([]v1alpha1.Ignore{ended, {Paths: []string{"/b"}, Until: "2026-01-02"}}, now)
	if err != nil || len(rules) != 1 || rules[0].Index != 1 {
		t.Errorf("got %v, %v", rules, err)
	}
	ended.When = "("
	if _, err := ignore.Rules([]v1alpha1.Ignore{ended}, now); err == nil {
		t.Error("an ended rule that cannot be read is no error")
	}
}

// TestWhen evaluates conditions on one change. What cannot be evaluated does not
// hold and is said, once.
func TestWhen(t *testing.T) {
	declared := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: "1"}, spec: {replicas: 2}}`)
	live := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, labels: {x: y}}, data: {a: "1"}, spec: {replicas: 5, list: [1, 2.5, true, null]}}`)
	at := now.Add(-time.Hour)
	changed := differ.Change{Path: differ.Path{"spec", "replicas"}, Op: differ.Modified, Declared: int64(2), Live: int64(5),
		Writer: differ.Writer{Manager: "kubectl", Operation: "Update", Subresource: "scale", Time: at}}
	unknown := differ.Change{Path: differ.Path{"data"}, Op: differ.Removed, Declared: map[string]any{"a": "1"}}
	for when, c := range map[string]struct {
		change differ.Change
		want   bool
		warns  string
	}{
		`true`:  {changed, true, ""},
		`false`: {changed, false, ""},
		`change.path == "spec.replicas" && change.op == "modified"`:                                     {changed, true, ""},
		`change.live > change.declared`:                                                                 {changed, true, ""},
		`change.live == 5 && change.live < 5.5`:                                                         {changed, true, ""},
		`change.manager == "kubectl" && change.operation == "Update" && change.subresource == "scale"`:  {changed, true, ""},
		`change.time < timestamp("2026-01-02T11:30:00Z")`:                                               {changed, true, ""},
		`change.time > timestamp("2026-01-02T11:30:00Z")`:                                               {changed, false, ""},
		`object.spec.replicas - declared.spec.replicas == 3`:                                            {changed, true, ""},
		`object.metadata.?labels.x.orValue("") == "y" && declared.metadata.?labels.x.orValue("") == ""`: {changed, true, ""},
		`has(object.spec.list) && !has(declared.spec.list)`:                                             {changed, true, ""},
		`object.spec.list.exists(v, v == 2.5)`:                                                          {changed, true, ""},
		`change.path.startsWith("spec.") && change.path.split(".").size() == 2`:                         {changed, true, ""},
		`object.spec.nothing == 1`:                                                                      {changed, false, "no such key: nothing"},
		`change.live.startsWith("a")`:                                                                   {changed, false, "no such overload"},
		`change.live == null && change.declared.a == "1"`:                                               {unknown, true, ""},
		`change.manager == "" && change.time == null`:                                                   {unknown, true, ""},
		`change.time < timestamp("2026-01-02T11:30:00Z") `:                                              {unknown, false, "no such overload"},
		`[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, [0,1,2,3,4,5,6,7,8,9].all(e, [0,1,2,3,4,5,6,7,8,9].all(f, a+b+c+d+e+f >= 0))))))`: {changed, false, "cost limit exceeded"},
	} {
		var warnings []string
		holds := rule(t, v1alpha1.Ignore{When: when}).For(declared, live, func(f ignore.Failure) { warnings = append(warnings, f.Object.String()+" "+f.Reason) }).When
		for range 2 {
			if got := holds(c.change); got != c.want {
				t.Errorf("%s: %v", when, got)
			}
		}
		switch {
		case c.warns == "" && len(warnings) > 0:
			t.Errorf("%s: warns: %s", when, warnings)
		case c.warns != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], c.warns) || !strings.Contains(warnings[0], "ConfigMap c")):
			t.Errorf("%s: warns %q, want one with %q", when, warnings, c.warns)
		}
	}
}

// TestWhenMissing asks about an object that is not there.
func TestWhenMissing(t *testing.T) {
	declared := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}`)
	for when, want := range map[string]bool{
		`object == null`:                 true,
		`change.op == "missing"`:         true,
		`declared.metadata.name == "c"`:  true,
		`change.path == ""`:              true,
		`object != null && object.a > 1`: false,
	} {
		holds := rule(t, v1alpha1.Ignore{When: when}).For(declared, object.Object{}, func(f ignore.Failure) { t.Error(f) }).When
		if got := holds(differ.Change{Op: differ.Missing}); got != want {
			t.Errorf("%s: %v", when, got)
		}
	}
}

// TestWhenSecret lets conditions try to get hold of a Secret's values, through
// what they say and through their errors.
func TestWhenSecret(t *testing.T) {
	const value, encoded = "hunter2", "aHVudGVyMg=="
	declared := decode(t, `{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: s, labels: {l: plain}}, stringData: {p: hunter2}, other: hunter2}`)
	live := decode(t, `{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: hunter2}}, data: {p: aHVudGVyMg==}}`)
	change := differ.Change{Path: differ.Path{"data", "p"}, Op: differ.Modified, Declared: "*** (before)", Live: "*** (after)"}
	for when, want := range map[string]bool{
		`declared.stringData.p == "` + value + `"`:   false,
		`object.data.p == "` + encoded + `"`:         false,
		`object.data.p.matches("^[a-zA-Z0-9+/=]+$")`: false,
		`object.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"].contains("` + value + `")`: false,
		`declared.other == "` + value + `"`:                                                      false,
		`{"a": 1}[declared.stringData.p] == 1`:                                                   false,
		`{"a": 1}[object.data.p] == 1`:                                                           false,
		`int(object.data.p) == 1`:                                                                false,
		`timestamp(declared.stringData.p) == timestamp("2026-01-01T00:00:00Z")`:                  false,
		`object.type == "Opaque" && declared.metadata.labels.l == "plain" && has(object.data.p)`: true,
	} {
		var warnings []string
		holds := rule(t, v1alpha1.Ignore{When: when}).For(declared, live, func(f ignore.Failure) { warnings = append(warnings, f.Object.String()+" "+f.Reason) }).When
		if got := holds(change); got != want {
			t.Errorf("%s: %v", when, got)
		}
		if text := strings.Join(warnings, " "); strings.Contains(text, value) || strings.Contains(text, encoded) {
			t.Errorf("%s says: %s", when, text)
		}
	}
	if declared.Content["other"] != value {
		t.Error("the object was edited")
	}
}
