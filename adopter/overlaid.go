package adopter

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// edited is a file system with some files edited, added, or, where they are nil, gone.
type edited struct {
	fs.FS
	files map[string][]byte
}

func overlaid(fsys fs.FS, files map[string][]byte) fs.FS { return edited{fsys, files} }

// Open implements fs.FS.
func (e edited) Open(name string) (fs.File, error) {
	data, ok := e.files[name]
	switch {
	case !ok:
		return e.FS.Open(name)
	case data == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{info{path.Base(name), int64(len(data))}, bytes.NewReader(data)}, nil
}

// ReadFile implements fs.ReadFileFS.
func (e edited) ReadFile(name string) ([]byte, error) {
	if data := e.files[name]; data != nil {
		return data, nil
	}
	if _, ok := e.files[name]; ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return fs.ReadFile(e.FS, name)
}

// Stat implements fs.StatFS.
func (e edited) Stat(name string) (fs.FileInfo, error) {
	if _, ok := e.files[name]; !ok {
		return fs.Stat(e.FS, name)
	}
	f, err := e.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// ReadDir implements fs.ReadDirFS.
func (e edited) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(e.FS, name)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(entry fs.DirEntry) bool {
		_, ok := e.files[path.Join(name, entry.Name())]
		return ok
	})
	for file, data := range e.files {
		if data != nil && path.Dir(file) == path.Clean(name) {
			entries = append(entries, fs.FileInfoToDirEntry(info{path.Base(file), int64(len(data))}))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// file is an edited file that is being read.
type file struct {
	info
	*bytes.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Size() int64                { return f.info.size }
func (f *file) Close() error               { return nil }

// info describes an edited file.
type info struct {
	name string
	size int64
}

func (i info) Name() string     { return i.name }
func (i info) Size() int64      { return i.size }
func (info) Mode() fs.FileMode  { return 0o644 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }
