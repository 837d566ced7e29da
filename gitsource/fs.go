package gitsource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/storer"
)

// treeFS reads files straight from git objects. Symbolic links are followed
// inside of the tree; one that leads out of it, or round in circles, is an error
// that names it. It implements fs.ReadDirFS, fs.ReadFileFS, fs.StatFS and
// fs.ReadLinkFS.
type treeFS struct {
	root  *node
	store storer.EncodedObjectStorer
	time  time.Time
}

// maxLinks bounds how many symbolic links one name may go through.
const maxLinks = 40

// resolved is a node, its real path, and the nodes on the way to it.
type resolved struct {
	nodes []*node // from the root; never empty
	names []string
}

func (r resolved) node() *node  { return r.nodes[len(r.nodes)-1] }
func (r resolved) path() string { return path.Join(append([]string{"."}, r.names...)...) }

// step is one part of a path still to be walked, and the symbolic link whose
// target it comes from, if any.
type step struct{ name, link string }

func steps(name, link string) []step {
	var all []step
	for part := range strings.SplitSeq(name, "/") {
		if part != "" && part != "." {
			all = append(all, step{part, link})
		}
	}
	return all
}

// resolve walks to name. With follow, a link at the end is followed too.
func (t *treeFS) resolve(name string, follow bool) (resolved, error) {
	if !fs.ValidPath(name) {
		return resolved{}, fs.ErrInvalid
	}
	at := resolved{nodes: []*node{t.root}}
	pending := steps(name, "")
	for links := 0; len(pending) > 0; {
		s := pending[0]
		pending = pending[1:]
		next, err := at.enter(s)
		if err != nil {
			return resolved{}, err
		}
		if next.node().mode&fs.ModeSymlink == 0 || !follow && len(pending) == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return resolved{}, linkError{next.path(), "leads round in circles"}
		}
		target, err := t.target(next)
		if err != nil {
			return resolved{}, err
		}
		pending = append(target, pending...)
	}
	return at, nil
}

// enter takes one step. Only the target of a link steps up, and never above the
// root.
func (r resolved) enter(s step) (resolved, error) {
	if s.name == ".." {
		if len(r.names) == 0 {
			return resolved{}, leadsOut(s.link)
		}
		return resolved{r.nodes[:len(r.nodes)-1], r.names[:len(r.names)-1]}, nil
	}
	if child := r.node().child(s.name); child != nil {
		return resolved{append(r.nodes, child), append(r.names, s.name)}, nil
	}
	return resolved{}, fs.ErrNotExist
}

// target returns the steps of a link's target.
func (t *treeFS) target(link resolved) ([]step, error) {
	content, err := objectBytes(t.store, link.node().hash)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(string(content), "/") {
		return nil, leadsOut(link.path())
	}
	return steps(string(content), link.path()), nil
}

// linkError refuses a symbolic link.
type linkError struct{ name, why string }

func (e linkError) Error() string {
	return fmt.Sprintf("symbolic link %s %s", quoted(e.name), e.why)
}

func leadsOut(link string) error {
	return linkError{link, "leads out of the repository, which is refused"}
}

// Open implements fs.FS.
func (t *treeFS) Open(name string) (fs.File, error) {
	at, err := t.resolve(name, true)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	info := nodeInfo{at.node(), path.Base(name), t.time}
	if info.IsDir() {
		return &openDir{info: info, name: name, entries: t.list(at.node())}, nil
	}
	content, err := objectBytes(t.store, at.node().hash)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{Reader: bytes.NewReader(content), info: info}, nil
}

// ReadFile implements fs.ReadFileFS.
func (t *treeFS) ReadFile(name string) ([]byte, error) {
	at, err := t.resolve(name, true)
	if err == nil && at.node().mode.IsDir() {
		err = errIsDir
	}
	var content []byte
	if err == nil {
		content, err = objectBytes(t.store, at.node().hash)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return content, nil
}

var (
	errIsDir   = errors.New("is a directory")
	errNotDir  = errors.New("not a directory")
	errNotFile = errors.New("not a regular file")
)

// ReadDir implements fs.ReadDirFS.
func (t *treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := t.resolve(name, true)
	if err == nil && !at.node().mode.IsDir() {
		err = errNotDir
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return t.list(at.node()), nil
}

func (t *treeFS) list(dir *node) []fs.DirEntry {
	entries := make([]fs.DirEntry, len(dir.entries))
	for i, e := range dir.entries {
		entries[i] = fs.FileInfoToDirEntry(nodeInfo{e, e.name, t.time})
	}
	return entries
}

// Stat implements fs.StatFS.
func (t *treeFS) Stat(name string) (fs.FileInfo, error) { return t.info("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (t *treeFS) Lstat(name string) (fs.FileInfo, error) { return t.info("lstat", name, false) }

func (t *treeFS) info(op, name string, follow bool) (fs.FileInfo, error) {
	at, err := t.resolve(name, follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nodeInfo{at.node(), path.Base(name), t.time}, nil
}

// ReadLink implements fs.ReadLinkFS.
func (t *treeFS) ReadLink(name string) (string, error) {
	at, err := t.resolve(name, false)
	if err == nil && at.node().mode&fs.ModeSymlink == 0 {
		err = fs.ErrInvalid
	}
	var target []byte
	if err == nil {
		target, err = objectBytes(t.store, at.node().hash)
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return string(target), nil
}

// nodeInfo is the fs.FileInfo of a node under the name it was asked for.
type nodeInfo struct {
	node *node
	name string
	time time.Time
}

func (i nodeInfo) Name() string       { return i.name }
func (i nodeInfo) Size() int64        { return i.node.size }
func (i nodeInfo) Mode() fs.FileMode  { return i.node.mode }
func (i nodeInfo) ModTime() time.Time { return i.time }
func (i nodeInfo) IsDir() bool        { return i.node.mode.IsDir() }
func (i nodeInfo) Sys() any           { return nil }

// openFile is an open regular file.
type openFile struct {
	*bytes.Reader
	info nodeInfo
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

// openDir is an open directory.
type openDir struct {
	info    nodeInfo
	name    string
	entries []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errIsDir}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	entries := d.entries[:n]
	d.entries = d.entries[n:]
	return entries, nil
}
