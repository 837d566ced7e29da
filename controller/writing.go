package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// tryAgain is when what failed is tried again at first, and longestTry at most.
const tryAgain, longestTry = 30 * time.Second, time.Hour

// failure is why an object could not be written to, how often, and when to try again.
type failure struct {
	err   error
	times int
	until time.Time
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
		delete(v.seen, p.about)
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
		delete(v.failed, p.about)
		delete(v.deleted, p.id)
		log.Info("reverted", "action", p.action, "what", p.what)
		r.events.Eventf(reference(p.id), b, corev1.EventTypeNormal, p.reason(), "Revert", "%s: %s", p.action, p.what)
		r.metrics.reverted(b, p.action)
	case errors.Is(err, cluster.ErrChanged):
		v.due = now.Add(settle) // and is looked at anew
	default:
		was := v.failed[p.about]
		if v.failed == nil {
			v.failed = map[object.ID]failure{}
		}
		v.failed[p.about] = failure{err: err, times: was.times + 1, until: now.Add(min(tryAgain<<min(was.times, 10), longestTry))}
		if was.err == nil || was.err.Error() != err.Error() {
			log.Error("revert failed", "action", p.action, "what", p.what, "error", err)
			r.events.Eventf(reference(p.id), b, corev1.EventTypeWarning, "RevertFailed", "Revert", "cannot be %s: %s", p.action, message(err))
		}
		r.metrics.reverted(b, "failed")
	}
}

// reason is that of the Event about what is done.
func (p plan) reason() string {
	if p.action == quarantined {
		return "Quarantined"
	}
	return "Reverted"
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
