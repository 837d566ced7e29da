package ignore

import (
	"regexp"
	"slices"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
)

// Exemption takes findings about some objects out of what counts.
type Exemption struct {
	// Index is its place in spec.scope.exempt, and Reason what it gives there.
	Index  int
	Reason string

	rules                    []string
	group                    *string
	kind                     string
	namespace, name, subject *regexp.Regexp // nil means any
}

// Exemptions reads the exemptions that have not ended at the given time.
func Exemptions(exempt []v1alpha1.Exemption, now time.Time) []Exemption {
	var result []Exemption
	for i, text := range exempt {
		if text.EndedAt(now) {
			continue
		}
		e := Exemption{
			Index: i, Reason: text.Reason, rules: text.Rules, group: text.Group, kind: text.Kind,
			namespace: glob(text.Namespace), name: glob(text.Name), subject: glob(text.Subject),
		}
		if len(e.rules) == 0 {
			e.rules = []string{string(finding.RogueObject)}
		}
		result = append(result, e)
	}
	return result
}

// Covers tells whether a finding is exempt.
func (e Exemption) Covers(f finding.Finding) bool {
	id := f.Object
	return slices.ContainsFunc(e.rules, func(rule string) bool { return f.Rule.In(rule) }) &&
		(e.group == nil || *e.group == id.Group) && (e.kind == "" || e.kind == id.Kind) &&
		matches(e.namespace, id.Namespace) && matches(e.name, id.Name) && matches(e.subject, f.Subject)
}

func matches(pattern *regexp.Regexp, text string) bool {
	return pattern == nil || pattern.MatchString(text)
}

// Exempt parts findings from those that are exempt.
func Exempt(findings []finding.Finding, exemptions []Exemption) (counted []finding.Finding, silenced []finding.Silenced) {
	for _, f := range findings {
		i := slices.IndexFunc(exemptions, func(e Exemption) bool { return e.Covers(f) })
		if i < 0 {
			counted = append(counted, f)
			continue
		}
		e := exemptions[i]
		silenced = append(silenced, finding.Silenced{Finding: f, Exemptions: []int{e.Index}, Reason: e.Reason})
	}
	return counted, silenced
}
