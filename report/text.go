package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// TextOptions say for what kind of reader the text is.
type TextOptions struct {
	// Color marks the text with ANSI colours.
	Color bool
	// Width is the terminal's number of columns, to which lines are folded; 0
	// folds nothing, so that each change is one line for grep.
	Width int
}

// Text writes the report for people: the findings grouped by object, one line
// per change where the width allows, and a summary.
func Text(w io.Writer, r Report, o TextOptions) error {
	t := &text{w: bufio.NewWriter(w), TextOptions: o, at: r.At, authors: r.Authors, unrecorded: r.Unrecorded}
	t.findings(r.entries())
	t.unknown(r.Unknown)
	if r.ShowUnconfirmed {
		t.unconfirmed(r.Unconfirmed)
	}
	t.advice(r.Findings)
	for _, e := range r.Errors {
		t.note("", marker{"error:", red}, e)
	}
	for _, warning := range r.Warnings {
		t.note("", marker{"warning:", yellow}, warning)
	}
	if n := len(r.Unconfirmed); n > 0 {
		t.note("", marker{"note:", dim}, unconfirmedNote(n))
	}
	if len(r.Errors)+len(r.Warnings)+len(r.Unconfirmed) > 0 {
		t.printf("\n")
	}
	t.summary(r)
	if err := t.suggested(r.Suggested); err != nil {
		return err
	}
	return t.w.Flush()
}

type text struct {
	TextOptions
	w       *bufio.Writer
	at      time.Time
	authors map[object.Position]Author
	// unrecorded says that nothing can be told of who wrote what.
	unrecorded bool
}

func (t *text) printf(format string, args ...any) {
	fmt.Fprintf(t.w, format, args...) // the writer keeps its first error for Flush
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	purple = "35"
	bold   = "1"
	dim    = "2"
)

func (t *text) paint(style, s string) string {
	if !t.Color || s == "" || style == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// findings prints each object's findings under its name.
func (t *text) findings(findings []entry) {
	for i, f := range findings {
		if i == 0 || findings[i-1].Object != f.Object {
			if i > 0 {
				t.printf("\n")
			}
			t.heading(f.Object, f.Origin)
		}
		if len(f.Changes) == 0 {
			t.lines(f.marker(severityMarkers[f.Severity]), printable(f.Message), "", f.details(t.about(f.Finding)...))
		}
		for _, c := range f.Changes {
			t.change(f, c)
		}
	}
	if len(findings) > 0 {
		t.printf("\n")
	}
}

func (t *text) heading(id object.ID, origin object.Origin) {
	name := printable(id.String())
	where := ""
	if origin.File != "" {
		where = t.place(origin.Position)
	}
	if t.Width == 0 || utf8.RuneCountInString(name+"  "+where) <= t.Width {
		t.printf("%s\n", strings.TrimRight(t.paint(bold, name)+"  "+t.paint(dim, where), " "))
		return
	}
	for _, line := range t.painted(bold, fold(name, t.Width)) {
		t.printf("%s\n", line)
	}
	for _, line := range t.painted(dim, fold(where, t.Width-2)) {
		t.printf("  %s\n", line)
	}
}

// painted paints each line by itself, so that no colour runs over its end.
func (t *text) painted(style string, lines []string) []string {
	for i := range lines {
		lines[i] = t.paint(style, lines[i])
	}
	return lines
}

type marker struct{ sign, style string }

var markers = map[differ.Op]marker{
	differ.Modified:   {"~", yellow},
	differ.Reordered:  {"~", yellow},
	differ.Removed:    {"-", red},
	differ.Added:      {"+", green},
	differ.Released:   {"+", yellow},
	differ.Contested:  {"~", dim},
	differ.Controlled: {"=", dim},
}

// severityMarkers are of findings about more than a field.
var severityMarkers = map[finding.Severity]marker{
	finding.Info: {"·", dim}, finding.Warning: {"!", red}, finding.Critical: {"!", red},
}

// about is what is told of a finding that is not about fields.
func (t *text) about(f finding.Finding) []string {
	parts := []string{string(f.Rule)}
	if f.Severity == finding.Critical {
		parts[0] += " (critical)"
	}
	if f.Evidence == finding.Claimed {
		parts = append(parts, "by what anyone can write")
	}
	if n := len(f.Children); n > 0 {
		parts = append(parts, "with "+named(f.Children))
	}
	return parts
}

// named names objects, by kind and name, and counts them where there are many.
func named(children []object.ID) string {
	const most = 4
	var names []string
	for i, id := range children {
		if i == most-1 && len(children) > most {
			names = append(names, fmt.Sprintf("%d more", len(children)-i))
			break
		}
		names = append(names, printable(id.Kind+"/"+id.Name))
	}
	return strings.Join(names, ", ")
}

// details are what is told of a change beside its values.
func (e entry) details(parts ...string) string {
	if e.ignored != "" {
		parts = append(parts, "ignored: "+printable(e.ignored))
	}
	return strings.Join(parts, " · ")
}

// marker is the sign of a change, without colour for an ignored one.
func (e entry) marker(m marker) marker {
	if e.ignored != "" {
		m.style = dim
	}
	return m
}

func (t *text) change(f entry, c differ.Change) {
	details := []string{string(f.Rule)}
	if c.Pending != (differ.Pending{}) {
		details = append(details, behind(c.Pending))
	}
	if (c.Pending == (differ.Pending{}) || c.Writer.Manager != "") && !t.unrecorded {
		details = append(details, t.writer(c.Writer))
	}
	if c.Origin.File != "" {
		details = append(details, t.place(c.Origin))
	}
	values, block := t.values(c)
	t.lines(f.marker(markers[c.Op]), printable(c.Path.String()), values, f.details(details...))
	for _, line := range block {
		t.printf("      %s\n", line)
	}
}

// lines prints one change: on one line where it fits, else the details below,
// else all of its parts below each other.
func (t *text) lines(m marker, what, values, details string) {
	first := what
	if values != "" && t.fits(what, values) {
		first, values = what+"  "+values, ""
	}
	sign := t.paint(m.style, m.sign)
	if values == "" && t.fits(first, details) {
		t.printf("  %s %s  %s\n", sign, first, t.paint(dim, details))
		return
	}
	for i, line := range fold(first, t.Width-4) {
		if i > 0 {
			sign = " "
		}
		t.printf("  %s %s\n", sign, line)
	}
	below := t.painted(dim, fold(details, t.Width-6))
	if values != "" {
		below = append(fold(values, t.Width-6), below...)
	}
	for _, line := range below {
		t.printf("      %s\n", line)
	}
}

// fits tells whether two parts of a change fit on its first line.
func (t *text) fits(a, b string) bool {
	return t.Width == 0 || 4+utf8.RuneCountInString(a)+2+utf8.RuneCountInString(b) <= t.Width
}

// place names a line of the repository, and who wrote it where that is known.
func (t *text) place(p object.Position) string {
	place := printable(p.String())
	if a, ok := t.authors[p]; ok {
		place += fmt.Sprintf(" (%s %s)", short(a.Commit), printable(a.Name))
	}
	return place
}

// writer says who made a change and when.
func (t *text) writer(w differ.Writer) string {
	switch {
	case w.Manager == "" && w.NotBefore.IsZero():
		return "by someone who left no record"
	case w.Manager == "":
		return "by someone who left no record, " + t.since(w.NotBefore)
	}
	name := printable(w.Manager)
	if w.Subresource != "" {
		name += " (" + printable(w.Subresource) + ")"
	}
	switch {
	case !w.Time.IsZero():
		return "by " + name + " " + t.when(w.Time)
	case !w.NotBefore.IsZero():
		return "by " + name + " " + t.since(w.NotBefore)
	default:
		return "by " + name
	}
}

// behind says as of which commit a field is.
func behind(p differ.Pending) string {
	if p.Behind == 0 {
		return "as of " + short(p.Commit) + ", the newest commit"
	}
	return "as of " + short(p.Commit) + ", " + plural(p.Behind, "commit") + " behind"
}

// when is short on a terminal, exact elsewhere.
func (t *text) when(at time.Time) string {
	if age, ok := t.age(at); ok {
		return age + " ago"
	}
	return exact(at)
}

// since tells that something came after a time.
func (t *text) since(at time.Time) string {
	if age, ok := t.age(at); ok {
		return "in the last " + age
	}
	return "after " + exact(at)
}

// age is how long ago a time is, where that is the way to tell it.
func (t *text) age(at time.Time) (string, bool) {
	age := t.at.Sub(at)
	return duration.HumanDuration(age), t.Width > 0 && age >= 0 && age < 24*time.Hour
}

func exact(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05Z") }

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

func unconfirmedNote(n int) string {
	what := "1 object has values"
	if n > 1 {
		what = plural(n, "object") + " have values"
	}
	return what + " that the cluster may have filled in, or somebody: --show unconfirmed names them, and --confirm=dry-run asks the API server"
}

// advice prints what to do about each kind of finding.
func (t *text) advice(findings []finding.Finding) {
	var told []string
	for _, f := range findings {
		line := string(f.Rule) + ": " + f.Advice
		if f.Advice == "" || slices.Contains(told, line) {
			continue
		}
		told = append(told, line)
	}
	if len(told) == 0 {
		return
	}
	slices.Sort(told)
	t.printf("%s\n", t.paint(dim, "What to do:"))
	for _, line := range told {
		line = printable(line)
		for i, part := range fold(line, t.Width-4) {
			t.printf("%s\n", t.paint(dim, map[bool]string{true: "  ", false: "    "}[i == 0]+part))
		}
	}
	t.printf("\n")
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
	if r.Source.Commit != "" {
		against := "against commit "
		if r.Source.WorkTree {
			against = "against the work tree of commit "
		}
		parts = append(parts, part{text: against + printable(short(r.Source.Commit))})
	}
	t.parts(parts)
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

func short(commit string) string {
	if len(commit) == 40 {
		return commit[:12]
	}
	return commit
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
