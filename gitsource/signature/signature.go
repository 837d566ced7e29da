// Package signature tells who signed a git commit or tag: with an SSH key that a
// list of allowed signers names, or with an OpenPGP key. It is a function of the
// bytes and the keys: it reads no key ring, no agent and no clock.
package signature

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Keys are the keys of those who may sign. At least one of the lists has one.
type Keys struct {
	// AllowedSigners is a list of SSH keys in the format of git's
	// gpg.ssh.allowedSignersFile: ssh-keygen(1), ALLOWED SIGNERS. Times without a Z
	// are UTC here, so that the answer is the same everywhere.
	AllowedSigners string
	// OpenPGP is a list of armored public keys, one block after another.
	OpenPGP string
}

// Maker is who made what was signed, and when, by their own account: a commit's
// committer, or the tagger. Signatures cover both.
type Maker struct {
	Email string
	Time  time.Time
}

// Verifier knows who may sign. It does not change, and may be used from several
// goroutines.
type Verifier struct {
	signers []signer
	openpgp keyRing
}

// New reads the keys. Its errors name the list and the line, or the block, and
// hold nothing of what may be a secret.
func New(keys Keys) (*Verifier, error) {
	signers, sshErr := readSigners(keys.AllowedSigners)
	ring, pgpErr := readKeyRing(keys.OpenPGP)
	if err := errors.Join(sshErr, pgpErr); err != nil {
		return nil, err
	}
	if len(signers) == 0 && len(ring) == 0 {
		return nil, errors.New("no key may sign: give allowedSigners, openpgp or both")
	}
	return &Verifier{signers: signers, openpgp: ring}, nil
}

// ErrNotSigned is returned by Verify where there is no signature.
var ErrNotSigned = errors.New("not signed")

// Verify says who signed payload: "ada@example.com (SSH key SHA256:…)". It fails
// for what is not signed, not by one of the keys, not by a key of its maker's
// (SSH), not at a time at which the key was good, or changed since.
//
// A key must have been good when the signature was made: for SSH, as for git, at
// the maker's time; for OpenPGP at the signature's. A revoked OpenPGP key counts
// until it was revoked, and not at all where the reason is that it was lost.
func (v *Verifier) Verify(payload []byte, signature string, by Maker) (string, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(signature), "\n")
	switch strings.TrimSpace(first) {
	case "":
		return "", ErrNotSigned
	case "-----BEGIN SSH SIGNATURE-----":
		return v.verifySSH(payload, signature, by)
	case "-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----":
		return v.verifyOpenPGP(payload, signature)
	case "-----BEGIN SIGNED MESSAGE-----":
		return "", errors.New("signed with an X.509 certificate (gpgsm, smimesign, gitsign), which is not supported: sign with an SSH or OpenPGP key")
	}
	return "", fmt.Errorf("signed in an unknown format: sign with an SSH or OpenPGP key")
}

var errChanged = errors.New("its signature is not that of its content: it was changed after it was signed, or the signature was copied from elsewhere")
