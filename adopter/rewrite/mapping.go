package rewrite

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// child is an entry of a mapping or an item of a list.
type child struct {
	from, to int // what it takes
	kept     bool
}

// mapping makes a mapping say what want says.
func (e *editor) mapping(n *yaml.Node, want map[string]any, p place) error {
	flow := n.Style&yaml.FlowStyle != 0
	own := map[string]bool{}
	var children []child
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		wanted, kept := want[key.Value]
		merge := key.Tag == "!!merge"
		own[key.Value] = own[key.Value] || !merge
		children = append(children, child{e.start(key), max(e.end(key), e.end(value)), kept || merge})
		if !kept || merge {
			continue
		}
		if err := e.value(value, wanted, place{key: key, flow: flow}); err != nil {
			return err
		}
	}
	merged, err := mergedInto(n)
	if err != nil {
		return err
	}
	var added []string
	for _, name := range fields(want) {
		if inherited, ok := merged[name]; !own[name] && (!ok || !Same(inherited, want[name])) {
			added = append(added, name)
		}
	}
	for name := range merged {
		if _, ok := want[name]; !ok {
			return errors.New("it comes in by a merge key (<<), and cannot be taken out there")
		}
	}
	if !anyKept(children) {
		return e.whole(n, want, p)
	}
	if err := e.drop(children, flow); err != nil {
		return e.whole(n, want, p)
	}
	return e.add(n, children, added, want)
}

// mergedInto returns what a mapping has by merge keys alone.
func mergedInto(n *yaml.Node) (map[string]any, error) {
	all, err := object.Value("", n)
	merged, _ := all.(map[string]any)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			delete(merged, n.Content[i].Value)
		}
	}
	return merged, err
}

func anyKept(children []child) bool {
	for _, c := range children {
		if c.kept {
			return true
		}
	}
	return false
}

// last returns the last child that is kept.
func last(children []child) (child, int) {
	for i := len(children) - 1; i >= 0; i-- {
		if children[i].kept {
			return children[i], i
		}
	}
	return child{}, -1
}

// drop takes the children out that are not kept, of which there is one.
func (e *editor) drop(children []child, flow bool) error {
	for i := 0; i < len(children); i++ {
		if children[i].kept {
			continue
		}
		end := i
		for end+1 < len(children) && !children[end+1].kept {
			end++
		}
		from, to := children[i].from, children[end].to
		switch {
		case flow && end+1 < len(children):
			to = children[end+1].from
		case flow:
			from = children[i-1].to
		case e.isFirst(from):
			from, to = e.lineStart(from), e.nextLine(to)
			if to == len(e.data) && to > 0 && e.data[to-1] != '\n' && from > 0 {
				from -= len(e.eol) // the last line of a file that ends without a line feed
			}
		case end+1 < len(children) && e.isFirst(children[end+1].from):
			to = children[end+1].from // it stands behind a dash, and the next comes into its place
		default:
			return errShape
		}
		e.replace(from, to, "")
		i = end
	}
	return nil
}

// add writes new entries behind the last that stays.
func (e *editor) add(n *yaml.Node, children []child, added []string, want map[string]any) error {
	if len(added) == 0 {
		return nil
	}
	after, i := last(children)
	if n.Style&yaml.FlowStyle != 0 {
		for _, name := range added {
			e.replace(after.to, after.to, e.separated(after.from)+e.entry(name, want[name], after.from, n.Content[2*i]))
		}
		return nil
	}
	column := e.column(e.start(n.Content[0]))
	for _, name := range added {
		e.insertLines(after.to, e.block(map[string]any{name: want[name]}, column))
	}
	return nil
}

// insertLines adds lines after the line of an offset.
func (e *editor) insertLines(at int, lines []string) {
	end := e.lineEnd(at)
	if end > at && e.data[end-1] == '\r' {
		end--
	}
	e.replace(end, end, e.eol+e.lines(lines))
}

// separated returns what stands between two entries in brackets, in the way of the one
// that begins at an offset.
func (e *editor) separated(from int) string {
	if e.isFirst(from) {
		return "," + e.eol + string(e.data[e.lineStart(from):from])
	}
	return ", "
}

// entry returns an entry of a mapping in brackets.
func (e *editor) entry(name string, v any, like int, sibling *yaml.Node) string {
	key := e.plain(name, true)
	if sibling.Style&yaml.DoubleQuotedStyle != 0 {
		key = jsonText(name)
	}
	return key + ": " + e.deep(v, like)
}

// deep returns a value in brackets; over several lines where what stands beside it
// begins a line.
func (e *editor) deep(v any, like int) string {
	if !e.isFirst(like) || !e.json {
		return e.inline(v, true)
	}
	indent := string(e.data[e.lineStart(like):like])
	return strings.ReplaceAll(pretty(v, indent, e.unit(indent)), "\n", e.eol)
}
