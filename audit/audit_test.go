package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

var now = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// shop is what git declares and what lives: a declared Pod with an image from
// elsewhere, and a Service that nobody declared.
const (
	web       = `{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {containers: [{name: web, image: "evil.example.com/web:1"}]}}`
	intruder  = `{apiVersion: v1, kind: Service, metadata: {name: intruder, namespace: shop}}`
	changed   = `{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {containers: [{name: web, image: "evil.example.com/web:2"}]}}`
	event     = `{apiVersion: v1, kind: Event, metadata: {name: web.1, namespace: shop}}`
	elsewhere = `{apiVersion: v1, kind: Service, metadata: {name: theirs, namespace: other}}`
)

func TestJudge(t *testing.T) {
	t.Parallel()
	const (
		image = "warning source/image Pod shop/web containers[web]"
		rogue = "warning rogue/object Service shop/intruder "
	)
	ours := v1alpha1.Sources{Registries: []string{"registry.example.com"}}
	scope := v1alpha1.Scope{Namespaces: []string{"shop"}}
	exempt := func(until string) v1alpha1.Scope {
		s := scope
		s.Exempt = []v1alpha1.Exemption{{Kind: "Service", Reason: "a trial", Until: until}}
		return s
	}
	for _, c := range []struct {
		name           string
		spec           v1alpha1.BaselineSpec
		declared, live string
		want           []string
	}{
		{"all on", v1alpha1.BaselineSpec{Scope: scope, Sources: ours}, web, web + "\n---\n" + intruder, []string{image, rogue}},
		{"all off", v1alpha1.BaselineSpec{Scope: scope, Sources: ours, Rules: map[string]v1alpha1.Level{"rogue": v1alpha1.Off, "source": v1alpha1.Off}},
			web, web + "\n---\n" + intruder, nil},
		{"a rule of a group that is off", v1alpha1.BaselineSpec{Scope: scope, Sources: ours, Rules: map[string]v1alpha1.Level{"source": v1alpha1.Off, "source/image": v1alpha1.Fail}},
			web, web + "\n---\n" + intruder, []string{image, rogue}},
		{"levels", v1alpha1.BaselineSpec{Scope: scope, Sources: ours, Rules: map[string]v1alpha1.Level{"rogue": v1alpha1.Report}},
			web, web + "\n---\n" + intruder, []string{image, strings.Replace(rogue, "warning", "info", 1)}},
		{"exempt", v1alpha1.BaselineSpec{Scope: exempt("2026-03-01"), Sources: ours}, web, web + "\n---\n" + intruder, []string{image, "exempt " + rogue}},
		{"exempt no longer", v1alpha1.BaselineSpec{Scope: exempt("2026-02-28"), Sources: ours}, web, web + "\n---\n" + intruder, []string{image, rogue}},
		{"exempt from another rule", v1alpha1.BaselineSpec{Sources: ours, Scope: v1alpha1.Scope{Namespaces: scope.Namespaces, Exempt: []v1alpha1.Exemption{{Rules: []string{"source"}, Name: "*", Reason: "all of it"}}}},
			web, web + "\n---\n" + intruder, []string{rogue, "exempt " + image}},
		{"git and the cluster say the same", v1alpha1.BaselineSpec{Scope: scope, Sources: ours}, web, web, []string{image}},
		{"the cluster says something else", v1alpha1.BaselineSpec{Scope: scope, Sources: ours}, web, changed, []string{image + ", and live"}},
		{"no scope", v1alpha1.BaselineSpec{Sources: ours}, web, changed + "\n---\n" + intruder, []string{image}},
		{"no configuration", v1alpha1.BaselineSpec{Scope: scope, Sources: ours}, web, web + "\n---\n" + event, []string{image}},
		{"out of the scope", v1alpha1.BaselineSpec{Scope: scope, Sources: ours}, web, web + "\n---\n" + elsewhere, []string{image}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			declared := object.PackAll(decode(t, c.declared))
			rules := newRules(t, c.spec)
			survey := rules.Look(t.Context(), dump(decode(t, c.live)), declared)
			if got := told(rules.Judge(t.Context(), declared, survey, nil)); !cmp.Equal(c.want, got) {
				t.Errorf("-want +got:\n%s", cmp.Diff(c.want, got))
			}
		})
	}
}

// TestOthers wants findings of elsewhere to have the same levels and exemptions.
func TestOthers(t *testing.T) {
	t.Parallel()
	rules := newRules(t, v1alpha1.BaselineSpec{
		Scope: v1alpha1.Scope{Exempt: []v1alpha1.Exemption{{Rules: []string{"rogue/writer"}, Name: "a", Reason: "known"}}},
		Rules: map[string]v1alpha1.Level{"rogue/writer": v1alpha1.Report},
	})
	var others []finding.Finding
	for _, name := range []string{"a", "b"} {
		others = append(others, finding.Finding{Rule: finding.RogueWriter, Severity: finding.Warning, Object: object.ID{Version: "v1", Kind: "Service", Namespace: "shop", Name: name}})
	}
	survey := rules.Look(t.Context(), dump(nil), nil)
	want := []string{"info rogue/writer Service shop/b ", "exempt info rogue/writer Service shop/a "}
	if got := told(rules.Judge(t.Context(), nil, survey, others)); !cmp.Equal(want, got) {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, got))
	}
}

// TestUnread wants what cannot be listed to be told as not known, and what hangs on it
// not to be found.
func TestUnread(t *testing.T) {
	t.Parallel()
	live := decode(t, `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web, namespace: shop, uid: set}, spec: {template: {spec: {containers: [{name: web, image: a}]}}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-x, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: set, controller: true}]}, spec: {containers: [{name: web, image: a}]}}`)
	rules := newRules(t, v1alpha1.BaselineSpec{Scope: v1alpha1.Scope{Namespaces: []string{"shop"}}})
	source := lister{Dump: dump(live), fail: "ReplicaSet", kinds: errors.Join(
		errors.New("one API does not answer"),
		&cluster.UnansweredError{GroupVersion: schema.GroupVersion{Group: "metrics.k8s.io", Version: "v1beta1"}}, // in which nobody declares anything
	)}
	survey := rules.Look(t.Context(), &source, nil)
	want := []string{
		"unjudged : one API does not answer",
		"unjudged : what else there is of replicasets of namespace shop is not known: no right to read it",
		"unjudged Pod shop/web-x: its owner ReplicaSet.apps web was not listed",
	}
	if got := told(rules.Judge(t.Context(), nil, survey, nil)); !cmp.Equal(want, got) {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, got))
	}
}

// TestAgain wants what is found of rogues to be found a second time: what is gone by
// then, or has come since, was passing by.
func TestAgain(t *testing.T) {
	t.Parallel()
	const later = `{apiVersion: v1, kind: Service, metadata: {name: later, namespace: shop}}`
	const passing = `{apiVersion: v1, kind: Service, metadata: {name: passing, namespace: shop}}`
	rules := newRules(t, v1alpha1.BaselineSpec{Scope: v1alpha1.Scope{Namespaces: []string{"shop"}}})
	source := lister{Dump: dump(decode(t, intruder+"\n---\n"+passing))}
	survey := rules.Look(t.Context(), &source, nil)
	source.Dump = dump(decode(t, intruder+"\n---\n"+later))
	want := []string{"warning rogue/object Service shop/intruder "}
	if got := told(rules.Judge(t.Context(), nil, survey, nil)); !cmp.Equal(want, got) {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, got))
	}
}

// TestSurveyReads wants the survey to answer for what it has listed with content, and
// to ask for the rest.
func TestSurveyReads(t *testing.T) {
	t.Parallel()
	const config = `{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs, namespace: other}, data: {a: b}}`
	declared := object.PackAll(decode(t, web))
	rules := newRules(t, v1alpha1.BaselineSpec{Scope: v1alpha1.Scope{Namespaces: []string{"shop"}}})
	source := lister{Dump: dump(decode(t, web+"\n---\n"+config+"\n---\n"+event))}
	survey := rules.Look(t.Context(), &source, declared)
	gone := object.ID{Version: "v1", Kind: "Pod", Namespace: "shop", Name: "gone"}
	theirs := object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "other", Name: "theirs"}
	answers := survey.Read(t.Context(), []object.ID{declared[0].ID, gone, theirs})
	if answers[declared[0].ID].Object.Content == nil || !errors.Is(answers[gone].Err, cluster.ErrNotFound) || answers[theirs].Object.Content == nil {
		t.Errorf("the survey answers %v", answers)
	}
	if event := (object.ID{Kind: "Event", Namespace: "shop"}); survey.Listed(event) {
		t.Error("Events were listed, of which there may be any number")
	}
	if want := []object.ID{theirs}; !cmp.Equal(want, source.asked) {
		t.Errorf("it asked for %v, and not for %v alone", source.asked, want)
	}
}

func TestNewNamesFields(t *testing.T) {
	t.Parallel()
	_, err := audit.New(v1alpha1.BaselineSpec{
		Sources: v1alpha1.Sources{Registries: []string{"https://registry.example.com"}},
		Posture: v1alpha1.Posture{PodSecurity: "strict"},
	}, audit.Repository{FS: fstest.MapFS{}, Dir: "."}, differ.Options{}, now)
	for _, field := range []string{"spec.sources.registries[0]", "spec.posture.podSecurity"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error is %v, and does not name %s", err, field)
		}
	}
}

// lister is a dump that may change, and that does not tell everything.
type lister struct {
	*assess.Dump
	fail  string // a kind that cannot be read
	kinds error
	asked []object.ID
}

func (l *lister) Kinds() ([]cluster.Resource, error) {
	kinds, err := l.Dump.Kinds()
	return kinds, errors.Join(err, l.kinds)
}

func (l *lister) List(ctx context.Context, listings []cluster.Listing) []cluster.Listed {
	all := l.Dump.List(ctx, listings)
	for i := range all {
		if all[i].Resource.Kind == l.fail {
			all[i] = cluster.Listed{Listing: all[i].Listing, Err: errNoRight}
			all[i].Resource.Plural = "replicasets"
		}
	}
	return all
}

func (l *lister) Read(ctx context.Context, wanted []object.ID) map[object.ID]cluster.Answer {
	l.asked = append(l.asked, wanted...)
	answers := l.Dump.Read(ctx, wanted)
	for _, id := range wanted {
		if id.Kind == l.fail {
			answers[id] = cluster.Answer{Err: errNoRight}
		}
	}
	return answers
}

var errNoRight = errors.New("no right to read it")

func newRules(t *testing.T, spec v1alpha1.BaselineSpec) *audit.Rules {
	t.Helper()
	rules, err := audit.New(spec, audit.Repository{FS: fstest.MapFS{}, Dir: "."}, differ.Options{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func decode(t *testing.T, text string) []object.Object {
	t.Helper()
	objects, err := object.Decode("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func dump(objects []object.Object) *assess.Dump {
	raw := make([]object.Raw, len(objects))
	for i, o := range objects {
		raw[i] = object.NewRaw(o)
	}
	return assess.NewDump(raw)
}

// told spells an outcome, for comparing and for reading.
func told(o audit.Outcome) []string {
	var lines []string
	line := func(f finding.Finding) string {
		text := fmt.Sprintf("%s %s %s %s", f.Severity, f.Rule, f.Object, f.Subject)
		if strings.Contains(f.Message, "; and in the cluster, ") {
			text += ", and live"
		}
		return text
	}
	for _, f := range o.Findings {
		lines = append(lines, line(f))
	}
	for _, f := range o.Exempt {
		lines = append(lines, "exempt "+line(f.Finding))
	}
	for _, u := range o.Unjudged {
		id := ""
		if u.Object != (object.ID{}) {
			id = u.Object.String()
		}
		lines = append(lines, "unjudged "+id+": "+u.Reason)
	}
	return lines
}
