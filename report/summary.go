package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// unknown prints the objects that could not be compared, those of one reason
// together.
func (t *text) unknown(unknown []Unknown) {
	var reasons []string
	for _, u := range unknown {
		if !slices.Contains(reasons, u.Reason) {
			reasons = append(reasons, u.Reason)
		}
	}
	for _, reason := range reasons {
		for _, u := range unknown {
			if u.Reason == reason && u.Object != (object.ID{}) {
				t.heading(u.Object, u.Origin)
			}
		}
		t.note("  ", marker{"?", purple}, "not compared: "+reason)
		t.printf("\n")
	}
}

// unconfirmed prints what only the server could tell more of.
func (t *text) unconfirmed(unconfirmed []Unconfirmed) {
	for _, u := range unconfirmed {
		t.heading(u.Object, u.Origin)
		for _, p := range u.Paths {
			t.lines(marker{"?", dim}, printable(p.String()), "", "perhaps the cluster's, perhaps somebody's")
		}
		t.printf("\n")
	}
}

// advice prints what to do about each kind of finding.
func (t *text) advice(told []string) {
	if len(told) == 0 {
		return
	}
	t.printf("%s\n", t.paint(dim, "What to do:"))
	for _, line := range told {
		line = printable(line)
		for i, part := range fold(line, t.Width-4) {
			t.printf("%s\n", t.paint(dim, map[bool]string{true: "  ", false: "    "}[i == 0]+part))
		}
	}
	t.printf("\n")
}

// advices say what to do, a line for each kind of finding.
func (r Report) advices() []string {
	var told []string
	if r.Review != nil && r.Review.Overwritten() > 0 {
		told = append(told, "what is overwritten: find out why it was changed in the cluster, and put what is to stay into this change before it is merged")
	}
	for _, f := range r.told().Findings {
		line := string(f.Rule) + ": " + f.Advice
		if f.Advice != "" && !slices.Contains(told, line) {
			told = append(told, line)
		}
	}
	slices.Sort(told)
	return told
}

// note prints a sentence behind a marker, folded to the width.
func (t *text) note(indent string, m marker, sentence string) {
	lines := fold(m.sign+" "+strings.TrimSpace(printable(sentence)), t.Width-len(indent)-2)
	t.printf("%s%s%s\n", indent, t.paint(m.style, m.sign), strings.TrimPrefix(lines[0], m.sign))
	for _, line := range lines[1:] {
		t.printf("%s  %s\n", indent, line)
	}
}

// summary is the last line: what was compared, with what, and how it stands.
func (t *text) summary(r Report) {
	parts := r.parts()
	if r.Review != nil {
		parts = r.Review.parts(parts)
	}
	if r.Source.Commit != "" && (r.Review == nil || !r.Review.Offline) {
		against := "against commit "
		if r.Source.WorkTree {
			against = "against the work tree of commit "
		}
		parts = append(parts, part{text: against + printable(short(r.Source.Commit))})
	}
	t.parts(parts)
}

// counts are how the objects stand to the cluster, on one line.
func (r Report) counts() string {
	if r.Review != nil && r.Review.Offline {
		return "No cluster was asked"
	}
	var words []string
	for _, p := range r.parts() {
		words = append(words, p.text+p.end)
	}
	return strings.Join(words, " ")
}

// signs say what the two signs of a difference stand for.
func (r Report) signs() [2]string {
	if r.Review != nil {
		return [2]string{"what was before", "what is after"}
	}
	return [2]string{"what git declares", "what is live"}
}

// parts add what a change does to how the objects stand.
func (r *Review) parts(all []part) []part {
	if r.Offline {
		all = []part{{text: "no cluster was asked"}}
	}
	all[len(all)-1].end = ";"
	all = append(all, part{text: "this change", style: bold})
	words := r.words()
	for i, word := range words {
		p := part{text: word}
		if strings.HasPrefix(word, "overwrites") {
			p.style = red
		}
		if i < len(words)-1 {
			p.end = ","
		}
		all = append(all, p)
	}
	return all
}

// verdict says in a few words what was found.
func (r Report) verdict() string {
	var words []string
	count := func(n int, noun string) {
		if n > 0 {
			words = append(words, plural(n, noun))
		}
	}
	if r.Review != nil {
		words = append(words, "this change "+strings.Join(r.Review.words(), ", "))
	}
	severities := map[finding.Severity]int{}
	for _, f := range r.told().Findings {
		severities[f.Severity]++
	}
	count(len(r.Errors), "error")
	count(severities[finding.Critical], "critical finding")
	count(severities[finding.Warning], "warning")
	count(severities[finding.Info], "note")
	if n := len(r.Unknown); n > 0 {
		words = append(words, fmt.Sprintf("%d not compared", n))
	}
	if len(words) == 0 {
		return "nothing found"
	}
	return strings.Join(words, ", ")
}

// parts say how many objects there are and how they stand.
func (r Report) parts() []part {
	changes := 0
	for _, f := range r.Findings {
		changes += len(f.Changes)
	}
	parts := []part{{text: plural(r.Objects(), "object")}}
	separator := ":"
	for _, v := range []struct {
		verdict finding.Verdict
		text    string
		style   string
	}{
		{finding.InSync, "in sync", green},
		{finding.Finished, "finished and gone", green},
		{finding.Ignored, "ignored", yellow},
		{finding.Pending, "pending", yellow},
		{finding.Drifted, "drifted", red},
		{finding.Missing, "missing", red},
		{finding.Rogue, "rogue", red},
		{finding.Unknown, "not compared", purple},
	} {
		if n := r.Verdicts[v.verdict]; n > 0 {
			parts[len(parts)-1].end = separator
			parts = append(parts, part{text: fmt.Sprintf("%d %s", n, v.text), style: v.style})
			separator = ","
		}
	}
	if changes > 0 {
		parts[len(parts)-1].end = ";"
		parts = append(parts, part{text: plural(changes, "change")})
	}
	more := changes > 0
	for _, g := range []struct{ group, noun string }{{"source", "foreign source"}, {"posture", "posture finding"}, {"runtime", "runtime finding"}} {
		if n := r.count(g.group); n > 0 {
			parts[len(parts)-1].end = map[bool]string{true: ",", false: ";"}[more]
			parts = append(parts, part{text: plural(n, g.noun)})
			more = true
		}
	}
	if n := r.IgnoredCount; n > 0 {
		parts[len(parts)-1].end = map[bool]string{true: ",", false: ";"}[more]
		parts = append(parts, part{text: plural(n, "difference") + " ignored"})
	}
	return parts
}

// part is a piece of a line that is not broken.
type part struct{ text, style, end string }

// parts prints pieces on one line, or on more where the width wants it.
func (t *text) parts(parts []part) {
	column := 0
	for i, p := range parts {
		length := utf8.RuneCountInString(p.text + p.end)
		switch {
		case i == 0:
		case t.Width > 0 && column+1+length > t.Width:
			t.printf("\n  ")
			column = 2
		default:
			t.printf(" ")
			column++
		}
		t.printf("%s%s", t.paint(p.style, p.text), p.end)
		column += length
	}
	t.printf("\n")
}
