package gitsource_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// branched is a clone in which HEAD, the branch change, has left main, which has gone on.
func branched(t *testing.T) (clone, parted, tip string) {
	t.Helper()
	clone = real(t, t.TempDir())
	git := func(args ...string) string {
		return strings.TrimSpace(gitsourcetest.Git(t, clone, append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...))
	}
	commit := func(text string) string {
		gitsourcetest.WriteFiles(t, clone, map[string]string{"app/a.yaml": text})
		git("add", "-A")
		git("commit", "-qm", text)
		return git("rev-parse", "HEAD")
	}
	git("init", "-q", "-b", "main")
	commit("first")
	parted = commit("second")
	git("tag", "v1")
	git("switch", "-qc", "change")
	commit("third")
	commit("fourth")
	git("switch", "-q", "main")
	tip = commit("elsewhere")
	git("switch", "-q", "change")
	return clone, parted, tip
}

func TestBase(t *testing.T) {
	t.Parallel()
	clone, parted, tip := branched(t)
	s := dir(t, filepath.Join(clone, "app"), gitsource.DirOptions{})
	for _, c := range []struct {
		revisions []string
		tip       string
	}{
		{[]string{"main"}, tip},
		{[]string{"origin/none", "main", "v1"}, tip},
		{[]string{"refs/heads/main"}, tip},
		{[]string{"v1"}, parted},
		{[]string{parted}, parted},
		{[]string{"HEAD~2"}, parted},
	} {
		b, err := s.Base(t.Context(), c.revisions...)
		if err != nil {
			t.Fatalf("%v: %v", c.revisions, err)
		}
		if b.Snapshot.Commit != parted || b.Tip != c.tip {
			t.Errorf("%v: %s, tip %s; want %s, tip %s", c.revisions, b.Snapshot.Commit, b.Tip, parted, c.tip)
		}
		if b.Snapshot.Path != "app" || b.Snapshot.URL != s.URL {
			t.Errorf("%v: it is of %s in %s", c.revisions, b.Snapshot.Path, b.Snapshot.URL)
		}
		if got := contents(t, b.Snapshot.FS())["app/a.yaml"]; got != "second" {
			t.Errorf("%v: the file says %q", c.revisions, got)
		}
	}
}

func TestNoBase(t *testing.T) {
	t.Parallel()
	clone, _, _ := branched(t)
	base := func(at, revision string) error {
		_, err := dir(t, at, gitsource.DirOptions{}).Base(t.Context(), revision)
		return err
	}
	if err := base(clone, "none"); !errors.Is(err, gitsource.ErrNoRevision) || !strings.Contains(err.Error(), "none") {
		t.Errorf("a branch that is not there: %v", err)
	}
	if err := base(t.TempDir(), "main"); !errors.Is(err, gitsource.ErrNoRepository) {
		t.Errorf("no repository: %v", err)
	}
	shallow := filepath.Join(t.TempDir(), "shallow")
	gitsourcetest.Git(t, clone, "clone", "-q", "--depth", "1", "--no-single-branch", "file://"+clone, shallow)
	if err := base(shallow, "origin/main"); !errors.Is(err, gitsource.ErrShallow) {
		t.Errorf("a shallow clone: %v", err)
	}
	gitsourcetest.Git(t, clone, "switch", "-q", "--orphan", "other")
	gitsourcetest.Git(t, clone, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "x")
	if err := base(clone, "main"); err == nil || !strings.Contains(err.Error(), "in common") {
		t.Errorf("histories without a common commit: %v", err)
	}
}
