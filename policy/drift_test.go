package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/policy"
)

var declared = object.Object{
	ID:     object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
	Origin: object.Origin{Position: object.Position{File: "web.yaml", Line: 3}},
}

// TestDrift wants one finding for each rule that is broken, with its changes in
// their order, and no change left out.
func TestDrift(t *testing.T) {
	change := func(op differ.Op, field string) differ.Change {
		return differ.Change{Op: op, Path: differ.Path{field}}
	}
	diff := differ.Diff{Unattributed: true, Changes: []differ.Change{
		change(differ.Added, "a"), change(differ.Modified, "b"), change(differ.Contested, "c"), change(differ.Controlled, "d"),
		change(differ.Reordered, "e"), change(differ.Released, "f"), change(differ.Removed, "g"), change(differ.Modified, "h"),
	}}
	type told struct {
		Severity string
		Fields   string
	}
	got := map[finding.Rule]told{}
	for _, f := range policy.Drift(declared, diff) {
		var fields []string
		for _, c := range f.Changes {
			fields = append(fields, c.Path.String())
		}
		got[f.Rule] = told{f.Severity.String(), strings.Join(fields, " ")}
		if f.Object != declared.ID || f.Origin.Position != declared.Origin.Position || f.Message == "" || f.Advice == "" {
			t.Errorf("incomplete: %+v", f)
		}
	}
	want := map[finding.Rule]told{
		finding.DriftModified:     {"warning", "b e h"},
		finding.DriftRemoved:      {"warning", "g"},
		finding.DriftAdded:        {"warning", "a"},
		finding.DriftReleased:     {"warning", "f"},
		finding.DriftContested:    {"info", "c"},
		finding.DriftControlled:   {"info", "d"},
		finding.DriftUnattributed: {"warning", ""},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if f := policy.Drift(declared, differ.Diff{}); len(f) > 0 {
		t.Errorf("found %v in nothing", f)
	}
}

func TestMissing(t *testing.T) {
	f := policy.Missing(declared, "")
	if f.Rule != finding.DriftMissing || f.Severity != finding.Warning || f.Object != declared.ID || f.Message != "the object is declared and does not exist" {
		t.Errorf("got %+v", f)
	}
	if f := policy.Missing(declared, "its kind is not served"); !strings.HasSuffix(f.Message, "does not exist: its kind is not served") {
		t.Errorf("got %q", f.Message)
	}
}

func TestGoesByItself(t *testing.T) {
	for name, c := range map[string]struct {
		group, kind string
		spec        any
		want        bool
	}{
		"a job with a time to live":     {"batch", "Job", map[string]any{"ttlSecondsAfterFinished": int64(60)}, true},
		"of zero":                       {"batch", "Job", map[string]any{"ttlSecondsAfterFinished": int64(0)}, true},
		"a job without":                 {"batch", "Job", map[string]any{}, false},
		"with null":                     {"batch", "Job", map[string]any{"ttlSecondsAfterFinished": nil}, false},
		"without a spec":                {"batch", "Job", nil, false},
		"with a spec of another type":   {"batch", "Job", "x", false},
		"a cron job":                    {"batch", "CronJob", map[string]any{"ttlSecondsAfterFinished": int64(60)}, false},
		"somebody else's kind of a job": {"example.com", "Job", map[string]any{"ttlSecondsAfterFinished": int64(60)}, false},
	} {
		o := object.Object{ID: object.ID{Group: c.group, Kind: c.kind}, Content: map[string]any{"spec": c.spec}}
		if got := policy.GoesByItself(o); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
