package gitsource_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// past returns s and what came before it, newest first, and why there is no more.
func past(t *testing.T, s *gitsource.Snapshot) ([]*gitsource.Snapshot, error) {
	t.Helper()
	all := []*gitsource.Snapshot{s}
	for {
		p, err := all[len(all)-1].Parent(t.Context())
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
}

func commitsOf(all []*gitsource.Snapshot) []string {
	var commits []string
	for _, s := range all {
		commits = append(commits, s.Commit)
	}
	return commits
}

// TestParent goes back over a merge by its first parents, from a repository and
// from a work tree, and wants of each commit its own files, hashes and time.
func TestParent(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	tree := func(a string) map[string]string {
		return map[string]string{"app/a.yaml": a, "app/sub/same.yaml": "same", "README": "about " + a, "now": "a file"}
	}
	first := repo.Commit(gitsourcetest.Commit{Files: map[string]string{"app/a.yaml": "1", "now/was": "a directory"}})
	side := repo.Commit(gitsourcetest.Commit{Files: tree("side"), Branch: "side", Parents: []string{first}})
	second := repo.Commit(gitsourcetest.Commit{Files: tree("2")})
	merge := repo.Commit(gitsourcetest.Commit{Files: tree("merged"), Parents: []string{second, side}})
	last := repo.Commit(gitsourcetest.Commit{Files: tree("last")})
	repo.AnnotatedTag("v1", merge)
	want := []string{last, merge, second, first}

	s := fetch(t, gitsource.Options{URL: repo.Dir, Depth: gitsource.FullHistory})
	all, err := past(t, s)
	if d := cmp.Diff(want, commitsOf(all)); d != "" || !errors.Is(err, gitsource.ErrFirstCommit) {
		t.Fatalf("%v (-want +got):\n%s", err, d)
	}
	for i, p := range all {
		alone := fetch(t, gitsource.Options{URL: repo.Dir, Ref: p.Commit})
		if d := cmp.Diff(contents(t, alone.FS()), contents(t, p.FS())); d != "" {
			t.Errorf("commit %d (-want +got):\n%s", i, d)
		}
		for _, dir := range []string{".", "app", "app/sub"} {
			hash, wantErr := alone.TreeHash(dir)
			if got, err := p.TreeHash(dir); got != hash || (err == nil) != (wantErr == nil) {
				t.Errorf("commit %d: the hash of %s is %s, want %s (%v)", i, dir, got, hash, err)
			}
		}
		if !p.Time.Equal(alone.Time) || p.URL != s.URL || p.Path != s.Path || p.Author != alone.Author {
			t.Errorf("commit %d is %+v, want it to be like %+v", i, p, alone)
		}
	}
	if err := fstest.TestFS(all[2].FS(), "app/sub/same.yaml", "README"); err != nil {
		t.Error(err)
	}

	tagged, err := past(t, fetch(t, gitsource.Options{URL: repo.Dir, Ref: "v1", Depth: gitsource.FullHistory}))
	if d := cmp.Diff(want[1:], commitsOf(tagged)); d != "" || !errors.Is(err, gitsource.ErrFirstCommit) {
		t.Errorf("of a tag: %v (-want +got):\n%s", err, d)
	}

	clone := repo.Clone()
	gitsourcetest.WriteFiles(t, clone, map[string]string{"app/a.yaml": "edited"})
	work, err := past(t, dir(t, filepath.Join(clone, "app"), gitsource.DirOptions{}))
	if d := cmp.Diff(append([]string{last}, want...), commitsOf(work)); d != "" || !errors.Is(err, gitsource.ErrFirstCommit) {
		t.Fatalf("of a work tree: %v (-want +got):\n%s", err, d)
	}
	if got := contents(t, work[0].FS())["app/a.yaml"]; got != "edited" {
		t.Errorf("the work tree has %q", got)
	}
	if got := contents(t, work[1].FS())["app/a.yaml"]; got != "last" || work[1].Path != "app" {
		t.Errorf("HEAD has %q, at %s", got, work[1].Path)
	}
}

// TestWhereHistoryEnds wants each end of the history at hand to be told from the
// first commit.
func TestWhereHistoryEnds(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	for _, content := range []string{"1", "2", "3"} {
		repo.Commit(gitsourcetest.Commit{Files: files(content)})
	}
	all, err := past(t, fetch(t, gitsource.Options{URL: repo.Dir, Depth: 2}))
	if len(all) != 2 || !errors.Is(err, gitsource.ErrShallow) {
		t.Errorf("of a shallow fetch there are %d commits, then %v", len(all), err)
	}
	all, err = past(t, dir(t, repo.Clone("--depth=2"), gitsource.DirOptions{}))
	if len(all) != 3 || !errors.Is(err, gitsource.ErrShallow) {
		t.Errorf("of a shallow clone there are %d snapshots, then %v", len(all), err)
	}
	_, err = dir(t, t.TempDir(), gitsource.DirOptions{}).Parent(t.Context())
	if !errors.Is(err, gitsource.ErrNoRepository) {
		t.Errorf("outside of a work tree: %v", err)
	}
	clone := repo.Clone()
	gitsourcetest.WriteFiles(t, clone, map[string]string{"sub/x": "x"})
	_, err = dir(t, filepath.Join(clone, "sub"), gitsource.DirOptions{Root: filepath.Join(clone, "sub")}).Parent(t.Context())
	says(t, err, "not the top of its work tree")

	large := gitsourcetest.NewRepo(t)
	large.Commit(gitsourcetest.Commit{Files: files("a large file")})
	large.Commit(gitsourcetest.Commit{Files: files("small")})
	s := fetch(t, gitsource.Options{URL: large.Dir, Depth: 2, Limits: gitsource.Limits{FileBytes: 6}})
	_, err = s.Parent(t.Context())
	says(t, err, "a.yaml", "over the limit")
}

// TestParentOfASubmodule wants the history of a repository with submodules to be
// refused, and of one without them to be read as its Snapshot is.
func TestParentOfASubmodule(t *testing.T) {
	t.Parallel()
	sub := gitsourcetest.NewRepo(t)
	pins := []string{sub.Commit(gitsourcetest.Commit{Files: files("1")}), sub.Commit(gitsourcetest.Commit{Files: files("2")})}
	top := gitsourcetest.NewRepo(t)
	for _, pin := range pins {
		top.Commit(gitsourcetest.Commit{
			Files:      map[string]string{".gitmodules": gitmodules("s", "s", sub.Dir), "a.yaml": pin},
			Submodules: map[string]string{"s": pin},
		})
	}
	opts := gitsource.Options{URL: top.Dir, Depth: 5}
	p, err := fetch(t, opts).Parent(t.Context())
	if err != nil || contents(t, p.FS())["a.yaml"] != pins[0] {
		t.Errorf("without submodules: %v", err)
	}
	opts.Submodules = true
	_, err = fetch(t, opts).Parent(t.Context())
	says(t, err, "submodules is not read")
}

// TestDeepen wants the history of the very commit that was fetched, whatever has
// become of the ref since.
func TestDeepen(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	var commits []string
	for _, content := range []string{"1", "2", "3", "4"} {
		commits = append(commits, repo.Commit(gitsourcetest.Commit{Files: files(content)}))
	}
	slices.Reverse(commits)
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
	opts := gitsource.Options{URL: server.Repo()}
	s := fetch(t, opts)
	opts.Depth = 3
	deepen := func() ([]*gitsource.Snapshot, error) {
		t.Helper()
		deep, err := gitsource.Deepen(t.Context(), s, opts)
		if err != nil {
			return nil, err
		}
		all, err := past(t, deep)
		if !errors.Is(err, gitsource.ErrShallow) {
			t.Errorf("it ends with: %v", err)
		}
		return all, nil
	}
	all, err := deepen()
	if d := cmp.Diff(commits[:3], commitsOf(all)); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	repo.Commit(gitsourcetest.Commit{Files: files("5")})
	if all, err = deepen(); err != nil || all[0].Commit != s.Commit || len(all) != 2 {
		t.Errorf("after the ref has moved on: %v, %v", commitsOf(all), err)
	}
	repo.Commit(gitsourcetest.Commit{Files: files("other"), Parents: []string{}})
	_, err = deepen()
	says(t, err, s.Commit, "does not lead back")
}
