package main

import (
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
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
