package controller

import (
	"context"
	"time"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/quarantine"
	"plumbline.dev/plumbline/reverter"
)

// quarantines tells whether a finding is about a rogue that is kept apart: not while
// anything that git declares is not known, which might be it.
func (k *kept) quarantines(f finding.Finding) bool {
	return k.pass.Spec.Quarantine && f.Rule == finding.RogueObject && f.Severity > finding.Info && f.UID != "" &&
		quarantine.Has(f.Object) && len(k.last.report.Errors) == 0
}

// isolate plans to keep a rogue apart, as long as it is the one that was found. What is in
// quarantine and stays there needs nothing.
func (k *kept) isolate(ctx context.Context, f finding.Finding) []plan {
	if !k.rollsOut() && k.pass.WasDeclared(ctx, f.Object) {
		return nil // the deployer has not deleted it yet
	}
	answer := k.view.Cluster.Read(ctx, []object.ID{f.Object})[f.Object]
	if answer.Err != nil || !reverter.Removes(f, answer.Object) {
		return nil
	}
	isolations, err := reverter.Quarantine(ctx, answer.Object, k.pass.Declares, k.view.Cluster)
	if err != nil {
		return []plan{{id: f.Object, about: f.Object, action: quarantined, do: func(context.Context, cluster.Writer) error { return err }}}
	}
	var plans []plan
	for _, i := range isolations {
		p := plan{id: i.Object, about: f.Object, action: i.As, what: i.What, do: func(ctx context.Context, to cluster.Writer) error { return i.Do(ctx, to) }}
		if i.Object == f.Object {
			f.Changes = []differ.Change{{Path: differ.Path{"metadata", "labels", quarantine.Label}, Op: differ.Removed}}
			if p.changes = k.reverting.fights.Left(f, time.Now()); len(p.changes) == 0 {
				continue // somebody insists on letting it out
			}
		}
		plans = append(plans, p)
	}
	return plans
}

// quarantined is what is done to a rogue, and to its Pods.
const quarantined = "quarantined"

// unsettled has rogues looked at anew that something beside them may have let out of
// quarantine.
func (v *reverting) unsettled(changed object.ID, found []finding.Finding) {
	for _, f := range found {
		if f.Rule == finding.RogueObject && f.Object.Namespace == changed.Namespace && quarantine.Has(f.Object) && quarantine.Matters(changed) {
			delete(v.seen, f.Object)
		}
	}
}
