package inspect

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/lag"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
	"plumbline.dev/plumbline/report"
)

// Report compares what is declared with what is live, and says how that stands. What
// could not be compared stands in the report; the error is about a comparison that
// would be of nothing, or was interrupted. Where a repository is so broken that it
// declares nothing, live may be nil.
func (p *Pass) Report(ctx context.Context, live audit.Lister) (report.Report, error) {
	p.found = results{}
	if len(p.Objects) > 0 {
		var err error
		if p.found, err = p.compare(ctx, live); err != nil {
			return report.Report{}, err
		}
	}
	return p.said(), nil
}

// Update is Report after a change to a few objects: those of them that are declared are
// compared anew, and all else stands as Report and Adopt left it.
func (p *Pass) Update(ctx context.Context, live assess.Source, changed []object.ID) (report.Report, error) {
	if p.Past != nil {
		p.Assess.Past = p.Past.All(ctx)
	}
	assessments, err := p.all(ctx, p.given(changed), live, p.Assess)
	if ctx.Err() != nil {
		return report.Report{}, ctx.Err()
	}
	for _, warning := range Lines(err) {
		if !slices.Contains(p.found.warnings, warning) {
			p.found.warnings = append(p.found.warnings, warning)
		}
	}
	for len(assessments) > 0 {
		n := copy(p.found.about(assessments[0].Declared.ID), assessments)
		assessments = assessments[max(1, n):]
	}
	return p.said(), nil
}

// Look compares a few of the declared objects with what is live now, and keeps that. All
// else of the pass stands as it was. It is not to go on beside Update.
func (p *Pass) Look(ctx context.Context, live assess.Source, objects []object.ID) ([]assess.Assessment, error) {
	options := p.Assess
	options.Keep = true
	if p.Past != nil {
		options.Past = p.Past.All(ctx)
	}
	assessments, err := p.all(ctx, p.given(objects), live, options)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return assessments, err
}

// WasDeployed tells whether an object that is missing was there: whether it is declared
// since an older commit than any that the deployer may not have carried out yet.
func (p *Pass) WasDeployed(missing assess.Assessment) bool {
	behind, there := 0, false
	for _, a := range p.found.assessments {
		there = there || a.Verdict == finding.InSync || a.Verdict == finding.Drifted || a.Verdict == finding.Pending
		for _, f := range a.Findings {
			for _, c := range f.Changes {
				behind = max(behind, c.Pending.Behind)
			}
		}
	}
	if missing.Since == (differ.Pending{}) { // for longer than is known
		return there
	}
	return missing.Since.Behind > behind
}

// WasDeclared tells whether one of the earlier commits declares an object, or may.
func (p *Pass) WasDeclared(ctx context.Context, id object.ID) bool {
	if p.Past == nil {
		return true
	}
	for commit := range p.Past.All(ctx) {
		if commit.Err != nil { // it may declare anything
			return true
		}
		if slices.ContainsFunc(commit.Declares(lag.NameOf(id)), func(o object.Packed) bool { return IsOne(o.ID, id) }) {
			return true
		}
	}
	return ctx.Err() != nil
}

// Declares tells whether git declares an object now.
func (p *Pass) Declares(id object.ID) bool {
	return slices.ContainsFunc(p.Objects, func(o object.Packed) bool { return IsOne(o.ID, id) })
}

// IsOne tells whether a declared object, which may have no namespace of its own yet, is one
// of the cluster's.
func IsOne(declared, live object.ID) bool {
	return declared.Group == live.Group && declared.Kind == live.Kind && declared.Name == live.Name &&
		(declared.Namespace == live.Namespace || declared.Namespace == "")
}

// given are the declared objects of some IDs, as they were given.
func (p *Pass) given(objects []object.ID) []object.Packed {
	var declared []object.Packed
	for _, id := range objects {
		for _, a := range p.found.about(id) {
			declared = append(declared, a.Given)
		}
	}
	return declared
}

// Judgement returns what judges anew what is not declared, as far as that may have changed:
// all that is declared stands as Report and Update found it so far. It may go on beside
// Update and Adopt, but not beside another and not beside Report.
func (p *Pass) Judgement() func(context.Context, audit.Lister) audit.Outcome {
	declared, written := placed(p.Objects, p.found.assessments)
	return func(ctx context.Context, live audit.Lister) audit.Outcome {
		survey := p.look(ctx, live)
		if survey == nil {
			return audit.Outcome{}
		}
		return p.Audit.Judge(ctx, declared, survey, written)
	}
}

// Outcome is the last one.
func (p *Pass) Outcome() audit.Outcome { return p.found.outcome }

// Adopt puts an outcome into the place of the last one.
func (p *Pass) Adopt(o audit.Outcome) report.Report {
	p.found.adopt(o, p.ShowIgnored)
	return p.said()
}

// said is the report of all that was found.
func (p *Pass) said() report.Report {
	found := p.found
	r := p.report(found)
	if p.Err == nil && len(found.warnings) == 0 { // else not everything was compared
		r.Warnings = append(r.Warnings, assess.Idle(p.Assess.Ignore, found.assessments)...)
	}
	r.Warnings = append(r.Warnings, found.warnings...)
	if p.Past != nil {
		r.Warnings = append(r.Warnings, p.Past.Warnings()...)
	}
	r.Sort()
	return r
}

// report turns what was found into a report, and looks up where each declared value
// that differs stands.
func (p *Pass) report(found results) report.Report {
	r := report.Report{
		At: p.At,
		Source: report.Source{
			Repository: p.Snapshot.URL, Ref: p.Snapshot.Ref, Commit: p.Snapshot.Commit, Path: p.Path, WorkTree: p.WorkTree,
		},
		Verdicts:   map[finding.Verdict]int{},
		Errors:     Lines(p.Err),
		Warnings:   p.ended(),
		Unrecorded: p.Assess.Compare.Unrecorded,
	}
	files := render.NewPositions(p.Snapshot.FS())
	for _, a := range found.assessments {
		p.add(&r, files, a)
	}
	r.Warnings = append(r.Warnings, failures(found.assessments)...)
	r.IgnoredCount += found.exempt
	p.addOutcome(&r, found.outcome)
	return r
}

// add adds the word about one declared object.
func (p *Pass) add(r *report.Report, files *render.Positions, a assess.Assessment) {
	r.Verdicts[a.Verdict]++
	if p.ListAll {
		r.Compared = append(r.Compared, report.Compared{Object: a.Declared.ID, Origin: a.Declared.Origin})
	}
	if a.Err != nil {
		r.Unknown = append(r.Unknown, report.Unknown{Object: a.Declared.ID, Origin: a.Declared.Origin, Reason: a.Err.Error()})
	}
	if len(a.Unconfirmed) > 0 && a.Err == nil {
		r.Unconfirmed = append(r.Unconfirmed, report.Unconfirmed{Object: a.Declared.ID, Origin: a.Declared.Origin, Paths: a.Unconfirmed})
	}
	for _, f := range a.Findings {
		p.locate(files, a.Declared, f)
		r.Findings = append(r.Findings, f)
	}
	for _, f := range a.Ignored {
		r.IgnoredCount += max(1, len(f.Changes))
		if p.ShowIgnored {
			p.locate(files, a.Declared, f.Finding)
			r.Ignored = append(r.Ignored, f)
		}
	}
}

// addOutcome adds what was found beside drift.
func (p *Pass) addOutcome(r *report.Report, o audit.Outcome) {
	for _, f := range o.Findings {
		if f.Rule == finding.RogueObject && f.Severity > finding.Info {
			r.Verdicts[finding.Rogue]++
		}
	}
	r.Findings = append(r.Findings, o.Findings...)
	r.Ignored = append(r.Ignored, o.Exempt...)
	for _, u := range o.Unjudged {
		r.Unknown = append(r.Unknown, report.Unknown{Object: u.Object, Origin: u.Origin, Reason: u.Reason})
	}
}

// locate fills in where the declared values of a finding's changes stand, once.
func (p *Pass) locate(files *render.Positions, o object.Packed, f finding.Finding) {
	for i, c := range f.Changes {
		if c.Declared != nil && c.Origin == (object.Position{}) {
			f.Changes[i].Origin = files.Of(o.Object(), c.Path)
		}
	}
}

// ended warns of each of the Baseline's rules and exemptions that has ended.
func (p *Pass) ended() []string {
	var warnings []string
	for i, rule := range p.Spec.Ignore {
		if rule.EndedAt(p.At) {
			warnings = append(warnings, fmt.Sprintf("spec.ignore[%d] of the Baseline ended on %s and ignores nothing: renew or remove it (reason: %s)", i, rule.Until, rule.Reason))
		}
	}
	for i, e := range p.Spec.Scope.Exempt {
		if e.EndedAt(p.At) {
			warnings = append(warnings, fmt.Sprintf("spec.scope.exempt[%d] of the Baseline ended on %s and exempts nothing: renew or remove it (reason: %s)", i, e.Until, e.Reason))
		}
	}
	return warnings
}

// failures warns of each rule whose condition could not be evaluated, with the
// first object of which that is so.
func failures(assessments []assess.Assessment) []string {
	first, more := map[int]ignore.Failure{}, map[int]int{}
	for _, a := range assessments {
		for _, f := range a.Failures {
			if _, ok := first[f.Rule]; ok {
				more[f.Rule]++
			} else {
				first[f.Rule] = f
			}
		}
	}
	var warnings []string
	for _, rule := range slices.Sorted(maps.Keys(first)) {
		f := first[rule]
		text := fmt.Sprintf("spec.ignore[%d].when of the Baseline cannot be evaluated for %s, so what it is about is told: %s", rule, f.Object, f.Reason)
		switch n := more[rule]; {
		case n == 1:
			text += "; nor for 1 object more"
		case n > 1:
			text += fmt.Sprintf("; nor for %d objects more", n)
		}
		warnings = append(warnings, text)
	}
	return warnings
}
