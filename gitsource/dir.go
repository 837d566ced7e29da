package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// DirOptions say how to read a directory on disk.
type DirOptions struct {
	// Root is a directory around the one to read, whose files may be reached
	// from it, as overlays reach ../../base. Empty means the top of the git
	// work tree that the directory is in, or else the directory itself.
	Root string
	// Limits bound FileBytes and Files. Both hold for what is read, when it is
	// read; Bytes does not apply, and Timeout only to finding out Dirty.
	Limits Limits
	// Dirty finds out whether the work tree differs from its commit, which
	// reads the whole of it.
	Dirty bool
}

// Validate reports what is wrong with the options.
func (o DirOptions) Validate() error { return o.Limits.validate() }

// Dir returns a Snapshot of the directory as it is on disk, edits included. FS
// reads the disk when it is asked, and no name or symbolic link leads out of the
// root. In a git work tree Commit, Ref, Time, Author and Email are those of HEAD;
// where the repository cannot be read they are empty, and Blame says why.
func Dir(ctx context.Context, dir string, opts DirOptions) (*Snapshot, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	s, err := readDir(ctx, dir, opts)
	if err != nil {
		return nil, fmt.Errorf("reading directory %s: %w", dir, err)
	}
	return s, nil
}

func readDir(ctx context.Context, dir string, opts DirOptions) (*Snapshot, error) {
	real, err := realDir(dir)
	if err != nil {
		return nil, err
	}
	top := workTree(real)
	root := top
	if opts.Root != "" {
		if root, err = realDir(opts.Root); err != nil {
			return nil, err
		}
	}
	if root == "" {
		root = real
	}
	below, err := filepath.Rel(root, real)
	if err != nil || !filepath.IsLocal(below) {
		return nil, fmt.Errorf("it is not inside of the root %s", root)
	}
	files, err := newDirFS(root, opts.Limits.withDefaults())
	if err != nil {
		return nil, err
	}
	s := &Snapshot{URL: root, Path: filepath.ToSlash(below), blames: newBlames()}
	source := openWorkTree(top, root, files)
	s.source = source
	if source.head == nil {
		return s, nil
	}
	describe(s, source)
	if opts.Dirty {
		s.Dirty, err = source.dirty(ctx, opts.Limits.withDefaults())
	}
	return s, err
}

func describe(s *Snapshot, source *dirSource) {
	c := source.head
	s.Commit, s.Time, s.Author, s.Email = c.Hash.String(), c.Committer.When, c.Author.Name, c.Author.Email
	if source.ref.IsBranch() {
		s.Ref = source.ref.String()
	}
}

// Remote returns the URL of the repository that the snapshot is of, without
// credentials: that of the remote "origin", or the only one, of a work tree. It is empty
// where there is none.
func (s *Snapshot) Remote() string {
	d, ok := s.source.(*dirSource)
	if !ok {
		return s.URL
	}
	if d.repo == nil {
		return ""
	}
	remotes, err := d.repo.Remotes()
	if err != nil {
		return ""
	}
	for _, r := range remotes {
		urls := r.Config().URLs
		if len(urls) == 0 || r.Config().Name != "origin" && len(remotes) > 1 {
			continue
		}
		if e, err := parseEndpoint(urls[0]); err == nil {
			return e.public()
		}
	}
	return ""
}

// realDir returns the absolute path of a directory without symbolic links, so
// that one directory can be placed inside of another.
func realDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err == nil && !info.IsDir() {
		err = errNotDir
	}
	return real, err
}

// workTree returns the top of the work tree around dir, or "". Its .git is a
// directory, or a file in linked work trees and submodules.
func workTree(dir string) string {
	for {
		if isGit(filepath.Join(dir, ".git")) {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

func isGit(name string) bool {
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	if info.IsDir() {
		_, err := os.Stat(filepath.Join(name, "HEAD"))
		return err == nil
	}
	content, err := os.ReadFile(name)
	return err == nil && bytes.HasPrefix(content, []byte("gitdir:"))
}

// dirSource is a directory on disk, and its repository if it has one.
type dirSource struct {
	files *dirFS
	// prefix leads from the top of the work tree to the root of files, or,
	// with dots, the other way.
	prefix string

	repo   *git.Repository
	head   *object.Commit
	ref    plumbing.ReferenceName
	noHead error // why head is nil
}

func openWorkTree(top, root string, files *dirFS) *dirSource {
	d := &dirSource{files: files}
	if top == "" {
		d.noHead = ErrNoRepository
		return d
	}
	prefix, err := filepath.Rel(top, root)
	if err == nil {
		d.prefix = filepath.ToSlash(prefix)
		err = d.open(top)
	}
	if err != nil {
		d.noHead = fmt.Errorf("reading the repository of %s: %w", top, err)
	}
	return d
}

func (d *dirSource) open(top string) error {
	repo, err := git.PlainOpenWithOptions(top, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return err
	}
	ref, err := repo.Head()
	if err != nil {
		return err
	}
	head, err := repo.CommitObject(ref.Hash())
	if err != nil {
		return err
	}
	d.repo, d.ref, d.head = repo, ref.Name(), head
	return nil
}

func (d *dirSource) fileSystem() fs.FS { return d.files }

func (d *dirSource) treeHash(string) (string, error) {
	return "", errors.New("the directory is on disk and may change: it has no tree hash")
}

func (d *dirSource) isShallow() bool {
	shallow, err := d.repo.Storer.Shallow()
	return err == nil && len(shallow) > 0
}

// committed finds file in HEAD and makes sure that the work tree holds the same.
func (d *dirSource) committed(file string) (revision, error) {
	if d.head == nil {
		return revision{}, d.noHead
	}
	onDisk, err := d.files.ReadFile(file)
	if err != nil {
		return revision{}, err
	}
	name := path.Join(d.prefix, d.files.real(file))
	inHead, err := d.head.File(name)
	if errors.Is(err, object.ErrFileNotFound) || strings.HasPrefix(name, "../") {
		return revision{}, ErrNotCommitted
	}
	if err != nil {
		return revision{}, err
	}
	content, err := inHead.Contents()
	if err != nil {
		return revision{}, err
	}
	if !bytes.Equal(lineFeeds(onDisk), lineFeeds([]byte(content))) {
		return revision{}, ErrNotCommitted
	}
	return revision{d.repo.Storer, blamed{d.head.Hash, name}}, nil
}

// lineFeeds undoes what core.autocrlf does to a checkout.
func lineFeeds(content []byte) []byte {
	return bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
}

// dirty compares the work tree with HEAD, in a goroutine because go-git's status
// knows no context.
func (d *dirSource) dirty(ctx context.Context, limits Limits) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Timeout, &timeoutError{limits.Timeout})
	defer cancel()
	type result struct {
		dirty bool
		err   error
	}
	done := make(chan result, 1)
	go func() {
		dirty, err := isDirty(d.repo)
		done <- result{dirty, err}
	}()
	select {
	case r := <-done:
		return r.dirty, r.err
	case <-ctx.Done():
		return false, fmt.Errorf("comparing the work tree with its commit: %w", context.Cause(ctx))
	}
}

func isDirty(repo *git.Repository) (bool, error) {
	w, err := repo.Worktree()
	if err != nil {
		return false, fmt.Errorf("comparing the work tree with its commit: %w", err)
	}
	status, err := w.Status()
	if err != nil {
		return false, fmt.Errorf("comparing the work tree with its commit: %w", err)
	}
	return !status.IsClean(), nil
}
