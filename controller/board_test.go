package controller

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// TestBoard wants each finding told once when it comes, when it is another and when it
// goes, and none to go of which nothing is known at the moment; also where each look is
// another process's.
func TestBoard(t *testing.T) {
	one := finding.Finding{Rule: finding.DriftAdded, Severity: finding.Warning, Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "one"}}
	two := one
	two.Object.Name = "two"
	worse := one
	worse.Severity = finding.Critical
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	file := filepath.Join(t.TempDir(), "boards", "board.json")
	same := newBoard(logger, "")
	for name, step := range []struct {
		report report.Report
		want   []string
	}{
		{report.Report{Findings: []finding.Finding{one, two}}, []string{"finding shop/one", "finding shop/two"}},
		{report.Report{Findings: []finding.Finding{one, two}}, nil},
		{report.Report{Findings: []finding.Finding{worse, two}}, []string{"finding changed shop/one"}},
		{report.Report{Findings: []finding.Finding{one, two}}, []string{"finding changed shop/one"}},
		{report.Report{Findings: []finding.Finding{two}, Unknown: []report.Unknown{{Object: one.Object}}}, nil},
		{report.Report{Unknown: []report.Unknown{{Reason: "nobody answers"}}}, nil},
		{report.Report{Errors: []string{"a.yaml:1: what is this"}}, nil},
		{report.Report{Findings: []finding.Finding{two}}, []string{"finding resolved shop/one"}},
		{report.Report{}, []string{"finding resolved shop/two"}},
		{report.Report{Findings: []finding.Finding{one}}, []string{"finding shop/one"}},
	} {
		other := newBoard(logger, file)
		for _, b := range []*board{&same, &other} {
			log.Reset()
			b.update(step.report)
			if got := lines(log.String()); strings.Join(got, ", ") != strings.Join(step.want, ", ") {
				t.Errorf("step %d: %q, want %q", name, got, step.want)
			}
		}
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	if b := newBoard(logger, file); len(b.open) > 0 || !strings.Contains(log.String(), "told again") {
		t.Errorf("a board that is damaged: %v, %s", b.open, &log)
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
