package rewrite

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// place is where a value stands: behind a key, or as an item of a list, or, zero, as
// the root.
type place struct {
	key  *yaml.Node
	item bool
	flow bool // within brackets
}

// value makes a node say what want says.
func (e *editor) value(n *yaml.Node, want any, p place) error {
	have, err := object.Value("", n)
	if err != nil {
		return err
	}
	if Same(have, want) {
		return nil
	}
	fields, isMap := want.(map[string]any)
	items, isList := want.([]any)
	switch {
	case n.Kind == yaml.MappingNode && isMap && len(n.Content) > 0 && len(fields) > 0:
		return e.mapping(n, fields, p)
	case n.Kind == yaml.SequenceNode && isList && len(n.Content) > 0 && len(items) > 0:
		return e.sequence(n, items, p)
	case n.Kind == yaml.ScalarNode && !isMap && !isList:
		return e.scalar(n, want, p)
	}
	return e.whole(n, want, p)
}

// whole puts a value in the place of another.
func (e *editor) whole(n *yaml.Node, want any, p place) error {
	from, to := e.start(n), e.end(n)
	switch {
	case p.flow:
		e.replace(from, to, e.spaced(from, e.inline(want, true)))
	case isEmpty(want):
		e.replace(e.valueFrom(n, p), to, " "+e.inline(want, false))
	case p.item:
		dash, ok := e.dash(n)
		if !ok {
			return errShape
		}
		e.replace(dash, to, e.lines(e.item(want, e.column(dash)))[e.column(dash):])
	case p.key != nil:
		return e.behind(p.key, want, to)
	default:
		return errShape
	}
	return nil
}

// valueFrom returns the offset behind the colon or dash before a value, so that what is
// on the following lines comes onto this one.
func (e *editor) valueFrom(n *yaml.Node, p place) int {
	if p.key != nil {
		if colon, ok := e.colon(p.key); ok {
			return colon
		}
	}
	if dash, ok := e.dash(n); ok && p.item {
		return dash + 1
	}
	return e.start(n)
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// behind writes a value behind a key in block style, in place of what ends at to.
func (e *editor) behind(key *yaml.Node, want any, to int) error {
	colon, ok := e.colon(key)
	if !ok {
		return errShape
	}
	entry := e.block(map[string]any{"k": want}, e.column(e.start(key)))
	rest := bytes.TrimSpace(e.data[to:e.lineEnd(to)])
	if text, isText := want.(string); isText && len(rest) > 0 && len(entry) > 1 {
		e.replace(colon, to, " "+jsonText(text)) // a comment follows, which would become a part of a block
		return nil
	}
	first := strings.TrimPrefix(strings.TrimLeft(entry[0], " "), "k:")
	e.replace(colon, to, e.lines(append([]string{first}, entry[1:]...)))
	return nil
}

// item returns the lines of an item of a block list, with its dash.
func (e *editor) item(v any, column int) []string {
	lines := e.block(v, column+2)
	lines[0] = strings.Repeat(" ", column) + "- " + strings.TrimLeft(lines[0], " ")
	return lines
}

// spaced puts a space before a value that would follow a colon or dash at once.
func (e *editor) spaced(at int, text string) string {
	if at > 0 && (e.data[at-1] == ':' || e.data[at-1] == '-') {
		return " " + text
	}
	return text
}

// scalar replaces a text, number or the like by another.
func (e *editor) scalar(n *yaml.Node, want any, p place) error {
	from, to := e.content(n), e.end(n)
	s, isText := want.(string)
	if n.Value == "" && n.Style == 0 {
		from = to
	}
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return e.blockText(n, want, from, to)
	case !isText:
		e.replace(from, to, e.spaced(from, jsonText(want)))
	case n.Style&yaml.DoubleQuotedStyle != 0 || e.json:
		e.replace(from, to, jsonText(s))
	case n.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }):
		e.replace(from, to, "'"+strings.ReplaceAll(s, "'", "''")+"'")
	case strings.Contains(s, "\n") && !p.flow && n.Anchor == "":
		return e.whole(n, want, p)
	default:
		e.replace(from, to, e.spaced(from, e.plain(s, p.flow)))
	}
	return nil
}

// blockText replaces a block of text. What of its lines stays the same stays the same.
func (e *editor) blockText(n *yaml.Node, want any, from, to int) error {
	s, isText := want.(string)
	parent := e.parentIndent(from)
	indent := e.blockIndent(n, from, to, parent)
	header, lines, ok := literal(s, parent, indent)
	if !isText || !ok {
		e.replace(from, to, jsonText(want))
		return nil
	}
	end := e.lineEnd(from)
	old := strings.TrimRight(string(e.data[from:end]), "\r")
	if _, comment, found := strings.Cut(old, " #"); found {
		header += " #" + comment
	}
	e.replace(from, to, e.lines(append([]string{header}, lines...)))
	return nil
}

// blockIndent returns the indentation of a block's lines.
func (e *editor) blockIndent(n *yaml.Node, from, to, parent int) int {
	if n.Value != "" && !strings.HasPrefix(n.Value, " ") {
		for at := e.nextLine(from); at < to; at = e.nextLine(at) {
			line := e.data[at:e.lineEnd(at)]
			if trimmed := bytes.TrimLeft(line, " "); len(bytes.TrimSpace(trimmed)) > 0 {
				return len(line) - len(trimmed)
			}
		}
	}
	return parent + e.indent
}
