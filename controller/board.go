package controller

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// board has a Baseline's open findings by fingerprint, tells the log of each when it comes,
// when it is another and when it goes, and then has the cluster hold the same.
//
// The log comes first: what a crash keeps from the cluster is told again, and not lost.
type board struct {
	log      *slog.Logger
	baseline types.NamespacedName
	uid      types.UID
	// publish is told of the fingerprints whose findings are others in the cluster now. It
	// does not wait for that.
	publish func(b *board, fingerprints []string)
	// open is what the last update left; nobody edits it, nor what it holds.
	open atomic.Pointer[map[string]*open]
}

// open is a finding as it was last told, and as the cluster holds it.
type open struct {
	v1alpha1.FindingDetails
	// found is what that was made of; nil where an earlier process did.
	found *finding.Finding
}

func newBoard(log *slog.Logger, of *v1alpha1.Baseline, publish func(*board, []string)) *board {
	b := &board{
		log:      log.With("namespace", of.Namespace, "baseline", of.Name),
		baseline: client.ObjectKeyFromObject(of), uid: of.UID, publish: publish,
	}
	b.open.Store(&map[string]*open{})
	return b
}

// restore takes in what earlier processes have told, as the cluster holds it.
func (b *board) restore(ctx context.Context, reader client.Reader) error {
	var list v1alpha1.FindingList
	err := reader.List(ctx, &list, client.InNamespace(b.baseline.Namespace), client.MatchingLabels{v1alpha1.LabelBaseline: v1alpha1.BaselineLabel(b.baseline.Name)})
	if err != nil {
		return fmt.Errorf("reading which findings were open: %w", err)
	}
	all := make(map[string]*open, len(list.Items))
	for _, f := range list.Items {
		if b.owns(&f) && f.Name == v1alpha1.FindingName(b.baseline.Name, f.Fingerprint) {
			all[f.Fingerprint] = &open{FindingDetails: f.FindingDetails}
		}
	}
	b.open.Store(&all)
	return nil
}

// owns tells whether a Finding is of this Baseline, and not of one before of that name.
func (b *board) owns(f *v1alpha1.Finding) bool {
	return slices.ContainsFunc(f.OwnerReferences, func(r metav1.OwnerReference) bool { return r.UID == b.uid })
}

// knows tells whether a finding is open.
func (b *board) knows(fingerprint string) bool {
	_, ok := (*b.open.Load())[fingerprint]
	return ok
}

// wanted is the Finding that the cluster is to hold; false for none. Any goroutine may ask.
func (b *board) wanted(fingerprint string) (*v1alpha1.Finding, bool) {
	o, ok := (*b.open.Load())[fingerprint]
	if !ok {
		return nil, false
	}
	return &v1alpha1.Finding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: b.baseline.Namespace, Name: v1alpha1.FindingName(b.baseline.Name, fingerprint),
			Labels: map[string]string{v1alpha1.LabelBaseline: v1alpha1.BaselineLabel(b.baseline.Name)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind, Name: b.baseline.Name, UID: b.uid,
			}},
		},
		FindingDetails: *o.FindingDetails.DeepCopy(),
	}, true
}

// update takes in what was found. Of objects that could not be compared nothing is said to
// be gone.
func (b *board) update(r report.Report) {
	before := *b.open.Load()
	now, others := b.after(r)
	var gone []string
	for key := range before {
		if _, still := now[key]; !still {
			gone = append(gone, key)
		}
	}
	b.open.Store(&now)
	for _, key := range sorted(gone, before) {
		b.log.Info("finding resolved", before[key].attributes()...)
	}
	for _, key := range sorted(others, now) {
		switch was, known := before[key]; {
		case !known:
			b.log.Warn("finding", now[key].attributes()...)
		case was.Message != now[key].Message || was.Severity != now[key].Severity:
			b.log.Warn("finding changed", now[key].attributes()...)
		}
	}
	if news := append(gone, others...); len(news) > 0 {
		b.publish(b, news)
	}
}

// after returns the findings that are open after a report, and which of them are new or
// others than before. Those of which the report knows nothing stay.
func (b *board) after(r report.Report) (now map[string]*open, others []string) {
	before, at := *b.open.Load(), metav1.Now().Rfc3339Copy()
	now = make(map[string]*open, len(r.Findings))
	last := make(map[string]int, len(r.Findings)) // of an object that is declared twice there are two
	for i, f := range r.Findings {
		last[f.Fingerprint()] = i
	}
	for key, i := range last {
		was, known := before[key]
		if known && was.found != nil && reflect.DeepEqual(was.found, &r.Findings[i]) {
			now[key] = was
			continue
		}
		f := r.Findings[i] // so that not all of a report is kept for one
		o := &open{FindingDetails: report.Details(f), found: &f}
		o.Since, o.Changed, o.Commit = at, at, r.Source.Commit
		switch {
		case !known:
			others = append(others, key)
		case sameDetails(was.FindingDetails, o.FindingDetails):
			o.FindingDetails = was.FindingDetails
		default:
			o.Since, others = was.Since, append(others, key)
		}
		now[key] = o
	}
	unknown := map[object.ID]bool{} // the zero ID stands for what is about no single object
	for _, u := range r.Unknown {
		unknown[u.Object] = true
	}
	for key, was := range before {
		if _, still := now[key]; !still && (unknown[report.ObjectOf(was.Object)] || unknown[object.ID{}] || len(r.Errors) > 0) {
			now[key] = was
		}
	}
	return now, others
}

// sameDetails compares what was found, not when, nor with which commit.
func sameDetails(a, b v1alpha1.FindingDetails) bool {
	a.Since, a.Changed, a.Commit = b.Since, b.Changed, b.Commit
	return semantic.DeepEqual(a, b)
}

// sorted puts fingerprints in the order of their objects and rules.
func sorted(keys []string, all map[string]*open) []string {
	objects := make(map[string]object.ID, len(keys))
	for _, key := range keys {
		objects[key] = report.ObjectOf(all[key].Object)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(objects[a].Compare(objects[b]), cmp.Compare(all[a].Rule, all[b].Rule), cmp.Compare(a, b))
	})
	return keys
}

func (o *open) attributes() []any {
	return []any{
		"fingerprint", o.Fingerprint, "rule", o.Rule, "severity", o.Severity, "object", report.ObjectOf(o.Object).String(),
		"message", o.Message, "since", o.Since.UTC().Format(time.RFC3339),
	}
}
