package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

var (
	signedAt = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	content  = []byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n")
)

func newSSH(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return sshSigner(t, private)
}

func sshSigner(t testing.TB, private any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func line(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func signSSH(t testing.TB, s ssh.Signer, namespace string, content []byte) string {
	t.Helper()
	sig, err := sshsig.Sign(bytes.NewReader(content), s, sshsig.HashSHA512, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return string(sshsig.Armor(sig))
}

// certify returns s with a certificate of the authority's.
func certify(t testing.TB, s, authority ssh.Signer, cert ssh.Certificate) ssh.Signer {
	t.Helper()
	cert.Key = s.PublicKey()
	if cert.ValidBefore == 0 {
		cert.ValidBefore = ssh.CertTimeInfinity
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	certified, err := ssh.NewCertSigner(&cert, s)
	if err != nil {
		t.Fatal(err)
	}
	return certified
}

func unix(t time.Time) uint64 { return uint64(t.Unix()) }

// TestSSH decides as ssh-keygen -Y verify does, which it asks as well.
func TestSSH(t *testing.T) {
	ada, bob, authority := newSSH(t), newSSH(t), newSSH(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	old := sshSigner(t, private)
	user := func(c ssh.Certificate) ssh.Signer { return certify(t, ada, authority, c) }
	good := ssh.Certificate{CertType: ssh.UserCert, ValidPrincipals: []string{"ada@example.com"}}
	host, nobody, other, late, early := good, good, good, good, good
	host.CertType = ssh.HostCert
	nobody.ValidPrincipals = nil
	other.ValidPrincipals = []string{"bob@example.com"}
	late.ValidAfter = unix(signedAt.Add(time.Hour))
	early.ValidBefore = unix(signedAt.Add(-time.Hour))
	tests := []struct {
		name, allowed string // {ada}, {bob}, {ca} and {rsa} stand for public keys
		signer        ssh.Signer
		want          string // of the error; "" is a good signature
	}{
		{"a line", "ada@example.com {ada}", ada, ""},
		{"rsa", "ada@example.com {rsa}", old, ""},
		{"a comment, an empty line, a comment after the key", "# ours\n\nada@example.com {ada} Ada's laptop", ada, ""},
		{"several principals", "bob@example.com,ada@example.com {ada}", ada, ""},
		{"quoted principals", `"bob@example.com,ada@example.com" {ada}`, ada, ""},
		{"a pattern", "*@example.com {ada}", ada, ""},
		{"question marks", "a?a@example.com {ada}", ada, ""},
		{"everybody", "* {ada}", ada, ""},
		{"another domain", "*@example.org {ada}", ada, "not a key of its committer ada@example.com"},
		{"negated", "!ada@example.com,*@example.com {ada}", ada, "not a key of its committer"},
		{"negated only", "!bob@example.com {ada}", ada, "not a key of its committer"},
		{"part of a name", "da@example.com {ada}", ada, "not a key of its committer"},
		{"another's key", "ada@example.com {ada}\nbob@example.com {bob}", bob, "(allowedSigners, line 2)"},
		{"unknown key", "ada@example.com {ada}", bob, "is not among the allowed signers"},
		{"the second line", "bob@example.com {ada}\nada@example.com {ada}", ada, ""},
		{"for git", `ada@example.com namespaces="git" {ada}`, ada, ""},
		{"for git among others", `ada@example.com namespaces="file,gi*" {ada}`, ada, ""},
		{"for files", `ada@example.com namespaces="file" {ada}`, ada, "may not sign for git"},
		{"valid", `ada@example.com valid-after="20260101Z",valid-before="20260103Z" {ada}`, ada, ""},
		{"from the second on", `ada@example.com valid-after="20260102150405Z" {ada}`, ada, ""},
		{"to the second", `ada@example.com valid-before="20260102150405Z" {ada}`, ada, ""},
		{"expired", `ada@example.com valid-before="202601021504Z" {ada}`, ada, "expired at 2026-01-02T15:04:00Z"},
		{"not yet valid", `ada@example.com valid-after="20260103Z" {ada}`, ada, "valid only after 2026-01-03"},
		{"options in capitals", `ada@example.com NAMESPACES="git",Valid-Before="20270101Z" {ada}`, ada, ""},
		{"certified", "*@example.com cert-authority {ca}", user(good), ""},
		{"certified in time", `* cert-authority,valid-before="20270101Z" {ca}`, user(good), ""},
		{"an authority's own signature", "* cert-authority {ca}", authority, "is not among the allowed signers"},
		{"not an authority", "* {ca}", user(good), "is not among the allowed signers"},
		{"a key, with a certificate", "* {ada}", user(good), "is not among the allowed signers"},
		{"certified for another", "* cert-authority {ca}", user(other), "does not name its committer"},
		{"certified for nobody", "* cert-authority {ca}", user(nobody), "does not name its committer"},
		{"certified for a host", "* cert-authority {ca}", user(host), "not for a user"},
		{"certified too late", "* cert-authority {ca}", user(late), "not yet valid"},
		{"certificate expired", "* cert-authority {ca}", user(early), "has expired"},
		{"certified by another", "* cert-authority {bob}", user(good), "is not among the allowed signers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			allowed := strings.NewReplacer("{ada}", line(ada.PublicKey()), "{bob}", line(bob.PublicKey()),
				"{ca}", line(authority.PublicKey()), "{rsa}", line(old.PublicKey())).Replace(test.allowed)
			v := verifier(t, Keys{AllowedSigners: allowed})
			armored := signSSH(t, test.signer, "git", content)
			by := Maker{"ada@example.com", signedAt}
			check(t, v, content, armored, by, test.want)
			if test.want == "" {
				check(t, v, append(bytes.Clone(content), '!'), armored, by, "was changed after it was signed")
				check(t, v, content, signSSH(t, test.signer, "file", content), by, `was made for "file"`)
			}
			if got := keygen(t, allowed, armored, by); got != (test.want == "") {
				t.Errorf("ssh-keygen takes it: %v", got)
			}
		})
	}
}

func verifier(t testing.TB, keys Keys) *Verifier {
	t.Helper()
	v, err := New(keys)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func check(t *testing.T, v *Verifier, content []byte, armored string, by Maker, want string) {
	t.Helper()
	signer, err := v.Verify(content, armored, by)
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want == "" && !strings.Contains(signer, "ada@example.com"):
		t.Errorf("signed by %q", signer)
	case want != "" && err == nil:
		t.Errorf("taken as %s's, want an error with %q", signer, want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("refused with %q, want %q", err, want)
	}
}

// keygen asks ssh-keygen, as git does.
func keygen(t *testing.T, allowed, armored string, by Maker) bool {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "allowed"), allowed+"\n")
	write(t, filepath.Join(dir, "sig"), armored)
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-n", "git", "-I", by.Email, "-f", filepath.Join(dir, "allowed"),
		"-s", filepath.Join(dir, "sig"), "-Overify-time="+by.Time.UTC().Format("20060102150405Z"))
	cmd.Stdin = bytes.NewReader(content)
	return cmd.Run() == nil
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefuses(t *testing.T) {
	key := line(newSSH(t).PublicKey())
	cert := certify(t, newSSH(t), newSSH(t), ssh.Certificate{CertType: ssh.UserCert})
	entity := newOpenPGP(t, nil)
	var private bytes.Buffer
	w, err := armor.Encode(&private, openpgp.PrivateKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := entity.SerializePrivate(w, nil); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for name, test := range map[string]struct {
		keys Keys
		want string
	}{
		"nothing":            {Keys{}, "no key may sign"},
		"comments only":      {Keys{AllowedSigners: "# none\n"}, "no key may sign"},
		"no key":             {Keys{AllowedSigners: "\nada@example.com"}, "allowedSigners, line 2: write"},
		"no principals":      {Keys{AllowedSigners: key}, "allowedSigners, line 1: it has no public key"},
		"half a key":         {Keys{AllowedSigners: "* " + key[:40]}, "it has no public key"},
		"open quotes":        {Keys{AllowedSigners: `"ada ` + key}, "quotation marks do not close"},
		"revoked":            {Keys{AllowedSigners: "* revoked " + key}, `"revoked" is not one of`},
		"no such time":       {Keys{AllowedSigners: `* valid-before="tomorrow" ` + key}, `"tomorrow" is not a time`},
		"never valid":        {Keys{AllowedSigners: `* valid-after="20270101Z",valid-before="20260101Z" ` + key}, "never valid"},
		"valid for no time":  {Keys{AllowedSigners: `* valid-after="20260101Z",valid-before="20260101Z" ` + key}, "never valid"},
		"a certificate":      {Keys{AllowedSigners: "* " + line(cert.PublicKey())}, "it holds a certificate"},
		"two wrong lines":    {Keys{AllowedSigners: "one\ntwo"}, "line 2"},
		"no armor":           {Keys{OpenPGP: "mQINBF"}, "no armored public key"},
		"broken armor":       {Keys{OpenPGP: beginKey + "\n\nabcd\n"}, "block 1 cannot be read"},
		"one of two broken":  {Keys{OpenPGP: publicKey(t, entity) + "\n" + beginKey + "\n\nabcd\n"}, "block 2 cannot be read"},
		"an OpenPGP private": {Keys{OpenPGP: private.String()}, "holds a private key"},
	} {
		_, err := New(test.keys)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "AAAA") && !strings.Contains(err.Error(), "AAAA…") {
			t.Errorf("%s: the error quotes a key: %v", name, err)
		}
	}
}

func newOpenPGP(t testing.TB, config *packet.Config) *openpgp.Entity {
	t.Helper()
	if config == nil {
		config = &packet.Config{}
	}
	if config.Time == nil {
		config.Time = at(signedAt.Add(-24 * time.Hour))
	}
	config.Algorithm = packet.PubKeyAlgoEdDSA
	e, err := openpgp.NewEntity("Ada", "", "ada@example.com", config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func at(when time.Time) func() time.Time { return func() time.Time { return when } }

func publicKey(t testing.TB, e *openpgp.Entity) string {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err == nil {
		err = e.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}

func signOpenPGP(t testing.TB, e *openpgp.Entity, when time.Time) string {
	t.Helper()
	var out bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&out, e, bytes.NewReader(content), &packet.Config{Time: at(when)}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// shorten lets a key expire that many seconds after it was made.
func shorten(t *testing.T, e *openpgp.Entity, seconds uint32) {
	t.Helper()
	for name, id := range e.Identities {
		id.SelfSignature.KeyLifetimeSecs = &seconds
		if err := id.SelfSignature.SignUserId(name, e.PrimaryKey, e.PrivateKey, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenPGP(t *testing.T) {
	ada, bob := newOpenPGP(t, nil), newOpenPGP(t, nil)
	short := newOpenPGP(t, nil)
	sigOfShort := signOpenPGP(t, short, signedAt)
	shorten(t, short, 3600)
	lived := newOpenPGP(t, &packet.Config{KeyLifetimeSecs: 2 * 24 * 3600})
	lost, replaced := newOpenPGP(t, nil), newOpenPGP(t, nil)
	later := &packet.Config{Time: at(signedAt.Add(time.Hour))}
	sigOfLost, sigOfReplaced := signOpenPGP(t, lost, signedAt), signOpenPGP(t, replaced, signedAt)
	if err := lost.RevokeKey(packet.KeyCompromised, "stolen", later); err != nil {
		t.Fatal(err)
	}
	if err := replaced.RevokeKey(packet.KeySuperseded, "new laptop", later); err != nil {
		t.Fatal(err)
	}
	both := signOpenPGP(t, ada, signedAt)
	changed := strings.Replace(both, "\n\n", "\n\nA", 1)
	for name, test := range map[string]struct {
		keys      []*openpgp.Entity
		signature string
		want      string
	}{
		"a key":                         {[]*openpgp.Entity{ada}, both, ""},
		"one of two":                    {[]*openpgp.Entity{bob, ada}, both, ""},
		"unknown":                       {[]*openpgp.Entity{bob}, both, "not among the known ones"},
		"expired when it signed":        {[]*openpgp.Entity{short}, sigOfShort, "had expired"},
		"expired since":                 {[]*openpgp.Entity{lived}, signOpenPGP(t, lived, signedAt), ""},
		"lost later":                    {[]*openpgp.Entity{lost}, sigOfLost, "was revoked"},
		"replaced later":                {[]*openpgp.Entity{replaced}, sigOfReplaced, ""},
		"not a signature":               {[]*openpgp.Entity{ada}, changed, "cannot be read"},
		"cut off":                       {[]*openpgp.Entity{ada}, both[:60], "cannot be read"},
		"an SSH signature, without SSH": {[]*openpgp.Entity{ada}, signSSH(t, newSSH(t), "git", content), "allowedSigners names none"},
		"X.509":                         {[]*openpgp.Entity{ada}, "-----BEGIN SIGNED MESSAGE-----\nMII\n-----END SIGNED MESSAGE-----\n", "X.509 certificate"},
		"something else":                {[]*openpgp.Entity{ada}, "signed by me", "unknown format"},
		"nothing":                       {[]*openpgp.Entity{ada}, "\n", "not signed"},
	} {
		t.Run(name, func(t *testing.T) {
			var keys string
			for _, k := range test.keys {
				keys += publicKey(t, k)
			}
			v := verifier(t, Keys{OpenPGP: keys})
			by := Maker{"somebody@example.com", signedAt}
			check(t, v, content, test.signature, by, test.want)
			if test.want == "" {
				check(t, v, append(bytes.Clone(content), '!'), test.signature, by, "was changed after it was signed")
			}
		})
	}
	v := verifier(t, Keys{AllowedSigners: "* " + line(newSSH(t).PublicKey())})
	check(t, v, content, both, Maker{}, "openpgp names none")
}

func FuzzNew(f *testing.F) {
	key := line(newSSH(f).PublicKey())
	f.Add("ada@example.com "+key, "")
	f.Add(`"a,b" namespaces="git",valid-before="20270101" `+key, publicKey(f, newOpenPGP(f, nil)))
	f.Fuzz(func(_ *testing.T, allowed, keys string) {
		_, _ = New(Keys{allowed, keys})
	})
}

func FuzzVerify(f *testing.F) {
	ada, pgp := newSSH(f), newOpenPGP(f, nil)
	v := verifier(f, Keys{"* " + line(ada.PublicKey()), publicKey(f, pgp)})
	f.Add([]byte("x"), signSSH(f, ada, "git", content))
	f.Add([]byte("x"), signOpenPGP(f, pgp, signedAt))
	f.Fuzz(func(t *testing.T, payload []byte, armored string) {
		if signer, err := v.Verify(payload, armored, Maker{"ada@example.com", signedAt}); err == nil && !bytes.Equal(payload, content) {
			t.Errorf("%q is taken as signed by %s", payload, signer)
		}
	})
}

func TestWildcard(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*c", "abbc", true}, {"a*c", "abbd", false},
		{"*a*b*", "xxaxxb", true}, {"?", "", false}, {"??", "ab", true}, {"a**", "a", true}, {"*.*.*.*", "a.b.c", false},
		{strings.Repeat("*a", 60) + "b", strings.Repeat("a", 5000), false},
	} {
		if got := wildcard(test.pattern, test.name); got != test.want {
			t.Errorf("wildcard(%.20q, %.20q) = %v", test.pattern, test.name, got)
		}
	}
}

func ExampleNew() {
	_, err := New(Keys{AllowedSigners: "ada@example.com"})
	fmt.Println(err)
	// Output: allowedSigners, line 1: write "ada@example.com ssh-ed25519 AAAA…": who may sign, then the public key
}
