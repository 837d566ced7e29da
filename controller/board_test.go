package controller

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// TestBoard wants each finding told once when it comes, when it is another and when it
// goes, and none to go of which nothing is known at the moment; and all of these to be
// published, and what else of them has changed. The same where each look is another
// process's.
func TestBoard(t *testing.T) {
	one := finding.Finding{Rule: finding.DriftAdded, Severity: finding.Warning, Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "one"}}
	one.Changes = []differ.Change{{Path: differ.Path{"data", "a"}, Op: differ.Added, Live: int64(1)}}
	two := one
	two.Object.Name = "two"
	worse, other := one, one
	worse.Severity = finding.Critical
	other.Changes = []differ.Change{{Path: differ.Path{"data", "a"}, Op: differ.Added, Live: int64(2)}}
	var log bytes.Buffer
	var published []string
	fresh := func() *board {
		of := v1alpha1.Baseline{ObjectMeta: metav1.ObjectMeta{Namespace: "plumbline-system", Name: "shop", UID: "1"}}
		return newBoard(slog.New(slog.NewTextHandler(&log, nil)), &of, func(_ *board, fingerprints []string) { published = append(published, fingerprints...) })
	}
	same, last := fresh(), fresh()
	for i, step := range []struct {
		report    report.Report
		told      []string
		published []finding.Finding
	}{
		{report.Report{Findings: []finding.Finding{one, two}}, []string{"finding shop/one", "finding shop/two"}, []finding.Finding{one, two}},
		{report.Report{Findings: []finding.Finding{one, two}}, nil, nil},
		{report.Report{Findings: []finding.Finding{worse, two}}, []string{"finding changed shop/one"}, []finding.Finding{one}},
		{report.Report{Findings: []finding.Finding{other, one, two}}, []string{"finding changed shop/one"}, []finding.Finding{one}}, // declared twice
		{report.Report{Findings: []finding.Finding{other, one, two}}, nil, nil},
		{report.Report{Findings: []finding.Finding{other, two}}, nil, []finding.Finding{one}},
		{report.Report{Findings: []finding.Finding{two}, Unknown: []report.Unknown{{Object: one.Object}}}, nil, nil},
		{report.Report{Unknown: []report.Unknown{{Reason: "nobody answers"}}}, nil, nil},
		{report.Report{Errors: []string{"a.yaml:1: what is this"}}, nil, nil},
		{report.Report{Findings: []finding.Finding{two}}, []string{"finding resolved shop/one"}, []finding.Finding{one}},
		{report.Report{}, []string{"finding resolved shop/two"}, []finding.Finding{two}},
		{report.Report{Findings: []finding.Finding{one}}, []string{"finding shop/one"}, []finding.Finding{one}},
	} {
		next := fresh()
		left := map[string]*open{}
		for key, o := range *last.open.Load() {
			left[key] = &open{FindingDetails: o.FindingDetails}
		}
		next.open.Store(&left)
		last = next
		for _, b := range []*board{same, next} {
			log.Reset()
			published = nil
			b.update(step.report)
			if got := lines(log.String()); !slices.Equal(got, step.told) {
				t.Errorf("step %d: %q, want %q", i, got, step.told)
			}
			var want []string
			for _, f := range step.published {
				want = append(want, f.Fingerprint())
			}
			slices.Sort(want)
			slices.Sort(published)
			if !slices.Equal(published, want) {
				t.Errorf("step %d: %q is published, want %q", i, published, want)
			}
		}
	}
}

// TestBoardOf wants every Finding to be found by its name to be of its Baseline, however
// long the names are.
func TestBoardOf(t *testing.T) {
	p := newPublisher(nil, nil)
	key := strings.Repeat("f", fingerprint)
	for _, name := range []string{"shop", "shop-two", strings.Repeat("a", 253), strings.Repeat("a", 252) + "b", strings.Repeat("a.", 120) + "a", "x"} {
		b := newBoard(slog.New(slog.DiscardHandler), &v1alpha1.Baseline{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}, p.publish)
		p.add(b)
		p.publish(b, []string{key})
		request, _ := p.queue.Get()
		if got, fingerprint := p.boardOf(request.NamespacedName); got != b || fingerprint != key || len(request.Name) > 253 {
			t.Errorf("%s is of %v, with fingerprint %s", request, got, fingerprint)
		}
		p.remove(b)
		if got, _ := p.boardOf(request.NamespacedName); got != nil {
			t.Errorf("%s is still looked for", request)
		}
	}
	if got, _ := p.boardOf(types.NamespacedName{Namespace: "n", Name: "short"}); got != nil {
		t.Error("a name without a fingerprint is of a board")
	}
}

// lines are what a log tells of findings: what has become of which.
func lines(log string) []string {
	var all []string
	for line := range strings.Lines(log) {
		word := "finding "
		for _, other := range []string{"finding resolved", "finding changed"} {
			if strings.Contains(line, `msg="`+other+`"`) {
				word = other + " "
			}
		}
		_, id, _ := strings.Cut(line, "ConfigMap ")
		id, _, _ = strings.Cut(id, `"`)
		all = append(all, word+id)
	}
	return all
}

// BenchmarkBoard takes in a look that changes one of 5,000 open findings.
func BenchmarkBoard(b *testing.B) {
	var found []finding.Finding
	for i := range 5000 {
		changes := []differ.Change{{Path: differ.Path{"spec", "template", "spec"}, Op: differ.Modified, Declared: int64(1), Live: int64(2)}}
		id := object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: fmt.Sprintf("app-%05d", i)}
		found = append(found, finding.Finding{Rule: finding.DriftModified, Severity: finding.Warning, Object: id, Message: "declared fields have other values", Changes: changes})
	}
	board := newBoard(slog.New(slog.DiscardHandler), &v1alpha1.Baseline{}, func(*board, []string) {})
	board.update(report.Report{Findings: found})
	for i := 0; b.Loop(); i++ {
		f := &found[i%len(found)]
		f.Changes = []differ.Change{{Path: differ.Path{"spec"}, Op: differ.Modified, Live: int64(i)}}
		board.update(report.Report{Findings: found})
	}
}
