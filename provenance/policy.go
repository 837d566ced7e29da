package provenance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"plumbline.dev/plumbline/api/v1alpha1"
)

const field = "spec.sources.signatures."

// policy is what is asked of images.
type policy struct {
	// id is equal for policies that ask for the same.
	id           string
	keys         []key
	builders     []string
	repositories []string // normalised
}

// key is a public key with everything that may check its signatures: which hash
// was taken, a signature does not say.
type key struct {
	fingerprint string
	checks      []check
}

type check struct {
	plain  signature.Verifier
	bundle *verify.Verifier
}

func newPolicy(spec v1alpha1.Signatures) (policy, error) {
	var p policy
	var errs []error
	if len(spec.Keys) == 0 {
		errs = append(errs, errors.New(field+"keys: there are none: give the public keys with which CI signs images, in PEM (cosign public-key)"))
	}
	for i, text := range spec.Keys {
		k, err := newKey(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%skeys[%d]: %w", field, i, err))
		}
		p.keys = append(p.keys, k)
	}
	for i, b := range spec.Builders {
		if b == "" || b != strings.TrimSpace(b) {
			errs = append(errs, fmt.Errorf("%sbuilders[%d]: %q is not the id of a builder: write it as its provenance does, such as https://ci.example.com/builder/v1", field, i, b))
		}
		p.builders = append(p.builders, b)
	}
	for i, text := range spec.Repositories {
		r, ok := repository(text)
		if !ok {
			errs = append(errs, fmt.Errorf("%srepositories[%d]: %q is not a repository: write its URL, with or without a scheme, such as git.example.com/shop/web", field, i, text))
		}
		p.repositories = append(p.repositories, r)
	}
	p.id = identify(spec)
	return p, errors.Join(errs...)
}

// identify hashes a policy, and with it the version of how it is judged.
func identify(spec v1alpha1.Signatures) string {
	text, err := json.Marshal(struct {
		Version int
		Spec    v1alpha1.Signatures
	}{1, spec})
	if err != nil { // strings always marshal
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func newKey(text string) (key, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case strings.Contains(text, "PRIVATE KEY"):
		return key{}, errors.New("it is a private key, which belongs nowhere but with CI: replace it there, and give the public key instead (cosign public-key)")
	case block == nil:
		return key{}, errors.New("it is not a public key in PEM: give the content of cosign.pub, from -----BEGIN PUBLIC KEY----- to the end")
	case block.Type == "CERTIFICATE":
		return key{}, errors.New("it is a certificate: give its public key (openssl x509 -pubkey -noout)")
	case strings.TrimSpace(string(rest)) != "":
		return key{}, errors.New("it holds more than one key: make each an item of its own")
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(text))
	if err != nil {
		return key{}, fmt.Errorf("its %s cannot be read: give an ECDSA, Ed25519 or RSA key as PUBLIC KEY (PKIX)", oneLine(block.Type))
	}
	der, err := cryptoutils.MarshalPublicKeyToDER(public)
	if err != nil {
		return key{}, errors.New("it cannot be encoded")
	}
	sum := sha256.Sum256(der)
	k := key{fingerprint: "SHA256:" + hex.EncodeToString(sum[:])}
	for _, hash := range hashesOf(public) {
		c, err := newCheck(public, hash)
		if err != nil {
			return key{}, errors.New("it is of a kind or size that is not supported: give an ECDSA, Ed25519 or RSA (2048 bits or more) key")
		}
		k.checks = append(k.checks, c)
	}
	if len(k.checks) == 0 {
		return key{}, errors.New("it is of a kind that is not supported: give an ECDSA, Ed25519 or RSA (2048 bits or more) key")
	}
	return k, nil
}

func hashesOf(public crypto.PublicKey) []crypto.Hash {
	switch public := public.(type) {
	case ed25519.PublicKey:
		return []crypto.Hash{crypto.SHA512}
	case *ecdsa.PublicKey:
		return []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	case *rsa.PublicKey:
		if public.N.BitLen() >= 2048 {
			return []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
		}
	}
	return nil
}

func newCheck(public crypto.PublicKey, hash crypto.Hash) (check, error) {
	plain, err := signature.LoadVerifier(public, hash)
	if err != nil {
		return check{}, err
	}
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(plain, time.Time{}, time.Time{}), nil
	})
	bundle, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps(), verify.WithoutStatementPredicate())
	return check{plain, bundle}, err
}

// result says what was found, which is judged anew each time: what was remembered
// on disk is no more trusted than what a registry sends.
func (p policy) result(digest name.Digest, f found) Result {
	r := Result{Repository: digest.Context().Name(), Digest: digest.DigestStr(), Reason: f.Reason, Key: f.Key, KeyIndex: f.KeyIndex}
	if f.Good == nil {
		return r
	}
	j := p.judge(digest, *f.Good)
	platforms, ok := platformsOf(digest, f.Index)
	if !j.good || !ok {
		return r
	}
	r.Signed, r.Reason = true, ""
	r.Key, r.KeyIndex = p.keys[j.key].fingerprint, j.key
	r.Builder, r.Source, r.Platforms = j.builder, j.source, platforms
	return r
}
