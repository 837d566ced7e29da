package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"golang.org/x/time/rate"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/mirror"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/reverter"
)

const (
	// atOnce is how many objects are looked at before the repository is asked once more.
	atOnce = 20
	// tryAgain is when what failed is tried again at first, and longestTry at most.
	tryAgain, longestTry = 30 * time.Second, time.Hour
	// waitFor is how soon what waits for others is looked at again.
	waitFor = 5 * time.Second
)

// reverting undoes what a Baseline says to undo. What is to be written is decided on what
// is live, and then the repository is asked whether it has a newer commit: if not, what is
// live cannot be what the deployer made of one. Only then it is written, and only to
// objects that are still what they were.
type reverting struct {
	fights  reverter.Fights
	deleted map[object.ID]bool // that were there, and of whose deletion a watch has told
	failed  map[object.ID]failure
	limit   *rate.Limiter
	due     time.Time // the next; zero for none
	// seen are the objects that were looked at and about which there was nothing to do, until
	// they change: so that the others get their turn.
	seen    map[object.ID]bool
	waiting bool // some of these wait for others

	plans []plan        // that wait for the repository's word
	asked chan question // nil unless it is asked
	stop  context.CancelFunc
}

// question is what the repository said.
type question struct {
	commit string
	err    error
}

// failure is why an object could not be written to, how often, and when to try again.
type failure struct {
	err   error
	times int
	until time.Time
}

// plan is what is to be done to an object.
type plan struct {
	id     object.ID
	action string // as people are told of it
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

// revert goes on with undoing what there is to undo.
func (r *reconciler) revert(ctx context.Context, b *v1alpha1.Baseline, k *kept) {
	v := &k.reverting
	spec := k.pass.Spec
	if spec.Mode == v1alpha1.ModeReport || k.last.failure != nil { // what is known of git may be old
		v.cancel()
		return
	}
	if every := rate.Limit(float64(spec.WritesPerMinute) / 60); v.limit == nil || v.limit.Limit() != every {
		v.limit = rate.NewLimiter(every, max(1, int(spec.WritesPerMinute)/4))
	}
	if answer, ok := v.answer(); ok {
		switch {
		case answer.err != nil:
			v.seen, v.due = nil, time.Now().Add(tryAgain)
		case answer.commit != k.snapshot.Commit:
			k.due = time.Time{} // the poll decides
		default:
			r.write(ctx, b, k)
		}
		v.plans = nil
	}
	if v.asked != nil || time.Now().Before(v.due) {
		return
	}
	v.due = time.Time{}
	if v.plans = k.plan(ctx, k.candidates(time.Now())); len(v.plans) > 0 {
		v.ask(context.WithoutCancel(ctx), k.remote, k.snapshot, k.wake)
	}
	if v.fights.News() {
		k.last = k.updated(k.pass.Adopt(k.pass.Outcome()), nil, time.Time{})
	}
}

// ask asks the repository for its newest commit.
func (v *reverting) ask(ctx context.Context, remote gitsource.Options, known *gitsource.Snapshot, done func()) {
	ctx, v.stop = context.WithCancel(ctx)
	asked := make(chan question, 1)
	v.asked = asked
	go func() {
		var q question
		newest, err := gitsource.Fetch(ctx, remote, known)
		if q.err = err; err == nil {
			q.commit = newest.Commit
		}
		asked <- q
		done()
	}()
}

func (v *reverting) answer() (question, bool) {
	if v.asked == nil {
		return question{}, false
	}
	select {
	case q := <-v.asked:
		v.stop()
		v.asked = nil
		return q, true
	default:
		return question{}, false
	}
}

// cancel forgets what was to be written, and what there was nothing to do about.
func (v *reverting) cancel() {
	v.seen = nil
	if v.asked != nil {
		v.stop()
		v.asked = nil
	}
	v.plans = nil
}

// candidates are the objects of which something may be to be undone, in the order in which
// they are written.
func (k *kept) candidates(now time.Time) []finding.Finding {
	var all []finding.Finding
	for _, f := range k.last.report.Findings {
		switch {
		case k.reverting.seen[f.Object], now.Before(k.reverting.failed[f.Object].until), k.reverting.fights.Truce(f, now):
		case reverter.Undoes(f.Rule, k.rollsOut()), k.prunes(f):
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
		if p := k.remove(ctx, f); p != nil {
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
	c := reverter.Case{Declared: a.Declared, Live: a.Live, Type: a.Type, Options: k.pass.Assess.Compare}
	p := plan{id: a.Declared.ID, action: "restored"}
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
	if err := k.ready(ctx, live, a.Declared); err != nil {
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
		at := slices.IndexFunc(k.pass.Objects, func(o object.Object) bool { return inspect.IsOne(o.ID, on) })
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
	p := plan{id: f.Object, action: "deleted", what: f.Message, changes: undo}
	if f.Object.IsKind("Pod") {
		p.action = "evicted"
	}
	p.do = func(ctx context.Context, to cluster.Writer) error { return reverter.Remove(ctx, answer.Object, to) }
	return &p
}

// write does what is planned, as fast as it may.
func (r *reconciler) write(ctx context.Context, b *v1alpha1.Baseline, k *kept) {
	v := &k.reverting
	to := cluster.Writer{Cluster: k.view.Cluster}
	if name := k.pass.Spec.ServiceAccountName; name != "" {
		var err error
		if to.Cluster, err = to.Cluster.AsServiceAccount(b.Namespace, name); err != nil {
			for _, p := range v.plans {
				r.tell(b, k, p, err)
			}
			return
		}
	}
	for _, p := range v.plans {
		delete(v.seen, p.id)
	}
	for _, p := range v.plans {
		if reserved := v.limit.Reserve(); reserved.Delay() > 0 {
			v.due = time.Now().Add(reserved.Delay())
			reserved.Cancel()
			return
		}
		err := p.do(ctx, to)
		if interrupted(ctx) {
			return
		}
		r.tell(b, k, p, err)
	}
}

// tell takes in what became of a plan, and tells of it: in the log, as an Event on the
// object, in the metrics.
func (r *reconciler) tell(b *v1alpha1.Baseline, k *kept, p plan, err error) {
	v, now := &k.reverting, time.Now()
	log := r.log.With("namespace", b.Namespace, "baseline", b.Name, "object", p.id.String())
	switch {
	case err == nil:
		v.fights.Undone(p.id, p.changes, now)
		delete(v.failed, p.id)
		delete(v.deleted, p.id)
		log.Info("reverted", "action", p.action, "what", p.what)
		r.events.Eventf(reference(p.id), b, corev1.EventTypeNormal, "Reverted", "Revert", "%s: %s", p.action, p.what)
		r.metrics.reverted(b, p.action)
	case errors.Is(err, cluster.ErrChanged):
		v.due = now.Add(settle) // and is looked at anew
	default:
		was := v.failed[p.id]
		if v.failed == nil {
			v.failed = map[object.ID]failure{}
		}
		v.failed[p.id] = failure{err: err, times: was.times + 1, until: now.Add(min(tryAgain<<min(was.times, 10), longestTry))}
		if was.err == nil || was.err.Error() != err.Error() {
			log.Error("revert failed", "action", p.action, "what", p.what, "error", err)
			r.events.Eventf(reference(p.id), b, corev1.EventTypeWarning, "RevertFailed", "Revert", "cannot be %s: %s", p.action, message(err))
		}
		r.metrics.reverted(b, "failed")
	}
}

// reference is an object as an Event names it.
func reference(id object.ID) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(id.APIVersion())
	o.SetKind(id.Kind)
	o.SetNamespace(id.Namespace)
	o.SetName(id.Name)
	return o
}

// paths names the fields of changes.
func paths(changes []differ.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, fmt.Sprintf("%s (%s)", c.Path, c.Op))
	}
	return cut(strings.Join(all, ", "))
}

// saw takes in what watches have told of: what is missing now was there.
func (v *reverting) saw(changed []object.ID, found []finding.Finding) {
	missing := map[object.ID]bool{}
	for _, f := range found {
		missing[f.Object] = missing[f.Object] || f.Rule == finding.DriftMissing
	}
	for _, id := range changed {
		delete(v.seen, id)
		switch {
		case missing[id]:
			if v.deleted == nil {
				v.deleted = map[object.ID]bool{}
			}
			v.deleted[id] = true
		default:
			delete(v.deleted, id)
		}
	}
}

// undoing is how it stands with undoing, for the condition.
type undoing struct {
	mode            string
	waiting, fights int
	failure         error
}

// undoing returns it, and forgets the failures of what is as it should be.
func (k *kept) undoing(now time.Time) undoing {
	v := &k.reverting
	s := undoing{mode: k.pass.Spec.Mode, waiting: len(v.plans)}
	open := map[object.ID]bool{}
	for _, f := range k.last.report.Findings {
		open[f.Object] = true
		if f.Rule == finding.DriftFight {
			s.fights++
		}
	}
	for id, f := range v.failed {
		if !open[id] && now.After(f.until) {
			delete(v.failed, id)
		} else if s.failure == nil || f.err.Error() < s.failure.Error() {
			s.failure = f.err
		}
	}
	return s
}

// next is when there may be something to do; zero for no certain time.
func (v *reverting) next() time.Time {
	first := v.due
	sooner := func(t time.Time) {
		if !t.IsZero() && t.After(time.Now()) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	sooner(v.fights.Next(time.Now()))
	for _, f := range v.failed {
		sooner(f.until)
	}
	return first
}
