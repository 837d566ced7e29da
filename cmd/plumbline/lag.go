package main

import (
	"context"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/history"
	"plumbline.dev/plumbline/render"
)

// past returns the history in which to look for what lags behind, or nil where
// nobody wants to know. remote is zero for a directory: there is no more history
// than it has.
func (o declaredOptions) past(d declared, rendered *render.Rendering, remote gitsource.Options) *history.History {
	if o.lag == 0 {
		return nil
	}
	h := &history.History{Snapshot: d.snapshot, Dir: d.path, Rendering: rendered, Err: d.err, Commits: o.lag}
	if remote.URL != "" {
		remote.Depth = o.lag + 1
		h.Deepen = func(ctx context.Context, s *gitsource.Snapshot) (*gitsource.Snapshot, error) {
			return gitsource.Deepen(ctx, s, remote)
		}
	}
	return h
}
