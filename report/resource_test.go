package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// TestDetails wants a finding to survive the API server: what it holds makes the same
// details again, and where nothing was too long the same report.
func TestDetails(t *testing.T) {
	all := sample().Findings
	for _, f := range all {
		details := report.Details(f)
		text, err := json.Marshal(details)
		if err != nil {
			t.Fatal(err)
		}
		stored := details
		stored.Changes, stored.Children, stored.Origin = nil, nil, nil
		if err := json.Unmarshal(text, &stored); err != nil {
			t.Fatal(err)
		}
		back := report.FromDetails(stored)
		if back.Fingerprint() != f.Fingerprint() && f.Subject == details.Subject {
			t.Errorf("%s of %s has another fingerprint", f.Rule, f.Object)
		}
		isCut := false
		for _, c := range details.Changes {
			isCut = isCut || c.Cut
		}
		if d := cmp.Diff(details, report.Details(back), sameJSON); d != "" && !isCut {
			t.Errorf("%s of %s: -details +again:\n%s", f.Rule, f.Object, d)
		}
		if want, got := printed(t, f), printed(t, back); want != got && !isCut {
			t.Errorf("-found +kept:\n%s", cmp.Diff(want, got))
		}
	}
}

// sameJSON compares values however they are spelled.
var sameJSON = cmp.Comparer(func(a, b apiextensionsv1.JSON) bool {
	var values [2]any
	return json.Unmarshal(a.Raw, &values[0]) == nil && json.Unmarshal(b.Raw, &values[1]) == nil && cmp.Equal(values[0], values[1])
})

func printed(t *testing.T, f finding.Finding) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.JSON(&b, report.Report{Findings: []finding.Finding{f}, At: at}); err != nil {
		t.Fatal(err)
	}
	if err := report.Text(&b, report.Report{Findings: []finding.Finding{f}, At: at}, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestDetailsBounded wants the details of whatever somebody has put into an object to be
// small, to count what they leave out, and to show where long values differ.
func TestDetailsBounded(t *testing.T) {
	long := strings.Repeat("\x01<\u202e\xff", 100_000)
	f := finding.Finding{Rule: finding.DriftModified, Severity: finding.Warning, Object: object.ID{Version: "v1", Kind: "ConfigMap", Name: "a"}, Subject: long, Message: long, Advice: long}
	for range 1000 {
		f.Changes = append(f.Changes, differ.Change{
			Path: differ.Path{"data", long}, Op: differ.Modified, Declared: long + "before", Live: long + "after", Writer: differ.Writer{Manager: long, Time: at},
		})
		f.Children = append(f.Children, object.ID{Version: "v1", Kind: "Pod", Name: "p"})
	}
	f.Changes[1] = differ.Change{Path: differ.Path{"data"}, Op: differ.Added, Live: map[string]any{"key": strings.Repeat("x", 10_000)}}
	f.Changes[2] = differ.Change{Path: differ.Path{"data"}, Op: differ.Removed, Declared: strings.Repeat("x", 10_000)}
	d := report.Details(f)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 500_000 {
		t.Errorf("the details take %d bytes", len(text))
	}
	if len(d.Changes) != 20 || d.ChangesOmitted != 980 || len(d.Children) != 20 || d.ChildrenOmitted != 980 {
		t.Errorf("%d changes and %d more, %d children and %d more", len(d.Changes), d.ChangesOmitted, len(d.Children), d.ChildrenOmitted)
	}
	if c := d.Changes[0]; !c.Cut || !strings.HasSuffix(string(c.Declared.Raw), `before"`) || !strings.HasSuffix(string(c.Live.Raw), `after"`) {
		t.Errorf("%s and %s do not show where they differ", c.Declared.Raw, c.Live.Raw)
	}
	if c := d.Changes[1]; !c.Cut || c.Declared != nil || !strings.HasPrefix(string(c.Live.Raw), `"{key: xxx`) {
		t.Errorf("what was added is %s", c.Live.Raw)
	}
	if c := d.Changes[2]; !c.Cut || c.Live != nil || len(c.Declared.Raw) > 600 {
		t.Errorf("what was removed is %s", c.Declared.Raw)
	}
	if again := report.Details(report.FromDetails(d)); again.Message != d.Message {
		t.Error("what was cut is cut again")
	}
}

// TestSince wants both forms to tell since when a finding is known.
func TestSince(t *testing.T) {
	f := finding.Finding{Rule: finding.RogueObject, Severity: finding.Critical, Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"}, Message: "nobody declared it"}
	r := report.Report{At: at, Findings: []finding.Finding{f}, Since: map[string]time.Time{f.Fingerprint(): at.Add(-time.Hour)}}
	var text, structured bytes.Buffer
	if err := report.Text(&text, r, report.TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if err := report.JSON(&structured, r); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "found 60m ago") || !strings.Contains(structured.String(), `"since": "2026-01-02T11:00:00Z"`) {
		t.Errorf("%s%s", &text, &structured)
	}
}
