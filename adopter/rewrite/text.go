package rewrite

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// text is a text and where its lines begin. The library tells where a node begins, and
// not where it ends: that is found out here.
type text struct {
	data   []byte
	starts []int
}

func newText(data []byte) text {
	t := text{data: data, starts: []int{0}}
	for i, c := range data {
		if c == '\n' {
			t.starts = append(t.starts, i+1)
		}
	}
	return t
}

// start returns the offset at which a node begins, with its anchor and tag.
func (t text) start(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(t.starts) {
		return len(t.data)
	}
	at := t.starts[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(t.data[at:])
		at += size
	}
	return min(at, len(t.data))
}

// content returns the offset behind a node's anchor and tag.
func (t text) content(n *yaml.Node) int {
	at := t.start(n)
	if n.Kind == yaml.AliasNode {
		return at
	}
	for at < len(t.data) && (t.data[at] == '&' || t.data[at] == '!') {
		for at < len(t.data) && !isSpace(t.data[at]) {
			at++
		}
		for at < len(t.data) && isSpace(t.data[at]) {
			at++
		}
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// end returns the offset at which a node ends.
func (t text) end(n *yaml.Node) int {
	at := t.content(n)
	switch {
	case n.Kind == yaml.AliasNode:
		return t.until(at, " \t\r\n,]}")
	case n.Kind == yaml.ScalarNode:
		return t.scalarEnd(n, at)
	case n.Style&yaml.FlowStyle != 0:
		return t.flowEnd(at)
	case len(n.Content) > 0:
		return t.end(n.Content[len(n.Content)-1])
	}
	return at
}

// until returns the offset of the next of some characters.
func (t text) until(at int, any string) int {
	if i := bytes.IndexAny(t.data[at:], any); i >= 0 {
		return at + i
	}
	return len(t.data)
}

func (t text) scalarEnd(n *yaml.Node, at int) int {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return t.doubleEnd(at)
	case n.Style&yaml.SingleQuotedStyle != 0:
		return t.singleEnd(at)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return t.blockEnd(at)
	case n.Value == "": // nothing at all
		return t.start(n)
	}
	if bytes.HasPrefix(t.data[at:], []byte(n.Value)) {
		return at + len(n.Value)
	}
	return t.plainEnd(n.Value, at)
}

// plainEnd finds the end of a text without quotes that goes over several lines: these
// are its words, with any white space between.
func (t text) plainEnd(value string, at int) int {
	for _, word := range strings.Fields(value) {
		for at < len(t.data) && isSpace(t.data[at]) {
			at++
		}
		at = min(at+len(word), len(t.data))
	}
	return at
}

func (t text) doubleEnd(at int) int {
	for i := at + 1; i < len(t.data); i++ {
		switch t.data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(t.data)
}

func (t text) singleEnd(at int) int {
	for i := at + 1; i < len(t.data); i++ {
		if t.data[i] != '\'' {
			continue
		}
		if i+1 < len(t.data) && t.data[i+1] == '\'' {
			i++
			continue
		}
		return i + 1
	}
	return len(t.data)
}

// blockEnd returns the end of the last line of a block scalar whose header is at at.
func (t text) blockEnd(at int) int {
	end := t.lineEnd(at)
	parent, within := t.parentIndent(at), -1
	if header := t.data[at:end]; len(header) > 1 {
		for _, c := range header[1:min(3, len(header))] {
			if c >= '1' && c <= '9' {
				within = parent + int(c-'0')
			}
		}
	}
	for next := t.nextLine(at); next < len(t.data); next = t.nextLine(next) {
		line := bytes.TrimRight(t.data[next:t.lineEnd(next)], "\r")
		depth := len(line) - len(bytes.TrimLeft(line, " "))
		if depth == len(line) {
			continue
		}
		if within < 0 {
			within = max(depth, parent+1)
		}
		if depth < within {
			break
		}
		end = t.lineEnd(next)
	}
	return end
}

// parentIndent returns the indentation of what holds the node at at: of its key, or of
// the dash before it.
func (t text) parentIndent(at int) int {
	line := t.data[t.lineStart(at):at]
	depth := len(line) - len(bytes.TrimLeft(line, " "))
	for {
		rest := line[depth:]
		trimmed := bytes.TrimLeft(bytes.TrimPrefix(rest, []byte("-")), " ")
		if !bytes.HasPrefix(rest, []byte("- ")) || len(bytes.TrimSpace(trimmed)) == 0 {
			return depth
		}
		depth += len(rest) - len(trimmed)
	}
}

// flowEnd returns the end of a collection in brackets.
func (t text) flowEnd(at int) int {
	depth := 0
	for i := at; i < len(t.data); i++ {
		switch t.data[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"', '\'':
			if i > 0 && strings.IndexByte(" \t\r\n,:[{", t.data[i-1]) < 0 {
				continue // within a text without quotes
			}
			if t.data[i] == '"' {
				i = t.doubleEnd(i) - 1
			} else {
				i = t.singleEnd(i) - 1
			}
		case '#':
			if i > 0 && isSpace(t.data[i-1]) {
				i = t.lineEnd(i)
			}
		}
	}
	return len(t.data)
}

// lineStart returns the offset at which the line of an offset begins.
func (t text) lineStart(at int) int { return bytes.LastIndexByte(t.data[:at], '\n') + 1 }

// lineEnd returns the offset of the line feed that ends the line of an offset.
func (t text) lineEnd(at int) int { return t.until(at, "\n") }

// nextLine returns the offset at which the next line begins.
func (t text) nextLine(at int) int { return min(t.lineEnd(at)+1, len(t.data)) }

// isFirst tells whether nothing but white space stands before an offset in its line.
func (t text) isFirst(at int) bool {
	return len(bytes.TrimSpace(t.data[t.lineStart(at):at])) == 0
}

// column returns the column of an offset, from 0, in characters.
func (t text) column(at int) int { return utf8.RuneCount(t.data[t.lineStart(at):at]) }

// dash returns the offset of the dash of a block list's item; false where it stands on
// another line.
func (t text) dash(item *yaml.Node) (int, bool) {
	at := t.start(item)
	line := t.data[t.lineStart(at):at]
	trimmed := bytes.TrimRight(line, " ")
	if !bytes.HasSuffix(trimmed, []byte("-")) {
		return 0, false
	}
	return t.lineStart(at) + len(trimmed) - 1, true
}

// colon returns the offset behind the colon of a key; false where it has none.
func (t text) colon(key *yaml.Node) (int, bool) {
	at := t.end(key)
	for at < len(t.data) && (t.data[at] == ' ' || t.data[at] == '\t') {
		at++
	}
	if at < len(t.data) && t.data[at] == ':' {
		return at + 1, true
	}
	return 0, false
}
