package assess

import (
	"fmt"
	"slices"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/policy"
)

// ruling is what the rules about one object make of what differs. It is made
// only where something does.
type ruling struct {
	rules    []ignore.Rule
	ignores  []differ.Ignore // of the rules, in their order
	failures []ignore.Failure
}

func (p *pass) ruling(declared, live object.Object) *ruling {
	r := &ruling{}
	for _, rule := range p.options.Ignore {
		if rule.Concerns(declared) {
			r.rules = append(r.rules, rule)
			r.ignores = append(r.ignores, rule.For(declared, live, func(f ignore.Failure) { r.failures = append(r.failures, f) }))
		}
	}
	return r
}

// unconditional are the rules for comparisons with earlier commits. There they
// only say which parts to tell one by one: a condition is about what git declares
// now.
func (r *ruling) unconditional() []differ.Ignore {
	rules := slices.Clone(r.ignores)
	for i := range rules {
		rules[i].When = nil
	}
	return rules
}

// covering returns the indices of the rules that ignore a change of the object as
// a whole.
func (r *ruling) covering(c differ.Change) []int {
	var rules []int
	for i := range r.ignores {
		if r.ignores[i].Covers(c) {
			rules = append(rules, i)
		}
	}
	return rules
}

// ignored returns findings as kept silent by the rules of the given indices.
func (r *ruling) ignored(findings []finding.Finding, rules []int) []finding.Silenced {
	var result []finding.Silenced
	for _, f := range findings {
		ignored := finding.Silenced{Finding: f, Reason: r.rules[rules[0]].Reason}
		for _, i := range rules {
			ignored.Rules = append(ignored.Rules, r.rules[i].Index)
		}
		result = append(result, ignored)
	}
	return result
}

// apart returns the findings that stand and those that are ignored.
func (r *ruling) apart(declared object.Object, diff differ.Diff) ([]finding.Finding, []finding.Silenced) {
	var ignored []finding.Silenced
	for _, group := range byRules(diff.Ignored) {
		var changes []differ.Change
		for _, i := range group {
			changes = append(changes, i.Change)
		}
		ignored = append(ignored, r.ignored(policy.Drift(declared, differ.Diff{Changes: changes}), group[0].Rules)...)
	}
	if diff.Unattributed {
		c := differ.Change{Path: differ.Path{"metadata", "managedFields"}, Op: differ.Unattributed}
		if rules := r.covering(c); len(rules) > 0 {
			ignored = append(ignored, r.ignored(policy.Drift(declared, differ.Diff{Unattributed: true}), rules)...)
			diff.Unattributed = false
		}
	}
	return policy.Drift(declared, diff), ignored
}

// byRules groups changes that the same rules ignore, in their order.
func byRules(ignored []differ.Ignored) [][]differ.Ignored {
	var groups [][]differ.Ignored
	for _, c := range ignored {
		i := slices.IndexFunc(groups, func(g []differ.Ignored) bool { return slices.Equal(g[0].Rules, c.Rules) })
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// missing is the word about an object that does not exist.
func (p *pass) missing(d object.Object, reason string) Assessment {
	if _, ok := p.source.(*Dump); ok && reason == "" {
		reason = "the dump has others of its kind, but not this one"
	}
	f := policy.Missing(d, reason)
	r := p.ruling(d, object.Object{})
	a := Assessment{Verdict: finding.Missing, Findings: []finding.Finding{f}}
	if rules := r.covering(differ.Change{Op: differ.Missing}); len(rules) > 0 {
		a = Assessment{Verdict: finding.Ignored, Ignored: r.ignored(a.Findings, rules)}
	}
	a.Failures = r.failures
	return a
}

// concern are the rules that are about an object.
func (p *pass) concern(declared object.Object) []int {
	var concern []int
	for _, rule := range p.options.Ignore {
		if rule.Concerns(declared) {
			concern = append(concern, rule.Index)
		}
	}
	return concern
}

// Idle says of each rule that ignored nothing, although everything that it is
// about was compared, that it may go.
func Idle(rules []ignore.Rule, assessments []Assessment) []string {
	used := map[int]bool{}
	for _, a := range assessments {
		for _, i := range a.Ignored {
			for _, rule := range i.Rules {
				used[rule] = true
			}
		}
	}
	var idle []string
	for _, rule := range rules {
		if used[rule.Index] {
			continue
		}
		concerned, compared := 0, true
		for _, a := range assessments {
			if slices.Contains(a.concern, rule.Index) {
				concerned++
				compared = compared && a.Verdict != finding.Unknown && a.Verdict != finding.Finished
			}
		}
		switch {
		case concerned == 0:
			idle = append(idle, fmt.Sprintf("spec.ignore[%d] of the Baseline is about none of the declared objects (reason: %s)", rule.Index, rule.Reason))
		case compared:
			idle = append(idle, fmt.Sprintf("spec.ignore[%d] of the Baseline matched nothing: no object that it is about differs so (compared: %d; reason: %s)", rule.Index, concerned, rule.Reason))
		}
	}
	return idle
}
