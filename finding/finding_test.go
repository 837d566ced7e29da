package finding_test

import (
	"slices"
	"testing"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// TestFingerprint holds fingerprints to their words: suppressions, baselines and
// open tickets of other versions refer to them.
func TestFingerprint(t *testing.T) {
	f := finding.Finding{Rule: finding.DriftModified, Object: object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}}
	const want = "40bc73714da8eea8"
	if got := f.Fingerprint(); got != want {
		t.Errorf("the fingerprint was %s and is now %s", want, got)
	}
	same := f
	same.Object.Version = "v1beta1"
	same.Severity, same.Message, same.Advice = finding.Critical, "x", "y"
	same.Origin = object.Origin{Position: object.Position{File: "f", Line: 3}}
	same.Changes = []differ.Change{{Op: differ.Added}}
	if same.Fingerprint() != want {
		t.Error("the fingerprint depends on more than rule and object")
	}
	others := []func(*finding.Finding){
		func(f *finding.Finding) { f.Rule = finding.DriftAdded },
		func(f *finding.Finding) { f.Object.Group = "" },
		func(f *finding.Finding) { f.Object.Kind = "StatefulSet" },
		func(f *finding.Finding) { f.Object.Namespace = "" },
		func(f *finding.Finding) { f.Object.Name = "api" },
		func(f *finding.Finding) { f.Object.Namespace, f.Object.Name = "sho", "pweb" },
	}
	seen := []string{want}
	for i, change := range others {
		other := f
		change(&other)
		if slices.Contains(seen, other.Fingerprint()) {
			t.Errorf("case %d has the fingerprint of another finding", i)
		}
		seen = append(seen, other.Fingerprint())
	}
}

func TestSeverity(t *testing.T) {
	for text, want := range map[string]finding.Severity{
		"info": finding.Info, "warning": finding.Warning, "Critical": finding.Critical, "INFO": finding.Info,
	} {
		if got, err := finding.ParseSeverity(text); err != nil || got != want {
			t.Errorf("%q is %v, error %v", text, got, err)
		}
	}
	for _, text := range []string{"", " info", "error", "1"} {
		if got, err := finding.ParseSeverity(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
	for _, s := range []finding.Severity{finding.Info, finding.Warning, finding.Critical} {
		if got, err := finding.ParseSeverity(s.String()); err != nil || got != s {
			t.Errorf("%v does not survive its own name: %v, %v", s, got, err)
		}
	}
	if got := finding.Severity(0).String(); got != "severity(0)" {
		t.Errorf("no severity is called %s", got)
	}
}

func TestCompare(t *testing.T) {
	of := func(namespace, kind, name string, rule finding.Rule) finding.Finding {
		return finding.Finding{Rule: rule, Object: object.ID{Kind: kind, Namespace: namespace, Name: name}}
	}
	sorted := []finding.Finding{
		of("", "Namespace", "b", "drift/added"),
		of("a", "ConfigMap", "z", "drift/added"),
		of("a", "Deployment", "a", "drift/added"),
		of("a", "Deployment", "a", "drift/modified"),
		of("b", "ConfigMap", "a", "drift/added"),
	}
	if !slices.IsSortedFunc(sorted, finding.Finding.Compare) {
		t.Error("not in order")
	}
}
