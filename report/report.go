// Package report writes what was found, in each of the output formats. It is
// pure: the same report gives the same bytes.
package report

import (
	"cmp"
	"slices"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// Report is the outcome of one pass.
type Report struct {
	// Baseline names the one in the cluster that it is about, "plumbline-system/shop"; empty
	// where there is none.
	Baseline string
	// Source is where the declared objects come from.
	Source Source
	// Findings are sorted by object and rule.
	Findings []finding.Finding
	// Ignored are the findings that rules keep silent, as far as they are to be
	// shown; IgnoredCount says how many differences that are, shown or not.
	Ignored      []finding.Silenced
	IgnoredCount int
	// Suggested are rules that would ignore the findings, where they were wanted.
	Suggested []v1alpha1.Ignore
	// Unknown are the objects that could not be compared, each with the reason.
	Unknown []Unknown
	// Unconfirmed are the objects with values that were left alone because the
	// cluster may have filled them in, or somebody; ShowUnconfirmed has text name them.
	Unconfirmed     []Unconfirmed
	ShowUnconfirmed bool
	// Compared are the declared objects, where all of them are wanted.
	Compared []Compared
	// Review is about a change of the configuration; nil where there is none. The findings
	// are then those that matter to the change.
	Review *Review
	// Unrecorded says that the live objects came without the records of who wrote
	// them.
	Unrecorded bool
	// Errors are what went wrong beside single objects.
	Errors []string
	// Warnings are what the reader should know and what is not wrong.
	Warnings []string
	// Verdicts counts the declared objects by verdict.
	Verdicts map[finding.Verdict]int
	// Authors says who declared a line, for those that were looked up.
	Authors map[object.Position]Author
	// Since says when a finding came, by its fingerprint, where somebody has kept that.
	Since map[string]time.Time
	// At is when the comparison was made.
	At time.Time
}

// Author is who last wrote a line of the repository, and in which commit.
type Author struct {
	Commit, Name string
	Time         time.Time
}

// Source identifies the declared state.
type Source struct {
	Repository, Ref, Commit, Path string
	// File stands for all of Path: its kustomization, or else a file that declares
	// something. Empty means unknown.
	File string
	// WorkTree says that it is a directory as it is on disk, edits included, of which
	// Commit was checked out.
	WorkTree bool
}

// Compared is a declared object, of which there may be nothing else to tell.
type Compared struct {
	Object object.ID
	Origin object.Origin
}

// Unconfirmed are the places of an object of which only the server could tell
// whether the cluster filled them in.
type Unconfirmed struct {
	Object object.ID
	Origin object.Origin
	Paths  []differ.Path
}

// Unknown is an object that could not be compared. Its Object is zero where not
// even the object could be told.
type Unknown struct {
	Object object.ID
	Origin object.Origin
	Reason string
}

// Sort puts a report's parts in order.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Findings, finding.Finding.Compare)
	slices.SortStableFunc(r.Ignored, func(a, b finding.Silenced) int {
		return cmp.Or(a.Finding.Compare(b.Finding), slices.Compare(a.Rules, b.Rules))
	})
	slices.SortStableFunc(r.Unknown, func(a, b Unknown) int {
		return cmp.Or(a.Object.Compare(b.Object), cmp.Compare(a.Reason, b.Reason))
	})
	slices.SortStableFunc(r.Unconfirmed, func(a, b Unconfirmed) int { return a.Object.Compare(b.Object) })
	slices.Sort(r.Errors)
	slices.Sort(r.Warnings)
}

// Objects is the number of objects that the report speaks of.
func (r Report) Objects() int {
	n := 0
	for _, count := range r.Verdicts {
		n += count
	}
	return n
}

// count is the number of findings by rules of a group.
func (r Report) count(group string) int {
	n := 0
	for _, f := range r.Findings {
		if f.Rule.In(group) {
			n++
		}
	}
	return n
}

// Worst returns the highest severity among the findings, 0 where there is none.
func (r Report) Worst() finding.Severity {
	var worst finding.Severity
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// The exit codes of a comparison.
const (
	ExitClean    = 0 // nothing at or above the failing severity
	ExitFindings = 1
	ExitError    = 2 // an error, or bad usage
	ExitUnknown  = 3 // something could not be compared, and nothing worse
)

// ExitCode is what a comparison ends with, for findings at or above failOn.
func (r Report) ExitCode(failOn finding.Severity) int {
	switch {
	case len(r.Errors) > 0:
		return ExitError
	case r.Worst() >= failOn:
		return ExitFindings
	case len(r.Unknown) > 0:
		return ExitUnknown
	default:
		return ExitClean
	}
}
