package report

import (
	"slices"
	"strings"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
)

// reviewLine is one thing that is told of what a change does to an object: about a place,
// or, where change is nil, about the whole.
type reviewLine struct {
	marker marker
	about  string
	change *differ.Change
	facts  []string
}

// reviewLines tell what a change does to an object: what it does to the declaration, and
// what deploying it does beside that.
func (t *text) reviewLines(o Reviewed) []reviewLine {
	var lines []reviewLine
	switch o.Action {
	case Created:
		lines = append(lines, reviewLine{marker{"+", green}, "declared by this change", nil, nil})
	case Deleted:
		lines = append(lines, reviewLine{marker{"-", red}, "declared no longer", nil, nil})
	}
	for _, c := range o.Changes {
		facts := []string{"this change"}
		if slices.ContainsFunc(o.Effects, func(e Effect) bool { return e.is(c) }) {
			facts[0] = "this change, and in the cluster"
		}
		if c.Origin.File != "" {
			facts = append(facts, t.place(c.Origin))
		}
		lines = append(lines, reviewLine{markers[c.Op], printable(c.Path.String()), &c, facts})
	}
	for _, e := range o.Effects {
		if !slices.ContainsFunc(o.Changes, e.is) {
			lines = append(lines, t.effectLine(e))
		}
	}
	return lines
}

// is tells whether deploying does just what the change of the declaration says.
func (e Effect) is(c differ.Change) bool {
	return !e.Overwrites && e.Op == c.Op && e.Path.Compare(c.Path) == 0 &&
		compact(e.Declared) == compact(c.Declared) && compact(e.Live) == compact(c.Live)
}

func (t *text) effectLine(e Effect) reviewLine {
	switch {
	case len(e.Path) == 0 && e.Op == differ.Removed:
		return reviewLine{marker{"-", red}, "deleted in the cluster, by a deployer that prunes", nil, nil}
	case len(e.Path) == 0 && e.Overwrites:
		return reviewLine{marker{"!", red}, "created in the cluster again: somebody deleted it, or it was never deployed", nil, nil}
	case len(e.Path) == 0:
		return reviewLine{marker{"+", green}, "created in the cluster", nil, nil}
	}
	line := reviewLine{markers[e.Op], printable(e.Path.String()), &e.Change, []string{"in the cluster"}}
	switch {
	case e.Overwrites && t.unrecorded:
		line.marker, line.facts = marker{"!", red}, append(line.facts, "overwrites a live change")
	case e.Overwrites:
		line.marker, line.facts = marker{"!", red}, append(line.facts, "overwrites a live change "+t.writer(e.Writer))
	case e.Pending != (differ.Pending{}):
		line.facts = append(line.facts, "so far "+behind(e.Pending))
	}
	return line
}

// review prints what a change does.
func (t *text) review(r *Review) {
	if r == nil {
		return
	}
	t.printf("%s\n\n", t.paint(bold, "Change since "+since(r)))
	for _, o := range r.Objects {
		t.heading(o.Object, o.Origin)
		for _, line := range t.reviewLines(o) {
			details := strings.Join(line.facts, " · ")
			if line.change == nil {
				t.lines(line.marker, line.about, "", details)
				continue
			}
			values, block := t.values(*line.change)
			t.lines(line.marker, line.about, values, details)
			for _, part := range block {
				t.printf("      %s\n", part)
			}
		}
		t.printf("\n")
	}
}

// since names what a change is compared with.
func since(r *Review) string {
	if r.Revision == "" || r.Revision == r.Base {
		return short(r.Base)
	}
	return short(r.Base) + " (" + printable(r.Revision) + ")"
}

// told is the report as people read it: without the list of all that was compared, and
// without the findings that a review tells as what deploying does.
func (r Report) told() Report {
	r.Compared = nil
	if r.Review != nil {
		r.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f finding.Finding) bool { return f.Rule.IsSetRight() })
	}
	return r
}

// words say what a change does, in a few.
func (r *Review) words() []string {
	var words []string
	if n := r.Overwritten(); n > 0 {
		words = append(words, "overwrites "+plural(n, "live change"))
	}
	actions := map[Action]int{}
	for _, o := range r.Objects {
		actions[o.Action]++
	}
	for _, a := range []struct {
		action Action
		verb   string
	}{{Created, "creates"}, {Changed, "changes"}, {Deleted, "deletes"}} {
		if n := actions[a.action]; n > 0 {
			words = append(words, a.verb+" "+plural(n, "object"))
		}
	}
	if len(words) == 0 {
		words = append(words, "changes nothing")
	}
	return words
}

// leftOutNote says that there is more to find.
func (r *Review) leftOutNote() string {
	return plural(r.LeftOut, "more finding") + " about other objects: plumbline diff without --base tells them"
}
