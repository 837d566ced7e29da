package gitsource_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// gitIn runs git and returns what it prints.
func gitIn(t *testing.T, dir string, stdin []byte, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "git", args...)
	c.Dir, c.Stdin = dir, bytes.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// checkout makes a repository with one commit.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	top := real(t, t.TempDir())
	gitsourcetest.WriteFiles(t, top, files)
	gitIn(t, top, nil, "init", "-q", "-b", "main")
	gitIn(t, top, nil, "config", "user.name", "Shop Team")
	gitIn(t, top, nil, "config", "user.email", "team@shop.example.com")
	gitIn(t, top, nil, "add", ".")
	gitIn(t, top, nil, "commit", "-q", "-m", "First")
	return top
}

// TestPatch wants git to make of the files what was meant, by the patch.
func TestPatch(t *testing.T) {
	t.Parallel()
	before := map[string]string{
		"a/edited.yaml": "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n", "gone.yaml": "x\n", "same.yaml": "y\n",
		"unended.yaml": "one\ntwo", "windows.yaml": "one\r\ntwo\r\n", "script": "#!/bin/sh\n",
	}
	files := map[string][]byte{
		"a/edited.yaml": []byte("one\n2\nthree\nfour\nfive\nsix\nseven\neight\n9\nten\n"), "gone.yaml": nil, "same.yaml": []byte("y\n"),
		"unended.yaml": []byte("one\n2"), "windows.yaml": []byte("one\r\n2\r\n"), "script": []byte("#!/bin/sh\ntrue\n"), "new/dir/file.yaml": []byte("n"), "none.yaml": nil,
	}
	top := checkout(t, before)
	if err := os.Chmod(filepath.Join(top, "script"), 0o755); err != nil {
		t.Fatal(err)
	}
	gitIn(t, top, nil, "commit", "-qam", "Executable")
	patch, err := gitsource.Patch(os.DirFS(top), files)
	if err != nil {
		t.Fatal(err)
	}
	gitIn(t, top, patch, "apply", "--index")
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(top, name))
		if want == nil && !errors.Is(err, fs.ErrNotExist) || want != nil && !bytes.Equal(got, want) {
			t.Errorf("%s is %q, %v, want %q, by\n%s", name, got, err, want, patch)
		}
	}
	if strings.Contains(string(patch), "same.yaml") {
		t.Errorf("the patch names a file that stays:\n%s", patch)
	}
	if empty, err := gitsource.Patch(fstest.MapFS{}, nil); err != nil || len(empty) > 0 {
		t.Errorf("the patch of nothing is %q, %v", empty, err)
	}
}

// TestBranch wants the commit to hold what was meant, and nothing else to be touched.
func TestBranch(t *testing.T) {
	t.Parallel()
	top := checkout(t, map[string]string{"app/a.yaml": "a\n", "app/b.yaml": "b\n", "app.yaml": "c\n", "app-2/d.yaml": "d\n", "other.yaml": "o\n"})
	gitsourcetest.WriteFiles(t, top, map[string]string{"other.yaml": "staged\n", "new.yaml": "untracked\n"})
	gitIn(t, top, nil, "add", "other.yaml")
	index, err := os.ReadFile(filepath.Join(top, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}
	branch := gitsource.NewBranch{
		Name: "team/adopt", Message: "Adopt\n", Time: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Files: map[string][]byte{"app/a.yaml": []byte("edited\n"), "app/b.yaml": nil, "app/new/e.yaml": []byte("e\n")},
	}
	commit, err := dir(t, filepath.Join(top, "app"), gitsource.DirOptions{}).Branch(t.Context(), branch)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(filepath.Join(top, ".git", "index")); err != nil || !bytes.Equal(now, index) {
		t.Error("the index has changed", err)
	}
	if status := gitIn(t, top, nil, "status", "--porcelain", "--branch"); status != "## main\nM  other.yaml\n?? new.yaml" {
		t.Errorf("the work tree is %s", status)
	}
	if got := gitIn(t, top, nil, "log", "--format=%H %P %an %ae %s", "-1", "team/adopt"); got != commit+" "+gitIn(t, top, nil, "rev-parse", "main")+" Shop Team team@shop.example.com Adopt" {
		t.Errorf("the commit is %s", got)
	}
	if got := gitIn(t, top, nil, "diff", "--name-status", "main", "team/adopt"); got != "M\tapp/a.yaml\nD\tapp/b.yaml\nA\tapp/new/e.yaml" {
		t.Errorf("the commit changes\n%s", got)
	}
	gitIn(t, top, nil, "fsck", "--strict")
	if _, err := dir(t, top, gitsource.DirOptions{}).Branch(t.Context(), branch); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("the branch was made twice: %v", err)
	}
}

// TestBranchFromALinkedWorkTree wants the branch to be one of the repository.
func TestBranchFromALinkedWorkTree(t *testing.T) {
	t.Parallel()
	top := checkout(t, map[string]string{"a.yaml": "a\n"})
	linked := filepath.Join(real(t, t.TempDir()), "linked")
	gitIn(t, top, nil, "worktree", "add", "-q", "-b", "side", linked)
	branch := gitsource.NewBranch{Name: "adopt", Message: "Adopt\n", Time: time.Now(), Files: map[string][]byte{"a.yaml": []byte("b\n")}}
	if _, err := dir(t, linked, gitsource.DirOptions{}).Branch(t.Context(), branch); err != nil {
		t.Fatal(err)
	}
	if got := gitIn(t, top, nil, "show", "adopt:a.yaml"); got != "b" {
		t.Errorf("the branch has %q", got)
	}
}

// TestBranchRefuses wants nothing to be made of what is not certain.
func TestBranchRefuses(t *testing.T) {
	t.Parallel()
	good := func() gitsource.NewBranch {
		return gitsource.NewBranch{Name: "adopt", Message: "Adopt\n", Time: time.Now(), Files: map[string][]byte{"a.yaml": []byte("b\n")}}
	}
	for name, test := range map[string]struct {
		change func(t *testing.T, top string, b *gitsource.NewBranch)
		want   string
	}{
		"edited": {func(t *testing.T, top string, _ *gitsource.NewBranch) {
			t.Helper()
			gitsourcetest.WriteFiles(t, top, map[string]string{"a.yaml": "not committed\n"})
		}, "not committed"},
		"untracked": {func(t *testing.T, top string, b *gitsource.NewBranch) {
			t.Helper()
			gitsourcetest.WriteFiles(t, top, map[string]string{"new.yaml": "x\n"})
			b.Files["new.yaml"] = []byte("y\n")
		}, "not committed"},
		"name": {func(_ *testing.T, _ string, b *gitsource.NewBranch) { b.Name = "a..b" }, "no name for a branch"},
		"checked": {func(_ *testing.T, _ string, b *gitsource.NewBranch) {
			b.Check = func(fs.FS) error { return errors.New("bad") }
		}, "bad"},
		"git": {func(_ *testing.T, _ string, b *gitsource.NewBranch) { b.Files[".git/config"] = []byte("x") }, "not a name"},
	} {
		t.Run(name, func(t *testing.T) {
			top, b := checkout(t, map[string]string{"a.yaml": "a\n"}), good()
			test.change(t, top, &b)
			_, err := dir(t, top, gitsource.DirOptions{}).Branch(t.Context(), b)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error about %s", err, test.want)
			}
			if branches := gitIn(t, top, nil, "branch", "--format=%(refname:short)"); branches != "main" {
				t.Errorf("the branches are %s", branches)
			}
		})
	}
	if _, err := dir(t, t.TempDir(), gitsource.DirOptions{}).Branch(t.Context(), good()); !errors.Is(err, gitsource.ErrNoRepository) {
		t.Errorf("outside of a repository: %v", err)
	}
}

// TestBranchOfNobody wants git's own word about who commits.
func TestBranchOfNobody(t *testing.T) {
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(name, t.TempDir())
	}
	top := checkout(t, map[string]string{"a.yaml": "a\n"})
	gitIn(t, top, nil, "config", "--unset", "user.email")
	b := gitsource.NewBranch{Name: "adopt", Message: "Adopt\n", Time: time.Now(), Files: map[string][]byte{"a.yaml": []byte("b\n")}}
	if _, err := dir(t, top, gitsource.DirOptions{}).Branch(t.Context(), b); err == nil || !strings.Contains(err.Error(), "git config") {
		t.Errorf("got %v, want an error about user.email", err)
	}
}
