package gitsource_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/gitsource/signature"
)

// person signs with an SSH key that is always the same.
type person struct {
	t    testing.TB
	name string
	key  ssh.Signer
}

func newPerson(t *testing.T, name string) person {
	t.Helper()
	seed := bytes.Repeat([]byte(name[:1]), ed25519.SeedSize)
	key, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return person{t, name, key}
}

// line is the person's line among the allowed signers.
func (p person) line() string {
	return fmt.Sprintf("%s@example.com %s", p.name, ssh.MarshalAuthorizedKey(p.key.PublicKey()))
}

func (p person) sign(payload []byte) string {
	sig, err := sshsig.Sign(bytes.NewReader(payload), p.key, sshsig.HashSHA512, "git")
	if err != nil {
		p.t.Error(err)
		return ""
	}
	return string(sshsig.Armor(sig))
}

// commit is a commit of the person's; unsigned ones are anybody's.
func (p person) commit(content string) gitsourcetest.Commit {
	return gitsourcetest.Commit{
		Files: map[string]string{"file": content}, Sign: p.sign,
		Author: p.name, Email: p.name + "@example.com",
	}
}

func unsigned(content string) gitsourcetest.Commit {
	return gitsourcetest.Commit{Files: map[string]string{"file": content}, Author: "mallory", Email: "ada@example.com"}
}

func by(people ...person) *gitsource.Verification {
	var lines string
	for _, p := range people {
		lines += p.line()
	}
	return &gitsource.Verification{AllowedSigners: lines}
}

func all(v *gitsource.Verification, since string) *gitsource.Verification {
	v.All, v.Since = true, since
	return v
}

func TestVerifyHead(t *testing.T) {
	ada, bob := newPerson(t, "ada"), newPerson(t, "bob")
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(unsigned("one"))
	signed := repo.Commit(ada.commit("two"))
	opts := gitsource.Options{URL: "file://" + repo.Dir, Verify: by(ada)}
	s := fetch(t, opts)
	if s.Commit != signed || !strings.HasPrefix(s.Signer, "ada@example.com (SSH key SHA256:") {
		t.Errorf("commit %s signed by %q", s.Commit, s.Signer)
	}
	opts.Verify = by(bob)
	refused(t, opts, "commit "+signed+" by ada <ada@example.com>: signed with the SSH key SHA256:", "not among the allowed signers")

	bare := repo.Commit(unsigned("three"))
	opts.Verify = by(ada)
	err := failure(t, opts, "commit "+bare+" by mallory <ada@example.com>: not signed: sign it with one of the known keys")
	var unverified *gitsource.UnverifiedError
	if !errors.As(err, &unverified) || unverified.Commit != bare || !errors.Is(err, signature.ErrNotSigned) {
		t.Errorf("%#v", err)
	}
	if s := fetch(t, gitsource.Options{URL: "file://" + repo.Dir}); s.Signer != "" {
		t.Errorf("signed by %q where nobody asked", s.Signer)
	}
	// The last snapshot is no way around a signature, nor around other keys.
	last := fetch(t, gitsource.Options{URL: opts.URL})
	_, err = gitsource.Fetch(t.Context(), opts, last)
	says(t, err, "not signed")
}

func TestVerifyForeign(t *testing.T) {
	ada, bob := newPerson(t, "ada"), newPerson(t, "bob")
	repo := gitsourcetest.NewRepo(t)
	opts := gitsource.Options{URL: "file://" + repo.Dir, Verify: by(ada, bob)}
	tests := map[string]struct {
		commit gitsourcetest.Commit
		want   string
	}{
		"another's name": {func() gitsourcetest.Commit {
			c := bob.commit("x")
			c.Author, c.Email = "ada", "ada@example.com"
			return c
		}(), "not a key of its committer ada@example.com"},
		"another commit's signature": {func() gitsourcetest.Commit {
			c := ada.commit("y")
			c.Sign = func([]byte) string { return ada.sign([]byte("tree 1")) }
			return c
		}(), "was changed after it was signed"},
		"X.509": {func() gitsourcetest.Commit {
			c := ada.commit("z")
			c.Sign = func([]byte) string {
				return "-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----\n"
			}
			return c
		}(), "X.509 certificate"},
		"a name that writes to the terminal": {gitsourcetest.Commit{Author: "a\x1b[2Jb", Email: "x"}, "by a [2Jb <x>"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			repo.Commit(test.commit)
			refused(t, opts, test.want)
		})
	}
}

func TestVerifyOptions(t *testing.T) {
	for _, test := range []struct {
		verify gitsource.Verification
		want   string
	}{
		{gitsource.Verification{}, "no key may sign"},
		{gitsource.Verification{AllowedSigners: "ada"}, "allowedSigners, line 1"},
		{gitsource.Verification{AllowedSigners: newPerson(t, "ada").line(), Since: "HEAD~1"}, "not a commit's full hash"},
	} {
		says(t, gitsource.Options{URL: "https://git.example.com/x", Verify: &test.verify}.Validate(), test.want)
	}
}

// TestVerifyAll has a history with a side branch, of which one commit is not
// signed.
func TestVerifyAll(t *testing.T) {
	ada := newPerson(t, "ada")
	repo := gitsourcetest.NewRepo(t)
	first := repo.Commit(ada.commit("first"))
	second := repo.Commit(ada.commit("second"))
	c := ada.commit("side")
	c.Branch, c.Parents = "side", []string{first}
	side := repo.Commit(c)
	c = unsigned("bad")
	c.Branch = "side"
	bad := repo.Commit(c)
	c = ada.commit("good")
	c.Branch = "side"
	good := repo.Commit(c)
	c = ada.commit("merge")
	c.Parents = []string{second, good}
	merge := repo.Commit(c)
	last := repo.Commit(ada.commit("last"))
	url := "file://" + repo.Dir
	for _, test := range []struct {
		name, since string
		depth       int
		want        string // the commit that is refused
	}{
		{"the head alone", "", 1, ""},
		{"a window", "", 2, ""},
		{"a window around the unsigned one", "", 4, bad},
		{"everything", "", gitsource.FullHistory, bad},
		{"since the head", last, 0, ""},
		{"since the merge", merge, 0, ""},
		{"since before the merge", second, 0, bad},
		{"since the unsigned one", bad, 0, ""},
		{"since the side branch", side, 0, bad},
		{"since what is not there", strings.Repeat("1", 40), 0, bad},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := gitsource.Options{URL: url, Depth: test.depth, Verify: all(by(ada), test.since)}
			if test.want != "" {
				refused(t, opts, "commit "+test.want, "not signed")
				return
			}
			if s := fetch(t, opts); s.Commit != last || s.Signer == "" {
				t.Errorf("commit %s signed by %q", s.Commit, s.Signer)
			}
		})
	}
}

// TestVerifyAllSinceLast reaches back further than the first fetch does.
func TestVerifyAllSinceLast(t *testing.T) {
	ada := newPerson(t, "ada")
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(unsigned("old"))
	repo.Commit(ada.commit("begin"))
	opts := gitsource.Options{URL: "file://" + repo.Dir, Verify: all(by(ada), "")}
	last := fetch(t, opts)
	for i := range 60 {
		repo.Commit(ada.commit(fmt.Sprint(i)))
	}
	next, err := gitsource.Fetch(t.Context(), opts, last)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := gitsource.Fetch(t.Context(), opts, next); again != next || err != nil {
		t.Errorf("fetched anew: %v", err)
	}
	bad := repo.Commit(unsigned("bad"))
	for i := range 60 {
		repo.Commit(ada.commit(fmt.Sprint("more ", i)))
	}
	_, err = gitsource.Fetch(t.Context(), opts, next)
	says(t, err, "commit "+bad, "not signed")
	// Somebody who asks for the head alone is content, and that does not make the
	// commits in between verified for who asks for all.
	head := fetch(t, gitsource.Options{URL: opts.URL, Verify: by(ada)})
	opts.Depth = gitsource.FullHistory
	_, err = gitsource.Fetch(t.Context(), opts, head)
	says(t, err, "not signed")
}

// TestVerifyMovedBack: the branch was moved to where it does not lead back to what
// was compared last.
func TestVerifyMovedBack(t *testing.T) {
	ada := newPerson(t, "ada")
	repo := gitsourcetest.NewRepo(t)
	first := repo.Commit(ada.commit("first"))
	compared := repo.Commit(ada.commit("compared"))
	c := ada.commit("other")
	c.Parents = []string{first}
	other := repo.Commit(c)
	opts := gitsource.Options{URL: "file://" + repo.Dir, Verify: all(by(ada), compared)}
	if s := fetch(t, opts); s.Commit != other {
		t.Errorf("commit %s", s.Commit)
	}
}

// TestVerifyUnsignedPart puts a second tree where signatures do not reach.
func TestVerifyUnsignedPart(t *testing.T) {
	ada := newPerson(t, "ada")
	repo := gitsourcetest.NewRepo(t)
	evil := repo.Commit(gitsourcetest.Commit{Files: map[string]string{"file": "evil"}})
	tree := gitsourcetest.Git(t, repo.Dir, "rev-parse", evil+"^{tree}")
	signed := repo.Commit(ada.commit("good"))
	raw := gitsourcetest.Git(t, repo.Dir, "cat-file", "commit", signed)
	for name, change := range map[string][2]string{
		"in the other signature": {"gpgsig ", "gpgsig-sha256 x\n tree " + tree + "\ngpgsig "},
		"in the signature":       {"gpgsig ", "gpgsig x\n tree " + tree + "\ngpgsig "},
		"after it":               {"\n\n", "\ntree " + tree + "\n\n"},
		"before it":              {"tree ", "tree " + tree + "\ntree "},
	} {
		file := filepath.Join(t.TempDir(), "commit")
		if err := os.WriteFile(file, []byte(strings.Replace(raw, change[0], change[1], 1)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		forged := gitsourcetest.Git(t, repo.Dir, "hash-object", "-t", "commit", "-w", "--literally", file)
		repo.SetRef("refs/heads/main", forged)
		s, err := gitsource.Fetch(t.Context(), gitsource.Options{URL: "file://" + repo.Dir, Verify: by(ada)}, nil)
		if err == nil && contents(t, s.FS())["file"] != "good" {
			t.Errorf("%s: %q is taken as signed by %s", name, contents(t, s.FS())["file"], s.Signer)
		}
	}
}

// signer configures a work tree so that git signs with it.
type signer struct {
	verify gitsource.Verification
	config map[string]string
	env    []string
}

func sshKeygen(t *testing.T) signer {
	t.Helper()
	needs(t, "ssh-keygen")
	key := filepath.Join(t.TempDir(), "key")
	run(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key)
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	allowed := "ada@example.com " + string(public)
	file := key + ".allowed"
	if err := os.WriteFile(file, []byte(allowed), 0o600); err != nil {
		t.Fatal(err)
	}
	return signer{gitsource.Verification{AllowedSigners: allowed}, map[string]string{
		"gpg.format": "ssh", "user.signingkey": key, "gpg.ssh.allowedSignersFile": file,
	}, nil}
}

func gnuPG(t *testing.T) signer {
	t.Helper()
	needs(t, "gpg")
	home, err := os.MkdirTemp("", "gnupg") //nolint:usetesting // the agent's sockets want a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	env := []string{"GNUPGHOME=" + home}
	t.Setenv("GNUPGHOME", home)
	run(t, env, "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "Ada <ada@example.com>", "ed25519", "sign", "never")
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	public := run(t, env, "gpg", "--armor", "--export")
	return signer{gitsource.Verification{OpenPGP: public}, map[string]string{"user.signingkey": "ada@example.com"}, env}
}

func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
}

func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.String())
	}
	return string(out)
}

// TestVerifyGit takes what git signs, and git takes what we take: commits, merges,
// commits in another encoding, and tags.
func TestVerifyGit(t *testing.T) {
	for name, newSigner := range map[string]func(*testing.T) signer{"ssh": sshKeygen, "gpg": gnuPG} {
		t.Run(name, func(t *testing.T) {
			who := newSigner(t)
			repo := gitsourcetest.NewRepo(t)
			repo.Commit(unsigned("first"))
			work := repo.Clone()
			git := func(args ...string) string { return gitsourcetest.Git(t, work, args...) }
			for key, value := range who.config {
				git("config", key, value)
			}
			opts := gitsource.Options{URL: "file://" + repo.Dir, Verify: &who.verify}
			taken := func(what string) {
				t.Helper()
				git("push", "-q", "--force", "--tags", "origin", "HEAD:main")
				if s := fetch(t, opts); !strings.Contains(s.Signer, "ada@example.com") {
					t.Errorf("%s: signed by %q", what, s.Signer)
				}
				git("verify-commit", "HEAD")
			}
			git("commit", "-q", "-S", "--allow-empty", "-m", "A commit\n\n-----BEGIN PGP SIGNATURE-----\nin the message")
			taken("commit")
			git("-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-S", "--allow-empty", "-m", "encoded")
			taken("encoded commit")
			git("tag", "-s", "-m", "for merging", "v0.1")
			git("checkout", "-q", "-b", "side", "HEAD~1")
			git("commit", "-q", "-S", "--allow-empty", "-m", "side")
			git("merge", "-q", "-S", "--no-ff", "-m", "merge of a tag", "v0.1")
			taken("merge with a mergetag")
			testTags(t, git, opts)
		})
	}
}

func testTags(t *testing.T, git func(...string) string, opts gitsource.Options) {
	t.Helper()
	git("tag", "-s", "-m", "signed", "v1.0")
	git("tag", "-a", "-m", "not signed", "v1.1")
	git("tag", "v1.2")
	git("push", "-q", "--tags", "origin")
	for _, name := range []string{"v1.0", "v1.1", "v1.2"} {
		opts.Ref = "refs/tags/" + name
		if s := fetch(t, opts); !strings.Contains(s.Signer, "ada@example.com") {
			t.Errorf("%s: signed by %q", name, s.Signer)
		}
	}
	git("update-ref", "refs/tags/v9.9", "refs/tags/v1.0")
	changed := filepath.Join(t.TempDir(), "tag")
	raw := strings.Replace(git("cat-file", "tag", "v1.0")+"\n", "signed", "sworn", 1)
	if err := os.WriteFile(changed, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	git("update-ref", "refs/tags/changed", git("hash-object", "-t", "tag", "-w", changed))
	git("commit", "-q", "--no-gpg-sign", "--allow-empty", "-m", "not signed")
	git("tag", "-s", "-m", "signed", "v2.0")
	git("push", "-q", "--tags", "origin")
	for name, want := range map[string]string{
		"v9.9": "it was signed as the tag v1.0 and stands as v9.9",
		"v2.0": "not signed",
	} {
		opts.Ref = "refs/tags/" + name
		refused(t, opts, want)
	}
	opts.Ref = "refs/tags/changed"
	refused(t, opts, "was changed after it was signed")
}
