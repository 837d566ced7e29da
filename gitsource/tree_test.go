package gitsource_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(gitsourcetest.Commit{
		Files: map[string]string{"base/a.yaml": "a", "app/b.yaml": "b"},
		Links: map[string]string{
			"app/file": "../base/a.yaml", "app/dir": "../base/.", "app/chain": "dir/../app/file",
			"app/here": ".", "root": "app/../",
			"abs": "/etc/passwd", "app/out": "../../secret", "app/sneaky": "here/../../x",
			"app/viaroot": "../root/../x",
			"loop":        "loop", "ping": "pong", "pong": "ping", "dangling": "nowhere",
		},
	})
	fsys := fetch(t, gitsource.Options{URL: repo.Dir}).FS()
	for name, want := range map[string]string{
		"app/file": "a", "app/dir/a.yaml": "a", "app/chain": "a", "app/here/here/b.yaml": "b", "root/app/b.yaml": "b",
	} {
		if got, err := fs.ReadFile(fsys, name); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", name, got, err, want)
		}
	}
	for name, parts := range map[string][]string{
		"abs":             {"symbolic link abs leads out"},
		"app/out":         {"symbolic link app/out leads out"},
		"app/sneaky":      {"symbolic link app/sneaky leads out"},
		"app/viaroot":     {"symbolic link app/viaroot leads out"},
		"loop":            {"symbolic link loop leads round"},
		"ping":            {"leads round in circles"},
		"dangling":        {"dangling", "not exist"},
		"app/../base":     {"invalid"},
		"app/file/a.yaml": {"not exist"},
	} {
		for _, read := range []func() error{
			func() error { _, err := fsys.Open(name); return err },
			func() error { _, err := fs.ReadFile(fsys, name); return err },
			func() error { _, err := fs.ReadDir(fsys, name); return err },
			func() error { _, err := fs.Stat(fsys, name); return err },
		} {
			says(t, read(), parts...)
		}
	}
	if target, err := fs.ReadLink(fsys, "abs"); err != nil || target != "/etc/passwd" {
		t.Errorf("ReadLink = %q, %v", target, err)
	}
	if info, err := fs.Lstat(fsys, "loop"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("Lstat = %v, %v", info, err)
	}
}

func TestTreesThatReachOut(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	blob := repo.Blob("x")
	inner := repo.Tree([]gitsourcetest.TreeEntry{{Mode: "100644", Name: "config", Hash: blob}})
	for i, c := range []struct {
		name, says string
		entries    []gitsourcetest.TreeEntry
	}{
		{"dot dot", `".."`, []gitsourcetest.TreeEntry{{Mode: "40000", Name: "..", Hash: inner}}},
		{"dot", `"."`, []gitsourcetest.TreeEntry{{Mode: "40000", Name: ".", Hash: inner}}},
		{".git", `".git"`, []gitsourcetest.TreeEntry{{Mode: "40000", Name: ".git", Hash: inner}}},
		{".GIT", `".GIT"`, []gitsourcetest.TreeEntry{{Mode: "40000", Name: ".GIT", Hash: inner}}},
		{"slash", `"../../etc/passwd"`, []gitsourcetest.TreeEntry{{Mode: "100644", Name: "../../etc/passwd", Hash: blob}}},
		{"absolute", `"/etc/passwd"`, []gitsourcetest.TreeEntry{{Mode: "100644", Name: "/etc/passwd", Hash: blob}}},
		{"not UTF-8", `"\xff"`, []gitsourcetest.TreeEntry{{Mode: "100644", Name: "\xff", Hash: blob}}},
		{"twice", `"a"`, []gitsourcetest.TreeEntry{{Mode: "100644", Name: "a", Hash: blob}, {Mode: "40000", Name: "a", Hash: inner}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ref := fmt.Sprintf("refs/heads/b%d", i)
			below := repo.Tree([]gitsourcetest.TreeEntry{{Mode: "40000", Name: "sub", Hash: repo.Tree(c.entries)}})
			repo.Commit(gitsourcetest.Commit{Branch: strings.TrimPrefix(ref, "refs/heads/"), Tree: below})
			refused(t, gitsource.Options{URL: repo.Dir, Ref: ref}, strings.Trim(c.says, `"`), "sub")
		})
	}
}

// A directory that holds itself ten times over, twenty levels deep, is small to
// send and endless to read.
func TestTreeBombs(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	tree := repo.Tree(nil)
	for range 20 {
		var entries []gitsourcetest.TreeEntry
		for i := range 10 {
			entries = append(entries, gitsourcetest.TreeEntry{Mode: "40000", Name: fmt.Sprintf("d%d", i), Hash: tree})
		}
		tree = repo.Tree(entries)
	}
	repo.Commit(gitsourcetest.Commit{Branch: "wide", Tree: tree})
	refused(t, gitsource.Options{URL: repo.Dir, Ref: "wide"}, "more than 50000 files")
	for range 200 {
		tree = repo.Tree([]gitsourcetest.TreeEntry{{Mode: "40000", Name: "d", Hash: tree}})
	}
	repo.Commit(gitsourcetest.Commit{Branch: "deep", Tree: tree})
	refused(t, gitsource.Options{URL: repo.Dir, Ref: "deep"}, "directories deep")
}
