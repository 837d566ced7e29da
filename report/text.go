package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

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
	t := r.teller(o)
	t.w = bufio.NewWriter(w)
	if r.Baseline != "" {
		t.printf("%s\n\n", t.paint(bold, "Baseline "+printable(r.Baseline)))
	}
	t.review(r.Review)
	t.findings(r.told().entries())
	t.unknown(r.Unknown)
	if r.ShowUnconfirmed {
		t.unconfirmed(r.Unconfirmed)
	}
	t.advice(r.advices())
	for _, e := range r.Errors {
		t.note("", marker{"error:", red}, e)
	}
	for _, warning := range r.Warnings {
		t.note("", marker{"warning:", yellow}, warning)
	}
	notes := r.asides()
	for _, note := range notes {
		t.note("", marker{"note:", dim}, note)
	}
	if len(r.Errors)+len(r.Warnings)+len(notes) > 0 {
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
	opened  map[string]time.Time // by fingerprint
	// unrecorded says that nothing can be told of who wrote what.
	unrecorded bool
}

// teller words what the report holds, for any output that people read.
func (r Report) teller(o TextOptions) *text {
	return &text{TextOptions: o, at: r.At, authors: r.Authors, opened: r.Since, unrecorded: r.Unrecorded}
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
	values, block := t.values(c)
	t.lines(f.marker(markers[c.Op]), printable(c.Path.String()), values, f.details(t.facts(f.Rule, c)...))
	for _, line := range block {
		t.printf("      %s\n", line)
	}
}

// changeLines tell a change for outputs that have no signs: one line, and those that
// differ of a long text.
func (t *text) changeLines(e entry, c differ.Change) []string {
	values, block := t.values(c)
	line := string(c.Op) + " " + printable(c.Path.String())
	if values != "" {
		line += ": " + values
	}
	return append([]string{line + " · " + e.details(t.facts(e.Rule, c)...)}, block...)
}

// facts are what is told of a change beside its place and values.
func (t *text) facts(rule finding.Rule, c differ.Change) []string {
	facts := []string{string(rule)}
	if c.Pending != (differ.Pending{}) {
		facts = append(facts, behind(c.Pending))
	}
	if (c.Pending == (differ.Pending{}) || c.Writer.Manager != "") && !t.unrecorded {
		facts = append(facts, t.writer(c.Writer))
	}
	if c.Origin.File != "" {
		facts = append(facts, t.place(c.Origin))
	}
	return facts
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
		t.printf("  %s %s", sign, first)
		if details != "" {
			t.printf("  %s", t.paint(dim, details))
		}
		t.printf("\n")
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
