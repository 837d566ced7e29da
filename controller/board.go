package controller

import (
	"log/slog"
	"maps"
	"slices"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/report"
)

// board has a Baseline's open findings by fingerprint.
type board struct{ open map[string]finding.Finding }

// update takes in what a whole pass has found, and logs what is new and what is gone.
// Of objects that could not be compared nothing is said to be gone.
func (b *board) update(log *slog.Logger, r report.Report) {
	unknown := map[string]bool{}
	for _, u := range r.Unknown {
		unknown[u.Object.String()] = true
	}
	now := map[string]finding.Finding{}
	for _, f := range r.Findings {
		now[f.Fingerprint()] = f
	}
	for _, key := range slices.Sorted(maps.Keys(b.open)) {
		f := b.open[key]
		if _, still := now[key]; still {
			continue
		}
		if unknown[f.Object.String()] || unknown[""] || len(r.Errors) > 0 {
			now[key] = f
			continue
		}
		log.Info("finding resolved", attributes(f)...)
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if _, known := b.open[key]; !known {
			log.Warn("finding", attributes(now[key])...)
		}
	}
	b.open = now
}

func attributes(f finding.Finding) []any {
	return []any{"rule", f.Rule, "severity", f.Severity.String(), "object", f.Object.String(), "message", f.Message}
}
