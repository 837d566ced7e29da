// Package history renders the commits before a snapshot, one by one and as far
// as somebody asks: nothing is fetched or rendered that nobody wants to see.
package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
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
	// Rendering and Err are what that gave.
	Rendering *render.Rendering
	Err       error
	// Commits is how many commits to go back.
	Commits int
	// Deepen returns a Snapshot again, with more of its history. Nil means that
	// there is no more than is at hand.
	Deepen func(context.Context, *gitsource.Snapshot) (*gitsource.Snapshot, error)

	declared map[lag.Name][]object.Packed // by the snapshot; nil until somebody asks
	past     map[string]state             // by commit, as far as it was rendered
	last     *render.Rendering            // of the commit that was rendered last, and what it declares
	then     state
	deepened bool
	parents  map[*gitsource.Snapshot]*gitsource.Snapshot // as far as they were asked for
	warnings []string
}

// state is what a commit declares otherwise than the snapshot does: little, where commits
// are small, so that all can be remembered.
type state struct {
	differs map[lag.Name][]object.Packed
	err     error
}

// remembered is how many commits are, beside those that are gone back to: after history was
// rewritten there are some that nobody asks for any more.
const remembered = 100

// Warnings say, after All, why less of the past is known than was asked for.
func (h *History) Warnings() []string { return h.warnings }

func (h *History) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(h.warnings, text) {
		h.warnings = append(h.warnings, text)
	}
}

// Follow takes over what the history of another snapshot has rendered, such as of a commit
// before. It may be nil.
func (h *History) Follow(other *History) {
	if other == nil || other.Dir != h.Dir {
		return
	}
	changed := h.otherwise(other.Rendering.Objects)
	h.past = map[string]state{}
	if len(other.past) <= h.Commits+remembered {
		for commit, s := range other.past { // what it declares otherwise than the other snapshot, or that otherwise than this one
			differs := maps.Clone(changed)
			maps.Copy(differs, s.differs)
			h.past[commit] = state{differs, s.err}
		}
	}
	if _, err := other.Snapshot.TreeHash("."); err == nil && other.Err == nil {
		h.past[other.Snapshot.Commit] = state{differs: changed}
	}
}

// otherwise returns what these objects declare otherwise than the snapshot does.
func (h *History) otherwise(objects []object.Packed) map[lag.Name][]object.Packed {
	if h.declared == nil {
		h.declared = lag.ByName(h.Rendering.Objects)
	}
	there, differs := lag.ByName(objects), map[lag.Name][]object.Packed{}
	same := func(a, b object.Packed) bool { return a.ID == b.ID && a.Equal(b) }
	for name, declared := range there {
		if !slices.EqualFunc(declared, h.declared[name], same) {
			differs[name] = declared
		}
	}
	for name := range h.declared {
		if _, ok := there[name]; !ok {
			differs[name] = nil
		}
	}
	return differs
}

// All goes back by first parents from the snapshot's own commit, or, of a
// directory on disk, from HEAD. A commit that cannot be rendered has an Err. What
// one commit has in common with the one after it is not rendered again. The end
// of ctx is the end of the history.
func (h *History) All(ctx context.Context) iter.Seq[lag.Commit] {
	return func(yield func(lag.Commit) bool) {
		at := h.Snapshot
		h.last, h.then = h.Rendering, state{}
		defer func() { h.last = nil }()             // which takes as much room as all the rest
		if _, err := at.TreeHash("."); err != nil { // it is on disk, and HEAD came before it
			at = h.before(ctx, at)
		}
		for behind := 0; at != nil && ctx.Err() == nil; behind++ {
			if !yield(h.commit(ctx, at, behind)) || behind == h.Commits {
				return
			}
			at = h.before(ctx, at)
		}
	}
}

// commit says what one commit declares.
func (h *History) commit(ctx context.Context, s *gitsource.Snapshot, behind int) lag.Commit {
	c := lag.Commit{Hash: s.Commit, Behind: behind, Time: s.Time}
	var then state // of the snapshot itself: nothing is otherwise
	if s != h.Snapshot {
		then = h.state(ctx, s)
	} else if h.declared == nil {
		h.declared = lag.ByName(h.Rendering.Objects)
	}
	if c.Err = then.err; c.Err != nil {
		first, _, _ := strings.Cut(c.Err.Error(), "\n")
		h.warn("commit %.12s cannot be rendered, so nothing can be pending as of it: %s", s.Commit, first)
		return c
	}
	c.Declares = func(n lag.Name) []object.Packed {
		if declared, ok := then.differs[n]; ok {
			return declared
		}
		return h.declared[n]
	}
	return c
}

// state renders one commit, unless that was done before.
func (h *History) state(ctx context.Context, s *gitsource.Snapshot) state {
	if known, ok := h.past[s.Commit]; ok {
		return known
	}
	r, err := h.last.Again(ctx, s)
	then := state{err: err}
	switch {
	case err != nil:
	case r == h.last:
		then = h.then
	default:
		then.differs = h.otherwise(r.Objects)
		h.last, h.then = r, then
	}
	if h.past == nil {
		h.past = map[string]state{}
	}
	if ctx.Err() == nil {
		h.past[s.Commit] = then
	}
	return then
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
