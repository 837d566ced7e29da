// Package provenancetest runs an image registry in the test's process, and signs what
// is in it as cosign does.
package provenancetest

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// Registry is a registry over HTTP that wants no credentials.
type Registry struct {
	// Host is its address, as an image reference begins with it.
	Host string

	server *httptest.Server
}

// NewRegistry returns an empty registry, which ends with the test.
func NewRegistry(t testing.TB) *Registry {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	return &Registry{Host: strings.TrimPrefix(server.URL, "http://"), server: server}
}

// Close ends the registry before the test does.
func (r *Registry) Close() { r.server.Close() }

// Push pushes an image of its own, such as "shop/web:1", and returns it by digest.
func (r *Registry) Push(t testing.TB, image string) name.Digest {
	t.Helper()
	ref, err := name.ParseReference(r.Host + "/" + image)
	check(t, err)
	content, err := random.Image(64, 1)
	check(t, err)
	check(t, remote.Write(ref, content))
	digest, err := content.Digest()
	check(t, err)
	return ref.Context().Digest(digest.String())
}

// Sign signs an image with a key as "cosign sign --key" does in its older form: an
// image tagged sha256-HEX.sig, of which each layer is a signature.
func Sign(t testing.TB, image name.Digest, key crypto.Signer) {
	t.Helper()
	payload := payload(t, image)
	signer, err := signature.LoadSigner(key, crypto.SHA256)
	check(t, err)
	raw, err := signer.SignMessage(bytes.NewReader(payload))
	check(t, err)
	const media = types.MediaType("application/vnd.dev.cosign.simplesigning.v1+json")
	signed, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer:       static.NewLayer(payload, media),
		MediaType:   media,
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(raw)},
	})
	check(t, err)
	check(t, remote.Write(image.Tag(strings.Replace(image.DigestStr(), ":", "-", 1)+".sig"), signed))
}

// payload is what cosign signs: which image it is, and by which name.
func payload(t testing.TB, image name.Digest) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"critical": map[string]any{
		"identity": map[string]any{"docker-reference": image.Context().Name()},
		"image":    map[string]any{"docker-manifest-digest": image.DigestStr()},
		"type":     "cosign container image signature",
	}, "optional": nil})
	check(t, err)
	return text
}

// PEM is a public key as a Baseline names it.
func PEM(t testing.TB, key crypto.Signer) string {
	t.Helper()
	text, err := cryptoutils.MarshalPublicKeyToPEM(key.Public())
	check(t, err)
	return string(text)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
