package gitsource_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// history returns a repository whose a.yaml has lines of three authors.
func history(t *testing.T) (repo *gitsourcetest.Repo, commits []string) {
	t.Helper()
	repo = gitsourcetest.NewRepo(t)
	for i, c := range []struct{ author, content string }{
		{"Ada", "one\ntwo\nthree\n"},
		{"Grace", "one\nTWO\nthree\n"},
		{"Edsger", "zero\none\nTWO\nthree\n"},
	} {
		commits = append(commits, repo.Commit(gitsourcetest.Commit{
			Author: c.author, Email: strings.ToLower(c.author) + "@example.com",
			Files: map[string]string{"app/a.yaml": c.content, "empty": ""},
			Links: map[string]string{"link": "app/a.yaml"},
			Time:  time.Date(2026, 1, 2+i, 0, 0, 0, 0, time.UTC),
		}))
	}
	return repo, commits
}

func authors(t *testing.T, s *gitsource.Snapshot, file string, lines int) []string {
	t.Helper()
	var all []string
	for i := range lines {
		l, err := s.Blame(t.Context(), file, i+1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Author)
	}
	return all
}

func TestBlame(t *testing.T) {
	t.Parallel()
	repo, commits := history(t)
	s := fetch(t, gitsource.Options{URL: repo.Dir, Depth: gitsource.FullHistory})
	want := []string{"Edsger", "Ada", "Grace", "Ada"}
	for _, file := range []string{"app/a.yaml", "link"} {
		if diff := cmp.Diff(want, authors(t, s, file, 4)); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
	got, err := s.Blame(t.Context(), "app/a.yaml", 3)
	line := gitsource.Line{Commit: commits[1], Author: "Grace", Email: "grace@example.com", Time: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)}
	if err != nil || got.Commit != line.Commit || got.Email != line.Email || !got.Time.Equal(line.Time) {
		t.Errorf("Blame = %+v, %v, want %+v", got, err, line)
	}
	for _, c := range []struct {
		file string
		line int
		says string
	}{
		{"app/a.yaml", 5, "the file has 4 lines"},
		{"app/a.yaml", 0, "the file has 4 lines"},
		{"empty", 1, "the file has 0 lines"},
		{"nosuch", 1, "nosuch"},
		{"app", 1, "not a regular file"},
		{"../x", 1, "invalid"},
	} {
		_, err := s.Blame(t.Context(), c.file, c.line)
		says(t, err, c.says, fmt.Sprintf("%s:%d", c.file, c.line))
	}
}

func TestBlameOfShortHistory(t *testing.T) {
	t.Parallel()
	repo, _ := history(t)
	for depth, shallow := range map[int]bool{0: true, 2: true, 3: false, 9: false} {
		s := fetch(t, gitsource.Options{URL: "file://" + repo.Dir, Depth: depth})
		if _, err := s.Blame(t.Context(), "app/a.yaml", 2); errors.Is(err, gitsource.ErrShallow) != shallow {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
	s, err := gitsource.Dir(t.Context(), repo.Clone("--depth=1"), gitsource.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Blame(t.Context(), "app/a.yaml", 2); !errors.Is(err, gitsource.ErrShallow) {
		t.Errorf("in a shallow clone: %v", err)
	}
}

func TestBlameEndsWithItsContext(t *testing.T) {
	t.Parallel()
	repo, _ := history(t)
	s := fetch(t, gitsource.Options{URL: repo.Dir, Depth: gitsource.FullHistory})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Blame(ctx, "app/a.yaml", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := authors(t, s, "app/a.yaml", 1); got[0] != "Edsger" {
		t.Errorf("after that: %v", got)
	}
}

func TestBlameAtOnce(t *testing.T) {
	t.Parallel()
	repo, _ := history(t)
	dir, err := gitsource.Dir(t.Context(), repo.Clone(), gitsource.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*gitsource.Snapshot{dir, fetch(t, gitsource.Options{URL: repo.Dir, Depth: gitsource.FullHistory})} {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if _, err := s.Blame(t.Context(), []string{"app/a.yaml", "link"}[i%2], 1+i%4); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

func TestBlameInAWorkTree(t *testing.T) {
	t.Parallel()
	repo, commits := history(t)
	clone := repo.Clone()
	linked := filepath.Join(t.TempDir(), "linked")
	gitsourcetest.Git(t, clone, "worktree", "add", "-q", "--detach", linked)
	for _, dir := range []string{clone, linked} {
		s, err := gitsource.Dir(t.Context(), filepath.Join(dir, "app"), gitsource.DirOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Commit != commits[2] || s.Author != "Edsger" || s.Path != "app" {
			t.Errorf("snapshot is %q by %q at %q", s.Commit, s.Author, s.Path)
		}
		if diff := cmp.Diff([]string{"Edsger", "Ada", "Grace", "Ada"}, authors(t, s, "app/a.yaml", 4)); diff != "" {
			t.Errorf("%s: %s", dir, diff)
		}
		gitsourcetest.WriteFiles(t, dir, map[string]string{"app/a.yaml": "zero\r\none\r\nTWO\r\nthree\r\n"})
		if got := authors(t, s, "app/a.yaml", 1); got[0] != "Edsger" {
			t.Errorf("with other line ends: %v", got)
		}
		gitsourcetest.WriteFiles(t, dir, map[string]string{"app/a.yaml": "edited\n", "app/new.yaml": "new\n"})
		for _, file := range []string{"app/a.yaml", "app/new.yaml"} {
			if _, err := s.Blame(t.Context(), file, 1); !errors.Is(err, gitsource.ErrNotCommitted) {
				t.Errorf("%s, which is not committed: %v", file, err)
			}
		}
	}
	outside := t.TempDir()
	gitsourcetest.WriteFiles(t, outside, files("1"))
	s, err := gitsource.Dir(t.Context(), outside, gitsource.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Blame(t.Context(), "a.yaml", 1)
	says(t, err, "not in a git work tree")
	if err := os.Remove(filepath.Join(outside, "a.yaml")); err != nil {
		t.Fatal(err)
	}
}
