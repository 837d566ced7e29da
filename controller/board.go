package controller

import (
	"log/slog"
	"maps"
	"slices"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// board has a Baseline's open findings by fingerprint.
type board struct{ open map[string]finding.Finding }

// update takes in what a whole pass has found, and logs what is new and what is gone.
// Of objects that could not be compared nothing is said to be gone.
func (b *board) update(log *slog.Logger, r report.Report) {
	unknown := map[object.ID]bool{} // the zero ID stands for what is about no single object
	for _, u := range r.Unknown {
		unknown[u.Object] = true
	}
	now := map[string]finding.Finding{}
	for _, f := range r.Findings {
		now[f.Fingerprint()] = f
	}
	for _, f := range slices.SortedFunc(maps.Values(b.open), finding.Finding.Compare) {
		key := f.Fingerprint()
		if _, still := now[key]; still {
			continue
		}
		if unknown[f.Object] || unknown[object.ID{}] || len(r.Errors) > 0 {
			now[key] = f
			continue
		}
		log.Info("finding resolved", attributes(f)...)
	}
	for _, f := range slices.SortedFunc(maps.Values(now), finding.Finding.Compare) {
		if _, known := b.open[f.Fingerprint()]; !known {
			log.Warn("finding", attributes(f)...)
		}
	}
	b.open = now
}

func attributes(f finding.Finding) []any {
	return []any{"fingerprint", f.Fingerprint(), "rule", f.Rule, "severity", f.Severity.String(), "object", f.Object.String(), "message", f.Message}
}
