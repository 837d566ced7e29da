package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// sarifLog is what the tests look at.
type sarifLog struct {
	Runs []struct {
		Tool struct {
			Driver struct{ Rules []struct{ ID string } }
		}
		Invocations []struct {
			ExecutionSuccessful bool
		}
		Results []struct {
			RuleID, Level       string
			RuleIndex           int
			Message             struct{ Text string }
			PartialFingerprints map[string]string
			Suppressions        []struct{ Justification string }
			Locations           []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI, URIBaseID string }
					Region           struct{ StartLine int }
				}
				LogicalLocations []struct{ FullyQualifiedName string }
			}
		}
	}
}

// sarifOf writes a report, and holds what is written against the standard's schema.
func sarifOf(t *testing.T, r report.Report) (log sarifLog) {
	t.Helper()
	var b bytes.Buffer
	if err := report.SARIF(&b, r, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(document); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

func TestSARIF(t *testing.T) {
	r := sample()
	run := sarifOf(t, r).Runs[0]
	if want := len(r.Findings) + len(r.Ignored) + len(r.Unknown) + len(r.Errors); len(run.Results) != want {
		t.Errorf("%d results, want %d: one of each finding, and of what was not compared or is wrong", len(run.Results), want)
	}
	if run.Invocations[0].ExecutionSuccessful {
		t.Error("a report with errors is of a successful run")
	}
	suppressed := 0
	for _, result := range run.Results {
		if result.RuleID != run.Tool.Driver.Rules[result.RuleIndex].ID {
			t.Errorf("%s has the rule %s", result.RuleID, run.Tool.Driver.Rules[result.RuleIndex].ID)
		}
		if at := result.Locations[0].PhysicalLocation; at.ArtifactLocation.URI == "" || at.ArtifactLocation.URIBaseID != "%SRCROOT%" {
			t.Errorf("%s: nowhere in the repository: %q", result.Message.Text, at.ArtifactLocation)
		}
		suppressed += len(result.Suppressions)
		plain := strings.ReplaceAll(result.Message.Text, "\n", "")
		if strings.ContainsFunc(plain, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			t.Errorf("uncontrolled: %q", result.Message.Text)
		}
	}
	if suppressed != len(r.Ignored) {
		t.Errorf("%d results are suppressed, want %d", suppressed, len(r.Ignored))
	}
}

// TestSARIFOfNothing wants a log that says so: scanners take none for a failure.
func TestSARIFOfNothing(t *testing.T) {
	run := sarifOf(t, report.Report{At: at}).Runs[0]
	if len(run.Results) > 0 || !run.Invocations[0].ExecutionSuccessful {
		t.Errorf("got %+v", run)
	}
}

func TestSARIFPlaces(t *testing.T) {
	id := object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"}
	for name, c := range map[string]struct {
		report  report.Report
		uri     string
		line    int
		logical string
	}{
		"a finding at its declaration": {
			report.Report{Findings: []finding.Finding{{Rule: finding.DriftMissing, Severity: finding.Warning, Object: id, Origin: object.Origin{Position: object.Position{File: "a b/c:d.yaml", Line: 7}}}}},
			"a%20b/c:d.yaml", 7, "ConfigMap shop/a",
		},
		"a file that could pass for a scheme": {
			report.Report{Findings: []finding.Finding{{Rule: finding.DriftMissing, Severity: finding.Warning, Object: id, Origin: object.Origin{Position: object.Position{File: "https:evil"}}}}},
			"./https:evil", 0, "ConfigMap shop/a",
		},
		"what nobody declares": {
			report.Report{Source: report.Source{File: "app/kustomization.yaml"}, Findings: []finding.Finding{{Rule: finding.RogueObject, Severity: finding.Critical, Object: id}}},
			"app/kustomization.yaml", 0, "ConfigMap shop/a",
		},
		"an error that names its line": {
			report.Report{Errors: []string{"app/a.yaml:12: no such field"}}, "app/a.yaml", 12, "",
		},
		"an error that names none": {
			report.Report{Source: report.Source{File: "app/kustomization.yaml"}, Errors: []string{"no such field"}}, "app/kustomization.yaml", 0, "",
		},
		"what was not compared": {
			report.Report{Unknown: []report.Unknown{{Object: id, Origin: object.Origin{Position: object.Position{File: "a.yaml", Line: 1}}}}},
			"a.yaml", 1, "ConfigMap shop/a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := sarifOf(t, c.report).Runs[0].Results[0].Locations[0]
			logical := ""
			if len(l.LogicalLocations) > 0 {
				logical = l.LogicalLocations[0].FullyQualifiedName
			}
			if at := l.PhysicalLocation; at.ArtifactLocation.URI != c.uri || at.Region.StartLine != c.line || logical != c.logical {
				t.Errorf("got %q line %d of %q, want %q line %d of %q", at.ArtifactLocation.URI, at.Region.StartLine, logical, c.uri, c.line, c.logical)
			}
		})
	}
}

// TestSARIFMakesNoLink: [text](target) in a message is a link to viewers, and anybody may
// have put that into a value.
func TestSARIFMakesNoLink(t *testing.T) {
	r := report.Report{Findings: []finding.Finding{{Rule: finding.DriftMissing, Severity: finding.Warning, Message: "see [the docs](https://evil.example)"}}}
	if text := sarifOf(t, r).Runs[0].Results[0].Message.Text; strings.Contains(text, "](") {
		t.Errorf("a link: %s", text)
	}
}

// TestSARIFFingerprint is of the same finding on another line, with another value.
func TestSARIFFingerprint(t *testing.T) {
	f := finding.Finding{Rule: finding.DriftMissing, Severity: finding.Warning, Object: object.ID{Kind: "Service", Name: "a"}, Message: "x"}
	moved := f
	moved.Origin.Position = object.Position{File: "other.yaml", Line: 9}
	moved.Message, moved.Severity = "y", finding.Critical
	results := sarifOf(t, report.Report{Findings: []finding.Finding{f, moved}}).Runs[0].Results
	for _, name := range []string{"plumbline/v1", "primaryLocationLineHash"} {
		if a, b := results[0].PartialFingerprints[name], results[1].PartialFingerprints[name]; a == "" || a != b {
			t.Errorf("%s is %q and %q", name, a, b)
		}
	}
}
