package report

import (
	"io"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// The parts of SARIF 2.1.0 (OASIS, with errata 01) that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Automation  *sarifAutomation  `json:"automationDetails,omitempty"`
		Invocations []sarifInvocation `json:"invocations"`
		Provenance  []sarifVersion    `json:"versionControlProvenance,omitempty"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string       `json:"id"`
		ShortDescription sarifText    `json:"shortDescription"`
		FullDescription  sarifText    `json:"fullDescription"`
		Help             sarifText    `json:"help"`
		Properties       sarifTagging `json:"properties"`
	}
	sarifTagging struct {
		Tags []string `json:"tags"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifVersion struct {
		Repository string        `json:"repositoryUri"`
		Revision   string        `json:"revisionId,omitempty"`
		Branch     string        `json:"branch,omitempty"`
		MappedTo   sarifArtifact `json:"mappedTo"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Related      []sarifLocation    `json:"relatedLocations,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		ID       int            `json:"id,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI     string `json:"uri,omitempty"`
		URIBase string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification,omitempty"`
	}
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	sarifRoot   = "%SRCROOT%" // the top of the repository, as scanners of code call it

	sarifMaxChanges = 20 // changes of one finding that its message tells
)

// What is no finding has rules of its own there: viewers show results, and nothing
// that was not compared is to pass for clean.
const (
	notCompared finding.Rule = "report/not-compared"
	failure     finding.Rule = "report/error"
)

var sarifLevels = map[finding.Severity]string{finding.Info: "note", finding.Warning: "warning", finding.Critical: "error"}

// SARIF writes the report as a SARIF 2.1.0 log, by the named version of the tool. Each
// finding is a result at the line that declares the object or the value, or, where
// nothing does, at what the rendering began with; ignored ones are suppressed. What
// could not be compared and what went wrong are results as well.
func SARIF(w io.Writer, r Report, version string) error {
	s, err := newSARIF(r)
	if err != nil {
		return err
	}
	for _, f := range r.Findings {
		s.add(s.finding(f))
	}
	for _, f := range r.Ignored {
		result := s.finding(f.Finding)
		result.Suppressions = []sarifSuppression{{Kind: "external", Status: "accepted", Justification: printable(f.Reason)}}
		s.add(result)
	}
	for _, u := range r.Unknown {
		s.add(s.unknown(u))
	}
	for _, e := range r.Errors {
		s.add(sarifResult{RuleID: string(failure), Level: "error", Message: message(e), Locations: s.place(e)})
	}
	s.run.Tool.Driver.Version = version
	return writeJSON(w, sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{s.run}})
}

// sarif is a run in the making.
type sarif struct {
	report Report
	teller *text
	run    sarifRun
	help   map[finding.Rule]finding.Help
}

func newSARIF(r Report) (*sarif, error) {
	s := &sarif{report: r, teller: r.teller(TextOptions{}), help: map[finding.Rule]finding.Help{
		notCompared: {Rule: notCompared, Title: "Something could not be compared", Finds: "What could not be compared is neither in order nor out of it.", Fix: "The message says what was missing: mostly the right to read it, or a kind that the cluster does not have."},
		failure:     {Rule: failure, Title: "Something is wrong with the configuration", Finds: "A part of the configuration could not be read or rendered, so nothing in it was compared.", Fix: "The message names the file and what is wrong with it."},
	}}
	reference, err := finding.Reference()
	if err != nil {
		return nil, err
	}
	for _, help := range reference {
		s.help[help.Rule] = help
	}
	s.run = sarifRun{
		Tool:        sarifTool{Driver: sarifDriver{Name: "Plumbline", Rules: []sarifRule{}}},
		Automation:  &sarifAutomation{ID: path.Join("plumbline", r.Baseline, r.Source.Path) + "/"},
		Invocations: []sarifInvocation{{Successful: len(r.Errors) == 0}},
		ColumnKind:  "unicodeCodePoints", Results: []sarifResult{},
	}
	for _, warning := range r.Warnings {
		n := &s.run.Invocations[0].Notifications
		*n = append(*n, sarifNotification{Level: "warning", Message: message(warning)})
	}
	for _, note := range r.asides() {
		n := &s.run.Invocations[0].Notifications
		*n = append(*n, sarifNotification{Level: "note", Message: message(note)})
	}
	s.run.Provenance = provenanceOf(r.Source)
	return s, nil
}

// provenanceOf names the repository, where it has an address that others can use.
func provenanceOf(source Source) []sarifVersion {
	u, err := url.Parse(source.Repository)
	if err != nil || u.Host == "" {
		return nil
	}
	return []sarifVersion{{
		Repository: u.String(), Revision: source.Commit, Branch: strings.TrimPrefix(source.Ref, "refs/heads/"),
		MappedTo: sarifArtifact{URIBase: sarifRoot},
	}}
}

// add adds a result, and its rule where that is new.
func (s *sarif) add(result sarifResult) {
	rules := &s.run.Tool.Driver.Rules
	for result.RuleIndex < len(*rules) && (*rules)[result.RuleIndex].ID != result.RuleID {
		result.RuleIndex++
	}
	if result.RuleIndex == len(*rules) {
		*rules = append(*rules, s.rule(finding.Rule(result.RuleID)))
	}
	s.run.Results = append(s.run.Results, result)
}

func (s *sarif) rule(id finding.Rule) sarifRule {
	help := s.help[id]
	group, _, _ := strings.Cut(string(id), "/")
	rule := sarifRule{
		ID: string(id), ShortDescription: sarifText{Text: help.Title}, FullDescription: sarifText{Text: strings.TrimSpace(help.Finds)},
		Help: sarifText{Text: strings.TrimSpace(help.Fix)}, Properties: sarifTagging{Tags: []string{group, "kubernetes"}},
	}
	if help.Exempt != "" { // of the vocabulary, so there is more to read
		rule.Help.Markdown = help.Markdown()
	}
	return rule
}

func (s *sarif) finding(f finding.Finding) sarifResult {
	fingerprint := f.Fingerprint()
	result := sarifResult{
		RuleID: string(f.Rule), Level: sarifLevels[f.Severity], Message: message(s.words(f)...),
		// The second name is the one that GitHub's code scanning knows.
		Fingerprints: map[string]string{"plumbline/v1": fingerprint, "primaryLocationLineHash": fingerprint + ":1"},
	}
	at := f.Origin.Position
	var elsewhere []differ.Change
	for _, c := range f.Changes {
		if c.Origin.File == "" {
			continue
		}
		if at == f.Origin.Position {
			at = c.Origin
		}
		elsewhere = append(elsewhere, c)
	}
	result.Locations = []sarifLocation{s.location(f.Object, at)}
	for i, c := range elsewhere {
		text := message(c.Path.String())
		result.Related = append(result.Related, sarifLocation{ID: i + 1, Message: &text, Physical: physical(c.Origin)})
	}
	return result
}

// words tell a finding in a few lines.
func (s *sarif) words(f finding.Finding) []string {
	lines := []string{f.Object.String() + ": " + f.Message}
	for i, c := range f.Changes {
		if i == sarifMaxChanges {
			lines = append(lines, plural(len(f.Changes)-i, "more change"))
			break
		}
		lines = append(lines, s.teller.changeLines(entry{Finding: f}, c)...)
	}
	return lines
}

func (s *sarif) unknown(u Unknown) sarifResult {
	result := sarifResult{RuleID: string(notCompared), Level: "warning", Message: message("not compared: " + u.Reason)}
	if u.Object == (object.ID{}) {
		result.Locations = s.place(u.Reason)
		return result
	}
	fingerprint := finding.Finding{Rule: notCompared, Object: u.Object}.Fingerprint()
	result.Fingerprints = map[string]string{"plumbline/v1": fingerprint, "primaryLocationLineHash": fingerprint + ":1"}
	result.Message = message(u.Object.String() + " was not compared: " + u.Reason)
	result.Locations = []sarifLocation{s.location(u.Object, u.Origin.Position)}
	return result
}

// location is a line of the repository, and the object. One that is not declared is
// placed where somebody would declare it.
func (s *sarif) location(id object.ID, at object.Position) sarifLocation {
	l := sarifLocation{
		Physical: physical(at),
		Logical:  []sarifLogical{{Name: printable(id.Name), FullyQualifiedName: printable(id.String()), Kind: "resource"}},
	}
	if at.File == "" {
		l.Physical = s.anchor()
	}
	return l
}

// positioned is how an error begins that knows its line.
var positioned = regexp.MustCompile(`^([^:\s]+):([0-9]{1,9}): `)

// place is where an error says that it is, or else the anchor; none where there is none.
func (s *sarif) place(text string) []sarifLocation {
	at := s.anchor()
	if m := positioned.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[2]) // of digits alone
		at = physical(object.Position{File: m[1], Line: line})
	}
	if at == nil {
		return []sarifLocation{}
	}
	return []sarifLocation{{Physical: at}}
}

// anchor is what the rendering began with. It is nil where not even that is known.
func (s *sarif) anchor() *sarifPhysical {
	if s.report.Source.File == "" {
		return nil
	}
	return physical(object.Position{File: s.report.Source.File})
}

func physical(p object.Position) *sarifPhysical {
	location := &sarifPhysical{Artifact: sarifArtifact{URI: (&url.URL{Path: p.File}).String(), URIBase: sarifRoot}}
	if p.Line > 0 {
		location.Region = &sarifRegion{StartLine: p.Line}
	}
	return location
}

// message is a text of these lines, without anything that commands a viewer: a control
// character, or the form [text](target), of which viewers make a link.
func message(lines ...string) sarifText {
	safe := make([]string, len(lines))
	for i, line := range lines {
		safe[i] = strings.ReplaceAll(printable(line), "](", "] (")
	}
	return sarifText{Text: strings.Join(safe, "\n")}
}
