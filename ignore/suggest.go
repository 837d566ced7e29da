package ignore

import (
	"slices"
	"strings"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
)

// Suggest returns the narrowest rules that ignore the findings and nothing else
// that is known: for each finding one for each of those who wrote its changes.
// A person has to put a reason in place of the placeholder. Findings that no rule
// can ignore have none.
func Suggest(findings []finding.Finding, until string) []v1alpha1.Ignore {
	var rules []v1alpha1.Ignore
	for _, f := range findings {
		for _, rule := range suggest(f) {
			rule.Group, rule.Kind, rule.Namespace, rule.Name = &f.Object.Group, f.Object.Kind, literal(f.Object.Namespace), literal(f.Object.Name)
			rule.Reason, rule.Until = v1alpha1.Placeholder+": say why", until
			rules = append(rules, rule)
		}
	}
	return rules
}

// suggest returns the rules without what is the same for all of the finding.
func suggest(f finding.Finding) []v1alpha1.Ignore {
	switch f.Rule {
	case finding.DriftMissing:
		return []v1alpha1.Ignore{{When: isOp(differ.Missing)}}
	case finding.DriftUnattributed:
		return []v1alpha1.Ignore{{Paths: []string{"metadata.managedFields"}}}
	}
	var rules []v1alpha1.Ignore
	for _, c := range f.Changes {
		rule := v1alpha1.Ignore{Managers: managersOf(c)}
		if c.Op == differ.Reordered { // that of the list alone, not what its items hold
			rule.When = isOp(differ.Reordered)
		}
		same := func(r v1alpha1.Ignore) bool { return r.When == rule.When && slices.Equal(r.Managers, rule.Managers) }
		i := slices.IndexFunc(rules, same)
		if i < 0 {
			i, rules = len(rules), append(rules, rule)
		}
		rules[i].Paths = append(rules[i].Paths, c.Path.String())
	}
	return rules
}

func isOp(op differ.Op) string { return `change.op == "` + string(op) + `"` }

// managersOf names those who wrote the change, as far as they are known.
func managersOf(c differ.Change) []string {
	if c.Writer.Manager == "" {
		return nil
	}
	var names []string
	for _, w := range append([]differ.Writer{c.Writer}, c.Others...) {
		names = append(names, literal(w.Manager)+"/"+w.Operation)
	}
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}
