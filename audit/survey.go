// Package audit takes everything that is live in a Baseline's scope, and what git
// declares, through the rules about what should not be there: rogues, foreign
// sources, what namespaces and running Pods must hold to. It only reads.
package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/rogue"
)

// Lister is a Source that can also tell everything that there is.
type Lister interface {
	assess.Source
	// Kinds returns every kind that can be listed; the error is about some of them.
	Kinds() ([]cluster.Resource, error)
	// List returns all objects that the listings ask for, in their order.
	List(ctx context.Context, listings []cluster.Listing) []cluster.Listed
}

// Still is a Lister that answers of one moment: to ask it again at once tells nothing new.
type Still interface{ Still() }

// Survey is everything live in a scope. It is a Source itself, which answers for
// what it has read and asks for the rest.
type Survey struct {
	assess.Source
	// Objects are of the scope, those of kinds whose content no rule needs with their
	// metadata alone.
	Objects []object.Packed
	// Failed are the listings that were not answered, and Err is about kinds of which
	// nobody knows: what is there of these is unknown.
	Failed []cluster.Listed
	Err    error
	// Again makes the survey once more; nil where that would be the same.
	Again func(context.Context) *Survey

	mutators struct {
		sync.Once
		found cluster.Mutators
		err   error
	}

	// everything are the Objects, and behind them what these may belong to.
	everything []object.Packed
	nodes      []object.Packed
	listed     map[kindIn]bool
	whole      map[place][]object.Packed
}

// place is what one LIST with content has answered.
type place struct{ group, version, kind, namespace string }

// kindIn is a kind in a namespace.
type kindIn struct {
	Kind
	namespace string
}

// Look reads everything in the scope: with one LIST for each kind and namespace. The
// contents it reads of the declared kinds and of those that rules look into.
func (r *Rules) Look(ctx context.Context, source Lister, declared []object.Packed) *Survey {
	s := &Survey{Source: source, listed: map[kindIn]bool{}, whole: map[place][]object.Packed{}}
	if len(r.spec.Scope.Namespaces)+len(r.spec.Scope.ClusterKinds) == 0 {
		return s
	}
	var kinds []cluster.Resource
	kinds, s.Err = source.Kinds()
	s.Err = relevant(s.Err)
	all := source.List(ctx, r.listings(kinds, s.contents(declared, r.needs())))
	size := 0
	for _, listed := range all {
		size += len(listed.Objects)
	}
	s.Objects = make([]object.Packed, 0, size)
	for _, listed := range all {
		s.add(listed)
	}
	s.everything = append(append(s.Objects, s.nodes...), s.foreignOwners(ctx)...)
	s.Objects = slices.Clip(s.Objects)
	_, dump := source.(*assess.Dump)
	_, still := source.(Still)
	if !dump && !still {
		s.Again = func(ctx context.Context) *Survey { return r.Look(ctx, source, declared) }
	}
	return s
}

// relevant returns the errors but for those about groups of which nobody declares
// anything: a metrics server that is down hides nothing.
func relevant(err error) error {
	return errors.Join(slices.DeleteFunc(flat(err), func(e error) bool {
		unanswered, ok := errors.AsType[*cluster.UnansweredError](e)
		return ok && rogue.Passing(object.ID{Group: unanswered.GroupVersion.Group})
	})...)
}

// Kind is a kind without its version.
type Kind struct{ Group, Kind string }

func (k Kind) id() object.ID { return object.ID{Group: k.Group, Kind: k.Kind} }

// The kinds that rules look into, besides those of package rogue.
var (
	policies = []Kind{{"networking.k8s.io", "NetworkPolicy"}}
	bindings = []Kind{{"rbac.authorization.k8s.io", "ClusterRoleBinding"}, {"rbac.authorization.k8s.io", "RoleBinding"}}
	origins  = []Kind{
		{"argoproj.io", "Application"}, {"argoproj.io", "ApplicationSet"},
		{"fleet.cattle.io", "GitRepo"}, {"helm.cattle.io", "HelmChart"}, {"helm.toolkit.fluxcd.io", "HelmRelease"},
		{"source.toolkit.fluxcd.io", "Bucket"}, {"source.toolkit.fluxcd.io", "GitRepository"},
		{"source.toolkit.fluxcd.io", "HelmRepository"}, {"source.toolkit.fluxcd.io", "OCIRepository"},
	}
)

// looksAtPolicies tells whether a NetworkPolicy may be one of a quarantine.
func (r *Rules) looksAtPolicies() bool {
	kinds := r.spec.Scope.Kinds
	return r.spec.Quarantine || len(kinds) == 0 || slices.ContainsFunc(kinds, policies[0].id().IsKind)
}

// needs are the kinds that the rules of the Baseline look into, whatever its scope
// says of kinds.
func (r *Rules) needs() map[Kind]bool {
	var kinds []Kind
	for _, name := range rogue.Whole {
		kind, group, _ := strings.Cut(name, ".")
		kinds = append(kinds, Kind{group, kind})
	}
	for _, image := range r.spec.Sources.Images {
		kinds = append(kinds, Kind{image.Group, image.Kind})
	}
	if r.spec.Posture.NetworkDefaultDeny || r.looksAtPolicies() || r.spec.Posture.Justification != "" {
		kinds = append(kinds, policies...)
	}
	if r.spec.Posture.Groups {
		kinds = append(kinds, bindings...)
	}
	if len(r.spec.Sources.Charts)+len(r.spec.Sources.Repositories) > 0 || r.spec.Sources.Releases == v1alpha1.Read {
		kinds = append(kinds, origins...)
	}
	needed := map[Kind]bool{}
	for _, k := range kinds {
		needed[k] = true
	}
	return needed
}

// contents are the kinds of which the content is read: those that rules look into, and
// those of declared objects, with the version that git has them in.
func (s *Survey) contents(declared []object.Packed, needed map[Kind]bool) map[Kind]string {
	kinds := map[Kind]string{}
	for k := range needed {
		kinds[k] = ""
	}
	for _, d := range declared {
		if _, err := s.Resource(d.ID.Group, d.ID.Version, d.ID.Kind); err == nil {
			kinds[Kind{d.ID.Group, d.ID.Kind}] = d.ID.Version
		}
	}
	return kinds
}

// listings are the LISTs that the scope takes.
func (r *Rules) listings(kinds []cluster.Resource, contents map[Kind]string) []cluster.Listing {
	var all []cluster.Listing
	scope, needed := r.spec.Scope, r.needs()
	for _, resource := range kinds {
		k := Kind{resource.Group, resource.Kind}
		version, whole := contents[k]
		l := cluster.Listing{Resource: resource, Partial: !whole}
		if version != "" {
			l.Resource.Version = version
		}
		switch {
		case !whole && rogue.Passing(k.id()): // there may be any number of Events
		case !resource.Namespaced && (slices.ContainsFunc(scope.ClusterKinds, k.id().IsKind) || k == node):
			l.Partial = l.Partial && k != node // whose status tells the names of images
			all = append(all, l)
		case resource.Namespaced && (len(scope.Kinds) == 0 || slices.ContainsFunc(scope.Kinds, k.id().IsKind) || needed[k]):
			for _, l.Namespace = range scope.Namespaces {
				all = append(all, l)
				if r.spec.Sources.Releases == v1alpha1.Read && l.Partial && (k == Kind{"", "Secret"} || k == Kind{"", "ConfigMap"}) {
					all = append(all, cluster.Listing{Resource: l.Resource, Namespace: l.Namespace, Labels: "owner=helm"})
				}
			}
		}
	}
	return all
}

var node = Kind{"", "Node"}

// add keeps what a LIST has answered.
func (s *Survey) add(listed cluster.Listed) {
	r := listed.Resource
	k := Kind{r.Group, r.Kind}
	switch {
	case listed.Err != nil && k == node:
		return // nobody governs Nodes; what hangs on them cannot be judged
	case listed.Err != nil:
		s.Failed = append(s.Failed, listed)
		return
	case listed.Labels != "":
		s.replace(listed.Objects)
		return
	}
	s.listed[kindIn{k, listed.Namespace}] = true
	if k == node {
		s.nodes = listed.Objects
	} else {
		n := len(s.Objects)
		s.Objects = append(s.Objects, listed.Objects...)
		listed.Objects = s.Objects[n:] // and the list itself may go
	}
	if !listed.Partial {
		s.whole[place{r.Group, r.Version, r.Kind, listed.Namespace}] = listed.Objects
	}
}

// replace puts objects with their content in the place of the same without.
func (s *Survey) replace(objects []object.Packed) {
	if len(objects) == 0 {
		return
	}
	at := map[object.ID]int{}
	for i, o := range s.Objects {
		at[o.ID] = i
	}
	for _, o := range objects {
		if i, ok := at[o.ID]; ok {
			s.Objects[i] = o
		} else {
			s.Objects = append(s.Objects, o)
		}
	}
}

// foreignOwners reads what owner references name and what is not in the scope.
func (s *Survey) foreignOwners(ctx context.Context) []object.Packed {
	wanted := map[object.ID]bool{}
	var last ownerKind
	for i := range s.Objects {
		for _, owner := range object.List(object.Map(s.Objects[i].Object().Content, "metadata"), "ownerReferences") {
			owner, _ := owner.(map[string]any)
			apiVersion, kind, namespace := object.Text(owner, "apiVersion"), object.Text(owner, "kind"), s.Objects[i].ID.Namespace
			if apiVersion != last.apiVersion || kind != last.id.Kind || namespace != last.below {
				last = s.ownerKind(apiVersion, kind, namespace)
			}
			if last.foreign {
				id := last.id
				id.Name = object.Text(owner, "name")
				wanted[id] = true
			}
		}
	}
	ids := slices.SortedFunc(maps.Keys(wanted), object.ID.Compare)
	answers := s.Source.Read(ctx, ids)
	var owners []object.Packed
	for _, id := range ids {
		if answer := answers[id]; answer.Err == nil {
			owners = append(owners, object.Loose(answer.Object))
		}
	}
	return owners
}

// ownerKind is what there is to know of the owners of a kind whose children are in one
// namespace: most owners are of the kind of the last.
type ownerKind struct {
	apiVersion, below string
	id                object.ID // without a name
	foreign           bool      // there may be such, and they were not listed
}

func (s *Survey) ownerKind(apiVersion, kind, namespace string) ownerKind {
	gv, err := schema.ParseGroupVersion(apiVersion)
	k := ownerKind{apiVersion: apiVersion, below: namespace, id: object.ID{Group: gv.Group, Version: gv.Version, Kind: kind}}
	r, unknown := s.Resource(gv.Group, gv.Version, kind)
	if err != nil || unknown != nil {
		return k // and so there is none
	}
	if r.Namespaced {
		k.id.Namespace = namespace
	}
	k.foreign = !s.Listed(k.id)
	return k
}

// Mutators asks once for all who look at the survey.
func (s *Survey) Mutators(ctx context.Context) (cluster.Mutators, error) {
	s.mutators.Do(func() { s.mutators.found, s.mutators.err = s.Source.Mutators(ctx) })
	return s.mutators.found, s.mutators.err
}

// mutated returns what tells whether webhooks or policies may change objects of a
// kind on their way. They may where that is not known.
func (s *Survey) mutated(ctx context.Context) func(object.ID) bool {
	mutators, err := s.Mutators(ctx)
	return func(id object.ID) bool {
		r, unknown := s.Resource(id.Group, id.Version, id.Kind)
		return err != nil || unknown != nil || mutators.Concern(r, id.Namespace)
	}
}

// Listed tells whether the objects of an ID's kind and namespace were listed, so that
// one that is not among them does not exist. Whether a kind has namespaces at all it
// does not take from the ID: references to owners do not say.
func (s *Survey) Listed(id object.ID) bool {
	k := Kind{id.Group, id.Kind}
	return s.listed[kindIn{k, id.Namespace}] || s.listed[kindIn{k, ""}]
}

// Read answers from what was listed, and asks for the rest.
func (s *Survey) Read(ctx context.Context, wanted []object.ID) map[object.ID]cluster.Answer {
	answers := make(map[object.ID]cluster.Answer, len(wanted))
	places := map[place]bool{}
	var rest []object.ID
	for _, id := range wanted {
		in := place{id.Group, id.Version, id.Kind, id.Namespace}
		if _, ok := s.whole[in]; !ok {
			rest = append(rest, id)
			continue
		}
		places[in], answers[id] = true, cluster.Answer{Err: cluster.ErrNotFound}
	}
	for in := range places {
		for _, o := range s.whole[in] {
			if _, ok := answers[o.ID]; ok {
				answers[o.ID] = cluster.Answer{Object: o.Object()}
			}
		}
	}
	if len(rest) > 0 {
		maps.Copy(answers, s.Source.Read(ctx, rest))
	}
	return answers
}
