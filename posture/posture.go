// Package posture judges what namespaces must hold to: Pod Security Standards,
// NetworkPolicies that deny by default, bindings to groups instead of people, no
// secrets in git. It is pure.
//
// NetworkPolicies are those of networking.k8s.io: AdminNetworkPolicies and those of
// network plugins are not looked at, and neither are Pod templates within custom
// resources, but for the Pods that come of them.
package posture

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// Policy is a Baseline's spec.posture, read and understood. It is safe for
// concurrent use.
type Policy struct {
	spec v1alpha1.Posture
	pods *standard // nil where no Pod Security Standard is wanted
}

// New reads spec.posture. The error names the field and says what to write instead.
func New(spec v1alpha1.Posture) (*Policy, error) {
	pods, err := newStandard(spec.PodSecurity, spec.PodSecurityVersion)
	if err != nil {
		return nil, err
	}
	if !annotationKey.MatchString(spec.Justification) {
		return nil, fmt.Errorf("spec.posture.justification is %q, which is no name of an annotation: write one such as plumbline.dev/reason", spec.Justification)
	}
	return &Policy{spec: spec, pods: pods}, nil
}

// World is what is judged.
type World struct {
	// Declared are the objects of git, with their namespaces filled in.
	Declared []object.Object
	// Live are those of the cluster, declared ones among them. Nil means that nobody has
	// looked: then git alone is judged.
	Live []object.Object
	// Namespaces are those of the scope; where there are none, those that declared
	// objects are in.
	Namespaces []string
	// Listed tells whether the objects of an ID's kind and namespace were listed, so that
	// one that is not in Live does not exist. Nil means that all were.
	Listed func(object.ID) bool
}

// Find returns what breaks the rules, sorted, and what could not be judged.
func (p *Policy) Find(w World) ([]finding.Finding, []finding.Unjudged) {
	j := &judge{Policy: p, world: w, declared: index(w.Declared), live: map[key]object.Object{}, forms: map[string]verdict{}}
	for _, o := range w.Live {
		if k := keyOf(o.ID); k.kind == "Namespace" || j.isDeclared(k) {
			j.live[k] = o
		}
	}
	j.podSecurity()
	j.network()
	j.bindings()
	j.secrets()
	slices.SortStableFunc(j.found, finding.Finding.Compare)
	slices.SortStableFunc(j.unjudged, finding.Unjudged.Compare)
	return j.found, j.unjudged
}

// judge is one pass over a world.
type judge struct {
	*Policy
	world          World
	declared, live map[key]object.Object // the live ones of what is declared, and Namespaces
	forms          map[string]verdict    // of the standard, by the form that templates have
	form           []byte                // the last, for the next one's room
	found          []finding.Finding
	unjudged       []finding.Unjudged
}

// key names an object in whichever version.
type key struct{ group, kind, namespace, name string }

func keyOf(id object.ID) key { return key{id.Group, id.Kind, id.Namespace, id.Name} }

func (j *judge) isDeclared(k key) bool {
	_, ok := j.declared[k]
	return ok
}

func index(objects []object.Object) map[key]object.Object {
	m := make(map[key]object.Object, len(objects))
	for _, o := range objects {
		m[keyOf(o.ID)] = o
	}
	return m
}

// add takes a finding about an object that was looked at itself, so that nobody can
// have forged what it rests on.
func (j *judge) add(f finding.Finding) {
	f.Evidence = finding.Declared
	if f.Origin.Position == (object.Position{}) {
		f.Origin = j.declared[keyOf(f.Object)].Origin
	}
	j.found = append(j.found, f)
}

func (j *judge) fail(rule finding.Rule, o object.Object, format string, args ...any) {
	j.unjudged = append(j.unjudged, finding.Unjudged{Rule: rule, Object: o.ID, Origin: o.Origin, Reason: fmt.Sprintf(format, args...)})
}

// namespaces returns those that rules about namespaces hold for, sorted.
func (j *judge) namespaces() []string {
	if len(j.world.Namespaces) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(j.world.Namespaces)))
	}
	in := map[string]bool{}
	for k := range j.declared {
		switch {
		case k.namespace != "":
			in[k.namespace] = true
		case k.group == "" && k.kind == "Namespace":
			in[k.name] = true
		}
	}
	return slices.Sorted(maps.Keys(in))
}

// namespace returns the Namespace of that name; of the live and the declared one it is
// the live one. An unknown one has no Content.
func (j *judge) namespace(name string) object.Object {
	k := key{kind: "Namespace", name: name}
	declared := j.declared[k]
	o, ok := j.live[k]
	if !ok {
		o = declared
	}
	o.ID = object.ID{Version: "v1", Kind: "Namespace", Name: name}
	o.Origin = declared.Origin
	return o
}

// unread tells whether objects of a kind in a namespace are not known.
func (j *judge) unread(kind object.ID) bool { return j.world.Listed != nil && !j.world.Listed(kind) }

// each calls for every object that is declared or live, in order: with the declared
// and the live form, of which one may have no Content.
func (j *judge) each(is func(object.ID) bool, visit func(declared, live object.Object)) {
	for _, d := range j.world.Declared {
		if is(d.ID) {
			visit(d, j.live[keyOf(d.ID)])
		}
	}
	for _, l := range j.world.Live {
		if is(l.ID) && !j.isDeclared(keyOf(l.ID)) {
			visit(object.Object{}, l)
		}
	}
}

// annotationKey is the form of an annotation's name, or nothing at all.
var annotationKey = regexp.MustCompile(`^$|^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
