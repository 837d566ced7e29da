package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"plumbline.dev/plumbline/differ"
)

const (
	maxValue = 240 // characters of one value that the text shows
	maxLines = 12  // lines of a change within a long string
)

// values shows a change's values on one line, or, where long strings differ, as
// a block of the lines that do.
func (t *text) values(c differ.Change) (line string, block []string) {
	declared, isText := c.Declared.(string)
	live, alsoText := c.Live.(string)
	if isText && alsoText && (strings.Contains(declared, "\n") || strings.Contains(live, "\n")) {
		return "", t.lineDiff(declared, live)
	}
	switch {
	case c.Declared == nil:
		return cut(compact(c.Live)), nil
	case c.Live == nil:
		return cut(compact(c.Declared)), nil
	default:
		before, after := cutPair(compact(c.Declared), compact(c.Live))
		return before + " → " + after, nil
	}
}

// lineDiff shows what lies between the first and the last line that differ.
func (t *text) lineDiff(declared, live string) []string {
	a, b := strings.Split(declared, "\n"), strings.Split(live, "\n")
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	if endA == start+1 && endB == start+1 {
		a[start], b[start] = cutPair(a[start], b[start])
	}
	lines := []string{t.paint(dim, fmt.Sprintf("@@ line %d @@", start+1))}
	lines = append(lines, t.changed("-", red, a[start:endA])...)
	return append(lines, t.changed("+", green, b[start:endB])...)
}

func (t *text) changed(mark, style string, lines []string) []string {
	var out []string
	for i, line := range lines {
		sign := mark
		if i == maxLines {
			out = append(out, t.paint(dim, fmt.Sprintf("… %s more", plural(len(lines)-i, "line"))))
			break
		}
		parts := fold(cut(printable(line)), t.Width-7)
		if len(parts) == 0 {
			parts = []string{""}
		}
		for _, part := range parts {
			out = append(out, t.paint(style, sign+part))
			sign = strings.Repeat(" ", len(sign))
		}
	}
	return out
}

// compact spells a JSON value on one line, as YAML's flow style does.
func compact(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return quoted(v)
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, quoted(k)+": "+compact(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, compact(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(text)
	}
}

// quoted puts a string in quotes where it could be taken for something else.
func quoted(s string) string {
	var other any
	plain := s != "" && s == printable(s) && !strings.ContainsAny(s, "\"'{}[],#&*!|>%@` ") &&
		!strings.Contains(s, ": ") && json.Unmarshal([]byte(s), &other) != nil
	if plain || strings.HasPrefix(s, "*** (") {
		return s
	}
	return strconv.Quote(s)
}

// printable replaces what could command a terminal or hide text: control and
// formatting characters, and bytes that are no text at all.
func printable(s string) string {
	clean := func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) }
	if strings.IndexFunc(s, clean) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if clean(r) {
			escaped := strconv.QuoteRune(r)
			b.WriteString(escaped[1 : len(escaped)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func cut(s string) string { return cutTo(s, maxValue) }

func cutTo(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

func cutPair(a, b string) (string, string) { return cutPairTo(a, b, maxValue) }

// cutPairTo cuts two values to length where they differ: of a long beginning that
// both share, only the end is shown.
func cutPairTo(a, b string, most int) (string, string) {
	before, after := []rune(a), []rune(b)
	if max(len(before), len(after)) <= most {
		return a, b
	}
	same := 0
	for same < len(before) && same < len(after) && before[same] == after[same] {
		same++
	}
	if skip := same - most/4; skip > 0 {
		a, b = "…"+string(before[skip:]), "…"+string(after[skip:])
	}
	return cutTo(a, most), cutTo(b, most)
}

// Fold makes a text safe for a terminal, and breaks it into lines of at most width
// characters; a width of 0 breaks nothing.
func Fold(s string, width int) []string { return fold(printable(s), width) }

// fold breaks a line so that each part has at most width characters. A width of 0
// or less folds nothing.
func fold(s string, width int) []string {
	if width <= 0 {
		return []string{s}
	}
	var lines []string
	for rest := []rune(s); len(rest) > 0; {
		if len(rest) <= width {
			return append(lines, strings.TrimRight(string(rest), " "))
		}
		end := breakOf(rest, width)
		lines = append(lines, strings.TrimRight(string(rest[:end]), " "))
		rest = []rune(strings.TrimLeft(string(rest[end:]), " "))
	}
	return lines
}

// breakOf returns where to break a line that is too long: at a space, else before
// a step of a path, else anywhere. A line less than half full is none.
func breakOf(line []rune, width int) int {
	for _, at := range []string{" ", ".[/"} {
		for i := width; i > width/2; i-- {
			if strings.ContainsRune(at, line[i]) {
				return i
			}
		}
	}
	return width
}
