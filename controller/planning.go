package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/mirror"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/reverter"
)

const (
	// atOnce is how many objects are looked at before the repository is asked once more.
	atOnce = 20
	// waitFor is how soon what waits for others is looked at again.
	waitFor = 5 * time.Second
)

// plan is what is to be done to an object.
type plan struct {
	id     object.ID
	about  object.ID // the object of the finding, which it may be beside
	action string    // as people are told of it
	what   string
	// changes are undone by it.
	changes []differ.Change
	do      func(context.Context, cluster.Writer) error
}

// fresh has single objects as they are, and all else as the mirror has it.
type fresh struct {
	*mirror.View
	cluster *cluster.Cluster
}

// Read asks the API server.
func (f fresh) Read(ctx context.Context, wanted []object.ID) map[object.ID]cluster.Answer {
	return f.cluster.Read(ctx, wanted)
}

// candidates are the objects of which something may be to be undone, in the order in which
// they are written.
func (k *kept) candidates(now time.Time) []finding.Finding {
	var all []finding.Finding
	for _, f := range k.last.report.Findings {
		switch {
		case k.reverting.seen[f.Object], now.Before(k.reverting.failed[f.Object].until), k.reverting.fights.Truce(f, now):
		case reverter.Undoes(f.Rule, k.rollsOut()), k.prunes(f), k.quarantines(f):
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b finding.Finding) int { return reverter.Compare(a.Object, b.Object) })
	return all
}

func (k *kept) rollsOut() bool { return k.pass.Spec.Mode == v1alpha1.ModeSync }

// prunes tells whether a finding is about a rogue that is deleted: not while anything that
// git declares is not known, which might be it.
func (k *kept) prunes(f finding.Finding) bool {
	return k.pass.Spec.Prune && f.Rule == finding.RogueObject && f.Severity > finding.Info && f.UID != "" &&
		reverter.Prunes(f.Object) && len(k.last.report.Errors) == 0
}

// plan looks at a few of the objects anew, and returns what to do about them.
func (k *kept) plan(ctx context.Context, candidates []finding.Finding) []plan {
	v := &k.reverting
	var declared []object.ID
	var rogues []finding.Finding
	for _, f := range candidates {
		switch {
		case len(declared)+len(rogues) >= atOnce:
			v.due = time.Now() // there is more
		case f.Rule == finding.RogueObject:
			rogues = append(rogues, f)
		case !slices.Contains(declared, f.Object):
			declared = append(declared, f.Object)
		}
	}
	plans := k.restoreAll(ctx, declared)
	for _, f := range rogues {
		if k.quarantines(f) {
			for _, p := range k.isolate(ctx, f) {
				if !slices.ContainsFunc(plans, func(other plan) bool { return other.id == p.id }) { // of several rogues
					plans = append(plans, p)
				}
			}
		} else if p := k.remove(ctx, f); p != nil {
			plans = append(plans, *p)
		}
	}
	if v.seen == nil {
		v.seen = map[object.ID]bool{}
	}
	for _, f := range rogues {
		v.seen[f.Object] = true
	}
	for _, id := range declared {
		v.seen[id] = true
	}
	if v.due.IsZero() && v.waiting {
		v.seen, v.waiting, v.due = nil, false, time.Now().Add(waitFor)
	}
	return plans
}

// restoreAll plans to put objects back, what others need first.
func (k *kept) restoreAll(ctx context.Context, declared []object.ID) []plan {
	if len(declared) == 0 {
		return nil
	}
	live := fresh{k.view, k.view.Cluster}
	assessments, _ := k.pass.Look(ctx, live, declared) // what it had to do without was told of
	var plans []plan
	for _, a := range assessments {
		if p := k.restore(ctx, live, a); p != nil {
			plans = append(plans, *p)
		}
	}
	slices.SortStableFunc(plans, func(a, b plan) int { return reverter.Compare(a.id, b.id) })
	return plans
}

// restore plans to put an object back; nil where there is nothing to do about it.
func (k *kept) restore(ctx context.Context, live fresh, a assess.Assessment) *plan {
	v, now := &k.reverting, time.Now()
	if a.Err != nil {
		return nil
	}
	var undo []differ.Change
	c := reverter.Case{Declared: a.Declared.Object(), Live: a.Live, Type: a.Type, Options: k.pass.Assess.Compare}
	p := plan{id: a.Declared.ID, about: a.Declared.ID, action: "restored"}
	for _, f := range a.Findings {
		if reverter.Undoes(f.Rule, k.rollsOut()) {
			undo = append(undo, v.fights.Left(f, now)...)
		}
	}
	switch {
	case len(undo) == 0:
		return nil
	case a.Verdict == finding.Missing:
		if _, err := live.Resource(p.id.Group, p.id.Version, p.id.Kind); err != nil || !k.mayCreate(a) {
			return nil
		}
		p.action, p.what = "created", "it is declared and did not exist"
	default:
		c.Changes = undo
		slices.SortFunc(c.Changes, func(a, b differ.Change) int { return a.Path.Compare(b.Path) })
		p.what = paths(c.Changes)
	}
	if err := k.ready(ctx, live, c.Declared); err != nil {
		v.waiting = true
		return nil
	}
	p.changes = undo
	write, err := reverter.Plan(c)
	p.do = func(ctx context.Context, to cluster.Writer) error {
		if err == nil {
			_, err = write.Do(ctx, to)
		}
		return err
	}
	return &p
}

// mayCreate tells whether an object that is missing is created: where commits are rolled
// out, and otherwise only what was there before.
func (k *kept) mayCreate(a assess.Assessment) bool {
	return k.rollsOut() || k.reverting.deleted[a.Declared.ID] || k.pass.WasDeployed(a)
}

// ready returns why an object has to wait for others.
func (k *kept) ready(ctx context.Context, live fresh, declared object.Object) error {
	if !k.rollsOut() {
		return nil
	}
	dependencies, err := reverter.Dependencies(declared)
	if err != nil {
		return err
	}
	for _, on := range dependencies {
		at := slices.IndexFunc(k.pass.Objects, func(o object.Packed) bool { return inspect.IsOne(o.ID, on) })
		if at < 0 {
			return fmt.Errorf("%s depends on %s, which git does not declare", declared.ID, on)
		}
		on.Version = k.pass.Objects[at].ID.Version
		answer := live.Read(ctx, []object.ID{on})[on]
		if err := answer.Err; err != nil {
			return fmt.Errorf("%s waits for %s: %w", declared.ID, on, err)
		}
		if err := reverter.Healthy(answer.Object); err != nil {
			return fmt.Errorf("%s waits for %s: %w", declared.ID, on, err)
		}
	}
	return nil
}

// remove plans to delete a rogue, as long as it is the one that was found.
func (k *kept) remove(ctx context.Context, f finding.Finding) *plan {
	if !k.rollsOut() && k.pass.WasDeclared(ctx, f.Object) {
		return nil // the deployer has not deleted it yet
	}
	undo := k.reverting.fights.Left(f, time.Now())
	answer := k.view.Cluster.Read(ctx, []object.ID{f.Object})[f.Object]
	if len(undo) == 0 || answer.Err != nil || !reverter.Removes(f, answer.Object) {
		return nil
	}
	p := plan{id: f.Object, about: f.Object, action: "deleted", what: f.Message, changes: undo}
	if f.Object.IsKind("Pod") {
		p.action = "evicted"
	}
	p.do = func(ctx context.Context, to cluster.Writer) error { return reverter.Remove(ctx, answer.Object, to) }
	return &p
}
