// Package policy turns differences into findings: it decides which rule a
// difference breaks, how much that matters and what to do about it. It is pure.
package policy

import (
	"fmt"
	"slices"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// driftRule is how some kinds of change are told.
type driftRule struct {
	ops      []differ.Op
	only     func(differ.Change) bool // which changes of these kinds; nil means all
	rule     finding.Rule
	severity finding.Severity
	message  string
	advice   string
}

// driftRules are in order: the first that tells a change is the one that does.
var driftRules = []driftRule{
	{[]differ.Op{differ.Modified, differ.Reordered, differ.Removed, differ.Released}, pending, finding.DriftPending, finding.Info,
		"fields are as an earlier commit has them",
		"deploy the current commit, or wait for the deployer that is at it"},
	{[]differ.Op{differ.Added, differ.Modified}, restarts, finding.DriftRestarted, finding.Info,
		"the pods were restarted by hand",
		"nothing: to take the mark away would restart them again"},
	{[]differ.Op{differ.Modified, differ.Reordered}, nil, finding.DriftModified, finding.Warning,
		"declared fields have other values",
		"deploy git again, which sets them back (server-side apply: by force), or change git"},
	{[]differ.Op{differ.Removed}, nil, finding.DriftRemoved, finding.Warning,
		"declared fields are gone",
		"deploy git again, which brings the fields back, or remove them from git"},
	{[]differ.Op{differ.Added}, nil, finding.DriftAdded, finding.Warning,
		"fields were added that git does not declare",
		"remove the fields by hand, for an apply leaves them, or declare them in git"},
	{[]differ.Op{differ.Released}, nil, finding.DriftReleased, finding.Warning,
		"fields that git no longer declares are still there",
		"deploy the current commit; fields that stay are of an earlier deployer: remove them by hand"},
	{[]differ.Op{differ.Contested}, nil, finding.DriftContested, finding.Info,
		"a controller sets declared fields to other values",
		"take the fields out of git and leave them to the controller, or stop the controller"},
	{[]differ.Op{differ.Controlled}, nil, finding.DriftControlled, finding.Info,
		"controllers own fields that git does not declare",
		"nothing"},
}

// Drift returns the findings about one declared object and its difference from
// the live one, one for each rule that is broken.
func Drift(declared object.Object, diff differ.Diff) []finding.Finding {
	var findings []finding.Finding
	for i, r := range driftRules {
		var changes []differ.Change
		for _, c := range diff.Changes {
			if ruleOf(c) == i {
				changes = append(changes, c)
			}
		}
		if len(changes) > 0 {
			findings = append(findings, finding.Finding{
				Rule: r.rule, Severity: r.severity, Object: declared.ID, Origin: declared.Origin,
				Changes: changes, Message: r.message, Advice: r.advice,
			})
		}
	}
	if diff.Unattributed {
		findings = append(findings, finding.Finding{
			Rule: finding.DriftUnattributed, Severity: finding.Warning, Object: declared.ID, Origin: declared.Origin,
			Message: "the records of who wrote which field (metadata.managedFields) are gone, so additions cannot be told from defaults",
			Advice:  "find out who removed them, compare the object by eye, and deploy it again, from which on there are records",
		})
	}
	return findings
}

// ruleOf returns the index of the rule that tells a change.
func ruleOf(c differ.Change) int {
	return slices.IndexFunc(driftRules, func(r driftRule) bool {
		return slices.Contains(r.ops, c.Op) && (r.only == nil || r.only(c))
	})
}

// pending tells whether the deployer left a field as an earlier commit has it.
func pending(c differ.Change) bool { return c.Pending != differ.Pending{} }

// Verdict is what is known of an object that was compared, with these findings
// and those that are ignored.
func Verdict(findings []finding.Finding, ignored []finding.Silenced) finding.Verdict {
	verdict := finding.InSync
	for _, i := range ignored {
		if i.Severity > finding.Info {
			verdict = finding.Ignored
		}
	}
	for _, f := range findings {
		switch {
		case f.Severity > finding.Info:
			return finding.Drifted
		case f.Rule == finding.DriftPending:
			verdict = finding.Pending
		}
	}
	return verdict
}

// Since says since which commit an object is declared, as the reason for its
// absence; "" for the zero commit.
func Since(c differ.Pending) string {
	switch {
	case c.Commit == "":
		return ""
	case c.Behind == 0:
		return fmt.Sprintf("declared since %.12s, the newest commit", c.Commit)
	case c.Behind == 1:
		return fmt.Sprintf("declared since %.12s, 1 commit ago", c.Commit)
	default:
		return fmt.Sprintf("declared since %.12s, %d commits ago", c.Commit, c.Behind)
	}
}

// Missing returns the finding about a declared object that does not exist.
// reason adds why, where it is known; it may be empty.
func Missing(declared object.Object, reason string) finding.Finding {
	message := "the object is declared and does not exist"
	if reason != "" {
		message = fmt.Sprintf("%s: %s", message, reason)
	}
	return finding.Finding{
		Rule: finding.DriftMissing, Severity: finding.Warning, Object: declared.ID, Origin: declared.Origin,
		Message: message, Advice: "deploy git again, or remove the object from git",
	}
}

// GoesByItself tells whether git declares an object that deletes itself, so that
// its absence says nothing: a Job with a time to live after it has finished.
func GoesByItself(declared object.Object) bool {
	if declared.ID.Group != "batch" || declared.ID.Kind != "Job" {
		return false
	}
	spec, _ := declared.Content["spec"].(map[string]any)
	return spec["ttlSecondsAfterFinished"] != nil
}
