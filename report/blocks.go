package report

import (
	"strings"

	"plumbline.dev/plumbline/differ"
)

// block is one thing that is told of an object: what it is about, the facts beside that,
// and the lines of both sides, each with a sign before it.
type block struct {
	about, facts string
	// whole says that it is about the object as a whole rather than about a place in it.
	whole bool
	lines []string
}

// title is what it is about, with the facts.
func (b block) title() string {
	if b.facts == "" {
		return b.about
	}
	return b.about + " · " + b.facts
}

// blocks tell all of an object.
func (t *text) blocks(s subject) []block {
	var all []block
	for _, reason := range s.unknown {
		all = append(all, block{about: "not compared: " + printable(reason), whole: true})
	}
	for _, line := range t.reviewLines(s.review) {
		b := block{about: line.about, facts: strings.Join(line.facts, " · "), whole: line.change == nil}
		if line.change != nil {
			b.lines = t.sides(*line.change)
		}
		all = append(all, b)
	}
	for _, e := range s.told() {
		if len(e.Changes) == 0 {
			all = append(all, block{about: printable(e.Message), facts: e.details(t.about(e.Finding)...), whole: true})
		}
		for _, c := range e.Changes {
			all = append(all, block{about: printable(c.Path.String()), facts: e.details(t.facts(e.Rule, c)...), lines: t.sides(c)})
		}
	}
	for _, p := range s.unconfirmed {
		all = append(all, block{about: printable(p.String()), facts: "perhaps the cluster's, perhaps somebody's"})
	}
	return all
}

// sides shows a change's values on a line each, what git declares behind "-" and what is
// live behind "+"; of long texts the lines that differ.
func (t *text) sides(c differ.Change) []string {
	if _, block := t.values(c); block != nil {
		return block
	}
	switch {
	case c.Declared == nil:
		return []string{"+ " + cut(compact(c.Live))}
	case c.Live == nil:
		return []string{"- " + cut(compact(c.Declared))}
	default:
		before, after := cutPair(compact(c.Declared), compact(c.Live))
		return []string{"- " + before, "+ " + after}
	}
}
