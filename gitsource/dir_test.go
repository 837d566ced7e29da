package gitsource_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

func dir(t *testing.T, path string, opts gitsource.DirOptions) *gitsource.Snapshot {
	t.Helper()
	s, err := gitsource.Dir(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func real(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDirOutsideOfAWorkTree(t *testing.T) {
	t.Parallel()
	top := real(t, t.TempDir())
	want := map[string]string{"base/a.yaml": "a", "overlays/prod/kustomization.yaml": "k"}
	gitsourcetest.WriteFiles(t, top, want)

	s := dir(t, filepath.Join(top, "overlays/prod"), gitsource.DirOptions{})
	if s.URL != filepath.Join(top, "overlays/prod") || s.Path != "." || s.Commit != "" {
		t.Errorf("snapshot is %q %q %q", s.URL, s.Path, s.Commit)
	}
	if diff := cmp.Diff(map[string]string{"kustomization.yaml": "k"}, contents(t, s.FS())); diff != "" {
		t.Error(diff)
	}
	s = dir(t, filepath.Join(top, "overlays/prod"), gitsource.DirOptions{Root: top})
	if s.URL != top || s.Path != "overlays/prod" {
		t.Errorf("with a root: %q %q", s.URL, s.Path)
	}
	if diff := cmp.Diff(want, contents(t, s.FS())); diff != "" {
		t.Error(diff)
	}
	if err := fstest.TestFS(s.FS(), "base/a.yaml"); err != nil {
		t.Error(err)
	}
	if _, err := s.TreeHash("."); err == nil {
		t.Error("a directory on disk has a tree hash")
	}
	for path, part := range map[string]string{
		filepath.Join(top, "nosuch"):      "no such file",
		filepath.Join(top, "base/a.yaml"): "not a directory",
	} {
		_, err := gitsource.Dir(t.Context(), path, gitsource.DirOptions{})
		says(t, err, path, part)
	}
	_, err := gitsource.Dir(t.Context(), top, gitsource.DirOptions{Root: filepath.Join(top, "base")})
	says(t, err, "not inside of the root")
}

func TestDirInAWorkTree(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	commit := repo.Commit(gitsourcetest.Commit{Files: map[string]string{"base/a.yaml": "a", "app/k.yaml": "k"}})
	clone := real(t, repo.Clone())

	s := dir(t, filepath.Join(clone, "app"), gitsource.DirOptions{Dirty: true})
	if s.URL != clone || s.Path != "app" || s.Commit != commit || s.Ref != "refs/heads/main" || s.Dirty {
		t.Errorf("snapshot is %q %q %q %q %v", s.URL, s.Path, s.Commit, s.Ref, s.Dirty)
	}
	want := map[string]string{"base/a.yaml": "a", "app/k.yaml": "k"}
	if diff := cmp.Diff(want, contents(t, s.FS())); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{".git", ".git/config"} {
		if _, err := fs.Stat(s.FS(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s can be seen: %v", name, err)
		}
	}
	gitsourcetest.WriteFiles(t, clone, map[string]string{"base/a.yaml": "edited"})
	if got := contents(t, s.FS())["base/a.yaml"]; got != "edited" {
		t.Errorf("the edit does not show: %q", got)
	}
	if s := dir(t, clone, gitsource.DirOptions{Dirty: true}); !s.Dirty || s.Path != "." {
		t.Errorf("an edited work tree is dirty: %v, at %q", s.Dirty, s.Path)
	}
}

func TestDirWhoseRepositoryCannotBeRead(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	gitsourcetest.Git(t, top, "init", "-q")
	gitsourcetest.WriteFiles(t, top, files("1"))
	s := dir(t, top, gitsource.DirOptions{Dirty: true})
	if got := contents(t, s.FS())["a.yaml"]; got != "1" || s.Commit != "" {
		t.Errorf("got %q at %q", got, s.Commit)
	}
	_, err := s.Blame(t.Context(), "a.yaml", 1)
	says(t, err, "reading the repository")
}

func TestDirInASubmodule(t *testing.T) {
	t.Parallel()
	sub := gitsourcetest.NewRepo(t)
	commit := sub.Commit(gitsourcetest.Commit{Files: files("1"), Author: "Sub"})
	top := gitsourcetest.NewRepo(t)
	top.Commit(gitsourcetest.Commit{
		Files:      map[string]string{".gitmodules": gitmodules("s", "s", "file://"+sub.Dir)},
		Submodules: map[string]string{"s": commit},
	})
	clone := top.Clone()
	gitsourcetest.Git(t, clone, "submodule", "update", "-q", "--init")
	s := dir(t, filepath.Join(clone, "s"), gitsource.DirOptions{})
	if s.Commit != commit || s.Author != "Sub" || s.Path != "." {
		t.Errorf("snapshot is %q %q %q", s.Commit, s.Author, s.Path)
	}
}

func TestDirKeepsInside(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	gitsourcetest.WriteFiles(t, outside, map[string]string{"secret": "s"})
	top := t.TempDir()
	gitsourcetest.Git(t, top, "init", "-q")
	gitsourcetest.WriteFiles(t, top, map[string]string{"a/b.yaml": "b"})
	for name, target := range map[string]string{
		"abs": filepath.Join(outside, "secret"), "absdir": outside, "up": "../../x", "a/in": "../a/b.yaml",
		"loop": "loop", "config": ".git/config", "gitdir": ".git",
	} {
		if err := os.Symlink(target, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(top, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	fsys := dir(t, top, gitsource.DirOptions{}).FS()
	if got, err := fs.ReadFile(fsys, "a/in"); err != nil || string(got) != "b" {
		t.Errorf("a link inside = %q, %v", got, err)
	}
	for name, part := range map[string]string{
		"abs": "leads out", "absdir/secret": "leads out", "up": "leads out", "loop": "loop",
		"config": "into .git", "gitdir/config": "into .git", "pipe": "not a regular file", "../x": "invalid", "a": "is a directory",
	} {
		_, err := fs.ReadFile(fsys, name)
		says(t, err, name, part)
	}
	_, err := fs.ReadDir(fsys, "a/b.yaml")
	says(t, err, "not a directory")
}

func TestDirLimits(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	many := map[string]string{"large": strings.Repeat("x", 1001)}
	for i := range 9 {
		many[fmt.Sprintf("d%d/file", i)] = "x"
	}
	gitsourcetest.WriteFiles(t, top, many)
	fsys := dir(t, top, gitsource.DirOptions{Limits: gitsource.Limits{FileBytes: 1000, Files: 8}}).FS()
	_, err := fs.ReadFile(fsys, "large")
	says(t, err, "file large has 1001 bytes")
	_, err = fs.ReadDir(fsys, ".")
	says(t, err, "more than 8 entries")
	for i := range 9 {
		if _, err = fs.ReadFile(fsys, fmt.Sprintf("d%d/file", i)); err != nil {
			break
		}
	}
	says(t, err, "d8/file", "more than 8 files")
}
