package policy_test

import (
	"os"
	"path/filepath"
	"slices"
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
	old := func(c differ.Change) differ.Change {
		c.Pending = differ.Pending{Commit: "abc", Behind: 1}
		return c
	}
	diff := differ.Diff{Unattributed: true, Changes: []differ.Change{
		old(change(differ.Modified, "1")), old(change(differ.Removed, "2")), old(change(differ.Released, "3")), old(change(differ.Reordered, "4")),
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
	reference(t, policy.Drift(declared, diff))
	want := map[finding.Rule]told{
		finding.DriftModified:     {"warning", "b e h"},
		finding.DriftRemoved:      {"warning", "g"},
		finding.DriftAdded:        {"warning", "a"},
		finding.DriftReleased:     {"warning", "f"},
		finding.DriftContested:    {"info", "c"},
		finding.DriftPending:      {"info", "1 2 3 4"},
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

// TestVerdict wants what lags behind to be neither in sync nor drift, and drift to
// show beside it.
func TestVerdict(t *testing.T) {
	pending := finding.Finding{Rule: finding.DriftPending, Severity: finding.Info}
	contested := finding.Finding{Rule: finding.DriftContested, Severity: finding.Info}
	added := finding.Finding{Rule: finding.DriftAdded, Severity: finding.Warning}
	for _, c := range []struct {
		findings, ignored []finding.Finding
		want              finding.Verdict
	}{
		{nil, nil, finding.InSync},
		{[]finding.Finding{contested}, []finding.Finding{contested}, finding.InSync},
		{[]finding.Finding{contested, pending}, nil, finding.Pending},
		{[]finding.Finding{pending, contested}, []finding.Finding{added}, finding.Pending},
		{[]finding.Finding{contested}, []finding.Finding{added, contested}, finding.Ignored},
		{[]finding.Finding{pending, added}, nil, finding.Drifted},
		{[]finding.Finding{added, pending}, []finding.Finding{added}, finding.Drifted},
	} {
		var ignored []finding.Silenced
		for _, f := range c.ignored {
			ignored = append(ignored, finding.Silenced{Finding: f})
		}
		if got := policy.Verdict(c.findings, ignored); got != c.want {
			t.Errorf("%v, and %v ignored, is %s, want %s", c.findings, c.ignored, got, c.want)
		}
	}
}

func TestSince(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef01234567"
	for behind, want := range map[int]string{
		0: "declared since 0123456789ab, the newest commit", 1: "declared since 0123456789ab, 1 commit ago", 7: "declared since 0123456789ab, 7 commits ago",
	} {
		if got := policy.Since(differ.Pending{Commit: hash, Behind: behind}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := policy.Since(differ.Pending{}); got != "" {
		t.Errorf("of no commit it says %q", got)
	}
}

// TestRestarted wants a restart to be worth knowing and no more, and whatever is
// not certainly one to be what it was.
func TestRestarted(t *testing.T) {
	const mark, at = "kubectl.kubernetes.io/restartedAt", "2026-01-02T12:00:00+01:00"
	annotations := differ.Path{"spec", "template", "metadata", "annotations"}
	marked := append(slices.Clone(annotations), mark)
	for name, c := range map[string]struct {
		change differ.Change
		want   finding.Rule
	}{
		"a mark":                     {differ.Change{Op: differ.Added, Path: marked, Live: at}, finding.DriftRestarted},
		"another than git's":         {differ.Change{Op: differ.Modified, Path: marked, Declared: "2025-01-01T00:00:00Z", Live: at}, finding.DriftRestarted},
		"the only annotation":        {differ.Change{Op: differ.Added, Path: annotations, Live: map[string]any{mark: at}}, finding.DriftRestarted},
		"Rancher's":                  {differ.Change{Op: differ.Added, Path: append(slices.Clone(annotations), "cattle.io/timestamp"), Live: "2026-01-02T12:00:00Z"}, finding.DriftRestarted},
		"git's, gone":                {differ.Change{Op: differ.Removed, Path: marked, Declared: at}, finding.DriftRemoved},
		"git's, dropped":             {differ.Change{Op: differ.Released, Path: marked, Live: at}, finding.DriftReleased},
		"no time":                    {differ.Change{Op: differ.Added, Path: marked, Live: "now"}, finding.DriftAdded},
		"no text":                    {differ.Change{Op: differ.Added, Path: marked, Live: int64(1)}, finding.DriftAdded},
		"another annotation":         {differ.Change{Op: differ.Added, Path: append(slices.Clone(annotations), "example.com/at"), Live: at}, finding.DriftAdded},
		"another annotation with it": {differ.Change{Op: differ.Added, Path: annotations, Live: map[string]any{mark: at, "a": "b"}}, finding.DriftAdded},
		"no annotation":              {differ.Change{Op: differ.Added, Path: annotations, Live: map[string]any{}}, finding.DriftAdded},
		"the object's own":           {differ.Change{Op: differ.Added, Path: differ.Path{"metadata", "annotations", mark}, Live: at}, finding.DriftAdded},
		"the whole template":         {differ.Change{Op: differ.Added, Path: differ.Path{"spec", "template"}, Live: map[string]any{}}, finding.DriftAdded},
	} {
		got := policy.Drift(declared, differ.Diff{Changes: []differ.Change{c.change}})
		if len(got) != 1 || got[0].Rule != c.want || (got[0].Severity == finding.Info) != (c.want == finding.DriftRestarted) || len(got[0].Changes) != 1 {
			t.Errorf("%s: found %+v, want %s", name, got, c.want)
		}
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

// reference wants the page about findings to have each rule, with its advice.
func reference(t *testing.T, findings []finding.Finding) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "findings.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(text)), " ")
	for _, f := range findings {
		_, section, found := strings.Cut(page, "## "+string(f.Rule)+" ")
		section, _, _ = strings.Cut(section, "## ")
		if !found || !strings.Contains(section, "What to do: "+f.Advice) {
			t.Errorf("docs/findings.md has no section %s that says: What to do: %s", f.Rule, f.Advice)
		}
	}
}
