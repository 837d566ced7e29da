package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/konfig"

	"plumbline.dev/plumbline/object"
)

// source is the snapshot as one rendering sees it: bounded, cached, and
// remembering what was looked at.
type source struct {
	ctx     context.Context //nolint:containedctx // kustomize's file system interface takes none
	fsys    fs.FS
	options Options
	keep    keeping

	mu    sync.Mutex // kustomize may still read after a timeout
	files map[string]content
	dirs  map[string]bool // listed, or hold a kustomization
	bytes int64
}

type content struct {
	data []byte
	err  error
}

func newSource(ctx context.Context, fsys fs.FS, o Options) *source {
	return &source{ctx: ctx, fsys: fsys, options: o, keep: keeping{pack: object.Loose}, files: map[string]content{}, dirs: map[string]bool{}}
}

// readFile returns a file's content, which nobody may edit.
func (s *source) readFile(name string) ([]byte, error) {
	if err := s.expired(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.files[name]; ok {
		return c.data, c.err
	}
	if len(s.files) >= s.options.MaxFiles {
		return nil, fmt.Errorf("%w: more than %d files", errTooMuch, s.options.MaxFiles)
	}
	data, err := s.load(name)
	s.files[name] = content{data: data, err: err}
	return data, err
}

func (s *source) load(name string) ([]byte, error) {
	f, err := s.fsys.Open(name)
	if err != nil {
		return nil, plainFSError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, plainFSError(err)
	}
	if info.IsDir() {
		return nil, errIsDirectory
	}
	limit := min(s.options.MaxFileBytes, s.options.MaxBytes-s.bytes)
	var text bytes.Buffer
	text.Grow(int(min(info.Size(), limit)) + bytes.MinRead) // so that it is never copied
	if _, err := text.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, plainFSError(err)
	}
	data := text.Bytes()
	if int64(len(data)) > s.options.MaxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", s.options.MaxFileBytes)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooMuch, s.options.MaxBytes)
	}
	s.bytes += int64(len(data))
	return data, nil
}

var (
	errIsDirectory = errors.New("is a directory")
	errTooMuch     = errors.New("too much to render")
)

// plainFSError takes the operation and the path away, which whoever reports the
// error names with its line.
func plainFSError(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

func (s *source) readDir(name string) ([]fs.DirEntry, error) {
	if err := s.expired(); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(s.fsys, name)
	if err != nil {
		return nil, plainFSError(err)
	}
	s.depend(name)
	return entries, nil
}

func (s *source) isDir(name string) bool {
	info, err := fs.Stat(s.fsys, name)
	return err == nil && info.IsDir()
}

func (s *source) expired() error {
	if err := s.ctx.Err(); err != nil {
		return fmt.Errorf("rendering was given up: %w", err)
	}
	return nil
}

func (s *source) depend(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs[dir] = true
}

// dependencies returns the directories and files that were looked at, without
// those inside another.
func (s *source) dependencies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for name := range s.files {
		if !coveredBy(s.dirs, name) {
			all = append(all, name)
		}
	}
	for name := range s.dirs {
		if name == "." || !coveredBy(s.dirs, name) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// coveredBy says whether a directory above name is in dirs.
func coveredBy(dirs map[string]bool, name string) bool {
	for name != "." {
		name = path.Dir(name)
		if dirs[name] {
			return true
		}
	}
	return false
}

// kustomizationFiles returns the names under which kustomize looks for a
// kustomization that stand among entries.
func kustomizationFiles(entries []fs.DirEntry) []string {
	var names []string
	for _, e := range entries {
		if isKustomizationFile(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// Entry returns the file that the rendering of a directory begins with, its
// kustomization; empty where it has none, or more than one.
func Entry(fsys fs.FS, dir string) string {
	entries, err := fs.ReadDir(fsys, dir)
	names := kustomizationFiles(entries)
	if err != nil || len(names) != 1 {
		return ""
	}
	return path.Join(dir, names[0])
}

func isKustomizationFile(name string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(name))
}

// resolve joins a path of a kustomization to its directory. It fails for a path
// that is absolute or leads out of the repository.
func resolve(dir, name string) (string, error) {
	if path.IsAbs(name) {
		return "", fmt.Errorf("%s is an absolute path", name)
	}
	joined := path.Join(dir, name)
	if joined == ".." || strings.HasPrefix(joined, "../") {
		return "", fmt.Errorf("%s leads out of the repository", name)
	}
	if !fs.ValidPath(joined) {
		return "", fmt.Errorf("%q is not a path", name)
	}
	return joined, nil
}
