package controller

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// TestBoard wants each finding told once when it comes and once when it goes, and none
// to go of which nothing is known at the moment.
func TestBoard(t *testing.T) {
	one := finding.Finding{Rule: finding.DriftAdded, Severity: finding.Warning, Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "one"}}
	two := one
	two.Object.Name = "two"
	var log bytes.Buffer
	var b board
	for name, step := range []struct {
		report report.Report
		want   []string
	}{
		{report.Report{Findings: []finding.Finding{one, two}}, []string{"finding shop/one", "finding shop/two"}},
		{report.Report{Findings: []finding.Finding{one, two}}, nil},
		{report.Report{Findings: []finding.Finding{two}, Unknown: []report.Unknown{{Object: one.Object}}}, nil},
		{report.Report{Unknown: []report.Unknown{{Reason: "nobody answers"}}}, nil},
		{report.Report{Errors: []string{"a.yaml:1: what is this"}}, nil},
		{report.Report{Findings: []finding.Finding{two}}, []string{"finding resolved shop/one"}},
		{report.Report{}, []string{"finding resolved shop/two"}},
		{report.Report{Findings: []finding.Finding{one}}, []string{"finding shop/one"}},
	} {
		log.Reset()
		b.update(slog.New(slog.NewTextHandler(&log, nil)), step.report)
		var got []string
		for line := range strings.Lines(log.String()) {
			word := "finding "
			if strings.Contains(line, `msg="finding resolved"`) {
				word = "finding resolved "
			}
			_, id, _ := strings.Cut(line, "ConfigMap ")
			id, _, _ = strings.Cut(id, `"`)
			got = append(got, word+id)
		}
		if strings.Join(got, ", ") != strings.Join(step.want, ", ") {
			t.Errorf("step %d: %q, want %q", name, got, step.want)
		}
	}
}
