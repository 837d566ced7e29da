package gitsource

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// dirFS reads a directory on disk, without its .git, within limits. os.Root
// keeps every name and symbolic link inside.
type dirFS struct {
	root   *os.Root
	limits Limits

	mu     sync.Mutex
	seen   map[string]bool // the files that were opened
	direct map[string]bool // the directories to which no symbolic link leads, and others
}

func newDirFS(dir string, limits Limits) (*dirFS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &dirFS{root: root, limits: limits, seen: map[string]bool{}, direct: map[string]bool{".": true}}, nil
}

// Open implements fs.FS.
func (d *dirFS) Open(name string) (fs.File, error) {
	f, err := d.open(name)
	if err != nil {
		return nil, d.explain("open", name, err)
	}
	return f, nil
}

func (d *dirFS) open(name string) (fs.File, error) {
	info, err := d.stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if err := d.admit(name, info); err != nil {
			return nil, err
		}
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &dirHandle{File: f, fs: d, name: name}, nil
	}
	return &fileHandle{file: f, name: name, left: d.limits.FileBytes, limit: d.limits.FileBytes}, nil
}

// stat follows links. It comes before every open: opening a pipe would wait for
// its other end.
func (d *dirFS) stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	if slices.Contains(strings.Split(name, "/"), ".git") {
		return nil, fs.ErrNotExist
	}
	if info, err := d.root.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink == 0 && d.isDirect(path.Dir(name)) {
		return info, nil
	}
	if d.leadsToGit(name) {
		return nil, errors.New("it is a symbolic link into .git, which is refused")
	}
	return d.root.Stat(name)
}

// isDirect tells whether no symbolic link is on the way to a directory, of which there
// are few and each with many files.
func (d *dirFS) isDirect(dir string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	direct, known := d.direct[dir]
	if !known {
		direct = d.real(dir) == dir
		d.direct[dir] = direct
	}
	return direct
}

// leadsToGit reports whether links lead from name into .git, whose configuration
// may hold credentials.
func (d *dirFS) leadsToGit(name string) bool {
	return slices.Contains(strings.Split(d.real(name), "/"), ".git")
}

// real returns name with its symbolic links followed, or name itself where they
// lead nowhere or outside.
func (d *dirFS) real(name string) string {
	real, err := filepath.EvalSymlinks(filepath.Join(d.root.Name(), filepath.FromSlash(name)))
	if err != nil {
		return name
	}
	below, err := filepath.Rel(d.root.Name(), real)
	if err != nil || !filepath.IsLocal(below) {
		return name
	}
	return filepath.ToSlash(below)
}

// admit refuses what is not a file within the limits.
func (d *dirFS) admit(name string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return errNotFile
	case info.Size() > d.limits.FileBytes:
		return tooLarge(name, info.Size(), d.limits.FileBytes)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[name] = true; len(d.seen) > d.limits.Files {
		return tooMany(d.limits.Files)
	}
	return nil
}

func tooMany(limit int) error {
	return refusef("more than %d files are read, which is the limit: raise the file limit if that is expected", limit)
}

// ReadFile implements fs.ReadFileFS.
func (d *dirFS) ReadFile(name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, ok := f.(*dirHandle); ok {
		return nil, d.explain("read", name, errIsDir)
	}
	content, err := io.ReadAll(f)
	if err != nil {
		return nil, d.explain("read", name, err)
	}
	return content, nil
}

// ReadDir implements fs.ReadDirFS.
func (d *dirFS) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dir, ok := f.(*dirHandle)
	if !ok {
		return nil, d.explain("readdir", name, errNotDir)
	}
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, d.explain("readdir", name, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// Stat implements fs.StatFS.
func (d *dirFS) Stat(name string) (fs.FileInfo, error) {
	info, err := d.stat(name)
	if err != nil {
		return nil, d.explain("stat", name, err)
	}
	return info, nil
}

// Lstat implements fs.ReadLinkFS.
func (d *dirFS) Lstat(name string) (fs.FileInfo, error) {
	if _, err := d.Stat(name); err != nil {
		return nil, err
	}
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, d.explain("lstat", name, err)
	}
	return info, nil
}

// ReadLink implements fs.ReadLinkFS.
func (d *dirFS) ReadLink(name string) (string, error) {
	if _, err := d.Stat(name); err != nil {
		return "", err
	}
	to, err := d.root.Readlink(name)
	if err != nil {
		return "", d.explain("readlink", name, err)
	}
	return to, nil
}

// explain names the file as it was asked for, once.
func (d *dirFS) explain(op, name string, err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	// os.Root has no error value for this.
	if strings.Contains(err.Error(), "path escapes") {
		err = fmt.Errorf("it or a symbolic link on the way to it leads out of %s, which is refused", d.root.Name())
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// fileHandle is an open file that ends with an error if it grows over the limit.
type fileHandle struct {
	file        *os.File
	name        string
	left, limit int64
}

func (f *fileHandle) Stat() (fs.FileInfo, error) { return f.file.Stat() }
func (f *fileHandle) Close() error               { return f.file.Close() }

// Read implements io.Reader.
func (f *fileHandle) Read(p []byte) (int, error) {
	n, err := f.file.Read(p)
	if f.left -= int64(n); f.left < 0 {
		return 0, tooLarge(f.name, f.limit-f.left, f.limit)
	}
	return n, err
}

// dirHandle is an open directory that does not show .git.
type dirHandle struct {
	*os.File
	fs    *dirFS
	name  string
	count int
}

// ReadDir implements fs.ReadDirFile.
func (h *dirHandle) ReadDir(n int) ([]fs.DirEntry, error) {
	for {
		entries, err := h.File.ReadDir(n)
		if h.count += len(entries); h.count > h.fs.limits.Files {
			return nil, refusef("directory %s has more than %d entries, which is the limit", path.Clean(h.name), h.fs.limits.Files)
		}
		read := len(entries)
		entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".git" })
		if n <= 0 || err != nil || read == 0 || len(entries) > 0 {
			return entries, err
		}
	}
}
