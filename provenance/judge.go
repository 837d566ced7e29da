package provenance

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature/payload"
)

// item is something that was found beside an image: a foreign text that says that
// it is a signature.
type item struct {
	// Kind is simple, bundle or envelope.
	Kind    string `json:"kind"`
	Content []byte `json:"content"`
	// Signature is base64, and only of a simple one.
	Signature string `json:"signature,omitempty"`
}

const (
	kindSimple   = "simple"
	kindBundle   = "bundle"
	kindEnvelope = "envelope"
)

// found is what a look into the registry came to.
type found struct {
	// Good is what makes the image signed, and Index the manifest of an image that
	// is an index.
	Good  *item  `json:"good,omitempty"`
	Index []byte `json:"index,omitempty"`
	// Reason says why it is not signed, and Key and KeyIndex who signed it all the
	// same.
	Reason   string `json:"reason,omitempty"`
	Key      string `json:"key,omitempty"`
	KeyIndex int    `json:"keyIndex,omitempty"`
	// At is when.
	At time.Time `json:"at"`
}

// judgement is what one item is worth. Of those that are not good the one with the
// most steps came nearest.
type judgement struct {
	good            bool
	signed          bool // by a known key, whatever else is missing
	key             int
	builder, source string
	steps           int
	reason          string // goes on from "the signature …"
}

// judge looks at one item. It is foreign, and a library that chokes on it must not
// take more down than that.
func (p policy) judge(digest name.Digest, i item) (j judgement) {
	defer func() {
		if recover() != nil {
			j = judgement{reason: "cannot be read"}
		}
	}()
	switch i.Kind {
	case kindSimple:
		return p.judgeSimple(digest, i)
	case kindBundle:
		return p.judgeBundle(digest, i.Content)
	case kindEnvelope:
		content, err := bundled(i.Content)
		if err != nil {
			return judgement{reason: "cannot be read"}
		}
		return p.judgeBundle(digest, content)
	}
	return judgement{reason: "has an unknown form"}
}

// judgeSimple checks cosign's first form of signatures, of
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md.
func (p policy) judgeSimple(digest name.Digest, i item) judgement {
	raw, err := base64.StdEncoding.DecodeString(i.Signature)
	if err != nil {
		return judgement{reason: "cannot be read"}
	}
	signer := -1
	for n, k := range p.keys {
		for _, c := range k.checks {
			if c.plain.VerifySignature(bytes.NewReader(raw), bytes.NewReader(i.Content)) == nil {
				signer = n
			}
		}
	}
	if signer < 0 {
		return judgement{steps: 1, reason: "is by none of the known keys, or was changed"}
	}
	var said payload.SimpleContainerImage
	if err := json.Unmarshal(i.Content, &said); err != nil || said.Critical.Type != payload.CosignSignatureType {
		return judgement{steps: 2, reason: "is not one of an image"}
	}
	if got := said.Critical.Image.DockerManifestDigest; got != digest.DigestStr() {
		return judgement{steps: 2, reason: "is that of another image, " + oneLine(got)}
	}
	ref, err := parse(said.Critical.Identity.DockerReference)
	if err != nil || ref.Context().Name() != digest.Context().Name() {
		return judgement{steps: 3, reason: fmt.Sprintf("was made for %s", cmp.Or(oneLine(said.Critical.Identity.DockerReference), "no repository"))}
	}
	j := judgement{signed: true, key: signer, steps: 4}
	j.good = !p.needsProvenance()
	if !j.good {
		j.reason = "does not tell who built the image: it has no SLSA provenance"
	}
	return j
}

// bundled makes a bundle of an envelope, so that both are checked in one way.
func bundled(envelope []byte) ([]byte, error) {
	return json.Marshal(map[string]any{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{"publicKey": map[string]any{}},
		"dsseEnvelope":         json.RawMessage(envelope),
	})
}

// judgeBundle checks a Sigstore bundle around an in-toto statement:
// https://github.com/sigstore/protobuf-specs and https://in-toto.io/Statement/v1.
func (p policy) judgeBundle(digest name.Digest, content []byte) judgement {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(content); err != nil {
		return judgement{reason: "cannot be read"}
	}
	envelope := b.GetDsseEnvelope()
	if envelope == nil || envelope.GetPayloadType() != bundle.IntotoMediaType {
		return judgement{reason: "is not an in-toto statement"}
	}
	if b.GetVerificationMaterial().GetPublicKey() == nil {
		return judgement{steps: 1, reason: "is by a certificate, not by a key"}
	}
	algorithm, hexadecimal, _ := strings.Cut(digest.DigestStr(), ":")
	sum, err := hex.DecodeString(hexadecimal)
	if err != nil {
		return judgement{reason: "cannot be read"}
	}
	signer, ours := p.signer(&b, verify.WithArtifactDigest(algorithm, sum))
	switch {
	case signer < 0:
		return judgement{steps: 1, reason: "is by none of the known keys, or was changed"}
	case !ours:
		return judgement{steps: 2, reason: "is that of another image"}
	}
	return p.judgeStatement(signer, envelope.GetPayload())
}

// signer returns which key signed a bundle, and whether it is about the artifact.
func (p policy) signer(b *bundle.Bundle, about verify.ArtifactPolicyOption) (signer int, ours bool) {
	signer = -1
	for n, k := range p.keys {
		for _, c := range k.checks {
			if _, err := c.bundle.Verify(b, verify.NewPolicy(about, verify.WithKey())); err == nil {
				return n, true
			}
			if _, err := c.bundle.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithKey())); err == nil {
				signer = n
			}
		}
	}
	return signer, false
}

// oneLine makes foreign text fit for a message: no control characters, and not
// long.
func oneLine(text string) string {
	const most = 200
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}
