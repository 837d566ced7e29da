package gitsource

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// ErrShallow is returned by Blame where the history at hand ends before the
// answer: fetch with FullHistory, or unshallow the clone.
var ErrShallow = errors.New("the history at hand is too short to tell: fetch the full history")

// ErrNotCommitted is returned by Blame where the file in the work tree differs
// from the commit's, so that its lines have no author yet.
var ErrNotCommitted = errors.New("not committed")

// blames remembers the lines of files that were traced. One file is traced at a
// time, because repositories on disk are not read concurrently.
type blames struct {
	busy chan struct{} // holds one token while a trace runs

	mu    sync.Mutex
	files map[blamed][]Line
}

// blamed is a file at a commit.
type blamed struct {
	commit plumbing.Hash
	name   string
}

// revision is a blamed file and the objects to trace it in.
type revision struct {
	store storer.EncodedObjectStorer
	blamed
}

func newBlames() *blames {
	return &blames{busy: make(chan struct{}, 1), files: map[blamed][]Line{}}
}

func (b *blames) line(ctx context.Context, s source, file string, line int) (Line, error) {
	select {
	case b.busy <- struct{}{}:
	case <-ctx.Done():
		return Line{}, context.Cause(ctx)
	}
	free := func() { <-b.busy }
	r, err := s.committed(file)
	if err != nil {
		free()
		return Line{}, err
	}
	if lines, ok := b.known(r.blamed); ok {
		free()
		return pick(lines, line)
	}
	lines, err := trace(ctx, r, free)
	if err != nil {
		return Line{}, explainTrace(ctx, err, s)
	}
	b.remember(r.blamed, lines)
	return pick(lines, line)
}

func (b *blames) known(key blamed) ([]Line, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines, ok := b.files[key]
	return lines, ok
}

func (b *blames) remember(key blamed, lines []Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[key] = lines
}

func pick(lines []Line, line int) (Line, error) {
	if line < 1 || line > len(lines) {
		return Line{}, fmt.Errorf("the file has %d lines", len(lines))
	}
	return lines[line-1], nil
}

func explainTrace(ctx context.Context, err error, s source) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, plumbing.ErrObjectNotFound) && s.isShallow():
		return ErrShallow
	}
	return err
}

// boundStore reads objects until its context ends.
type boundStore struct {
	storer.EncodedObjectStorer
	ended func() error // the context's Err
}

// EncodedObject implements storer.EncodedObjectStorer.
func (b boundStore) EncodedObject(t plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	if err := b.ended(); err != nil {
		return nil, err
	}
	return b.EncodedObjectStorer.EncodedObject(t, h)
}

// trace runs go-git's blame, which knows no context: when ctx ends trace returns,
// and the work ends with its next read of an object. free is called when the
// repository is no longer read.
func trace(ctx context.Context, r revision, free func()) ([]Line, error) {
	type result struct {
		lines []Line
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer free()
		lines, err := blameFile(ctx, r)
		done <- result{lines, err}
	}()
	select {
	case r := <-done:
		return r.lines, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func blameFile(ctx context.Context, r revision) (lines []Line, err error) {
	defer func() {
		// The repository is foreign, and go-git's blame indexes by what it
		// finds there.
		if r := recover(); r != nil {
			lines, err = nil, fmt.Errorf("tracing its history: %v", r)
		}
	}()
	commit, err := object.GetCommit(boundStore{r.store, ctx.Err}, r.commit)
	if err != nil {
		return nil, err
	}
	file, err := commit.File(r.name)
	if err != nil || file.Size == 0 { // an empty file has no lines, and go-git's blame panics over it
		return nil, err
	}
	blame, err := git.Blame(commit, r.name)
	if err != nil {
		return nil, err
	}
	for _, l := range blame.Lines {
		lines = append(lines, Line{Commit: l.Hash.String(), Author: l.AuthorName, Email: l.Author, Time: l.Date})
	}
	return lines, nil
}
