package gitsource

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	format "github.com/go-git/go-git/v5/plumbing/format/diff"
	"github.com/go-git/go-git/v5/utils/diff"
)

// Patch returns the unified diff that makes of the files of fsys those given, as "git
// apply" takes it: nil stands for a file that goes. It is empty where nothing differs.
func Patch(fsys fs.FS, files map[string][]byte) ([]byte, error) {
	var p patch
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := newFilePatch(fsys, name, files[name])
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", name, err)
		}
		if f.from != f.to {
			p = append(p, f)
		}
	}
	var out bytes.Buffer
	err := format.NewUnifiedEncoder(&out, format.DefaultContextLines).Encode(p)
	return out.Bytes(), err
}

// patch implements format.Patch.
type patch []filePatch

func (p patch) Message() string { return "" }

func (p patch) FilePatches() []format.FilePatch {
	all := make([]format.FilePatch, len(p))
	for i, f := range p {
		all[i] = f
	}
	return all
}

// filePatch implements format.FilePatch.
type filePatch struct {
	from, to version
	chunks   []format.Chunk
}

func newFilePatch(fsys fs.FS, name string, after []byte) (filePatch, error) {
	before, err := fs.ReadFile(fsys, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return filePatch{}, err
	}
	mode := filemode.Regular
	if info, err := fs.Stat(fsys, name); err == nil && info.Mode()&0o111 != 0 {
		mode = filemode.Executable
	}
	var f filePatch
	if err == nil {
		f.from = version{name, mode, plumbing.ComputeHash(plumbing.BlobObject, before)}
	}
	if after != nil {
		f.to = version{name, mode, plumbing.ComputeHash(plumbing.BlobObject, after)}
	}
	for _, d := range diff.Do(string(before), string(after)) {
		operation := map[int]format.Operation{-1: format.Delete, 0: format.Equal, 1: format.Add}[int(d.Type)]
		f.chunks = append(f.chunks, chunk{d.Text, operation})
	}
	return f, nil
}

func (f filePatch) IsBinary() bool         { return false }
func (f filePatch) Chunks() []format.Chunk { return f.chunks }

func (f filePatch) Files() (from, to format.File) {
	if f.from != (version{}) {
		from = f.from
	}
	if f.to != (version{}) {
		to = f.to
	}
	return from, to
}

// version is a file before or after; zero where there is none.
type version struct {
	path string
	mode filemode.FileMode
	hash plumbing.Hash
}

func (v version) Hash() plumbing.Hash     { return v.hash }
func (v version) Mode() filemode.FileMode { return v.mode }
func (v version) Path() string            { return v.path }

// chunk implements format.Chunk.
type chunk struct {
	text      string
	operation format.Operation
}

func (c chunk) Content() string        { return c.text }
func (c chunk) Type() format.Operation { return c.operation }

// checkNames refuses names that no patch or tree can hold.
func checkNames(files map[string][]byte) error {
	for name := range files {
		if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\n\x00") || slices.Contains(strings.Split(name, "/"), ".git") {
			return fmt.Errorf("%q is not a name of a file", name)
		}
	}
	return nil
}
