package render

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var errReadOnly = errors.New("the repository is read-only")

// kustomizeFS shows the source to kustomize, with the repository's root as "/":
// read-only, and with the files of replaced in place of the repository's.
type kustomizeFS struct {
	src      *source
	replaced map[string][]byte
}

var _ filesys.FileSystem = kustomizeFS{}

// inside maps a path of kustomize to one of the source. Cleaning it as an
// absolute path keeps it below the root.
func inside(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
	if name == "" {
		return "."
	}
	return name
}

func (f kustomizeFS) ReadFile(name string) ([]byte, error) {
	name = inside(name)
	if data, ok := f.replaced[name]; ok {
		return data, nil
	}
	data, err := f.src.readFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := checkExpansion(name, data, 1); err != nil {
		return nil, err
	}
	return data, nil
}

func (f kustomizeFS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	name = inside(name)
	info, err := fs.Stat(f.src.fsys, name)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", name, plainFSError(err))
	}
	if info.IsDir() {
		return filesys.ConfirmedDir(path.Join("/", name)), "", nil
	}
	return filesys.ConfirmedDir(path.Join("/", path.Dir(name))), path.Base(name), nil
}

func (f kustomizeFS) IsDir(name string) bool { return f.src.isDir(inside(name)) }

func (f kustomizeFS) Exists(name string) bool {
	_, err := fs.Stat(f.src.fsys, inside(name))
	return err == nil
}

func (f kustomizeFS) ReadDir(name string) ([]string, error) {
	entries, err := f.src.readDir(inside(name))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// What kustomize's build does not call is refused, and so is every write.

func (kustomizeFS) Create(string) (filesys.File, error)  { return nil, errReadOnly }
func (kustomizeFS) Mkdir(string) error                   { return errReadOnly }
func (kustomizeFS) MkdirAll(string) error                { return errReadOnly }
func (kustomizeFS) RemoveAll(string) error               { return errReadOnly }
func (kustomizeFS) WriteFile(string, []byte) error       { return errReadOnly }
func (kustomizeFS) Open(string) (filesys.File, error)    { return nil, errors.ErrUnsupported }
func (kustomizeFS) Glob(string) ([]string, error)        { return nil, errors.ErrUnsupported }
func (kustomizeFS) Walk(string, filepath.WalkFunc) error { return errors.ErrUnsupported }
