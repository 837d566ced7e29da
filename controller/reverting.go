package controller

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/reverter"
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

// saw takes in what watches have told of: what is missing now was there.
func (v *reverting) saw(changed []object.ID, found []finding.Finding) {
	missing := map[object.ID]bool{}
	for _, f := range found {
		missing[f.Object] = missing[f.Object] || f.Rule == finding.DriftMissing
	}
	for _, id := range changed {
		delete(v.seen, id)
		v.unsettled(id, found)
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
