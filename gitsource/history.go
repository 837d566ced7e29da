package gitsource

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// ErrFirstCommit is returned by Parent where nothing came before.
var ErrFirstCommit = errors.New("it is the first commit of its history")

// ErrNoRepository is returned by Parent and Blame of a directory that is in no
// git work tree.
var ErrNoRepository = errors.New("the directory is not in a git work tree")

// Parent returns the Snapshot before this one: of a commit its first parent,
// which is what the branch stood for before a merge; of a directory the commit
// of HEAD. It fails with ErrFirstCommit at the beginning of the history, and with
// ErrShallow where the history at hand ends earlier: see Deepen. Nothing is
// fetched, and what both have in common is not read again.
func (s *Snapshot) Parent(ctx context.Context) (*Snapshot, error) {
	p, err := s.source.parent(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what came before %s: %w", s, err)
	}
	p.URL, p.Path = s.URL, s.Path
	return p, nil
}

// Deepen returns s, fetched with opts, with as much of its history as opts.Depth
// says. If the ref has moved since, s is looked for in the new commit's history.
func Deepen(ctx context.Context, s *Snapshot, opts Options) (*Snapshot, error) {
	deep, err := Fetch(ctx, opts, nil)
	for err == nil && deep.Commit != s.Commit {
		deep, err = deep.Parent(ctx)
	}
	if errors.Is(err, ErrFirstCommit) || errors.Is(err, ErrShallow) {
		return nil, fmt.Errorf("fetching the history of %s: the ref was moved meanwhile, and what it stands for now does not lead back to that commit", s)
	}
	return deep, err
}

func (r *repositorySource) parent(ctx context.Context) (*Snapshot, error) {
	at := r.fetch.mounts[0].commit
	switch {
	case len(r.fetch.mounts) > 1:
		return nil, errors.New("the history of a repository with its submodules is not read")
	case at.NumParents() == 0:
		return nil, ErrFirstCommit
	}
	before, err := object.GetCommit(r.fetch.store, at.ParentHashes[0])
	if errors.Is(err, plumbing.ErrObjectNotFound) && r.fetch.shallow {
		return nil, ErrShallow
	}
	if err != nil {
		return nil, err
	}
	return r.fetch.past(ctx, before, r.files.root)
}

func (d *dirSource) parent(ctx context.Context) (*Snapshot, error) {
	switch {
	case d.head == nil:
		return nil, d.noHead
	case d.prefix != ".":
		return nil, errors.New("the root of the directory is not the top of its work tree")
	}
	f := &fetch{store: &lockedStore{EncodedObjectStorer: d.repo.Storer}, limits: d.files.limits, shallow: d.isShallow()}
	return f.past(ctx, d.head, nil)
}

// past returns the Snapshot of a commit whose objects are here. What its tree
// shares with that of later it takes from there.
func (f *fetch) past(ctx context.Context, commit *object.Commit, later *node) (*Snapshot, error) {
	again := &fetch{store: f.store, limits: f.limits, lost: f.lost, lostDeltas: f.lostDeltas, shallow: f.shallow, later: later}
	root, err := again.tree(ctx, remote{}, commit, "")
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", commit.Hash, err)
	}
	return again.snapshot(commit, root), nil
}

// same returns the directory of that name and hash in dir, or nil.
func same(dir *node, name string, hash plumbing.Hash) *node {
	if n := dir.child(name); n != nil && n.mode.IsDir() && !n.module && n.hash == hash {
		return n
	}
	return nil
}

// lockedStore reads one object at a time: repositories on disk are not read
// concurrently.
type lockedStore struct {
	storer.EncodedObjectStorer
	mu sync.Mutex
}

// EncodedObject implements storer.EncodedObjectStorer.
func (l *lockedStore) EncodedObject(t plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.EncodedObjectStorer.EncodedObject(t, h)
}

// EncodedObjectSize implements storer.EncodedObjectStorer.
func (l *lockedStore) EncodedObjectSize(h plumbing.Hash) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.EncodedObjectStorer.EncodedObjectSize(h)
}

// LeadsBack tells whether the history of the commit that opts names leads back to another
// commit, by any of its parents. It is not known where the history is longer than
// opts.Depth says.
func LeadsBack(ctx context.Context, opts Options, to string) (leads, known bool, err error) {
	newest, err := Fetch(ctx, opts, nil)
	if err != nil {
		return false, false, err
	}
	source, ok := newest.source.(*repositorySource)
	if !ok {
		return false, false, errors.New("only of a repository that is fetched")
	}
	known = true
	seen := map[plumbing.Hash]bool{}
	for next := []plumbing.Hash{plumbing.NewHash(newest.Commit)}; len(next) > 0 && ctx.Err() == nil; next = next[1:] {
		hash := next[0]
		if seen[hash] {
			continue
		}
		seen[hash] = true
		if hash.String() == to {
			return true, true, nil
		}
		commit, err := object.GetCommit(source.fetch.store, hash)
		switch {
		case errors.Is(err, plumbing.ErrObjectNotFound) && source.fetch.shallow:
			known = false // it ends here
		case err != nil:
			return false, false, err
		default:
			next = append(next, commit.ParentHashes...)
		}
	}
	return false, known, ctx.Err()
}
