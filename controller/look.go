package controller

import (
	"context"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/history"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/mirror"
	"plumbline.dev/plumbline/render"
	"plumbline.dev/plumbline/report"
)

const (
	// lag is how many commits the cluster may be behind, as in the command line.
	lag = 50
	// unhappy is how soon what failed is tried again, at most: a Baseline's interval holds
	// where it is shorter.
	unhappy = time.Minute
	// soon is when to ask the cluster again for what there is no beginning without.
	soon = 5 * time.Second
	// restless is how long a whole pass may be ago: rules know of the time.
	restless = 10 * time.Minute
)

// kept is what a look leaves for the next.
type kept struct {
	uid     types.UID
	view    *mirror.View
	changes changes

	from   origin
	remote gitsource.Options // by which it is fetched
	// snapshot is the last good one from there, of when it was last known to be the newest.
	snapshot  *gitsource.Snapshot
	fetched   time.Time
	rendering *render.Rendering
	past      *history.History // of the snapshot that was rendered last
	compared  string           // the commit that was compared last
	was       string           // the one before that, until somebody has looked what became of it
	board     *board

	// pass is the last whole one, of a Baseline's generation and a request for it; nil
	// before the first and after one that failed.
	pass       *inspect.Pass
	generation int64
	requested  string
	passed     time.Time
	// types are those of the kinds that are served.
	types  *assess.Types
	served *cluster.Cluster

	due     time.Time   // the next look at the repository
	hurried atomic.Bool // somebody says that it has news
	last    outcome
	judging judging
	// reverting undoes what was found, where the mode says so.
	reverting reverting
	wake      func() // has it be looked at again
}

// outcome is how a look went.
type outcome struct {
	suspended bool
	// failure is why something could not be done, and reason the condition's; stalled
	// says that trying again will not help.
	failure error
	reason  string
	stalled bool
	// report is what was found; nil where nothing could be compared.
	report *report.Report
	// oldest is since when findings are open, by severity.
	oldest  map[string]time.Time
	fetched time.Time
	// interval is how often the repository is asked, again when there is something to do.
	interval, again time.Duration
	// whole tells that it was more than a look at what has changed, of which the first was
	// at since.
	whole bool
	since time.Time
	// compared is how many declared objects were.
	compared int
	// reverting is how it stands with undoing what was found.
	reverting undoing
}

// failed is the outcome of a look that found nothing out.
func failed(reason string, err error) outcome {
	return outcome{failure: err, reason: reason}
}

// look compares what a Baseline's repository declares with what is live, as far as either
// may have changed.
func (r *reconciler) look(ctx context.Context, b *v1alpha1.Baseline) outcome {
	if b.Spec.Suspend {
		r.forget(client.ObjectKeyFromObject(b))
		return outcome{suspended: true, whole: true}
	}
	spec := v1alpha1.Default(*b).Spec
	pass, err := r.pass(b, spec)
	if err != nil {
		r.forget(client.ObjectKeyFromObject(b)) // until somebody mends it
		o := failed(v1alpha1.ReasonInvalid, err)
		o.stalled, o.whole = true, true
		return o
	}
	k, err := r.keep(ctx, b)
	if err != nil {
		o := failed(v1alpha1.ReasonCluster, err)
		o.whole, o.again = true, soon
		return o
	}
	changed, now := k.changes.take(), time.Now()
	due := k.hurried.Swap(false) || !now.Before(k.due)
	switch {
	case changed.all || k.isOther(b) || k.pass == nil && due || k.pass != nil && now.Sub(k.passed) >= restless:
		k.last = r.compare(ctx, b, k, pass)
	case k.pass == nil: // and it is not time to try again
	case due:
		k.last = r.poll(ctx, b, k, pass, changed)
	}
	if k.was != "" {
		r.tellRewritten(ctx, b, k)
	}
	if k.pass != nil && len(changed.ids) > 0 && k.passed.Before(now) {
		k.last = k.update(ctx, changed)
	}
	if k.pass != nil {
		k.judge(ctx)
	}
	if k.last.whole {
		k.due = k.retry(now, spec.Git.Interval.Duration)
	}
	if len(changed.ids) > 0 {
		k.judging.want()
	}
	if k.pass != nil {
		r.revert(ctx, b, k)
	}
	o := k.last
	k.last.whole, k.last.since = false, time.Time{}
	o.fetched, o.again = k.fetched, k.next()
	o.interval, o.oldest = spec.Git.Interval.Duration, k.board.oldest()
	if k.pass != nil {
		o.reverting = k.undoing(now)
		o.compared = k.pass.Compared()
	}
	return o
}

// isOther tells whether somebody wants something else than the last pass was about, or
// to look at once.
func (k *kept) isOther(b *v1alpha1.Baseline) bool {
	return k.generation != b.Generation || k.requested != b.Annotations[v1alpha1.AnnotationRequested]
}

// retry is when to look at the repository again.
func (k *kept) retry(now time.Time, interval time.Duration) time.Time {
	if k.last.failure != nil {
		interval = min(interval, unhappy)
	}
	return now.Add(jittered(interval))
}

// next is how long there is nothing to do.
func (k *kept) next() time.Duration {
	at := k.due
	if rested := k.passed.Add(restless); k.pass != nil && rested.Before(at) {
		at = rested
	}
	if j := &k.judging; k.pass != nil && j.stop == nil && !j.due.IsZero() && j.due.Before(at) {
		at = j.due
	}
	if next := k.reverting.next(); k.pass != nil && !next.IsZero() && next.Before(at) {
		at = next
	}
	return max(time.Millisecond, time.Until(at))
}

// compare fetches, renders and compares. Where the repository does not answer it
// compares with the last good commit, and says so.
func (r *reconciler) compare(ctx context.Context, b *v1alpha1.Baseline, k *kept, pass *inspect.Pass) outcome {
	if k.isOther(b) {
		k.reverting.failed = nil // somebody may have mended it
	}
	k.generation, k.requested = b.Generation, b.Annotations[v1alpha1.AnnotationRequested]
	if from := (origin{pass.Spec.Git, pass.Spec.Verify}); !reflect.DeepEqual(from, k.from) {
		if k.compared, k.was = "", ""; k.from == (origin{}) && b.Status.ObservedGeneration == b.Generation {
			k.compared = b.Status.Commit // by the process before
		}
		k.from, k.snapshot, k.rendering = from, nil, nil // is another repository's, or counted by other rules
	}
	o := r.fetch(ctx, b, k, pass.Spec)
	if k.snapshot == nil {
		k.judging.cancel()
		k.reverting.cancel()
		k.pass = nil
		return o
	}
	return r.whole(ctx, k, pass, o)
}

// poll fetches, and compares where there is something new.
func (r *reconciler) poll(ctx context.Context, b *v1alpha1.Baseline, k *kept, pass *inspect.Pass, since change) outcome {
	before := k.snapshot
	o := r.fetch(ctx, b, k, pass.Spec)
	if k.snapshot.Commit != before.Commit || k.pass.Err != nil {
		pass.Before, pass.Changed = k.pass, since.ids
		return r.whole(ctx, k, pass, o)
	}
	o.report = k.last.report
	return o
}

// update compares what has changed.
func (k *kept) update(ctx context.Context, changed change) outcome {
	var found report.Report
	err := traced(ctx, "compare", func(ctx context.Context) (err error) {
		found, err = k.pass.Update(ctx, k.view, changed.ids)
		return err
	})
	k.reverting.saw(changed.ids, found.Findings)
	return k.updated(found, err, changed.since)
}

// judge adopts a judgement that has ended, and begins one that is due.
func (k *kept) judge(ctx context.Context) {
	if found, ok := k.judging.take(); ok {
		if k.judging.settled(found.outcome, k.board) {
			k.last = k.updated(k.pass.Adopt(found.outcome), nil, found.since)
		} else {
			k.judging.since, k.judging.due = found.since, time.Now().Add(settle)
		}
	}
	if k.judging.isDue(time.Now()) {
		judge := k.pass.Judgement()
		k.judging.begin(context.WithoutCancel(ctx), func(ctx context.Context) audit.Outcome {
			ctx, s := span(ctx, "judge")
			defer s.End()
			return judge(ctx, k.view)
		}, k.wake)
	}
}

// updated is the outcome of a look at less than all, which nothing but an interruption
// stops.
func (k *kept) updated(found report.Report, err error, since time.Time) outcome {
	if err != nil {
		k.pass = nil
		return failed(v1alpha1.ReasonCluster, err)
	}
	found = k.withFights(found)
	o := k.last
	o.report, o.since = &found, since
	k.board.update(found)
	return o
}

// withFights adds what is fought over.
func (k *kept) withFights(r report.Report) report.Report {
	if fights := k.reverting.fights.Findings(r.Findings, time.Now()); len(fights) > 0 {
		r.Findings = append(slices.Clone(r.Findings), fights...)
		r.Sort()
	}
	return r
}
