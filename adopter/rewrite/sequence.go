package rewrite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// sequence makes a list say what want says. Items that stay are edited where they are.
func (e *editor) sequence(n *yaml.Node, want []any, p place) error {
	flow := n.Style&yaml.FlowStyle != 0
	have, children, err := e.items(n, flow)
	if err != nil {
		return e.whole(n, want, p)
	}
	if order, ok := permutation(have, want); ok && !flow {
		return e.permute(children, order)
	}
	pairs := align(have, want)
	before := 0 // of have, those that were passed
	insertAfter := -1
	var added [][2]int // item of want, behind item of have
	for i, at := range pairs {
		if at < 0 {
			added = append(added, [2]int{i, insertAfter})
			continue
		}
		for ; before < at; before++ {
			children[before].kept = false
		}
		before, insertAfter = at+1, at
		if err := e.value(n.Content[at], want[i], place{item: true, flow: flow}); err != nil {
			return err
		}
	}
	for ; before < len(have); before++ {
		children[before].kept = false
	}
	if !anyKept(children) {
		return e.whole(n, want, p)
	}
	if err := e.drop(children, flow); err != nil {
		return e.whole(n, want, p)
	}
	for _, a := range added {
		if err := e.insert(children, a[1], want[a[0]], flow); err != nil {
			return err
		}
	}
	return nil
}

// items returns what the items of a list say, and where they stand.
func (e *editor) items(n *yaml.Node, flow bool) ([]any, []child, error) {
	var have []any
	var children []child
	for _, item := range n.Content {
		v, err := object.Value("", item)
		if err != nil {
			return nil, nil, err
		}
		from := e.start(item)
		if dash, ok := e.dash(item); ok && !flow {
			from = dash
		} else if !flow {
			return nil, nil, errShape
		}
		have = append(have, v)
		children = append(children, child{from, e.end(item), true})
	}
	return have, children, nil
}

// insert writes an item behind another, or before the first for -1.
func (e *editor) insert(children []child, after int, v any, flow bool) error {
	switch {
	case flow && after < 0:
		next := children[0].from
		e.replace(next, next, e.deep(v, next)+e.separated(next))
	case flow:
		e.replace(children[after].to, children[after].to, e.separated(children[after].from)+e.deep(v, children[after].from))
	case after >= 0:
		e.insertLines(children[after].to, e.item(v, e.column(children[after].from)))
	default:
		next := children[0].from
		if !e.isFirst(next) {
			return errShape
		}
		start := e.lineStart(next)
		e.replace(start, start, e.lines(e.item(v, e.column(next)))+e.eol)
	}
	return nil
}

// permutation tells whether want has the items of have in another order, and which.
func permutation(have, want []any) ([]int, bool) {
	if len(have) != len(want) || len(have)*len(want) > maxAligned {
		return nil, false
	}
	var order []int
	for _, w := range want {
		at := slices.IndexFunc(have, func(h any) bool { return Same(h, w) })
		if at < 0 || slices.Contains(order, at) {
			return nil, false
		}
		order = append(order, at)
	}
	return order, true
}

// permute puts the lines of items into another order, each with the comments above it.
func (e *editor) permute(children []child, order []int) error {
	var chunks []string
	if !e.isFirst(children[0].from) {
		return errShape
	}
	begin := e.withComments(e.lineStart(children[0].from))
	from := begin
	for _, c := range children {
		to := e.nextLine(c.to)
		chunk := string(e.data[from:to])
		if !strings.HasSuffix(chunk, "\n") {
			chunk += e.eol
		}
		chunks = append(chunks, chunk)
		from = to
	}
	var text strings.Builder
	for _, i := range order {
		text.WriteString(chunks[i])
	}
	moved := text.String()
	if from == len(e.data) && !bytes.HasSuffix(e.data, []byte("\n")) {
		moved = strings.TrimSuffix(moved, e.eol)
	}
	e.replace(begin, from, moved)
	return nil
}

// withComments returns where the comments right above a line begin.
func (e *editor) withComments(line int) int {
	for line > 0 {
		above := e.lineStart(line - 1)
		if !bytes.HasPrefix(bytes.TrimLeft(e.data[above:line], " "), []byte("#")) {
			break
		}
		line = above
	}
	return line
}

// align pairs the items of want with those of have, in order: the index in have, or -1
// for one that is new. Of what stands between two that are equal, or have the same
// name, one is taken for the edited other.
func align(have, want []any) []int {
	same := 0
	for same < min(len(have), len(want)) && Same(have[same], want[same]) {
		same++
	}
	tail := 0
	for tail < min(len(have), len(want))-same && Same(have[len(have)-1-tail], want[len(want)-1-tail]) {
		tail++
	}
	pairs := alignMiddle(have[same:len(have)-tail], want[same:len(want)-tail])
	for i, at := range pairs {
		if at >= 0 {
			pairs[i] = at + same
		}
	}
	var all []int
	for i := range same {
		all = append(all, i)
	}
	all = append(all, pairs...)
	for i := range tail {
		all = append(all, len(have)-tail+i)
	}
	return all
}

// maxAligned bounds the pairs of items that are looked at. Beyond, items are paired by
// their places.
const maxAligned = 250_000

// alignMiddle is align for what differs at both ends.
func alignMiddle(have, want []any) []int {
	if len(have)*len(want) > maxAligned {
		pairs := make([]int, len(want))
		for i := range pairs {
			if pairs[i] = i; i >= len(have) {
				pairs[i] = -1
			}
		}
		return pairs
	}
	longest := make([][]int, len(have)+1)
	for i := range longest {
		longest[i] = make([]int, len(want)+1)
	}
	for i := len(have) - 1; i >= 0; i-- {
		for j := len(want) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if weight := alike(have[i], want[j]); weight > 0 {
				longest[i][j] = max(longest[i][j], longest[i+1][j+1]+weight)
			}
		}
	}
	pairs := make([]int, len(want))
	i, j := 0, 0
	for j < len(want) {
		switch {
		case i < len(have) && isPair(longest, i, j, alike(have[i], want[j]), editable(have[i], want[j])):
			pairs[j] = i
			i, j = i+1, j+1
		case i < len(have) && longest[i+1][j] >= longest[i][j+1] && longest[i+1][j] > 0:
			i++
		default:
			pairs[j] = -1
			j++
		}
	}
	return pairs
}

// isPair tells whether two items belong together: they are alike, and that is a part
// of the best alignment, or neither has a better partner and one may become the other.
func isPair(longest [][]int, i, j, weight int, editable bool) bool {
	if weight > 0 && longest[i][j] == longest[i+1][j+1]+weight {
		return true
	}
	return editable && longest[i+1][j+1] == longest[i][j]
}

// telling are the fields by which people tell the items of a list.
var telling = []string{"name", "mountPath", "devicePath", "containerPort", "port", "key", "path", "ip", "host", "topologyKey"}

// alike tells how certain it is that two items are the same one, be it edited: 0 for not
// at all.
func alike(a, b any) int {
	if Same(a, b) {
		return 3
	}
	x, ok := a.(map[string]any)
	y, also := b.(map[string]any)
	for _, name := range telling {
		if ok && also && x[name] != nil && y[name] != nil {
			if fmt.Sprint(x[name]) == fmt.Sprint(y[name]) {
				return 2
			}
			return 0
		}
	}
	return 0
}

// editable tells whether one item may become another by an edit: two texts, or two
// mappings that have half of their fields in common, with their values where they have
// names.
func editable(a, b any) bool {
	x, ok := a.(map[string]any)
	y, also := b.(map[string]any)
	if !ok || !also {
		return !ok && !also
	}
	named := slices.ContainsFunc(telling, func(name string) bool { return x[name] != nil || y[name] != nil })
	common := 0
	for name, v := range x {
		if other, ok := y[name]; ok && (!named || Same(v, other)) {
			common++
		}
	}
	return 2*common >= max(len(x), len(y))
}

// unit returns one step of indentation, as the text has it.
func (e *editor) unit(indent string) string {
	if strings.Contains(indent, "\t") {
		return "\t"
	}
	return strings.Repeat(" ", max(e.indent, 1))
}

// pretty returns JSON over several lines, the first of them without indentation.
func pretty(v any, indent, unit string) string {
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(jsonText(v)), indent, unit); err != nil {
		return jsonText(v)
	}
	return out.String()
}
