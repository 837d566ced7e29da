package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// NewBranch is a commit on top of HEAD, for a branch that does not exist yet.
type NewBranch struct {
	Name, Message string
	// Files are those that change, by their names in FS; nil for one that goes.
	Files map[string][]byte
	// Check is asked whether the commit's files are good, before anything points at it.
	Check func(fs.FS) error
	Time  time.Time
}

// Branch makes the branch in the repository of a directory, and returns the commit. The
// author is the one that git's configuration names. Neither the work tree nor the index
// nor any other branch is touched. It refuses files whose work tree differs from HEAD,
// for the commit would take over what somebody has not committed.
func (s *Snapshot) Branch(ctx context.Context, b NewBranch) (string, error) {
	commit, err := s.branch(ctx, b)
	if err != nil {
		return "", fmt.Errorf("making the branch %s: %w", b.Name, err)
	}
	return commit.String(), nil
}

func (s *Snapshot) branch(ctx context.Context, b NewBranch) (plumbing.Hash, error) {
	var none plumbing.Hash
	d, ok := s.source.(*dirSource)
	if !ok {
		return none, errors.New("that takes a checkout, and this repository was fetched")
	}
	if d.head == nil {
		return none, d.noHead
	}
	ref := plumbing.NewBranchReferenceName(b.Name)
	if err := ref.Validate(); err != nil || strings.HasPrefix(b.Name, "-") {
		return none, errors.New("that is no name for a branch")
	}
	if _, err := d.repo.Reference(ref, false); !errors.Is(err, plumbing.ErrReferenceNotFound) {
		return none, errors.Join(err, errors.New("it exists already: choose another name"))
	}
	if err := checkNames(b.Files); err != nil {
		return none, err
	}
	author, err := d.author(b.Time)
	if err != nil {
		return none, err
	}
	files, err := d.inHead(b.Files)
	if err != nil {
		return none, err
	}
	root, err := d.head.Tree()
	if err != nil {
		return none, err
	}
	w := treeWriter{d.repo.Storer}
	tree, err := w.tree(root, files)
	if err != nil {
		return none, err
	}
	commit := &object.Commit{Author: author, Committer: author, Message: b.Message, TreeHash: tree, ParentHashes: []plumbing.Hash{d.head.Hash}}
	hash, err := w.write(commit)
	if err != nil {
		return none, err
	}
	if err := d.check(ctx, hash, b.Check); err != nil {
		return none, err
	}
	return hash, d.repo.Storer.SetReference(plumbing.NewHashReference(ref, hash))
}

// check asks whether the files of a commit are good.
func (d *dirSource) check(ctx context.Context, hash plumbing.Hash, check func(fs.FS) error) error {
	if check == nil {
		return nil
	}
	commit, err := d.repo.CommitObject(hash)
	if err != nil {
		return err
	}
	f := &fetch{store: &lockedStore{EncodedObjectStorer: d.repo.Storer}, limits: d.files.limits, shallow: d.isShallow()}
	snapshot, err := f.past(ctx, commit, nil)
	if err != nil {
		return err
	}
	fsys := snapshot.FS()
	if d.prefix != "." {
		if fsys, err = fs.Sub(fsys, d.prefix); err != nil {
			return err
		}
	}
	return check(fsys)
}

// author is who commits, by git's configuration.
func (d *dirSource) author(at time.Time) (object.Signature, error) {
	c, err := d.repo.ConfigScoped(config.SystemScope)
	if err != nil {
		return object.Signature{}, fmt.Errorf("reading git's configuration: %w", err)
	}
	name, email := c.Author.Name, c.Author.Email
	if name == "" {
		name = c.User.Name
	}
	if email == "" {
		email = c.User.Email
	}
	if name == "" || email == "" {
		return object.Signature{}, errors.New("git does not know who you are: set user.name and user.email with \"git config\"")
	}
	return object.Signature{Name: name, Email: email, When: at}, nil
}

// inHead returns the files as HEAD's tree is to have them, by their names there.
func (d *dirSource) inHead(files map[string][]byte) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		inTree := path.Join(d.prefix, name)
		if strings.HasPrefix(inTree, "../") {
			return nil, fmt.Errorf("%s is outside of the repository", name)
		}
		committed, err := d.head.File(inTree)
		onDisk, readErr := d.files.ReadFile(name)
		switch {
		case errors.Is(err, object.ErrFileNotFound) && errors.Is(readErr, fs.ErrNotExist):
			all[inTree] = files[name]
			continue
		case errors.Is(err, object.ErrFileNotFound):
			return nil, fmt.Errorf("%s is not committed: commit it first", name)
		case err != nil || readErr != nil:
			return nil, errors.Join(err, readErr)
		}
		content, err := committed.Contents()
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(lineFeeds(onDisk), lineFeeds([]byte(content))) {
			return nil, fmt.Errorf("%s has changes that are not committed: commit or stash them first", name)
		}
		if all[inTree] = files[name]; files[name] != nil && content != string(onDisk) { // core.autocrlf
			all[inTree] = lineFeeds(files[name])
		}
	}
	return all, nil
}

// treeWriter writes objects into a repository.
type treeWriter struct{ store storer.EncodedObjectStorer }

// encoder is an object that git stores.
type encoder interface {
	Encode(plumbing.EncodedObject) error
}

func (w treeWriter) write(o encoder) (plumbing.Hash, error) {
	encoded := w.store.NewEncodedObject()
	if err := o.Encode(encoded); err != nil {
		return plumbing.ZeroHash, err
	}
	return w.store.SetEncodedObject(encoded)
}

func (w treeWriter) blob(data []byte) (plumbing.Hash, error) {
	encoded := w.store.NewEncodedObject()
	encoded.SetType(plumbing.BlobObject)
	into, err := encoded.Writer()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if _, err := io.Copy(into, bytes.NewReader(data)); err != nil {
		return plumbing.ZeroHash, errors.Join(err, into.Close())
	}
	if err := into.Close(); err != nil {
		return plumbing.ZeroHash, err
	}
	return w.store.SetEncodedObject(encoded)
}

// tree writes a tree with some files changed, and returns its hash. t may be nil.
func (w treeWriter) tree(t *object.Tree, files map[string][]byte) (plumbing.Hash, error) {
	edited := &object.Tree{}
	if t != nil {
		edited.Entries = slices.Clone(t.Entries)
	}
	below := map[string]map[string][]byte{}
	for name, data := range files {
		dir, rest, nested := strings.Cut(name, "/")
		if nested {
			if below[dir] == nil {
				below[dir] = map[string][]byte{}
			}
			below[dir][rest] = data
			continue
		}
		if err := w.file(edited, name, data); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	for dir, inside := range below {
		var sub *object.Tree
		if t != nil {
			sub, _ = t.Tree(dir) // nil for a new directory
		}
		hash, err := w.tree(sub, inside)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		put(edited, object.TreeEntry{Name: dir, Mode: filemode.Dir, Hash: hash})
	}
	slices.SortFunc(edited.Entries, func(a, b object.TreeEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	return w.write(edited)
}

// file puts a file into a tree, or takes it out.
func (w treeWriter) file(t *object.Tree, name string, data []byte) error {
	if data == nil {
		t.Entries = slices.DeleteFunc(t.Entries, func(e object.TreeEntry) bool { return e.Name == name })
		return nil
	}
	hash, err := w.blob(data)
	if err != nil {
		return err
	}
	entry := object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: hash}
	for _, e := range t.Entries {
		if e.Name == name && e.Mode == filemode.Executable {
			entry.Mode = e.Mode
		}
	}
	put(t, entry)
	return nil
}

func put(t *object.Tree, entry object.TreeEntry) {
	for i, e := range t.Entries {
		if e.Name == entry.Name {
			t.Entries[i] = entry
			return
		}
	}
	t.Entries = append(t.Entries, entry)
}

// sortName is what git sorts a tree's entries by: a directory as if it ended in a slash.
func sortName(e object.TreeEntry) string {
	if e.Mode == filemode.Dir {
		return e.Name + "/"
	}
	return e.Name
}
