package reverter_test

import (
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/reverter"
)

// TestFights plays a field that comes back: it is put back three times, then left alone for
// ten minutes, for twenty, and so on; another one is not concerned.
func TestFights(t *testing.T) {
	t.Parallel()
	f := finding.Finding{
		Rule: finding.DriftModified, Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"},
		Changes: []differ.Change{{Path: differ.Path{"data", "x"}, Op: differ.Modified}},
	}
	other := f
	other.Changes = []differ.Change{{Path: differ.Path{"data", "y"}, Op: differ.Modified}}
	var fights reverter.Fights
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for range 3 {
		left := fights.Left(f, now)
		if len(left) != 1 || fights.News() || len(fights.Findings([]finding.Finding{f}, now)) > 0 {
			t.Fatalf("left %v", left)
		}
		fights.Undone(f.Object, left, now)
		now = now.Add(time.Minute)
	}
	for _, truce := range []time.Duration{10 * time.Minute, 20 * time.Minute, 40 * time.Minute} {
		if left := fights.Left(f, now); len(left) > 0 || !fights.News() || fights.News() {
			t.Fatalf("left %v", left)
		}
		found := fights.Findings([]finding.Finding{f}, now)
		if len(found) != 1 || found[0].Rule != finding.DriftFight || !strings.Contains(found[0].Message, now.Add(truce).Format(time.RFC3339)) || found[0].Subject != "data.x" {
			t.Fatalf("found %v", found)
		}
		if next := fights.Next(now); !next.Equal(now.Add(truce)) || !fights.Truce(f, now) || fights.Truce(f, next) || fights.Truce(other, now) {
			t.Fatalf("the next is at %s", next)
		}
		if left := fights.Left(other, now); len(left) != 1 {
			t.Fatalf("of another field is left %v", left)
		}
		now = now.Add(truce)
		fights.Undone(f.Object, fights.Left(f, now), now)
		now = now.Add(time.Second)
	}
	if found := fights.Findings(nil, now.Add(time.Minute)); len(found) > 0 {
		t.Errorf("what stays put back is told of: %v", found)
	}
	now = now.Add(2 * time.Hour)
	fights.Findings(nil, now)
	for range 3 {
		if left := fights.Left(f, now); len(left) != 1 {
			t.Errorf("nothing is forgotten: %v", left)
		}
		fights.Undone(f.Object, f.Changes, now)
	}
}

// TestRollOuts wants one commit after the other to be rolled out: each declares another
// value.
func TestRollOuts(t *testing.T) {
	t.Parallel()
	var fights reverter.Fights
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range 10 {
		f := finding.Finding{
			Rule: finding.DriftPending, Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"},
			Changes: []differ.Change{{Path: differ.Path{"data", "x"}, Op: differ.Modified, Declared: i, Live: i - 1}},
		}
		left := fights.Left(f, now)
		if len(left) != 1 || fights.Truce(f, now) {
			t.Fatalf("commit %d is a fight", i)
		}
		fights.Undone(f.Object, left, now)
		now = now.Add(time.Second)
	}
}

// TestRareChanges wants what is changed once a day to be no fight.
func TestRareChanges(t *testing.T) {
	t.Parallel()
	f := finding.Finding{Rule: finding.DriftMissing, Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"}}
	var fights reverter.Fights
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for range 10 {
		left := fights.Left(f, now)
		if len(left) != 1 {
			t.Fatal("a fight")
		}
		fights.Undone(f.Object, left, now)
		now = now.Add(24 * time.Hour)
	}
	for range 3 {
		fights.Undone(f.Object, fights.Left(f, now), now)
	}
	fights.Left(f, now)
	if found := fights.Findings([]finding.Finding{f}, now); len(found) != 1 || !strings.Contains(found[0].Message, "was created 3 times and is deleted each time") {
		t.Errorf("found %v", found)
	}
}
