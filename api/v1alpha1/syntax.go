package v1alpha1

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// syntaxWords say of what the YAML library says what to write instead.
var syntaxWords = []struct{ says, advice string }{
	{"found character that cannot start any token", "a value cannot begin with this character: write it in quotes"},
	{"found a tab character", "a tab: indent with spaces"},
	{"mapping values are not allowed", "a second colon: write the value in quotes, or begin a new line that is indented as its neighbours"},
	{"did not find expected key", "the indentation fits nothing above: indent the fields of one mapping alike"},
	{"did not find expected '-' indicator", "the indentation fits nothing above: indent the items of one list alike"},
	{"did not find expected ',' or ']'", "the list is not closed: write ] after its last item"},
	{"did not find expected ',' or '}'", "the mapping is not closed: write } after its last field"},
	{"could not find expected ':'", "a word alone: write a field as \"name: value\""},
	{"found unexpected end of stream", "the text is not closed: write its closing quote"},
	{"did not find expected alphabetic or numeric character", "* and & stand for aliases and anchors: write the value in quotes"},
}

var (
	lineOf = regexp.MustCompile(`\bline (\d+): `)
	// ofParser are the errors whose line the library gives as one too few.
	ofParser = regexp.MustCompile(`did not find expected (key|'|node|<)`)
	noAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// syntax is the problem that keeps data from being YAML. The library knows the line
// alone; the column is that of a tab in it, or of its first character.
func syntax(data []byte, err error) problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	p := problem{line: 1, column: 1}
	if m := lineOf.FindStringSubmatch(text); m != nil {
		p.line, _ = strconv.Atoi(m[1])
		if ofParser.MatchString(text) {
			p.line++
		}
		p.line = max(p.line, 1)
		text = strings.Replace(text, m[0], "", 1)
	}
	lines := bytes.Split(data, []byte("\n"))
	if p.line <= len(lines) {
		p.column += len(lines[p.line-1]) - len(bytes.TrimLeft(lines[p.line-1], " "))
	}
	p.text = "this is not YAML: " + text
	for _, w := range syntaxWords {
		if strings.Contains(text, w.says) {
			p.text = w.advice
		}
	}
	if m := noAnchor.FindStringSubmatch(text); m != nil { // of which it knows no line
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		p.line, p.column = bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n')
		p.text = "there is no anchor &" + m[1] + " above: write it in quotes if no alias is meant"
	}
	return p.atTab(lines)
}

// atTab moves the problem to a tab in the indentation of its line or the next, of
// which the library speaks in various words.
func (p problem) atTab(lines [][]byte) problem {
	for line := p.line; line <= min(p.line+1, len(lines)); line++ {
		text := lines[line-1]
		indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 {
			return problem{text: "a tab: indent with spaces", line: line, column: tab + 1}
		}
	}
	return p
}
