package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// maxDepth bounds how deep directories may nest.
const maxDepth = 100

// node is a file, directory, symbolic link or submodule of a snapshot. Nodes do
// not change once the snapshot exists.
type node struct {
	name    string
	mode    fs.FileMode
	size    int64
	hash    plumbing.Hash // of the tree or blob; of a submodule left out, of its commit
	module  bool
	entries []*node // sorted by name
}

// child returns the entry of that name, or nil; of no node there is none.
func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(n.entries, name, func(e *node, name string) int {
		return strings.Compare(e.name, name)
	})
	if !ok {
		return nil
	}
	return n.entries[i]
}

// tree reads the tree of a commit that stands at dir of the snapshot, checks
// every name and size in it, and fills in its submodules if they are asked for.
func (f *fetch) tree(ctx context.Context, r remote, commit *object.Commit, dir string) (*node, error) {
	f.mounts = append(f.mounts, mount{dir, commit})
	if f.later != nil && f.later.hash == commit.TreeHash {
		return f.later, nil
	}
	root := &node{name: ".", mode: fs.ModeDir | 0o555, hash: commit.TreeHash}
	w := &walk{fetch: f}
	if err := w.directory(ctx, root, dir, f.later); err != nil {
		return nil, err
	}
	if f.opts.Submodules {
		if err := f.submodules(ctx, r, root, w.modules, dir); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// walk goes through one tree and collects its submodules.
type walk struct {
	fetch   *fetch
	depth   int
	modules []module
}

// module is a submodule's place in the snapshot.
type module struct {
	path string
	node *node
}

// directory fills in the entries of dir. later is the directory in a later commit,
// or nil: of what is the same there nothing is read.
func (w *walk) directory(ctx context.Context, dir *node, at string, later *node) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if w.depth++; w.depth > maxDepth {
		return refusef("%s lies more than %d directories deep", quoted(at), maxDepth)
	}
	defer func() { w.depth-- }()
	t, err := object.GetTree(w.fetch.store, dir.hash)
	if err != nil {
		return refusef("the tree of %s cannot be read: %s", quoted(at), oneLine(err.Error()))
	}
	if err := w.fetch.count(len(t.Entries)); err != nil {
		return err
	}
	dir.entries = make([]*node, 0, len(t.Entries))
	for _, e := range t.Entries {
		if known := same(later, e.Name, e.Hash); known != nil && e.Mode == filemode.Dir {
			dir.entries = append(dir.entries, known)
			continue
		}
		child, err := w.entry(ctx, e, at, later)
		if err != nil {
			return err
		}
		dir.entries = append(dir.entries, child)
	}
	return sortEntries(dir, at)
}

// count adds tree entries to what the snapshot holds.
func (f *fetch) count(n int) error {
	if f.entries += n; f.entries > f.limits.Files {
		return refusef("the repository has more than %d files and directories, which is the limit: raise the file limit if that is expected", f.limits.Files)
	}
	return nil
}

// sortEntries orders a directory by name and refuses a name that stands twice:
// what it means would depend on who reads it.
func sortEntries(dir *node, at string) error {
	slices.SortFunc(dir.entries, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(dir.entries); i++ {
		if name := dir.entries[i].name; name == dir.entries[i-1].name {
			return refusef("the repository has two entries %s: its tree is malformed", quoted(path.Join(at, name)))
		}
	}
	return nil
}

func (w *walk) entry(ctx context.Context, e object.TreeEntry, at string, later *node) (*node, error) {
	if err := checkName(e.Name, at); err != nil {
		return nil, err
	}
	name := path.Join(at, e.Name)
	n := &node{name: e.Name, hash: e.Hash}
	switch e.Mode {
	case filemode.Dir:
		n.mode = fs.ModeDir | 0o555
		return n, w.directory(ctx, n, name, later.child(e.Name))
	case filemode.Submodule:
		n.mode, n.module = fs.ModeDir|0o555, true
		w.modules = append(w.modules, module{name, n})
		return n, nil
	case filemode.Symlink:
		n.mode = fs.ModeSymlink | 0o777
	case filemode.Executable:
		n.mode = 0o555
	case filemode.Regular, filemode.Deprecated:
		n.mode = 0o444
	default:
		return nil, refusef("%s has the unknown mode %s", quoted(name), e.Mode)
	}
	var err error
	n.size, err = w.fetch.size(e.Hash, name)
	return n, err
}

// checkName refuses names that mean something else to a file system, wherever
// the files may end up.
func checkName(name, at string) error {
	switch {
	case name == "", name == ".", name == "..", strings.EqualFold(name, ".git"),
		strings.ContainsAny(name, "/\x00"), !utf8.ValidString(name):
		return refusef("the repository has an entry %q in %s: such a name is refused, because it could reach files outside of the repository", name, quoted(at))
	}
	return nil
}

// quoted writes a foreign path for people: as it stands, unless it holds what
// does not belong on a terminal.
func quoted(name string) string {
	if name == "" {
		return "the root"
	}
	if q := strconv.Quote(name); q != `"`+name+`"` || strings.Contains(name, " ") {
		return q
	}
	return name
}

// size returns the size of a blob in the tree, or why it cannot be had.
func (f *fetch) size(h plumbing.Hash, name string) (int64, error) {
	size, err := f.store.EncodedObjectSize(h)
	limit := f.limits.FileBytes
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		lost, ok := f.lost[h]
		switch {
		case ok:
			return 0, tooLarge(name, lost, limit)
		case f.lostDeltas+len(f.lost) > 0:
			return 0, refusef("file %s is larger than %s, which is the limit, or is packed as a difference to such a file: raise the file size limit or fetch less history", quoted(name), bytesText(limit))
		}
		return 0, refusef("file %s is missing from what the server sent", quoted(name))
	}
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", quoted(name), err)
	}
	if size > limit {
		return 0, tooLarge(name, size, limit)
	}
	return size, nil
}

func tooLarge(name string, size, limit int64) error {
	return refusef("file %s has %s, which is over the limit of %s a file: raise the file size limit if it belongs there", quoted(name), bytesText(size), bytesText(limit))
}
