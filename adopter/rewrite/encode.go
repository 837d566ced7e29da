package rewrite

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Encode returns a value as a YAML document of its own, in the order in which people
// write objects.
func Encode(v any) []byte {
	e := editor{indent: 2, compact: true, eol: "\n"}
	return []byte(e.lines(e.block(v, 0)) + "\n")
}

// block returns the lines of a value in block style, at an indentation.
func (e *editor) block(v any, indent int) []string {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(e.indent)
	if e.compact {
		encoder.CompactSeqIndent()
	}
	if err := encoder.Encode(nodeOf(v)); err != nil {
		return []string{jsonText(v)} // which is YAML as well
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = strings.Repeat(" ", indent) + line
		}
	}
	return lines
}

// nodeOf returns a value as a node, its fields in order.
func nodeOf(v any) *yaml.Node {
	switch v := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range fields(v) {
			n.Content = append(n.Content, nodeOf(name), nodeOf(v[name]))
		}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			n.Content = append(n.Content, nodeOf(item))
		}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		return n
	}
	n := new(yaml.Node)
	if err := n.Encode(number(v)); err != nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Value: jsonText(v)}
	}
	return n
}

// first are the fields with which objects begin.
var first = []string{"apiVersion", "kind", "metadata", "op", "name"}

// fields returns the names of a mapping's fields in the order in which people write
// them.
func fields(m map[string]any) []string {
	rank := func(name string) int {
		if i := slices.Index(first, name); i >= 0 {
			return i
		}
		return len(first)
	}
	names := slices.Collect(maps.Keys(m))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	return names
}

// jsonText returns a value as JSON on one line.
func jsonText(v any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(number(v)); err != nil {
		return "null"
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// inline returns a value on one line, in flow style where it is a collection.
func (e *editor) inline(v any, inFlow bool) string {
	if e.json {
		return jsonText(v)
	}
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, name := range fields(v) {
			parts = append(parts, e.plain(name, true)+": "+e.inline(v[name], true))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, e.inline(item, true))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return e.plain(v, inFlow)
	}
	return jsonText(v)
}

// plain returns a text on one line, without quotes where it needs none.
func (e *editor) plain(s string, inFlow bool) string {
	encoded, err := yaml.Marshal(s)
	line := strings.TrimSuffix(string(encoded), "\n")
	if err != nil || e.json || strings.Contains(line, "\n") || strings.HasPrefix(line, "|") || inFlow && strings.ContainsAny(s, ",[]{}:#\"'&*!|>%@`?") {
		return jsonText(s)
	}
	return line
}

// literal returns a text as the lines of a literal block: its header, and the rest at
// an indentation. It fails for what a block cannot hold.
func literal(s string, parent, indent int) (header string, lines []string, ok bool) {
	if s == "" || strings.Trim(s, "\n ") == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff
	}) {
		return "", nil, false
	}
	header = "|"
	if strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\n") {
		header += string(rune('0' + indent - parent))
	}
	body := strings.TrimRight(s, "\n")
	switch len(s) - len(body) {
	case 0:
		header += "-"
	case 1:
	default:
		header += "+"
	}
	for _, line := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
		if line != "" {
			line = strings.Repeat(" ", indent) + line
		}
		lines = append(lines, line)
	}
	return header, lines, true
}
