package gitsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// ErrNoRevision is returned by Base where the repository has none of the revisions.
var ErrNoRevision = errors.New("the repository has no such branch, tag or commit")

// Base is where a work tree's branch has come from.
type Base struct {
	// Snapshot is the commit at which HEAD and the revision parted.
	Snapshot *Snapshot
	// Revision is the one that was found, and Tip its commit: another than Snapshot's
	// where it has gone on since.
	Revision, Tip string
}

// Base returns the newest commit from which both HEAD and a revision have come: the first
// of the given ones that the repository has, each a branch, a tag, a commit or whatever
// else git rev-parse knows. Nothing is fetched. It fails with ErrShallow where the history
// at hand ends before they meet, and with ErrNoRepository for a directory that is in no
// work tree.
func (s *Snapshot) Base(ctx context.Context, revisions ...string) (Base, error) {
	base, err := s.base(ctx, revisions)
	if err != nil {
		return base, fmt.Errorf("finding where %s has come from: %w", s, err)
	}
	return base, nil
}

func (s *Snapshot) base(ctx context.Context, revisions []string) (Base, error) {
	d, ok := s.source.(*dirSource)
	switch {
	case !ok:
		return Base{}, errors.New("only of a directory is that known")
	case d.head == nil:
		return Base{}, d.noHead
	case d.prefix != ".":
		return Base{}, errors.New("the root of the directory is not the top of its work tree")
	}
	name, tip, err := d.first(revisions)
	if err != nil {
		return Base{}, err
	}
	parted, err := d.parted(tip)
	if err != nil {
		return Base{}, err
	}
	f := &fetch{store: &lockedStore{EncodedObjectStorer: d.repo.Storer}, limits: d.files.limits, shallow: d.isShallow()}
	found, err := f.past(ctx, parted, nil)
	if err != nil {
		return Base{}, err
	}
	found.URL, found.Path = s.URL, s.Path
	return Base{Snapshot: found, Revision: name, Tip: tip.Hash.String()}, nil
}

// first returns the first revision that there is, and its commit.
func (d *dirSource) first(revisions []string) (string, *object.Commit, error) {
	for _, name := range revisions {
		hash, err := d.repo.ResolveRevision(plumbing.Revision(name))
		if err != nil {
			continue
		}
		commit, err := d.repo.CommitObject(*hash)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", name, err)
		}
		return name, commit, nil
	}
	return "", nil, fmt.Errorf("%s: %w", strings.Join(revisions, ", "), ErrNoRevision)
}

// parted returns the newest commit from which both HEAD and another have come.
func (d *dirSource) parted(other *object.Commit) (*object.Commit, error) {
	bases, err := other.MergeBase(d.head)
	switch {
	case len(bases) > 0:
		return slices.MaxFunc(bases, func(a, b *object.Commit) int {
			return cmp.Or(a.Committer.When.Compare(b.Committer.When), strings.Compare(a.Hash.String(), b.Hash.String()))
		}), nil
	case d.isShallow():
		return nil, ErrShallow
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("HEAD and %s have no commit in common", other.Hash)
}
