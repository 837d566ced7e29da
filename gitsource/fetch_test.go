package gitsource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// fetch fetches and fails the test if that fails.
func fetch(t *testing.T, opts gitsource.Options) *gitsource.Snapshot {
	t.Helper()
	s, err := gitsource.Fetch(t.Context(), opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refused fetches, which must fail with an error that has all the parts.
func refused(t *testing.T, opts gitsource.Options, parts ...string) {
	t.Helper()
	_ = failure(t, opts, parts...)
}

// failure is refused for who wants to know more about the error.
func failure(t *testing.T, opts gitsource.Options, parts ...string) error {
	t.Helper()
	_, err := gitsource.Fetch(t.Context(), opts, nil)
	if err == nil {
		t.Fatal("fetched, want an error")
	}
	says(t, err, parts...)
	return err
}

func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func hidesSecrets(t *testing.T, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows the secret %q", text, secret)
		}
	}
}

// contents reads every file of a snapshot.
func contents(t *testing.T, fsys fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, name)
		all[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func files(content string) map[string]string { return map[string]string{"a.yaml": content} }

func TestRefs(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	first := repo.Commit(gitsourcetest.Commit{Files: files("1")})
	second := repo.Commit(gitsourcetest.Commit{Files: files("2")})
	third := repo.Commit(gitsourcetest.Commit{Files: files("3")})
	side := repo.Commit(gitsourcetest.Commit{Branch: "team/side", Files: files("side")})
	repo.Tag("v1.0.0", first)
	repo.AnnotatedTag("v1.9.0", second)
	repo.Tag("v1.10.0-rc.1", side)
	repo.Tag("2.0.0", third)
	repo.Tag("release", first)
	repo.SetRef("refs/heads/release", side)
	repo.SetRef("refs/pull/7/head", side)
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})

	for ref, want := range map[string]struct{ ref, commit string }{
		"":                     {"refs/heads/main", third},
		"HEAD":                 {"refs/heads/main", third},
		"main":                 {"refs/heads/main", third},
		"team/side":            {"refs/heads/team/side", side},
		"v1.0.0":               {"refs/tags/v1.0.0", first},
		"v1.9.0":               {"refs/tags/v1.9.0", second},
		"refs/tags/v1.9.0":     {"refs/tags/v1.9.0", second},
		"release":              {"refs/heads/release", side},
		"refs/tags/release":    {"refs/tags/release", first},
		"refs/pull/7/head":     {"refs/pull/7/head", side},
		">=1.0.0 <2":           {"refs/tags/v1.9.0", second},
		"v1.x":                 {"refs/tags/v1.9.0", second},
		"*":                    {"refs/tags/2.0.0", third},
		">=1.0.0-0 <2.0.0-0":   {"refs/tags/v1.10.0-rc.1", side},
		third:                  {"", third},
		first:                  {"", first}, // a tag's tip
		second:                 {"", second},
		strings.ToUpper(third): {"", third},
	} {
		t.Run(ref, func(t *testing.T) {
			t.Parallel()
			opts := gitsource.Options{URL: server.Repo(), Ref: ref}
			head, err := gitsource.Resolve(t.Context(), opts)
			if err != nil || head.Ref != want.ref || head.Commit != want.commit {
				t.Errorf("Resolve = %+v, %v, want %v", head, err, want)
			}
			s := fetch(t, opts)
			if s.Ref != want.ref || s.Commit != want.commit {
				t.Errorf("Fetch = %s %s, want %v", s.Ref, s.Commit, want)
			}
		})
	}
	for ref, part := range map[string]string{
		"nosuch":                        "no branch or tag nosuch",
		">=3":                           "none of its 5 tags",
		"refs/heads/none":               "no refs/heads/none",
		first[:12]:                      "neither a full commit hash nor a version range",
		strings.Repeat("0123456789", 4): "no commit 0123456789012345678901234567890123456789",
		"--upload-pack=x":               "not the name",
	} {
		t.Run("missing "+ref, func(t *testing.T) {
			t.Parallel()
			refused(t, gitsource.Options{URL: server.Repo(), Ref: ref}, part)
		})
	}
}

func TestCommitThatIsNoTip(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	first := repo.Commit(gitsourcetest.Commit{Files: files("1")})
	repo.Commit(gitsourcetest.Commit{Files: files("2")})
	for _, allowed := range []string{"false", "true"} {
		repo.Config("uploadpack.allowReachableSHA1InWant", allowed)
		server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
		opts := gitsource.Options{URL: server.Repo(), Ref: first}
		s := fetch(t, opts)
		if got := contents(t, s.FS()); got["a.yaml"] != "1" || s.Commit != first {
			t.Errorf("allowed %s: got %v at %s", allowed, got, s.Commit)
		}
		asked := len(server.Requests())
		again, err := gitsource.Fetch(t.Context(), opts, s)
		if err != nil || again != s || len(server.Requests()) != asked {
			t.Errorf("allowed %s: a pinned commit was asked for again: %v", allowed, server.Requests())
		}
		opts.Ref = strings.Repeat("1", 40)
		if allowed == "true" {
			refused(t, opts, "not in the repository")
		}
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	when := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	want := map[string]string{"kustomization.yaml": "k", "base/a.yaml": "a", "base/deep/b.yaml": "b", "empty": ""}
	repo.Commit(gitsourcetest.Commit{Files: want, Author: "Grace", Email: "grace@example.com", Time: when})
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})

	s := fetch(t, gitsource.Options{URL: server.Repo()})
	if s.URL != server.Repo() || s.Author != "Grace" || s.Email != "grace@example.com" || !s.Time.Equal(when) || s.Path != "." {
		t.Errorf("snapshot is %q %q %q %v %q", s.URL, s.Author, s.Email, s.Time, s.Path)
	}
	if diff := cmp.Diff(want, contents(t, s.FS())); diff != "" {
		t.Error(diff)
	}
	if err := fstest.TestFS(s.FS(), "kustomization.yaml", "base/a.yaml", "base/deep/b.yaml", "empty"); err != nil {
		t.Error(err)
	}
	if _, err := fs.ReadFile(s.FS(), "nosuch/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading a file that is not there: %v", err)
	}
}

func TestUnchangedRefCostsOneRequest(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(gitsourcetest.Commit{Files: files("1")})
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
	opts := gitsource.Options{URL: server.Repo(), Ref: "main"}

	first := fetch(t, opts)
	again, err := gitsource.Fetch(t.Context(), opts, first)
	if err != nil || again != first {
		t.Fatalf("Fetch of an unchanged ref = %p, %v, want %p", again, err, first)
	}
	if _, err := gitsource.Resolve(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	const ask = "GET /repo.git/info/refs"
	want := []string{ask, "POST /repo.git/git-upload-pack", ask, ask}
	if diff := cmp.Diff(want, server.Requests()); diff != "" {
		t.Error(diff)
	}

	repo.AnnotatedTag("v1", first.Commit)
	opts.Ref = "v1"
	tagged := fetch(t, opts)
	if s, err := gitsource.Fetch(t.Context(), opts, tagged); err != nil || s != tagged || s.Commit != first.Commit {
		t.Errorf("Fetch of an unchanged annotated tag = %v, %v, want the same", s, err)
	}
	opts.Ref = "main"
	deeper := opts
	deeper.Depth = gitsource.FullHistory
	if s, err := gitsource.Fetch(t.Context(), deeper, first); err != nil || s == first {
		t.Errorf("Fetch with other options = %p, %v, want another than %p", s, err, first)
	}
	repo.Commit(gitsourcetest.Commit{Files: files("2")})
	if s, err := gitsource.Fetch(t.Context(), opts, first); err != nil || s == first {
		t.Errorf("Fetch of a moved ref = %p, %v, want another than %p", s, err, first)
	}
	if got := contents(t, first.FS()); got["a.yaml"] != "1" {
		t.Errorf("the old snapshot changed: %v", got)
	}
}

func TestTreeHash(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
	hash := func(dir string, files map[string]string) string {
		t.Helper()
		repo.Commit(gitsourcetest.Commit{Files: files})
		h, err := fetch(t, gitsource.Options{URL: server.Repo()}).TreeHash(dir)
		if err != nil {
			t.Fatal(err)
		}
		if want := gitsourcetest.Git(t, repo.Dir, "rev-parse", strings.TrimSuffix("main:"+dir, ".")); h != want {
			t.Errorf("TreeHash(%s) = %s, git says %s", dir, h, want)
		}
		return h
	}
	before := hash("app", map[string]string{"app/a": "1", "other/b": "1"})
	if after := hash("app", map[string]string{"app/a": "1", "other/b": "2"}); after != before {
		t.Error("the hash changed with a file elsewhere")
	}
	if after := hash("app", map[string]string{"app/a": "2", "other/b": "2"}); after == before {
		t.Error("the hash did not change with its file")
	}
	hash(".", map[string]string{"app/a": "2"})
	s := fetch(t, gitsource.Options{URL: server.Repo()})
	for _, name := range []string{"app/a", "nosuch", "../x"} {
		_, err := s.TreeHash(name)
		says(t, err, name)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(gitsourcetest.Commit{Files: files("1")})
	for _, at := range []string{"/info/refs", "/git-upload-pack"} {
		ctx, cancel := context.WithCancel(t.Context())
		server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{
			Intercept: func(_ http.ResponseWriter, req *http.Request) bool {
				if !strings.HasSuffix(req.URL.Path, at) {
					return false
				}
				_, _ = io.Copy(io.Discard, req.Body) // so that the server sees the client leave
				cancel()
				<-req.Context().Done()
				return true
			},
		})
		_, err := gitsource.Fetch(ctx, gitsource.Options{URL: server.Repo()}, nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at %s: %v", at, err)
		}
	}
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{
		Intercept: func(_ http.ResponseWriter, req *http.Request) bool { <-req.Context().Done(); return true },
	})
	err := failure(t, gitsource.Options{URL: server.Repo(), Limits: gitsource.Limits{Timeout: time.Millisecond}}, "not done within 1ms")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timeout: %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	noise := noise(300 << 10)
	repo.Commit(gitsourcetest.Commit{Branch: "noise", Files: map[string]string{"dir/noise.bin": noise}})
	repo.Commit(gitsourcetest.Commit{Branch: "bomb", Files: map[string]string{"bomb": strings.Repeat("0", 4<<20)}})
	repo.Commit(gitsourcetest.Commit{Branch: "large", Files: map[string]string{"big/values.yaml": strings.Repeat("a: b\n", 2<<20)}})
	many := map[string]string{}
	for i := range 20 {
		many[fmt.Sprintf("dir%d/file", i)] = "x"
	}
	repo.Commit(gitsourcetest.Commit{Branch: "many", Files: many})
	repo.Commit(gitsourcetest.Commit{Branch: "past", Files: map[string]string{"grown": noise}})
	repo.Commit(gitsourcetest.Commit{Branch: "past", Files: map[string]string{"grown": noise[:100]}})
	var entries []gitsourcetest.TreeEntry
	blob := repo.Blob("x")
	for i := range 100_000 {
		entries = append(entries, gitsourcetest.TreeEntry{Mode: "100644", Name: fmt.Sprintf("f%06d", i), Hash: blob})
	}
	repo.Commit(gitsourcetest.Commit{Branch: "crowd", Tree: repo.Tree(entries)})
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})

	for name, c := range map[string]struct {
		ref    string
		depth  int
		limits gitsource.Limits
		says   string // empty: it is within the limits
	}{
		"received":               {ref: "noise", limits: gitsource.Limits{Bytes: 250 << 10, FileBytes: 200 << 10}, says: "more than 250 KiB arrived"},
		"unpacked":               {ref: "bomb", limits: gitsource.Limits{Bytes: 1 << 20}, says: "unpacks to more than 1 MiB"},
		"file":                   {ref: "noise", limits: gitsource.Limits{FileBytes: 200 << 10}, says: "file dir/noise.bin has 300 KiB, which is over the limit of 200 KiB"},
		"file by default":        {ref: "large", says: "file big/values.yaml has 10 MiB"},
		"files":                  {ref: "many", limits: gitsource.Limits{Files: 39}, says: "more than 39 files"},
		"files that fit":         {ref: "many", limits: gitsource.Limits{Files: 40}},
		"files by default":       {ref: "crowd", says: "more than 50000 files"},
		"large file of the past": {ref: "past", depth: gitsource.FullHistory, limits: gitsource.Limits{FileBytes: 1000}},
		"everything by default":  {ref: "noise"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := gitsource.Options{URL: server.Repo(), Ref: c.ref, Depth: c.depth, Limits: c.limits}
			if c.says == "" {
				fetch(t, opts)
				return
			}
			refused(t, opts, c.says)
		})
	}
}

// noise does not compress.
func noise(n int) string {
	b := make([]byte, n)
	x := uint64(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return string(b)
}

func TestManyVersionsOfAFile(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	var lines []string
	for i := range 60 {
		lines = append(lines, fmt.Sprintf("line %d of a file that changes by one line a commit", i))
		repo.Commit(gitsourcetest.Commit{Files: files(strings.Join(lines, "\n"))})
	}
	gitsourcetest.Git(t, repo.Dir, "repack", "-adfq") // makes chains of deltas
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
	s := fetch(t, gitsource.Options{URL: server.Repo(), Depth: gitsource.FullHistory})
	if got := contents(t, s.FS())["a.yaml"]; got != strings.Join(lines, "\n") {
		t.Errorf("got %q", got)
	}
}
