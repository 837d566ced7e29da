package rogue

import (
	"fmt"
	"strings"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// Writers returns the findings of rogue/writer about one declared object, of which the
// difference was made with Options.Rewritten: one for each of those who last wrote
// declared fields that have their declared value, and one for each update in the name
// of a deployer that applies. All of it rests on field managers, which anyone can
// choose. Fields that differ are drift, and told as such.
func Writers(declared object.Object, diff differ.Diff) []finding.Finding {
	var result []finding.Finding
	told := map[string]bool{}
	for _, first := range diff.Rewritten {
		by := subjectOf(first.Writer)
		if told[by] {
			continue
		}
		told[by] = true
		result = append(result, rewriter(declared, by, diff.Rewritten))
	}
	for _, w := range diff.Disguised {
		if by := subjectOf(w); !told[by] {
			told[by] = true
			result = append(result, disguise(declared, by, w))
		}
	}
	return result
}

func subjectOf(w differ.Writer) string { return w.Manager + "/" + w.Operation }

const mostPaths = 3 // named in a message

// rewriter tells what one writer has written. What the deployer has seen since is
// only worth knowing.
func rewriter(declared object.Object, by string, all []differ.Rewritten) finding.Finding {
	var paths []string
	severity := finding.Info
	var writer differ.Writer
	count := 0
	for _, r := range all {
		if subjectOf(r.Writer) != by {
			continue
		}
		writer = r.Writer
		if count++; count <= mostPaths {
			paths = append(paths, r.Path.String())
		}
		if !r.Confirmed {
			severity = finding.Warning
		}
	}
	fields := strings.Join(paths, ", ")
	if count > mostPaths {
		fields += fmt.Sprintf(" and %d more", count-mostPaths)
	}
	return finding.Finding{
		Rule: finding.RogueWriter, Severity: severity, Object: declared.ID, Origin: declared.Origin,
		Subject: by, Evidence: finding.Claimed,
		Message: fmt.Sprintf("%s last wrote declared fields and not the deployer, with the values that git declares: %s",
			spelled(differ.Written{Writer: writer}), fields),
		Advice: "find out why, and deploy again by server-side apply, so that the deployer owns the fields",
	}
}

func disguise(declared object.Object, by string, w differ.Writer) finding.Finding {
	return finding.Finding{
		Rule: finding.RogueWriter, Severity: finding.Warning, Object: declared.ID, Origin: declared.Origin,
		Subject: by, Evidence: finding.Claimed,
		Message: fmt.Sprintf("somebody updated it as %s, after the deployer of that name had applied it: who applies does not update, and anyone can take the name",
			spelled(differ.Written{Writer: w})),
		Advice: "look into the audit log for who that was",
	}
}
