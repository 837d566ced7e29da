package signature

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// namespace is what git signs for: a signature that was made for anything else,
// such as a file, says nothing about a commit.
const namespace = "git"

func (v *Verifier) verifySSH(payload []byte, armored string, by Maker) (string, error) {
	if len(v.signers) == 0 {
		return "", errors.New("signed with an SSH key, and allowedSigners names none: add the signer there")
	}
	sig, err := sshsig.Unarmor([]byte(armored))
	if err != nil {
		return "", errors.New("its SSH signature cannot be read: sign it again")
	}
	if sig.Namespace != namespace {
		return "", fmt.Errorf("its SSH signature was made for %q instead of git", sig.Namespace)
	}
	if err := v.allowed(sig.PublicKey, by); err != nil {
		return "", err
	}
	if err := sshsig.Verify(bytes.NewReader(payload), sig, sig.PublicKey, sig.HashAlgorithm, namespace); err != nil {
		return "", errChanged
	}
	return fmt.Sprintf("%s (SSH key %s)", by.Email, fingerprint(sig.PublicKey)), nil
}

// fingerprint names a key as ssh-keygen -l does; of a certificate its key.
func fingerprint(key ssh.PublicKey) string {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	return ssh.FingerprintSHA256(key)
}

// allowed returns nil if a line takes the key, and else what speaks against it
// by the line that comes nearest.
func (v *Verifier) allowed(key ssh.PublicKey, by Maker) error {
	nearest := &refusal{text: fmt.Sprintf("signed with the SSH key %s, which is not among the allowed signers: add it there if it may sign", fingerprint(key))}
	for _, s := range v.signers {
		r := s.refuses(key, by)
		if r == nil {
			return nil
		}
		if r.steps > nearest.steps {
			nearest = r
		}
	}
	return errors.New(nearest.text)
}

// refusal says why a line does not take a key, and how many checks it passed.
type refusal struct {
	steps int
	text  string
}

func (s signer) refuses(key ssh.PublicKey, by Maker) *refusal {
	cert, certified := key.(*ssh.Certificate)
	own := key
	if s.authority && certified {
		own = cert.SignatureKey
	}
	if s.authority != certified || !bytes.Equal(own.Marshal(), s.key.Marshal()) {
		return &refusal{}
	}
	refuse := func(steps int, format string, args ...any) *refusal {
		text := fmt.Sprintf("signed with the SSH key %s, ", fingerprint(key)) + fmt.Sprintf(format, args...)
		return &refusal{steps, fmt.Sprintf("%s (allowedSigners, line %d)", text, s.line)}
	}
	if !matches(s.principals, by.Email) {
		return refuse(1, "which is not a key of its committer %s: sign with a key of the committer's, or add the address to the key's", cmp.Or(by.Email, "without an address"))
	}
	if len(s.namespaces) > 0 && !matches(s.namespaces, namespace) {
		return refuse(2, `which may not sign for git: add "git" to its namespaces`)
	}
	if r := inTime(by.Time, s.after, s.before); r != "" {
		return refuse(3, "which %s: sign with a key that is valid", r)
	}
	if certified {
		if r := certificate(cert, by); r != "" {
			return refuse(4, "%s", r)
		}
	}
	return nil
}

func inTime(at, after, before time.Time) string {
	switch {
	case !after.IsZero() && at.Before(after):
		return fmt.Sprintf("was valid only after %s", after.Format(time.RFC3339))
	case !before.IsZero() && at.After(before):
		return fmt.Sprintf("expired at %s", before.Format(time.RFC3339))
	}
	return ""
}

// certificate checks what an authority certified: the rules of
// PROTOCOL.certkeys, and, as ssh-keygen does for signatures, that it is for
// users and names the signer.
func certificate(cert *ssh.Certificate, by Maker) string {
	if cert.CertType != ssh.UserCert {
		return "with a certificate that is not for a user"
	}
	if !slices.Contains(cert.ValidPrincipals, by.Email) {
		return "with a certificate that does not name its committer " + by.Email
	}
	checker := ssh.CertChecker{Clock: func() time.Time { return by.Time }}
	if err := checker.CheckCert(by.Email, cert); err != nil {
		return "with a certificate that does not hold: " + err.Error()
	}
	return ""
}
