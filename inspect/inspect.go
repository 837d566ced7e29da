// Package inspect makes a report of what a directory of a repository declares and what
// is live: everything between a snapshot and a report, in one pass that only reads.
package inspect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/history"
	"plumbline.dev/plumbline/object"
)

// Pass is one comparison.
type Pass struct {
	// Snapshot and Path are the directory that was rendered. WorkTree says that it is on
	// disk, and may differ from the snapshot's commit.
	Snapshot *gitsource.Snapshot
	Path     string
	WorkTree bool
	// Objects are what it declares, and Err is about some that could not be rendered.
	Objects []object.Packed
	Err     error
	// Past are the commits before; nil where nobody wants to know.
	Past *history.History

	// Spec is the Baseline's; zero without one.
	Spec v1alpha1.BaselineSpec
	// Assess are the rules of the comparison, and Audit those about what should not be
	// there; nil without a Baseline.
	Assess assess.Options
	Audit  *audit.Rules

	// At is the time of the pass.
	At time.Time
	// ShowIgnored has the report name what rules ignore, too.
	ShowIgnored bool
	// ListAll has the report list all that is declared, too.
	ListAll bool
	// Say is told what is being done now. Nil says nothing.
	Say func(string)

	// Before is an earlier pass by the same rules, and Changed what may have changed in the
	// cluster since its last word: else what was in sync and git still declares is in sync.
	// Nil has everything compared.
	Before  *Pass
	Changed []object.ID

	compared int
	found    results
}

// results are what the stages of a pass have found.
type results struct {
	assessments []assess.Assessment // sorted by object
	outcome     audit.Outcome
	exempt      int      // findings that do not count
	warnings    []string // about what they had to do without
}

// adopt takes in what was found beside drift. What does not count may be as much as there
// is in a cluster, and is kept where somebody wants to see it.
func (r *results) adopt(o audit.Outcome, whole bool) {
	r.outcome, r.exempt = o, len(o.Exempt)
	if !whole {
		r.outcome.Exempt = nil
	}
}

// about returns the assessments of an object: of one that is declared twice there are two.
func (r results) about(id object.ID) []assess.Assessment {
	compare := func(a assess.Assessment, id object.ID) int { return a.Declared.ID.Compare(id) }
	first, _ := slices.BinarySearchFunc(r.assessments, id, compare)
	end := first
	for end < len(r.assessments) && r.assessments[end].Declared.ID == id {
		end++
	}
	return r.assessments[first:end]
}

// say passes on what is being done.
func (p *Pass) say(format string, args ...any) {
	if p.Say != nil {
		p.Say(fmt.Sprintf(format, args...))
	}
}

// compare assesses what is declared, and judges what else there is.
func (p *Pass) compare(ctx context.Context, live audit.Lister) (results, error) {
	var r results
	survey := p.look(ctx, live)
	var source assess.Source = live
	if survey != nil {
		source = survey
	}
	p.say("comparing %d objects", len(p.Objects))
	if p.Past != nil {
		p.Assess.Past = p.Past.All(ctx)
	}
	options := p.Assess
	if p.Before != nil {
		options.Known = p.known()
		p.Before = nil // which nobody needs any more
	}
	var err error
	r.assessments, err = p.all(ctx, p.Objects, source, options)
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if len(r.assessments) == 0 {
		return r, fmt.Errorf("none of the %d declared objects is in spec.scope.namespaces (%s): nothing would be compared", len(p.Objects), strings.Join(p.Assess.Namespaces, ", "))
	}
	r.adopt(p.judge(ctx, survey, r.assessments), p.ShowIgnored)
	r.warnings = Lines(err)
	return r, nil
}

// all is assess.All, and counts what was compared.
func (p *Pass) all(ctx context.Context, objects []object.Packed, live assess.Source, o assess.Options) ([]assess.Assessment, error) {
	recalled := 0
	if known := o.Known; known != nil {
		o.Known = func(d object.Packed) (assess.Assessment, bool) {
			a, ok := known(d)
			if ok {
				recalled++
			}
			return a, ok
		}
	}
	assessments, err := assess.All(ctx, objects, live, o)
	p.compared += len(assessments) - recalled
	return assessments, err
}

// Compared tells how many objects were compared since somebody asked last.
func (p *Pass) Compared() int {
	n := p.compared
	p.compared = 0
	return n
}

// known returns what still holds of the pass before: what differs depends on the commits
// in between too.
func (p *Pass) known() func(object.Packed) (assess.Assessment, bool) {
	before, changed := p.Before.found, map[object.ID]bool{}
	for _, id := range p.Changed {
		changed[id] = true
	}
	return func(d object.Packed) (assess.Assessment, bool) {
		was := before.about(d.ID)
		if len(was) != 1 || changed[d.ID] || !was[0].Clean() || !was[0].Declared.Equal(d) {
			return assess.Assessment{}, false
		}
		return was[0], true
	}
}

// look reads what is in the scope; nil where no rule is about that.
func (p *Pass) look(ctx context.Context, live audit.Lister) *audit.Survey {
	if p.Audit == nil {
		return nil
	}
	p.say("looking at everything in the scope")
	return p.Audit.Look(ctx, live, p.Objects)
}

func (p *Pass) judge(ctx context.Context, survey *audit.Survey, assessments []assess.Assessment) audit.Outcome {
	if survey == nil {
		return audit.Outcome{}
	}
	p.say("judging what nobody declared")
	declared, written := placed(p.Objects, assessments)
	return p.Audit.Judge(ctx, declared, survey, written)
}

// placed returns the declared objects, those that were compared with their namespaces
// filled in, and what was found of who wrote them.
func placed(objects []object.Packed, assessments []assess.Assessment) (all []object.Packed, written []finding.Finding) {
	known := map[object.Position]bool{}
	for _, a := range assessments {
		all = append(all, a.Declared)
		written = append(written, a.Written...)
		known[a.Declared.Origin.Position] = true
	}
	for _, o := range objects {
		if !known[o.Origin.Position] {
			all = append(all, o)
		}
	}
	return all, written
}

// Lines takes joined errors apart, each on one line.
func Lines(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, Lines(e)...)
		}
		return all
	}
	return []string{strings.Join(strings.Fields(err.Error()), " ")}
}
