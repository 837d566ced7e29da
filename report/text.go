package report

import (
	"bufio"
	"fmt"
	"io"
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
	t := &text{w: bufio.NewWriter(w), TextOptions: o, at: r.At, authors: r.Authors}
	t.findings(r.Findings)
	t.unknown(r.Unknown)
	for _, e := range r.Errors {
		t.printf("%s %s\n", t.paint(red, "error:"), printable(e))
	}
	for _, warning := range r.Warnings {
		t.printf("%s %s\n", t.paint(yellow, "warning:"), printable(warning))
	}
	if len(r.Errors)+len(r.Warnings) > 0 {
		t.printf("\n")
	}
	t.summary(r)
	return t.w.Flush()
}

type text struct {
	TextOptions
	w       *bufio.Writer
	at      time.Time
	authors map[object.Position]Author
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
	if !t.Color || s == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// findings prints each object's findings under its name.
func (t *text) findings(findings []finding.Finding) {
	for i, f := range findings {
		if i == 0 || findings[i-1].Object != f.Object {
			if i > 0 {
				t.printf("\n")
			}
			t.heading(f.Object, f.Origin)
		}
		if len(f.Changes) == 0 {
			t.lines(marker{"!", red}, printable(f.Message), "", string(f.Rule))
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
	if origin.File == "" {
		t.printf("%s\n", t.paint(bold, name))
		return
	}
	where := t.place(origin.Position)
	gap := "  "
	if t.Width > 0 && utf8.RuneCountInString(name)+len(gap)+utf8.RuneCountInString(where) > t.Width {
		gap = "\n  "
	}
	t.printf("%s%s%s\n", t.paint(bold, name), gap, t.paint(dim, where))
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

func (t *text) change(f finding.Finding, c differ.Change) {
	details := []string{string(f.Rule), t.writer(c.Writer)}
	if c.Origin.File != "" {
		details = append(details, t.place(c.Origin))
	}
	values, block := t.values(c)
	t.lines(markers[c.Op], printable(c.Path.String()), values, strings.Join(details, " · "))
	for _, line := range block {
		t.printf("      %s\n", line)
	}
}

// lines prints one change: on one line where it fits, else its parts below each
// other.
func (t *text) lines(m marker, what, values, details string) {
	length := 4
	for _, part := range []string{what, values, details} {
		if part != "" {
			length += 2 + utf8.RuneCountInString(part)
		}
	}
	t.printf("  %s %s", t.paint(m.style, m.sign), what)
	if t.Width == 0 || length <= t.Width {
		if values != "" {
			t.printf("  %s", values)
		}
		t.printf("  %s\n", t.paint(dim, details))
		return
	}
	if values != "" {
		t.printf("\n")
		for _, line := range fold(values, t.Width-6) {
			t.printf("      %s\n", line)
		}
	} else {
		t.printf("\n")
	}
	for _, line := range fold(details, t.Width-6) {
		t.printf("      %s\n", t.paint(dim, line))
	}
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
		return "by someone who left no record, after " + t.when(w.NotBefore)
	}
	name := printable(w.Manager)
	if w.Subresource != "" {
		name += " (" + printable(w.Subresource) + ")"
	}
	switch {
	case !w.Time.IsZero():
		return "by " + name + " " + t.when(w.Time)
	case !w.NotBefore.IsZero():
		return "by " + name + " after " + t.when(w.NotBefore)
	default:
		return "by " + name
	}
}

// when is short on a terminal, exact elsewhere.
func (t *text) when(at time.Time) string {
	age := t.at.Sub(at)
	if t.Width > 0 && age >= 0 && age < 24*time.Hour {
		return duration.HumanDuration(age) + " ago"
	}
	return at.UTC().Format("2006-01-02 15:04:05Z")
}

func (t *text) unknown(unknown []Unknown) {
	for _, u := range unknown {
		if u.Object != (object.ID{}) {
			t.heading(u.Object, u.Origin)
		}
		t.printf("  %s not compared: %s\n", t.paint(purple, "?"), strings.Join(fold(printable(u.Reason), t.Width-4), "\n    "))
	}
	if len(unknown) > 0 {
		t.printf("\n")
	}
}

// summary is the last line: what was compared, with what, and how it stands.
func (t *text) summary(r Report) {
	changes := 0
	for _, f := range r.Findings {
		changes += len(f.Changes)
	}
	parts := []string{}
	for _, v := range []struct {
		verdict finding.Verdict
		text    string
		style   string
	}{
		{finding.InSync, "in sync", green},
		{finding.Finished, "finished and gone", green},
		{finding.Drifted, "drifted", red},
		{finding.Missing, "missing", red},
		{finding.Unknown, "not compared", purple},
	} {
		if n := r.Verdicts[v.verdict]; n > 0 {
			parts = append(parts, t.paint(v.style, fmt.Sprintf("%d %s", n, v.text)))
		}
	}
	line := plural(r.Objects(), "object")
	if len(parts) > 0 {
		line += ": " + strings.Join(parts, ", ")
	}
	if changes > 0 {
		line += "; " + plural(changes, "change")
	}
	if r.Source.Commit != "" {
		line += " against " + printable(short(r.Source.Commit))
	}
	t.printf("%s\n", line)
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
