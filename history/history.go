// Package history renders the commits before a snapshot, one by one and as far
// as somebody asks: nothing is fetched or rendered that nobody wants to see.
package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/lag"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

// History is the past of what a directory of a snapshot declares. It is for one
// goroutine.
type History struct {
	// Snapshot is where to begin, and Dir the directory of it that was rendered.
	Snapshot *gitsource.Snapshot
	Dir      string
	// Objects, Read and Err are what rendering it gave, and Render how.
	Objects []object.Packed
	Read    []string
	Err     error
	Render  render.Options
	// Commits is how many commits to go back.
	Commits int
	// Deepen returns a Snapshot again, with more of its history. Nil means that
	// there is no more than is at hand.
	Deepen func(context.Context, *gitsource.Snapshot) (*gitsource.Snapshot, error)

	last     *render.Rendering
	deepened bool
	parents  map[*gitsource.Snapshot]*gitsource.Snapshot // as far as they were asked for
	warnings []string
}

// Warnings say, after All, why less of the past is known than was asked for.
func (h *History) Warnings() []string { return h.warnings }

func (h *History) warn(format string, args ...any) {
	h.warnings = append(h.warnings, fmt.Sprintf(format, args...))
}

// All goes back by first parents from the snapshot's own commit, or, of a
// directory on disk, from HEAD. A commit that cannot be rendered has an Err. What
// one commit has in common with the one after it is not rendered again. The end
// of ctx is the end of the history.
func (h *History) All(ctx context.Context) iter.Seq[lag.Commit] {
	return func(yield func(lag.Commit) bool) {
		at := h.Snapshot
		if _, err := at.TreeHash("."); err != nil { // it is on disk, and HEAD came before it
			at = h.before(ctx, at)
		} else if h.Err == nil {
			h.last = render.Remember(h.Objects, h.Read, at, h.Dir, h.Render)
		}
		for behind := 0; at != nil && ctx.Err() == nil; behind++ {
			if !yield(h.commit(ctx, at, behind)) || behind == h.Commits {
				return
			}
			at = h.before(ctx, at)
		}
	}
}

// commit renders one commit.
func (h *History) commit(ctx context.Context, s *gitsource.Snapshot, behind int) lag.Commit {
	c := lag.Commit{Hash: s.Commit, Behind: behind, Time: s.Time}
	if s == h.Snapshot {
		c.Objects = h.Objects
		return c
	}
	r, err := render.Update(ctx, h.last, s, h.Dir, h.Render)
	if err != nil {
		c.Err = err
		first, _, _ := strings.Cut(err.Error(), "\n")
		h.warn("commit %.12s cannot be rendered, so nothing can be pending as of it: %s", s.Commit, first)
		return c
	}
	h.last, c.Objects = r, r.Objects
	return c
}

// before returns what came before a snapshot, or nil.
func (h *History) before(ctx context.Context, s *gitsource.Snapshot) *gitsource.Snapshot {
	if p, ok := h.parents[s]; ok {
		return p // a snapshot itself does not learn what was fetched for it
	}
	p, err := s.Parent(ctx)
	if errors.Is(err, gitsource.ErrShallow) && h.Deepen != nil && !h.deepened {
		h.deepened = true
		var deep *gitsource.Snapshot
		if deep, err = h.Deepen(ctx, s); err == nil {
			p, err = deep.Parent(ctx)
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil, errors.Is(err, gitsource.ErrFirstCommit), errors.Is(err, gitsource.ErrNoRepository):
	default:
		h.warn("what only lags behind git may be told as drift, for earlier commits are not known: %v", err)
	}
	if err != nil {
		p = nil
	}
	if h.parents == nil {
		h.parents = map[*gitsource.Snapshot]*gitsource.Snapshot{}
	}
	h.parents[s] = p
	return p
}
