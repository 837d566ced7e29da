package policy

import (
	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
)

// Levels gives findings the severity that a Baseline's spec.rules wants of them, and
// leaves out those of rules that are off. A rule's own level goes before that of its
// group.
func Levels(findings []finding.Finding, levels map[string]v1alpha1.Level) []finding.Finding {
	var result []finding.Finding
	for _, f := range findings {
		switch level := Level(f.Rule, levels); {
		case level == v1alpha1.Off:
			continue
		case level == v1alpha1.Report:
			f.Severity = finding.Info
		case level == v1alpha1.Fail && f.Severity < finding.Warning:
			f.Severity = finding.Warning
		}
		result = append(result, f)
	}
	return result
}

// Level is the level of a rule; "" where there is none.
func Level(rule finding.Rule, levels map[string]v1alpha1.Level) v1alpha1.Level {
	if level, ok := levels[string(rule)]; ok {
		return level
	}
	for group, level := range levels {
		if rule.In(group) {
			return level
		}
	}
	return ""
}
