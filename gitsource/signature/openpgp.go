package signature

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

type keyRing = openpgp.EntityList

const beginKey = "-----BEGIN PGP PUBLIC KEY BLOCK-----"

func readKeyRing(text string) (keyRing, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if strings.Contains(text, "-----BEGIN PGP PRIVATE KEY BLOCK-----") {
		return nil, errors.New("openpgp holds a private key, which belongs nowhere but with its owner: revoke it, and give the output of gpg --armor --export instead")
	}
	before, blocks, ok := strings.Cut(text, beginKey)
	if !ok || strings.Contains(before, "-----BEGIN ") {
		return nil, errors.New("openpgp holds no armored public key: give the output of gpg --armor --export")
	}
	var ring keyRing
	for i, block := range strings.Split(blocks, beginKey) {
		keys, err := openpgp.ReadArmoredKeyRing(strings.NewReader(beginKey + block))
		if err != nil || len(keys) == 0 {
			return nil, fmt.Errorf("openpgp, block %d cannot be read: give the output of gpg --armor --export", i+1)
		}
		ring = append(ring, keys...)
	}
	return ring, nil
}

func (v *Verifier) verifyOpenPGP(payload []byte, armored string) (string, error) {
	if len(v.openpgp) == 0 {
		return "", errors.New("signed with an OpenPGP key, and openpgp names none: add the signer's there")
	}
	raw, sig, err := readSignature(armored)
	if err != nil {
		return "", err
	}
	config := &packet.Config{Time: func() time.Time { return sig.CreationTime }}
	_, entity, err := openpgp.VerifyDetachedSignature(v.openpgp, bytes.NewReader(payload), bytes.NewReader(raw), config)
	if err != nil {
		return "", explain(err, *sig.IssuerKeyId)
	}
	return fmt.Sprintf("%s (OpenPGP key %X)", identity(entity), entity.PrimaryKey.Fingerprint), nil
}

// readSignature returns the one signature in armored. More than one would leave
// open at which of their times a key has to have been good.
func readSignature(armored string) ([]byte, *packet.Signature, error) {
	unreadable := errors.New("its OpenPGP signature cannot be read: sign it again")
	block, err := armor.Decode(strings.NewReader(armored))
	if err != nil {
		return nil, nil, unreadable
	}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(block.Body); err != nil {
		return nil, nil, unreadable
	}
	packets := packet.NewReader(bytes.NewReader(raw.Bytes()))
	first, err := packets.Next()
	sig, ok := first.(*packet.Signature)
	if err != nil || !ok || sig.IssuerKeyId == nil || sig.SigType != packet.SigTypeBinary {
		return nil, nil, unreadable
	}
	if _, err := packets.Next(); err == nil {
		return nil, nil, errors.New("it has several OpenPGP signatures, which is not supported: sign it once")
	}
	return raw.Bytes(), sig, nil
}

func explain(err error, id uint64) error {
	key := fmt.Sprintf("the OpenPGP key %016X", id)
	var bad pgperrors.SignatureError
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return fmt.Errorf("signed with %s, which is not among the known ones: add it to openpgp if it may sign", key)
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return fmt.Errorf("signed with %s when that had expired: sign with a key that is valid, or give the key as its owner has extended it", key)
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return fmt.Errorf("signed with %s, which was revoked: sign with a key that is valid", key)
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return fmt.Errorf("its signature with %s, or what makes that key its owner's, has expired: sign it again", key)
	case errors.As(err, &bad):
		return errChanged
	}
	return fmt.Errorf("its signature with %s cannot be checked: %w", key, err)
}

// identity returns the key's first user, by name: entities keep them in a map.
func identity(e *openpgp.Entity) string {
	if primary := e.PrimaryIdentity(); primary != nil {
		return primary.Name
	}
	var names []string
	for name := range e.Identities {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names[:min(1, len(names))], "")
}
