// Package gitsourcetest makes git repositories for tests and serves them over
// HTTP and SSH, in the test's process. It needs the git program.
package gitsourcetest

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Commit describes a commit by its whole tree: a file that is not in it is not
// in the commit, whatever the parent has.
type Commit struct {
	// Files maps slash-separated paths to contents.
	Files map[string]string
	// Links maps the paths of symbolic links to their targets.
	Links map[string]string
	// Submodules maps the paths of submodules to their commits. The matching
	// .gitmodules is a file like any other.
	Submodules map[string]string
	// Tree is the hash of a tree to take instead of all of these.
	Tree string
	// Branch is the branch to commit to, with its tip as the parent. Default
	// main.
	Branch string
	// Parents are the commit's parents instead of that tip, as of a merge.
	Parents []string
	// Author, Email and Message have defaults. Time counts up from
	// 2026-01-02 15:04:05 UTC by an hour a commit.
	Author, Email, Message string
	Time                   time.Time
	// Sign returns the armored signature of a commit, of which it gets what git
	// signs. Nil is an unsigned commit.
	Sign func(payload []byte) string
}

// Repo is a bare repository in a temporary directory.
type Repo struct {
	// Dir is where it is.
	Dir string

	t       testing.TB
	repo    *git.Repository
	commits int
}

// NewRepo returns an empty repository whose HEAD is the branch main.
func NewRepo(t testing.TB) *Repo {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo.git")
	repo, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{
		Bare:        true,
		InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName("main")},
	})
	check(t, err)
	return &Repo{Dir: dir, t: t, repo: repo}
}

// Commit makes a commit and returns its hash.
func (r *Repo) Commit(c Commit) string {
	r.t.Helper()
	branch := plumbing.NewBranchReferenceName(cmp.Or(c.Branch, "main"))
	when := c.Time
	if when.IsZero() {
		when = time.Date(2026, 1, 2, 15+r.commits, 4, 5, 0, time.UTC)
	}
	who := object.Signature{Name: cmp.Or(c.Author, "Ada"), Email: cmp.Or(c.Email, "ada@example.com"), When: when}
	r.commits++
	commit := &object.Commit{
		Author: who, Committer: who,
		Message:  cmp.Or(c.Message, fmt.Sprintf("Commit %d", r.commits)),
		TreeHash: plumbing.NewHash(c.Tree),
	}
	if c.Tree == "" {
		commit.TreeHash = plumbing.NewHash(r.tree(c))
	}
	if tip, err := r.repo.Reference(branch, true); err == nil && c.Parents == nil {
		commit.ParentHashes = []plumbing.Hash{tip.Hash()}
	}
	for _, p := range c.Parents {
		commit.ParentHashes = append(commit.ParentHashes, plumbing.NewHash(p))
	}
	if c.Sign != nil {
		commit.PGPSignature = c.Sign(r.encoded(commit))
	}
	o := r.repo.Storer.NewEncodedObject()
	check(r.t, commit.Encode(o))
	h, err := r.repo.Storer.SetEncodedObject(o)
	check(r.t, err)
	r.SetRef(branch.String(), h.String())
	return h.String()
}

func (r *Repo) encoded(commit *object.Commit) []byte {
	r.t.Helper()
	o := &plumbing.MemoryObject{}
	check(r.t, commit.EncodeWithoutSignature(o))
	reader, err := o.Reader()
	check(r.t, err)
	raw, err := io.ReadAll(reader)
	check(r.t, err)
	return raw
}

// entry is what stands at a path.
type entry struct {
	mode filemode.FileMode
	hash string
}

func (r *Repo) tree(c Commit) string {
	all := map[string]entry{}
	for name, content := range c.Files {
		all[name] = entry{filemode.Regular, r.Blob(content)}
	}
	for name, target := range c.Links {
		all[name] = entry{filemode.Symlink, r.Blob(target)}
	}
	for name, commit := range c.Submodules {
		all[name] = entry{filemode.Submodule, commit}
	}
	return r.directory(all)
}

// directory writes the tree of paths relative to it.
func (r *Repo) directory(all map[string]entry) string {
	here, below := map[string]entry{}, map[string]map[string]entry{}
	for name, e := range all {
		first, rest, deep := strings.Cut(path.Clean(name), "/")
		if !deep {
			here[first] = e
			continue
		}
		if below[first] == nil {
			below[first] = map[string]entry{}
		}
		below[first][rest] = e
	}
	for name, entries := range below {
		here[name] = entry{filemode.Dir, r.directory(entries)}
	}
	var entries []TreeEntry
	for name, e := range here {
		entries = append(entries, TreeEntry{Mode: fmt.Sprintf("%o", uint32(e.mode)), Name: name, Hash: e.hash})
	}
	slices.SortFunc(entries, func(a, b TreeEntry) int { return strings.Compare(a.sortName(), b.sortName()) })
	return r.Tree(entries)
}

// TreeEntry is one entry of a tree as it is written: nothing about it is checked.
type TreeEntry struct {
	// Mode is octal: 100644, 100755, 120000, 40000, 160000.
	Mode, Name, Hash string
}

// sortName is what git sorts by: directories as if they ended in a slash.
func (e TreeEntry) sortName() string {
	if e.Mode == "40000" {
		return e.Name + "/"
	}
	return e.Name
}

// Tree writes a tree with the entries in the order given and returns its hash.
func (r *Repo) Tree(entries []TreeEntry) string {
	var raw []byte
	for _, e := range entries {
		h := plumbing.NewHash(e.Hash)
		raw = append(raw, e.Mode+" "+e.Name+"\x00"...)
		raw = append(raw, h[:]...)
	}
	return r.object(plumbing.TreeObject, raw)
}

// Blob writes a file's content and returns its hash.
func (r *Repo) Blob(content string) string {
	return r.object(plumbing.BlobObject, []byte(content))
}

func (r *Repo) object(kind plumbing.ObjectType, raw []byte) string {
	r.t.Helper()
	o := r.repo.Storer.NewEncodedObject()
	o.SetType(kind)
	w, err := o.Writer()
	check(r.t, err)
	_, err = w.Write(raw)
	check(r.t, err)
	check(r.t, w.Close())
	h, err := r.repo.Storer.SetEncodedObject(o)
	check(r.t, err)
	return h.String()
}

// Tag makes a lightweight tag.
func (r *Repo) Tag(name, commit string) { r.SetRef("refs/tags/"+name, commit) }

// AnnotatedTag makes an annotated tag and returns the tag's own hash.
func (r *Repo) AnnotatedTag(name, commit string) string {
	r.t.Helper()
	ref, err := r.repo.CreateTag(name, plumbing.NewHash(commit), &git.CreateTagOptions{
		Tagger:  &object.Signature{Name: "Ada", Email: "ada@example.com", When: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
		Message: name,
	})
	check(r.t, err)
	return ref.Hash().String()
}

// SetRef points a ref, by its full name, at a hash.
func (r *Repo) SetRef(name, hash string) {
	r.t.Helper()
	check(r.t, r.repo.Storer.SetReference(plumbing.NewHashReference(plumbing.ReferenceName(name), plumbing.NewHash(hash))))
}

// Config sets a key of the repository's configuration, such as
// uploadpack.allowReachableSHA1InWant.
func (r *Repo) Config(key, value string) {
	r.t.Helper()
	Git(r.t, r.Dir, "config", key, value)
}

// Clone clones the repository with its work tree and returns where it is.
func (r *Repo) Clone(args ...string) string {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), "clone")
	Git(r.t, r.Dir, slices.Concat([]string{"clone", "-q"}, args, []string{"file://" + r.Dir, dir})...)
	return dir
}

// Git runs git in a directory, with no configuration but the repository's.
func Git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_ALLOW_PROTOCOL=file",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// WriteFiles writes files below a directory on disk.
func WriteFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(full), 0o755))
		check(t, os.WriteFile(full, []byte(files[name]), 0o644))
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
