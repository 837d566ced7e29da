package gitsource_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

func gitmodules(name, path, url string) string {
	return fmt.Sprintf("[submodule %q]\n\tpath = %s\n\turl = %s\n", name, path, url)
}

func TestSubmodules(t *testing.T) {
	t.Parallel()
	leaf := gitsourcetest.NewRepo(t)
	pinned := leaf.Commit(gitsourcetest.Commit{Files: map[string]string{"leaf.yaml": "pinned"}, Author: "Leaf"})
	leaf.Commit(gitsourcetest.Commit{Files: map[string]string{"leaf.yaml": "later"}})
	middle := gitsourcetest.NewRepo(t)
	middleCommit := middle.Commit(gitsourcetest.Commit{
		Files:      map[string]string{"m.yaml": "m", ".gitmodules": gitmodules("leaf", "in/leaf", "./../leaf.git")},
		Submodules: map[string]string{"in/leaf": pinned},
		Links:      map[string]string{"up": "../../top.yaml", "out": "../../../x"},
	})
	top := gitsourcetest.NewRepo(t)
	top.Commit(gitsourcetest.Commit{
		Files:      map[string]string{"top.yaml": "top", ".gitmodules": gitmodules("m", "vendor/middle", "../middle.git")},
		Submodules: map[string]string{"vendor/middle": middleCommit},
	})
	server := gitsourcetest.Serve(t, top, gitsourcetest.ServerOptions{Username: user, Password: secret})
	server.Add("leaf.git", leaf)
	server.Add("middle.git", middle)
	opts := gitsource.Options{URL: server.Repo(), Auth: gitsource.Auth{Username: user, Password: secret}, Depth: gitsource.FullHistory}

	off := fetch(t, opts)
	if entries, err := fs.ReadDir(off.FS(), "vendor/middle"); err != nil || len(entries) != 0 {
		t.Errorf("a submodule left out has %v, %v, want an empty directory", entries, err)
	}
	opts.Submodules = true
	on := fetch(t, opts)
	want := map[string]string{
		"vendor/middle/m.yaml": "m", "vendor/middle/in/leaf/leaf.yaml": "pinned", "vendor/middle/up": "top", "top.yaml": "top",
	}
	for name, content := range want {
		if got, err := fs.ReadFile(on.FS(), name); err != nil || string(got) != content {
			t.Errorf("%s = %q, %v, want %q", name, got, err, content)
		}
	}
	_, err := fs.ReadFile(on.FS(), "vendor/middle/out")
	says(t, err, "vendor/middle/out leads out")
	line, err := on.Blame(t.Context(), "vendor/middle/in/leaf/leaf.yaml", 1)
	if err != nil || line.Author != "Leaf" || line.Commit != pinned {
		t.Errorf("Blame in a submodule = %+v, %v", line, err)
	}
	h, err := on.TreeHash("vendor/middle")
	if want := gitsourcetest.Git(t, middle.Dir, "rev-parse", "main^{tree}"); err != nil || h != want {
		t.Errorf("TreeHash = %s, %v, want %s", h, err, want)
	}
	if again, err := gitsource.Fetch(t.Context(), opts, on); err != nil || again != on {
		t.Errorf("fetched again: %v", err)
	}
	opts.Limits.Files = 6
	refused(t, opts, "more than 6 files")
}

func TestSubmoduleTricks(t *testing.T) {
	t.Parallel()
	victim := gitsourcetest.NewRepo(t)
	commit := victim.Commit(gitsourcetest.Commit{Files: files("secret")})
	for name, c := range map[string]struct {
		modules, says string
		links         map[string]string
	}{
		"file URL":        {modules: gitmodules("m", "sub", "file://"+victim.Dir), says: "scheme file"},
		"plain path":      {modules: gitmodules("m", "sub", victim.Dir), says: "scheme file"},
		"relative file":   {modules: gitmodules("m", "sub", "victim"), says: "scheme file"},
		"ext":             {modules: gitmodules("m", "sub", "ext::sh -c x"), says: "an option or a command"},
		"option URL":      {modules: gitmodules("m", "sub", "--upload-pack=x"), says: "an option or a command"},
		"option path":     {modules: gitmodules("m", "-sub", "../v.git"), says: "an option or a command"},
		"git daemon":      {modules: gitmodules("m", "sub", "git://127.0.0.1/v"), says: "scheme git"},
		"name climbs":     {modules: gitmodules("../../hooks", "sub", "../v.git"), says: "not in .gitmodules"},
		"path climbs":     {modules: gitmodules("m", "../sub", "../v.git"), says: "not in .gitmodules"},
		"path absolute":   {modules: gitmodules("m", "/sub", "../v.git"), says: "invalid path"},
		"path by a link":  {modules: gitmodules("m", "link/sub", "../v.git"), links: map[string]string{"link": "/tmp"}, says: "symbolic link"},
		"above the host":  {modules: gitmodules("m", "sub", "../../../../v.git"), says: "climbs above"},
		"same path twice": {modules: gitmodules("m", "sub", "../v.git") + gitmodules("n", "sub", "../w.git"), says: "the same path"},
		"not declared":    {modules: "", says: "not in .gitmodules"},
		"credentials":     {modules: gitmodules("m", "sub", "https://"+user+":"+secret+"@127.0.0.1:1/x"), says: "***@127.0.0.1:1/x"},
		"not a config":    {modules: "[submodule", says: ".gitmodules"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := gitsourcetest.NewRepo(t)
			repo.Commit(gitsourcetest.Commit{
				Files: map[string]string{".gitmodules": c.modules}, Links: c.links, Submodules: map[string]string{"sub": commit},
			})
			server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
			server.Add("v.git", victim)
			err := failure(t, gitsource.Options{URL: server.Repo(), Submodules: true}, c.says)
			hidesSecrets(t, err.Error(), user, secret)
			fetch(t, gitsource.Options{URL: server.Repo()}) // without submodules none of it matters
		})
	}
}

func TestSubmodulesOfLocalRepositories(t *testing.T) {
	t.Parallel()
	sub := gitsourcetest.NewRepo(t)
	commit := sub.Commit(gitsourcetest.Commit{Files: files("sub")})
	top := gitsourcetest.NewRepo(t)
	relative, err := filepath.Rel(top.Dir, sub.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"file://" + sub.Dir, sub.Dir, filepath.ToSlash(relative)} {
		top.Commit(gitsourcetest.Commit{
			Files:      map[string]string{".gitmodules": gitmodules("s", "s", url)},
			Submodules: map[string]string{"s": commit},
		})
		s := fetch(t, gitsource.Options{URL: top.Dir, Submodules: true})
		if diff := cmp.Diff("sub", contents(t, s.FS())["s/a.yaml"]); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
	}
}

func TestSubmodulesDoNotNestForEver(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	last := ""
	for range 7 {
		c := gitsourcetest.Commit{Files: map[string]string{".gitmodules": gitmodules("s", "s", "./")}}
		if last != "" {
			c.Submodules = map[string]string{"s": last}
		}
		last = repo.Commit(c)
	}
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
	refused(t, gitsource.Options{URL: server.Repo(), Submodules: true}, "s/s/s/s/s", "more than 5 submodules deep")
}

func TestSubmodulesElsewhereGetNoCredentials(t *testing.T) {
	t.Parallel()
	sub := gitsourcetest.NewRepo(t)
	commit := sub.Commit(gitsourcetest.Commit{Files: files("sub")})
	elsewhere := gitsourcetest.Serve(t, sub, gitsourcetest.ServerOptions{
		Intercept: func(_ http.ResponseWriter, req *http.Request) bool {
			if req.Header.Get("Authorization") != "" {
				t.Error("the other host was sent credentials")
			}
			return false
		},
	})
	top := gitsourcetest.NewRepo(t)
	top.Commit(gitsourcetest.Commit{
		Files:      map[string]string{".gitmodules": gitmodules("s", "s", elsewhere.Repo())},
		Submodules: map[string]string{"s": commit},
	})
	home := gitsourcetest.Serve(t, top, gitsourcetest.ServerOptions{Username: user, Password: secret})
	for _, opts := range []gitsource.Options{
		{URL: home.Repo(), Auth: gitsource.Auth{Username: user, Password: secret}},
		{URL: strings.Replace(home.Repo(), "://", "://"+user+":"+secret+"@", 1)},
	} {
		opts.Submodules = true
		if got := contents(t, fetch(t, opts).FS())["s/a.yaml"]; got != "sub" {
			t.Errorf("got %q", got)
		}
	}
}
