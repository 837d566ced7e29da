package gitsource

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Snapshot is the state of a repository at one commit, or of a directory. It
// does not change, and may be used from several goroutines.
type Snapshot struct {
	// URL is the repository's address with any credentials masked, or the
	// directory at the root of FS.
	URL string
	// Ref is the full name of the ref, empty for a commit named by its hash
	// and for a detached HEAD.
	Ref string
	// Commit is the commit's hash. It is empty for a directory outside of a
	// work tree, or whose repository could not be read.
	Commit string
	// Time is when the commit was made, Author and Email who wrote it.
	Time          time.Time
	Author, Email string
	// Signer is who signed it, and with which key, where Options.Verify asked for
	// that and this is the commit that was fetched.
	Signer string
	// Path is the slash-separated directory in FS that was asked for. It is
	// "." unless Dir was given a directory below the root.
	Path string
	// Dirty reports whether the work tree differs from Commit, where
	// DirOptions.Dirty asked for that.
	Dirty bool

	source source
	blames *blames
	key    optionsKey
	head   Head
}

// String names the repository and commit, without credentials.
func (s *Snapshot) String() string {
	if s.Commit == "" {
		return s.URL
	}
	return s.URL + "@" + s.Commit
}

// source is where a snapshot's files and history are.
type source interface {
	fileSystem() fs.FS
	treeHash(dir string) (string, error)
	// committed returns where in which history the file's lines are.
	committed(file string) (revision, error)
	isShallow() bool
	// parent returns what came before, without URL and Path.
	parent(ctx context.Context) (*Snapshot, error)
}

// FS returns the files. Every file is within the limits, no name leads out of
// the root, and symbolic links that do are refused when they are followed. A
// submodule that was not fetched is an empty directory. It implements
// fs.ReadDirFS, fs.ReadFileFS and fs.StatFS.
func (s *Snapshot) FS() fs.FS { return s.source.fileSystem() }

// TreeHash returns git's hash of a directory of FS: as long as it stays the
// same, so does everything below the directory, but not what symbolic links in
// it lead to elsewhere. Only a fetched Snapshot knows it; of a directory on disk
// it is an error.
func (s *Snapshot) TreeHash(dir string) (string, error) {
	h, err := s.source.treeHash(dir)
	if err != nil {
		return "", fmt.Errorf("hashing %s: %w", dir, err)
	}
	return h, nil
}

// pinned reports whether s is what opts stand for, without asking the remote: a
// commit's hash always names the same commit.
func (s *Snapshot) pinned(opts Options) bool {
	return s != nil && s.key == opts.key() && s.head.Ref == "" && strings.EqualFold(opts.Ref, s.Commit)
}

// covers reports whether s is what a fetch of head would give.
func (s *Snapshot) covers(opts Options, head Head) bool {
	return s != nil && s.key == opts.key() && s.head == head
}

// repositorySource is a fetched repository.
type repositorySource struct {
	files *treeFS
	fetch *fetch // what is left of it: objects, limits and commits
}

func (r *repositorySource) fileSystem() fs.FS { return r.files }
func (r *repositorySource) isShallow() bool   { return r.fetch.shallow }

func (r *repositorySource) treeHash(dir string) (string, error) {
	at, err := r.files.resolve(dir, true)
	if err == nil && !at.node().mode.IsDir() {
		err = errNotDir
	}
	if err != nil {
		return "", err
	}
	return at.node().hash.String(), nil
}

func (r *repositorySource) committed(file string) (revision, error) {
	at, err := r.files.resolve(file, true)
	switch {
	case err != nil:
		return revision{}, err
	case !at.node().mode.IsRegular():
		return revision{}, errNotFile
	}
	best, name := r.fetch.mounts[0], at.path()
	for _, m := range r.fetch.mounts[1:] {
		if rest, ok := strings.CutPrefix(at.path(), m.dir+"/"); ok && len(m.dir) > len(best.dir) {
			best, name = m, rest
		}
	}
	return revision{r.fetch.store, blamed{best.commit.Hash, name}}, nil
}

// Line says who last changed a line, and in which commit.
type Line struct {
	Commit        string
	Author, Email string
	Time          time.Time
}

// Blame says who last changed line of file, counted from 1. file is a path in
// FS. It fails with ErrShallow if the commit is older than the history that was
// fetched, and with ErrNotCommitted if the work tree's file is not the
// commit's. A file is traced once; after that its lines are known.
func (s *Snapshot) Blame(ctx context.Context, file string, line int) (Line, error) {
	l, err := s.blames.line(ctx, s.source, file, line)
	if err != nil {
		return Line{}, fmt.Errorf("blaming %s:%d: %w", file, line, err)
	}
	return l, nil
}
