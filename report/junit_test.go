package report_test

import (
	"bytes"
	"encoding/xml"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// junitSuite is what the tests look at.
type junitSuite struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
	Cases    []struct {
		Name    string    `xml:"name,attr"`
		Failure *struct{} `xml:"failure"`
		Error   *struct{} `xml:"error"`
		Skipped *struct{} `xml:"skipped"`
	} `xml:"testcase"`
}

// outcomes are those of a report's cases, by name.
func outcomes(t *testing.T, r report.Report, failOn finding.Severity) map[string]string {
	t.Helper()
	var b bytes.Buffer
	if err := report.JUnit(&b, r, failOn); err != nil {
		t.Fatal(err)
	}
	var read struct {
		junitSuite
		Suites []junitSuite `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatalf("%v in:\n%s", err, b.String())
	}
	found, count := map[string]string{}, map[string]int{}
	for _, c := range read.Suites[0].Cases {
		found[c.Name] = "passed"
		for outcome, there := range map[string]bool{"failed": c.Failure != nil, "error": c.Error != nil, "skipped": c.Skipped != nil} {
			if there && found[c.Name] != "passed" {
				t.Errorf("%s has more than one outcome", c.Name)
			}
			if there {
				found[c.Name] = outcome
				count[outcome]++
			}
		}
	}
	for _, s := range []junitSuite{read.junitSuite, read.Suites[0]} {
		if s.Tests != len(found) || s.Failures != count["failed"] || s.Errors != count["error"] || s.Skipped != count["skipped"] {
			t.Errorf("%+v is counted, want %d with %v", s, len(found), count)
		}
	}
	return found
}

func TestJUnit(t *testing.T) {
	id := func(name string) object.ID {
		return object.ID{Version: "v1", Kind: "Service", Namespace: "a", Name: name}
	}
	find := func(name string, s finding.Severity) finding.Finding {
		return finding.Finding{Rule: finding.DriftMissing, Severity: s, Object: id(name), Message: "m"}
	}
	r := report.Report{
		Compared: []report.Compared{{Object: id("fine")}, {Object: id("drifted")}, {Object: id("unknown")}},
		Findings: []finding.Finding{find("drifted", finding.Warning), find("noted", finding.Info), find("both", finding.Info), find("lost", finding.Critical)},
		Ignored:  []finding.Silenced{{Finding: find("ignored", finding.Warning), Reason: "known"}, {Finding: find("drifted", finding.Warning)}, {Finding: find("noted", finding.Warning)}},
		Unknown:  []report.Unknown{{Object: id("unknown"), Reason: "forbidden"}, {Object: id("both"), Reason: "forbidden"}, {Object: id("lost"), Reason: "forbidden"}},
		Errors:   []string{"a.yaml:1: no"},
	}
	want := map[string]string{
		"Service a/fine": "passed", "Service a/drifted": "failed", "Service a/noted": "passed", "Service a/both": "error",
		"Service a/lost": "failed", "Service a/ignored": "skipped", "Service a/unknown": "error", "error 1": "error",
	}
	if d := cmp.Diff(want, outcomes(t, r, finding.Warning)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	want["Service a/drifted"] = "passed"
	if d := cmp.Diff(want, outcomes(t, r, finding.Critical)); d != "" {
		t.Errorf("failing at critical only, -want +got:\n%s", d)
	}
	outcomes(t, sample(), finding.Info)
}
