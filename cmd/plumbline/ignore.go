package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/report"
)

// suggestedDays is how long a suggested rule holds, unless its author says
// otherwise: about a quarter, after which somebody should look again.
const suggestedDays = 90

// suggested returns the rules that would ignore what was found.
func suggested(r report.Report, failOn finding.Severity) []v1alpha1.Ignore {
	var found []finding.Finding
	for _, f := range r.Findings {
		if f.Severity >= failOn {
			found = append(found, f)
		}
	}
	return ignore.Suggest(found, r.At.UTC().AddDate(0, 0, suggestedDays).Format(time.DateOnly))
}

// endedRules warns of each of the Baseline's rules and exemptions that has ended.
func (d declared) endedRules() []string {
	var warnings []string
	for i, rule := range d.baseline.Spec.Ignore {
		if rule.EndedAt(now()) {
			warnings = append(warnings, fmt.Sprintf("spec.ignore[%d] of the Baseline ended on %s and ignores nothing: renew or remove it (reason: %s)", i, rule.Until, rule.Reason))
		}
	}
	for i, e := range d.baseline.Spec.Scope.Exempt {
		if e.EndedAt(now()) {
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
