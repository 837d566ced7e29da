package history_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/history"
	"plumbline.dev/plumbline/lag"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

// of returns the history of a directory of a snapshot.
func of(t testing.TB, s *gitsource.Snapshot, dir string, commits int) *history.History {
	t.Helper()
	rendering, err := render.Update(t.Context(), nil, s, dir, render.Options{Pack: true})
	return &history.History{Snapshot: s, Dir: dir, Rendering: rendering, Err: err, Commits: commits}
}

func fetch(t testing.TB, opts gitsource.Options) *gitsource.Snapshot {
	t.Helper()
	s, err := gitsource.Fetch(t.Context(), opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deepened is a history that begins with one commit and fetches the rest.
func deepened(t testing.TB, opts gitsource.Options, dir string, commits int) (h *history.History, fetches *int) {
	t.Helper()
	h, fetches = of(t, fetch(t, opts), dir, commits), new(int)
	opts.Depth = commits + 1
	h.Deepen = func(ctx context.Context, s *gitsource.Snapshot) (*gitsource.Snapshot, error) {
		*fetches++
		return gitsource.Deepen(ctx, s, opts)
	}
	return h, fetches
}

// words spells what commits declare: "2 level=info" for the second before the
// newest, "1 ?" for one that cannot be rendered.
func words(commits []lag.Commit) []string {
	var all []string
	for _, c := range commits {
		word := "?"
		if c.Err == nil {
			word = ""
		}
		for _, o := range declared(c) {
			data, _ := o.Object().Content["data"].(map[string]any)
			for k, v := range data {
				word += fmt.Sprint(k, "=", v)
			}
		}
		all = append(all, fmt.Sprint(c.Behind, " ", word))
	}
	return all
}

// declared are the settings that a commit declares.
func declared(c lag.Commit) []object.Packed {
	if c.Err != nil {
		return nil
	}
	return c.Declares(lag.Name{Kind: "ConfigMap", Name: "settings"})
}

// different counts the different declarations among commits.
func different(commits []lag.Commit) int {
	seen := map[*object.Packed]bool{}
	for _, c := range commits {
		if objects := declared(c); len(objects) > 0 {
			seen[&objects[0]] = true
		}
	}
	return len(seen)
}

func settings(level string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: " + level + "}\n"
}

// repository has five commits: of the overlay only the first, third and fifth
// change anything, and the fourth breaks another directory.
func repository(t testing.TB) *gitsourcetest.Repo {
	t.Helper()
	repo := gitsourcetest.NewRepo(t)
	files := map[string]string{
		"base/kustomization.yaml":    "resources: [settings.yaml]\n",
		"overlay/kustomization.yaml": "resources: [../base]\n",
	}
	for _, changed := range []map[string]string{
		{"base/settings.yaml": settings("one")},
		{"README.md": "about it"},
		{"base/settings.yaml": settings("three")},
		{"other/broken.yaml": "kind: ["},
		{"base/settings.yaml": settings("five")},
	} {
		maps.Copy(files, changed)
		repo.Commit(gitsourcetest.Commit{Files: files})
	}
	return repo
}

// TestAll wants each commit as it was, rendered only where it differs from the
// one after it, and nothing fetched before it is asked for.
func TestAll(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	h, fetches := deepened(t, gitsource.Options{URL: repo.Dir}, "overlay", 50)
	for c := range h.All(t.Context()) {
		if c.Behind != 0 || *fetches != 0 {
			t.Errorf("commit %d, after %d fetches", c.Behind, *fetches)
		}
		break
	}
	got := slices.Collect(h.All(t.Context()))
	want := []string{"0 level=five", "1 level=three", "2 level=three", "3 level=one", "4 level=one"}
	if d := cmp.Diff(want, words(got)); d != "" || len(h.Warnings()) > 0 || *fetches != 1 {
		t.Errorf("%d fetches, warnings %q (-want +got):\n%s", *fetches, h.Warnings(), d)
	}
	again := words(slices.Collect(h.All(t.Context()))) // as each look at what has changed asks
	if d := cmp.Diff(want, again); d != "" || len(h.Warnings()) > 0 || *fetches != 1 {
		t.Errorf("the second time: %d fetches, warnings %q (-want +got):\n%s", *fetches, h.Warnings(), d)
	}
	if n := different(got); n != 3 {
		t.Errorf("rendered %d times, want 3", n)
	}
	if got[0].Hash != h.Snapshot.Commit || got[1].Hash == got[0].Hash || !got[1].Time.Before(got[0].Time) {
		t.Errorf("the commits are %v", got)
	}
}

// TestFollow wants the history of a later commit to be right, and what was rendered for an
// earlier one not to be rendered again; nor, of a history that was rewritten, to count.
func TestFollow(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	opts := gitsource.Options{URL: repo.Dir}
	first, _ := deepened(t, opts, "overlay", 50)
	before := slices.Collect(first.All(t.Context()))
	fork := repo.Commit(gitsourcetest.Commit{Files: map[string]string{"overlay/kustomization.yaml": "resources: [settings.yaml]\n", "overlay/settings.yaml": settings("six")}})
	repo.Commit(gitsourcetest.Commit{Files: map[string]string{"overlay/settings.yaml": strings.Replace(settings("none"), "name: settings", "name: other", 1)}})
	second, _ := deepened(t, opts, "overlay", 50)
	second.Follow(first)
	got := slices.Collect(second.All(t.Context()))
	want := []string{"0 ", "1 level=six", "2 level=five", "3 level=three", "4 level=three", "5 level=one", "6 level=one"}
	if d := cmp.Diff(want, words(got)); d != "" || len(second.Warnings()) > 0 {
		t.Errorf("warnings %q (-want +got):\n%s", second.Warnings(), d)
	}
	for i, c := range before[1:] {
		if was, is := declared(c), declared(got[i+3]); &was[0] != &is[0] {
			t.Errorf("commit %d before the earlier one was rendered again", i+1)
		}
	}
	if other := got[2].Declares(lag.Name{Kind: "ConfigMap", Name: "other"}); len(other) > 0 {
		t.Errorf("an earlier commit declares %v", other[0].ID)
	}

	repo.SetRef("refs/heads/main", fork)
	repo.Commit(gitsourcetest.Commit{Files: map[string]string{"overlay/settings.yaml": settings("instead")}})
	third, _ := deepened(t, opts, "overlay", 50)
	third.Follow(second)
	want = []string{"0 level=instead", "1 level=six", "2 level=five", "3 level=three", "4 level=three", "5 level=one", "6 level=one"}
	if d := cmp.Diff(want, words(slices.Collect(third.All(t.Context())))); d != "" {
		t.Errorf("of a history that was rewritten (-want +got):\n%s", d)
	}
}

// TestHowFar goes back so many commits and no further, with and without a history
// that is at hand.
func TestHowFar(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	for _, depth := range []int{1, 3, gitsource.FullHistory} {
		h, fetches := deepened(t, gitsource.Options{URL: repo.Dir, Depth: depth}, "overlay", 2)
		got := words(slices.Collect(h.All(t.Context())))
		if d := cmp.Diff([]string{"0 level=five", "1 level=three", "2 level=three"}, got); d != "" || len(h.Warnings()) > 0 {
			t.Errorf("depth %d: warnings %q (-want +got):\n%s", depth, h.Warnings(), d)
		}
		if depth == 1 != (*fetches == 1) {
			t.Errorf("depth %d: %d fetches", depth, *fetches)
		}
	}
}

// TestWorkTree begins at HEAD, with what is not committed left out.
func TestWorkTree(t *testing.T) {
	t.Parallel()
	clone := repository(t).Clone()
	gitsourcetest.WriteFiles(t, clone, map[string]string{"base/settings.yaml": settings("six")})
	s, err := gitsource.Dir(t.Context(), filepath.Join(clone, "overlay"), gitsource.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h := of(t, s, s.Path, 2)
	got := words(slices.Collect(h.All(t.Context())))
	if d := cmp.Diff([]string{"0 level=five", "1 level=three", "2 level=three"}, got); d != "" || len(h.Warnings()) > 0 {
		t.Errorf("warnings %q (-want +got):\n%s", h.Warnings(), d)
	}
}

// TestNoWorkTree wants a directory without git to have no history, and no warning.
func TestNoWorkTree(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	gitsourcetest.WriteFiles(t, top, map[string]string{"settings.yaml": settings("one")})
	s, err := gitsource.Dir(t.Context(), top, gitsource.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h := of(t, s, ".", 2)
	if got := slices.Collect(h.All(t.Context())); len(got)+len(h.Warnings()) > 0 {
		t.Errorf("got %v, warnings %q", got, h.Warnings())
	}
}

// TestUnknownCommits wants a commit that cannot be rendered to be passed over with
// a warning, and an end of the history that is not its beginning to be told.
func TestUnknownCommits(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	var hashes []string
	for _, text := range []string{settings("one"), "kind: [", settings("three")} {
		hashes = append(hashes, repo.Commit(gitsourcetest.Commit{Files: map[string]string{"settings.yaml": text}}))
	}
	h, _ := deepened(t, gitsource.Options{URL: repo.Dir}, ".", 50)
	got := slices.Collect(h.All(t.Context()))
	if d := cmp.Diff([]string{"0 level=three", "1 ?", "2 level=one"}, words(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	warned(t, h, hashes[1][:12], "settings.yaml:1", "nothing can be pending")

	shallow := repo.Clone("--depth=1")
	s, err := gitsource.Dir(t.Context(), shallow, gitsource.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h = of(t, s, ".", 50)
	if got := words(slices.Collect(h.All(t.Context()))); !slices.Equal(got, []string{"0 level=three"}) {
		t.Errorf("of a shallow clone: %v", got)
	}
	warned(t, h, "may be told as drift", "too short")

	h = of(t, fetch(t, gitsource.Options{URL: repo.Dir}), ".", 50)
	h.Deepen = func(context.Context, *gitsource.Snapshot) (*gitsource.Snapshot, error) {
		return nil, errors.New("the server is gone")
	}
	if got := slices.Collect(h.All(t.Context())); len(got) != 1 {
		t.Errorf("without the rest: %v", got)
	}
	warned(t, h, "may be told as drift", "the server is gone")
}

func warned(t *testing.T, h *history.History, parts ...string) {
	t.Helper()
	if len(h.Warnings()) != 1 {
		t.Fatalf("warnings %q, want one", h.Warnings())
	}
	for _, part := range parts {
		if !strings.Contains(h.Warnings()[0], part) {
			t.Errorf("%q does not say %q", h.Warnings()[0], part)
		}
	}
}

// TestCanceled wants the history to end with its context, without a warning.
func TestCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h, _ := deepened(t, gitsource.Options{URL: repository(t).Dir}, "overlay", 50)
	n := 0
	for range h.All(ctx) {
		n++
		cancel()
	}
	if n != 1 || len(h.Warnings()) > 0 {
		t.Errorf("%d commits, warnings %q", n, h.Warnings())
	}
}

// BenchmarkAll goes back over 50 commits, of which two change what is rendered:
// 200 ConfigMaps beside 200 other files.
func BenchmarkAll(b *testing.B) {
	repo := gitsourcetest.NewRepo(b)
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("app/%d.yaml", i)] = strings.Replace(settings("one"), "settings", fmt.Sprint("settings-", i), 1)
		files[fmt.Sprintf("docs/%d/a", i)] = "a"
	}
	for i := range 51 {
		files["README.md"] = fmt.Sprint("version ", i)
		if i == 20 || i == 40 {
			files["app/0.yaml"] = settings(fmt.Sprint("at ", i))
		}
		repo.Commit(gitsourcetest.Commit{Files: files})
	}
	s := fetch(b, gitsource.Options{URL: repo.Dir, Depth: 51})
	newest := of(b, s, "app", 50).Rendering
	b.ResetTimer()
	for b.Loop() {
		h := &history.History{Snapshot: s, Dir: "app", Rendering: newest, Commits: 50}
		got := slices.Collect(h.All(b.Context()))
		if len(got) != 51 || different(got) != 3 {
			b.Fatalf("%d commits, rendered %d times", len(got), different(got))
		}
	}
}
