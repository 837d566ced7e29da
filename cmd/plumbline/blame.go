package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// blame fills in who declared each line that the report's findings name. It
// returns a warning for each file of which that could not be told.
func blame(ctx context.Context, snapshot *gitsource.Snapshot, r *report.Report) []string {
	r.Authors = map[object.Position]report.Author{}
	failed := map[string]bool{}
	var warnings []string
	for _, p := range positions(*r) {
		if _, ok := r.Authors[p]; ok || failed[p.File] || p.Line == 0 {
			continue
		}
		line, err := snapshot.Blame(ctx, p.File, p.Line)
		switch {
		case errors.Is(err, gitsource.ErrNotCommitted): // nobody has, yet
		case err != nil:
			failed[p.File] = true
			warnings = append(warnings, fmt.Sprintf("who declared what is not known: %v", err))
		default:
			r.Authors[p] = report.Author{Commit: line.Commit, Name: line.Author, Time: line.Time}
		}
	}
	return warnings
}

func positions(r report.Report) []object.Position {
	var all []object.Position
	findings := slices.Clone(r.Findings)
	for _, f := range r.Ignored {
		findings = append(findings, f.Finding)
	}
	for _, f := range findings {
		all = append(all, f.Origin.Position)
		for _, c := range f.Changes {
			all = append(all, c.Origin)
		}
	}
	return all
}
