package provenance_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	ggcr "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/dsse"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/provenance"
)

// world is a registry over HTTP, of which requests are counted and answers can be
// replaced.
type world struct {
	t    *testing.T
	host string

	mu       sync.Mutex
	requests []string
	fault    func(http.ResponseWriter, *http.Request) bool // true if it answered
}

func newWorld(t *testing.T, referrers bool) *world {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers))
	w := &world{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, req.Method+" "+req.URL.Path)
		fault := w.fault
		w.mu.Unlock()
		if fault == nil || !fault(rw, req) {
			inner.ServeHTTP(rw, req)
		}
	}))
	t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	return w
}

// fails replaces answers to requests whose path contains part.
func (w *world) fails(part string, answer http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = func(rw http.ResponseWriter, req *http.Request) bool {
		if !strings.Contains(req.URL.Path, part) {
			return false
		}
		answer(rw, req)
		return true
	}
}

func status(code int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(code)
		_, _ = io.WriteString(rw, `{"errors":[{"code":"X","message":"s3cret in the answer"}]}`)
	}
}

// count returns how many requests there were since the last time.
func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.requests)
	w.requests = nil
	return n
}

func (w *world) parse(ref string) name.Reference {
	w.t.Helper()
	parsed, err := name.ParseReference(w.host + "/" + ref)
	w.must(err)
	return parsed
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// image pushes an image of its own and returns it by digest.
func (w *world) image(ref string) name.Digest {
	w.t.Helper()
	img, err := random.Image(64, 1)
	w.must(err)
	return w.push(ref, img)
}

func (w *world) push(ref string, img ggcr.Image) name.Digest {
	w.t.Helper()
	parsed := w.parse(ref)
	w.must(remote.Write(parsed, img))
	digest, err := img.Digest()
	w.must(err)
	return parsed.Context().Digest(digest.String())
}

// index pushes an image for two platforms, and returns it and them.
func (w *world) index(ref string) (name.Digest, []name.Digest) {
	w.t.Helper()
	index, err := random.Index(64, 1, 2)
	w.must(err)
	parsed := w.parse(ref)
	w.must(remote.WriteIndex(parsed, index))
	manifest, err := index.IndexManifest()
	w.must(err)
	digest, err := index.Digest()
	w.must(err)
	var platforms []name.Digest
	for _, m := range manifest.Manifests {
		platforms = append(platforms, parsed.Context().Digest(m.Digest.String()))
	}
	return parsed.Context().Digest(digest.String()), platforms
}

// signer is a private key of CI's.
type signer struct {
	t    *testing.T
	sign signature.Signer
	pem  string
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signerOf(t, key, crypto.SHA256)
}

func signerOf(t *testing.T, private crypto.Signer, hash crypto.Hash) signer {
	t.Helper()
	s, err := signature.LoadSigner(private, hash)
	if err != nil {
		t.Fatal(err)
	}
	text, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer{t, s, string(text)}
}

// kinds are the keys that CI may have.
func kinds(t *testing.T) map[string]signer {
	t.Helper()
	p384, err1 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsaKey, err2 := rsa.GenerateKey(rand.Reader, 2048)
	_, edKey, err3 := ed25519.GenerateKey(rand.Reader)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return map[string]signer{
		"P-256":              newSigner(t),
		"P-384 with SHA-256": signerOf(t, p384, crypto.SHA256),
		"P-384 with SHA-384": signerOf(t, p384, crypto.SHA384),
		"RSA":                signerOf(t, rsaKey, crypto.SHA256),
		"Ed25519":            signerOf(t, edKey, crypto.SHA512),
	}
}

func (s signer) raw(content []byte) []byte {
	s.t.Helper()
	sig, err := s.sign.SignMessage(bytes.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	return sig
}

// simple is a layer in cosign's first form.
type simple struct {
	content   []byte
	signature string
}

func (s signer) simple(image name.Digest) simple {
	content := simpleContent(image.Context().Name(), image.DigestStr())
	return simple{content, base64.StdEncoding.EncodeToString(s.raw(content))}
}

func simpleContent(repository, digest string) []byte {
	content, _ := json.Marshal(map[string]any{"critical": map[string]any{
		"identity": map[string]any{"docker-reference": repository},
		"image":    map[string]any{"docker-manifest-digest": digest},
		"type":     "cosign container image signature",
	}, "optional": nil})
	return content
}

func (w *world) beside(image name.Digest, suffix string) string {
	return image.Context().RepositoryStr() + ":" + strings.Replace(image.DigestStr(), ":", "-", 1) + "." + suffix
}

// attachSimple pushes signatures as sha256-HEX.sig.
func (w *world) attachSimple(image name.Digest, all ...simple) {
	w.t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, s := range all {
		img = w.append(img, s.content, "application/vnd.dev.cosign.simplesigning.v1+json",
			map[string]string{"dev.cosignproject.cosign/signature": s.signature})
	}
	w.push(w.beside(image, "sig"), img)
}

// attachEnvelope pushes an envelope as sha256-HEX.att.
func (w *world) attachEnvelope(image name.Digest, envelope []byte) {
	w.t.Helper()
	w.push(w.beside(image, "att"), w.append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), envelope, "application/vnd.dsse.envelope.v1+json", nil))
}

func (w *world) append(img ggcr.Image, content []byte, media types.MediaType, notes map[string]string) ggcr.Image {
	w.t.Helper()
	img, err := mutate.Append(img, mutate.Addendum{Layer: static.NewLayer(content, media), Annotations: notes, MediaType: media})
	w.must(err)
	return img
}

const bundleMedia = "application/vnd.dev.sigstore.bundle.v0.3+json"

// attachBundle pushes a bundle that refers to the image.
func (w *world) attachBundle(image name.Digest, bundle []byte) {
	w.t.Helper()
	img := w.append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), bundle, bundleMedia, nil)
	img = mutate.ConfigMediaType(img, bundleMedia) // what artifactType is taken from where there is none
	head, err := remote.Head(image)
	w.must(err)
	img = mutate.Subject(img, *head).(ggcr.Image)
	digest, err := img.Digest()
	w.must(err)
	w.must(remote.Write(image.Context().Digest(digest.String()), img))
}

// statement is an in-toto statement about an image.
func statement(digest, predicateType string, predicate any) []byte {
	_, hex, _ := strings.Cut(digest, ":")
	text, _ := json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       []any{map[string]any{"name": "image", "digest": map[string]any{"sha256": hex}}},
		"predicateType": predicateType,
		"predicate":     predicate,
	})
	return text
}

func (s signer) envelope(statement []byte) []byte {
	s.t.Helper()
	text, err := dsse.WrapSigner(s.sign, "application/vnd.in-toto+json").SignMessage(bytes.NewReader(statement))
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s signer) bundle(statement []byte) []byte {
	return bundleOf(s.envelope(statement))
}

func bundleOf(envelope []byte) []byte {
	text, _ := json.Marshal(map[string]any{
		"mediaType":            bundleMedia,
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": "ci"}},
		"dsseEnvelope":         json.RawMessage(envelope),
	})
	return text
}

const (
	cosignSign = "https://sigstore.dev/cosign/sign/v1"
	slsa1      = "https://slsa.dev/provenance/v1"
	slsa02     = "https://slsa.dev/provenance/v0.2"
)

// built is SLSA provenance v1.
func built(builder string, parameters map[string]any, dependencies ...string) map[string]any {
	var resolved []any
	for _, uri := range dependencies {
		resolved = append(resolved, map[string]any{"uri": uri, "digest": map[string]any{"gitCommit": "c0ffee"}})
	}
	return map[string]any{
		"buildDefinition": map[string]any{"buildType": "https://ci.example.com/build/v1", "externalParameters": parameters, "resolvedDependencies": resolved},
		"runDetails":      map[string]any{"builder": map[string]any{"id": builder}},
	}
}

func trusting(signers ...signer) v1alpha1.Signatures {
	var spec v1alpha1.Signatures
	for _, s := range signers {
		spec.Keys = append(spec.Keys, s.pem)
	}
	return spec
}

func verifier(t *testing.T, spec v1alpha1.Signatures, opts provenance.Options) *provenance.Verifier {
	t.Helper()
	if opts.Keychain == nil {
		opts.Keychain = authn.NewMultiKeychain()
	}
	v, err := provenance.New(spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// verify looks at one image, with a verifier of its own.
func verify(t *testing.T, spec v1alpha1.Signatures, image string) provenance.Result {
	t.Helper()
	return again(t, verifier(t, spec, provenance.Options{Timeout: 20 * time.Second}), image)
}

func again(t *testing.T, v *provenance.Verifier, image string) provenance.Result {
	t.Helper()
	return v.Verify(t.Context(), []string{image})[image]
}

// isSigned, isUnsigned and isUnknown check a result.
func isSigned(t *testing.T, r provenance.Result) {
	t.Helper()
	if !r.Signed || r.Err != nil || r.Reason != "" || r.Key == "" || r.Digest == "" {
		t.Errorf("not signed: %+v", r)
	}
}

func isUnsigned(t *testing.T, r provenance.Result, reason string) {
	t.Helper()
	if r.Signed || r.Err != nil || !strings.Contains(r.Reason, reason) || r.Reason == "" {
		t.Errorf("want unsigned because %q: %+v", reason, r)
	}
}

func isUnknown(t *testing.T, r provenance.Result, parts ...string) {
	t.Helper()
	if r.Signed || r.Err == nil || r.Reason != "" {
		t.Fatalf("want an error: %+v", r)
	}
	for _, part := range parts {
		if !strings.Contains(r.Err.Error(), part) {
			t.Errorf("error %q does not say %q", r.Err, part)
		}
	}
	if strings.Contains(r.Err.Error(), "s3cret") {
		t.Errorf("error %q shows a secret", r.Err)
	}
}
