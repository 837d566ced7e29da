package report

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"strings"
)

// What a comment holds, in characters. A report is measured in bytes, of which there are
// never fewer.
const (
	GitHubComment = 65_536
	GitLabComment = 1_000_000
	// LeastMarkdown is the lowest limit that leaves room for anything.
	LeastMarkdown = 4_096
)

const (
	maxMarkdownBlocks = 30  // things that are told of one object
	maxMarkdownLine   = 600 // characters of one line
)

// Markdown writes the report as a comment of at most limit characters for GitHub, GitLab
// and whoever renders their Markdown. It begins with a marker that finds it again. What
// comes from the repository or the cluster stands in code, where nothing is a mention, a
// link or HTML. Where not everything fits, whole objects are left out, the least severe
// ones first, and counted.
func Markdown(w io.Writer, r Report, limit int) error {
	m := &markdown{text: r.teller(TextOptions{}), room: limit - markdownReserve}
	m.write(m.head(r))
	m.write(m.fenced("**Errors: what is about these was not compared.**", "text", r.Errors, limit/4))
	notes := m.section("Notes", "text", r.notes(), limit/8)
	m.room -= len(notes)
	m.subjects(r.told().subjects())
	m.room += len(notes)
	m.write(notes)
	m.write(m.section("What to do", "text", r.advices(), m.room))
	if err := m.suggested(r); err != nil {
		return err
	}
	_, err := io.WriteString(w, m.b.String())
	return err
}

const (
	markdownReserve = 512 // bytes for what is told of what was left out
	markup          = 96  // bytes around a block, but for fences beyond the usual length
)

// markdown is a comment in the making.
type markdown struct {
	*text
	b    strings.Builder
	room int // bytes that are left
}

func (m *markdown) write(block string) {
	m.b.WriteString(block)
	m.room -= len(block)
}

// head is what stands first: the marker, how it stands, and what was compared.
func (m *markdown) head(r Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- plumbline:%s -->\n### Plumbline: %s\n\n%s", marked(cmp.Or(r.Baseline, r.Source.Path)), r.verdict(), r.counts())
	if r.Baseline != "" {
		fmt.Fprintf(&b, ", of Baseline %s", code(r.Baseline))
	}
	if r.Source.Path != "" && r.Source.Path != "." {
		fmt.Fprintf(&b, ", in %s", code(r.Source.Path))
	}
	if r.Source.Commit != "" {
		what := map[bool]string{true: "the work tree of commit", false: "commit"}[r.Source.WorkTree]
		fmt.Fprintf(&b, ", against %s %s", what, code(short(r.Source.Commit)))
	}
	b.WriteString(".")
	if r.Review != nil {
		fmt.Fprintf(&b, " The change is what there is since %s.", code(since(r.Review)))
	}
	if len(r.Findings) > 0 || r.Review != nil {
		signs := r.signs()
		fmt.Fprintf(&b, " `-` is %s, `+` %s.", signs[0], signs[1])
	}
	b.WriteString("\n\n")
	return b.String()
}

// marked keeps of a name what may stand in the marker.
func marked(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/-", r)) {
			return r
		}
		return '_'
	}, name)
}

// subjects writes what was found of each object, the worst first, as far as there is room.
func (m *markdown) subjects(all []subject) {
	all = worstFirst(all)
	left := 0
	for _, s := range all {
		block := m.subject(s)
		if len(block) > m.room {
			left++
			continue
		}
		m.write(block)
	}
	if left > 0 {
		fmt.Fprintf(&m.b, "**%d of %s left out: there is no room for more here. `plumbline diff` tells all.**\n\n", left, plural(len(all), "object"))
	}
}

func (m *markdown) subject(s subject) string {
	title := fmt.Sprintf("<b>%s</b> <code>%s</code>", s.state(), html.EscapeString(cutTo(s.name(), maxMarkdownLine)))
	if s.origin.File != "" {
		title += " · <code>" + html.EscapeString(cutTo(m.place(s.origin.Position), maxMarkdownLine)) + "</code>"
	}
	return details(title, "diff", safe(m.diff(s)))
}

// diff tells all of an object as lines of a diff.
func (t *text) diff(s subject) []string {
	var lines []string
	all := t.blocks(s)
	for _, b := range all[:min(len(all), maxMarkdownBlocks)] {
		sign := map[bool]string{true: "! ", false: "# "}[b.whole]
		lines = append(append(lines, sign+b.title()), b.lines...)
	}
	if left := len(all) - maxMarkdownBlocks; left > 0 {
		lines = append(lines, fmt.Sprintf("# … and %d more", left))
	}
	return lines
}

// suggested writes the proposed rules, where there are any and they fit.
func (m *markdown) suggested(r Report) error {
	if len(r.Suggested) == 0 {
		return nil
	}
	rules, err := rulesYAML(r.Suggested)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(rules), "\n")
	for i, line := range lines {
		lines[i] = printable(line) // a part of a rule would be another rule, so nothing is cut
	}
	block := details("To ignore what was found: rules for a Baseline, each with a reason for which you answer", "yaml", lines)
	if len(block) > m.room {
		block = "The suggested rules are left out: there is no room for them here.\n"
	}
	m.write(block)
	return nil
}

// section is a list of lines that is folded away, of at most so many bytes; empty where
// there are none.
func (m *markdown) section(title, language string, lines []string, room int) string {
	lines = fitting(lines, room-len(title)-markup)
	if len(lines) == 0 {
		return ""
	}
	return details(title, language, lines)
}

// fenced is a list of lines below a title.
func (m *markdown) fenced(title, language string, lines []string, room int) string {
	lines = fitting(lines, room-len(title)-markup)
	if len(lines) == 0 {
		return ""
	}
	return title + "\n\n" + fence(language, lines) + "\n"
}

// fitting returns as many of the lines as fit, and a count of the others. What stands
// around them is to have its room already, but for fences beyond the usual length.
func fitting(lines []string, room int) []string {
	var fit []string
	lines = safe(lines)
	if room -= 2 * longestRun(strings.Join(lines, "\n")); room < 0 {
		return nil
	}
	for i, line := range lines {
		if room -= len(line) + 1; room < 0 {
			return append(fit, fmt.Sprintf("… and %d more", len(lines)-i)) // for which markup has room
		}
		fit = append(fit, line)
	}
	return fit
}

// safe are lines that are one each, and of a bounded length.
func safe(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, cutTo(printable(line), maxMarkdownLine))
	}
	return all
}

// details is a block that is folded away below its title, which is HTML.
func details(title, language string, lines []string) string {
	return "<details><summary>" + title + "</summary>\n\n" + fence(language, lines) + "\n</details>\n\n"
}

// fence is a block of code that no line of it can end.
func fence(language string, lines []string) string {
	text := strings.Join(lines, "\n")
	marks := strings.Repeat("`", max(3, longestRun(text)+1))
	return marks + language + "\n" + text + "\n" + marks + "\n"
}

// code is a text as a span of code.
func code(s string) string {
	s = cutTo(printable(s), maxMarkdownLine)
	marks := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return marks + s + marks
}

// longestRun is the length of the longest run of backticks.
func longestRun(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
