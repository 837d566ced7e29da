package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"plumbline.dev/plumbline/finding"
)

// The parts of JUnit's XML, as Jenkins and GitLab read it, that are written.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name string `xml:"name,attr"`
		junitCounts
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
		Out       *junitText  `xml:"system-out"`
	}
	junitCounts struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
		Skipped *junitProblem `xml:"skipped"`
		Out     *junitText    `xml:"system-out"`
	}
	junitText struct {
		Text string `xml:",cdata"` // which leaves lines as they are
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",cdata"`
	}
)

// JUnit writes the report as JUnit's XML, with a test case for each object that it speaks
// of, which are all declared ones where it lists them (Compared). A case fails by findings
// at or above failOn, and tells lesser ones; what could not be compared, or is wrong with
// the configuration, is an error, and what is ignored as a whole is skipped.
func JUnit(w io.Writer, r Report, failOn finding.Severity) error {
	suite := junitSuite{Name: path.Join("plumbline", printable(r.Baseline), printable(r.Source.Path)), Timestamp: r.At.UTC().Format(time.RFC3339)}
	t := r.teller(TextOptions{})
	for _, s := range r.subjects() {
		suite.add(t.junitCase(s, failOn))
	}
	for i, e := range r.Errors {
		suite.add(junitCase{Class: "configuration", Name: fmt.Sprintf("error %d", i+1), Error: &junitProblem{Message: printable(e), Type: string(failure)}})
	}
	suite.Out = output(r.notes())
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(junitSuites{junitCounts: suite.junitCounts, Suites: []junitSuite{suite}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add adds a case, and counts it.
func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

// junitCase is the case of one object: it has one outcome, and that is the worst.
func (t *text) junitCase(s subject, failOn finding.Severity) junitCase {
	c := junitCase{Class: printable(s.object.Kind), Name: s.name(), File: printable(s.origin.File), Line: s.origin.Line}
	if c.Class == "" {
		c.Class = "unknown"
	}
	lines := t.sentences(s)
	told := strings.Join(lines, "\n")
	switch {
	case s.worst() >= failOn:
		c.Failure = &junitProblem{Message: s.headline(failOn), Type: s.worst().String(), Text: told}
	case len(s.unknown) > 0:
		c.Error = &junitProblem{Message: "not compared: " + printable(s.unknown[0]), Type: string(notCompared), Text: told}
	case len(s.findings) == 0 && len(s.ignored) > 0:
		c.Skipped = &junitProblem{Message: "ignored: " + printable(s.ignored[0].Reason)}
		c.Out = output(lines)
	default:
		c.Out = output(lines)
	}
	return c
}

// output is what a case or suite prints; nil where that is nothing.
func output(lines []string) *junitText {
	if len(lines) == 0 {
		return nil
	}
	return &junitText{strings.Join(lines, "\n")}
}

// headline says which rules found something at or above a severity.
func (s subject) headline(least finding.Severity) string {
	var parts []string
	for _, f := range s.findings {
		if f.Severity >= least {
			parts = append(parts, string(f.Rule)+": "+printable(f.Message))
		}
	}
	return strings.Join(parts, "; ")
}

// notes are what the reader should know beside what is told of objects.
func (r Report) notes() []string {
	var notes []string
	for _, warning := range r.Warnings {
		notes = append(notes, "warning: "+printable(strings.TrimSpace(warning)))
	}
	for _, note := range r.asides() {
		notes = append(notes, "note: "+note)
	}
	return notes
}

// sentences tell all of an object, a line or more for each thing.
func (t *text) sentences(s subject) []string {
	var lines []string
	for _, b := range t.blocks(s) {
		lines = append(append(lines, b.title()), b.lines...)
	}
	return lines
}
