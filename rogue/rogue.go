// Package rogue finds what nobody declared: live objects that are neither in git, nor
// belong to anything that is, nor are of the cluster's own making; containers that run
// and that the template of their workload does not have; and declared fields that
// somebody else than the deployer wrote. It is pure.
//
// What anyone can write is a hint and never a proof: an owner reference counts only if
// a controller makes such children, the owner lives with that UID, and what the child
// runs fits the owner's template; labels, annotations and field managers can make an
// object look worse and never better, but for what a Baseline expressly names.
package rogue

import (
	"slices"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// World is what there is, at one time.
type World struct {
	// Declared is everything that git declares, with its namespaces filled in.
	Declared []object.Packed
	// Live is everything in the scope, and what that may belong to: Nodes, and the
	// objects that owner references name. Of the kinds in Whole all of the content is
	// needed, of others the metadata. Where what belongs to something is listed before what it
	// belongs to, objects that come and go meanwhile are not mistaken.
	Live []object.Packed
	// Listed tells whether the objects of an ID's kind and namespace were listed, so that
	// one that is not in Live does not exist. Nil means that all were.
	Listed func(object.ID) bool
	// Mutated tells whether webhooks or policies may change objects of an ID's kind in its
	// namespace on their way into the cluster. Nil means that there are none.
	Mutated func(object.ID) bool
}

// Result is what was found, and what could not be judged.
type Result struct {
	// Findings are those of rogue/object and rogue/container, in their order.
	Findings []finding.Finding
	// Unjudged are sorted by object.
	Unjudged []Unjudged
}

// Unjudged is an object of which the World does not tell enough.
type Unjudged struct {
	Object object.ID
	Reason string
}

// Whole are the kinds that have to be read with all of their content, with their groups.
var Whole = []string{
	"ControllerRevision.apps", "CronJob.batch", "DaemonSet.apps", "Deployment.apps", "Job.batch", "Pod", "PodTemplate",
	"ReplicaSet.apps", "ReplicationController", "StatefulSet.apps",
}

// Policy is a Baseline's scope, compiled.
type Policy struct {
	scope      v1alpha1.Scope
	writers    differ.Options
	generators []generator
	injected   []injected
}

// New compiles a Baseline's scope. Of the writers it takes who deploys and who
// controls. Errors name the field, and say what to write instead.
func New(scope v1alpha1.Scope, writers differ.Options) (*Policy, error) {
	p := &Policy{scope: scope, writers: writers}
	return p, p.compile()
}

// Find judges everything that is live.
func (p *Policy) Find(w World) Result {
	j := newJudge(p, w)
	for _, i := range j.items {
		if !i.passing {
			j.stand(i)
		}
	}
	findings := append(j.rogues(), j.containers()...)
	slices.SortStableFunc(findings, finding.Finding.Compare)
	slices.SortFunc(j.unjudged, func(a, b Unjudged) int { return a.Object.Compare(b.Object) })
	return Result{Findings: findings, Unjudged: j.unjudged}
}

// governs tells whether everything of an object's kind and namespace must be declared.
func (p *Policy) governs(id object.ID) bool {
	if id.Namespace == "" {
		return anyKind(p.scope.ClusterKinds, id)
	}
	return slices.Contains(p.scope.Namespaces, id.Namespace) && (len(p.scope.Kinds) == 0 || anyKind(p.scope.Kinds, id))
}

// anyKind tells whether one of the kinds, "Deployment", "Certificate.cert-manager.io"
// or "*", is the object's.
func anyKind(kinds []string, id object.ID) bool {
	return slices.ContainsFunc(kinds, id.IsKind)
}
