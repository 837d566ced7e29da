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
	"iter"
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
	Declared []object.Packed
	// Live are those of the cluster, declared ones among them. Nil means that nobody has
	// looked: then git alone is judged.
	Live []object.Packed
	// Namespaces are those of the scope; where there are none, those that declared
	// objects are in.
	Namespaces []string
	// Listed tells whether the objects of an ID's kind and namespace were listed, so that
	// one that is not in Live does not exist. Nil means that all were.
	Listed func(object.ID) bool
}

// Find returns what breaks the rules, sorted, and what could not be judged.
func (p *Policy) Find(w World) ([]finding.Finding, []finding.Unjudged) {
	j := &judge{Policy: p, world: w, forms: map[string]verdict{}}
	j.index()
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
	world World
	// declared and live are those of the kinds that are judged: what git has, the live ones
	// of these, and Namespaces; and undeclared what is live beside them, in order.
	declared, live object.Index[*object.Packed]
	undeclared     []*object.Packed
	forms          map[string]verdict // of the standard, by the form that templates have
	form           []byte             // the last, for the next one's room
	last           judgedTemplate
	way            []step // room for scans
	found          []finding.Finding
	unjudged       []finding.Unjudged
}

// index finds its way through the world.
func (j *judge) index() {
	for o := range judgedOf(j.world.Declared) {
		j.declared.Put(o.ID, o)
	}
	for o := range judgedOf(j.world.Live) {
		switch {
		case o.ID.Kind == "Namespace" || j.declared.Has(o.ID):
			j.live.Put(o.ID, o)
		default:
			j.undeclared = append(j.undeclared, o)
		}
	}
}

// judgedOf goes through the objects of kinds that are judged. Objects mostly come kind by
// kind, and of most kinds nothing is asked.
func judgedOf(all []object.Packed) iter.Seq[*object.Packed] {
	return func(yield func(*object.Packed) bool) {
		var kind object.ID
		judged := false
		for i := range all {
			o := &all[i]
			if i == 0 || o.ID.Kind != kind.Kind || o.ID.Group != kind.Group {
				kind = o.ID
				judged = kind.Kind == "Namespace" || hasTemplate(kind) || isNetworkPolicy(kind) || isBinding(kind)
			}
			if judged && !yield(o) {
				return
			}
		}
	}
}

// add takes a finding about an object that was looked at itself, so that nobody can
// have forged what it rests on.
func (j *judge) add(f finding.Finding) {
	f.Evidence = finding.Declared
	if f.Origin.Position == (object.Position{}) {
		if declared, ok := j.declared.Get(f.Object); ok {
			f.Origin = declared.Origin
		}
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
	for _, o := range j.world.Declared {
		switch {
		case o.ID.Namespace != "":
			in[o.ID.Namespace] = true
		case o.ID.Group == "" && o.ID.Kind == "Namespace":
			in[o.ID.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(in))
}

// namespace returns the Namespace of that name; of the live and the declared one it is
// the live one. An unknown one has no Content.
func (j *judge) namespace(name string) object.Object {
	id := object.ID{Version: "v1", Kind: "Namespace", Name: name}
	o := object.Object{ID: id}
	if declared, ok := j.declared.Get(id); ok {
		o = declared.Object()
	}
	if live, ok := j.live.Get(id); ok {
		o.Content = live.Object().Content
	}
	return o
}

// unread tells whether objects of a kind in a namespace are not known.
func (j *judge) unread(kind object.ID) bool { return j.world.Listed != nil && !j.world.Listed(kind) }

// each calls for every object that is declared or live, in order: with the declared
// and the live form, of which one may have no Content.
func (j *judge) each(is func(object.ID) bool, visit func(declared, live *object.Object)) {
	open := func(declared, live *object.Packed) {
		var d, l object.Object
		if declared != nil {
			d = declared.Object()
		}
		if live != nil {
			l = live.Object()
		}
		visit(&d, &l)
	}
	for d := range judgedOf(j.world.Declared) {
		if !is(d.ID) {
			continue
		}
		live, _ := j.live.Get(d.ID)
		open(d, live)
	}
	for _, l := range j.undeclared {
		if is(l.ID) {
			open(nil, l)
		}
	}
}

// annotationKey is the form of an annotation's name, or nothing at all.
var annotationKey = regexp.MustCompile(`^$|^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
