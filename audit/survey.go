// Package audit takes everything that is live in a Baseline's scope, and what git
// declares, through the rules about what should not be there: rogues, foreign
// sources, what namespaces and running Pods must hold to. It only reads.
package audit

import (
	"context"
	"slices"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/object"
)

// Lister is a Source that can also tell everything that there is.
type Lister interface {
	assess.Source
	// Kinds returns every kind that can be listed; the error is about some of them.
	Kinds() ([]cluster.Resource, error)
	// List returns all objects that the listings ask for, in their order.
	List(ctx context.Context, listings []cluster.Listing) []cluster.Listed
}

// Survey is everything live in a scope. It is a Source itself, which answers for
// what it has read and asks for the rest.
type Survey struct {
	assess.Source
	// Objects are of the scope, those of kinds whose content no rule needs with their
	// metadata alone.
	Objects []object.Object
	// Failed are the listings that were not answered, and Err is about kinds of which
	// nobody knows: what is there of these is unknown.
	Failed []cluster.Listed
	Err    error

	listed map[kindIn]bool
	whole  map[place]map[object.ID]object.Object
}

// place is what one LIST with content has answered.
type place struct{ group, version, kind, namespace string }

// kindIn is a kind in a namespace.
type kindIn struct {
	Kind
	namespace string
}

// Look reads everything in a scope: with one LIST for each kind and namespace. The
// contents it reads of the declared kinds and of those that rules look into.
func Look(ctx context.Context, source Lister, scope v1alpha1.Scope, declared []object.Object, look []Kind) *Survey {
	s := &Survey{Source: source, listed: map[kindIn]bool{}, whole: map[place]map[object.ID]object.Object{}}
	var kinds []cluster.Resource
	kinds, s.Err = source.Kinds()
	content := s.kindsOf(declared)
	for _, k := range look {
		content[k] = ""
	}
	listings := listings(scope, kinds, content)
	for _, listed := range source.List(ctx, listings) {
		s.add(listed)
	}
	return s
}

// Kind is a kind without its version.
type Kind struct{ Group, Kind string }

func (k Kind) String() string {
	if k.Group == "" {
		return k.Kind
	}
	return k.Kind + "." + k.Group
}

// kindsOf are the kinds of declared objects, each with the version that git has it
// in, as far as that is served.
func (s *Survey) kindsOf(declared []object.Object) map[Kind]string {
	kinds := map[Kind]string{}
	for _, d := range declared {
		if _, err := s.Resource(d.ID.Group, d.ID.Version, d.ID.Kind); err == nil {
			kinds[Kind{d.ID.Group, d.ID.Kind}] = d.ID.Version
		}
	}
	return kinds
}

// listings are the LISTs that a scope takes.
func listings(scope v1alpha1.Scope, kinds []cluster.Resource, content map[Kind]string) []cluster.Listing {
	var all []cluster.Listing
	for _, r := range kinds {
		k := Kind{r.Group, r.Kind}
		version, whole := content[k]
		l := cluster.Listing{Resource: r, Partial: !whole}
		if version != "" {
			l.Resource.Version = version
		}
		switch {
		case !r.Namespaced && covers(scope.ClusterKinds, k):
			all = append(all, l)
		case r.Namespaced && (len(scope.Kinds) == 0 || covers(scope.Kinds, k) || whole):
			for _, l.Namespace = range scope.Namespaces {
				all = append(all, l)
			}
		}
	}
	return all
}

func covers(kinds []string, k Kind) bool {
	return slices.Contains(kinds, k.String()) || slices.Contains(kinds, k.Kind) || slices.Contains(kinds, "*")
}

// add keeps what a LIST has answered.
func (s *Survey) add(listed cluster.Listed) {
	if listed.Err != nil {
		s.Failed = append(s.Failed, listed)
		return
	}
	r := listed.Resource
	s.Objects = append(s.Objects, listed.Objects...)
	s.listed[kindIn{Kind{r.Group, r.Kind}, listed.Namespace}] = true
	if listed.Partial {
		return
	}
	objects := make(map[object.ID]object.Object, len(listed.Objects))
	for _, o := range listed.Objects {
		objects[o.ID] = o
	}
	s.whole[place{r.Group, r.Version, r.Kind, listed.Namespace}] = objects
}

// Listed tells whether the objects of an ID's kind and namespace were listed, so that
// one that is not among them does not exist.
func (s *Survey) Listed(id object.ID) bool {
	return s.listed[kindIn{Kind{id.Group, id.Kind}, id.Namespace}]
}

// Read answers from what was listed, and asks for the rest.
func (s *Survey) Read(ctx context.Context, wanted []object.ID) map[object.ID]cluster.Answer {
	answers := make(map[object.ID]cluster.Answer, len(wanted))
	var rest []object.ID
	for _, id := range wanted {
		objects, ok := s.whole[place{id.Group, id.Version, id.Kind, id.Namespace}]
		switch o, there := objects[id]; {
		case there:
			answers[id] = cluster.Answer{Object: o}
		case ok:
			answers[id] = cluster.Answer{Err: cluster.ErrNotFound}
		default:
			rest = append(rest, id)
		}
	}
	if len(rest) > 0 {
		for id, answer := range s.Source.Read(ctx, rest) {
			answers[id] = answer
		}
	}
	return answers
}
