package provenance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The bounds of what a registry may send for one image.
const (
	maxBytes = 4 << 20 // of one answer
	maxItems = 50      // signatures of one kind
)

const (
	mediaSimple   = "application/vnd.dev.cosign.simplesigning.v1+json"
	mediaDSSE     = "application/vnd.dsse.envelope.v1+json"
	mediaBundle   = "application/vnd.dev.sigstore.bundle" // and a version
	noteSignature = "dev.cosignproject.cosign/signature"
)

// registry is all registries, with the connections and tokens of one call. They
// are not kept for longer, because failures would be kept with them.
type registry struct {
	puller  *remote.Puller
	options []remote.Option
}

func (v *Verifier) open() (*registry, error) {
	options := []remote.Option{
		remote.WithAuthFromKeychain(keychain{v.opts.Keychain}),
		remote.WithTransport(guarded{v.opts.Transport}),
		remote.WithUserAgent("plumbline"),
		// Who is asked too often is not helped by being asked at once again.
		remote.WithRetryBackoff(remote.Backoff{Duration: 300 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 2}),
	}
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return nil, fmt.Errorf("preparing to ask registries: %w", err)
	}
	return &registry{puller, append(options, remote.Reuse(puller))}, nil
}

// parse reads a reference as containers and their status have it.
func parse(image string) (name.Reference, error) {
	text := strings.TrimPrefix(image, "docker-pullable://")
	if strings.HasPrefix(text, "sha256:") || strings.Contains(text, "://") {
		return nil, fmt.Errorf("image %q names no repository, so that nobody can be asked who signed it", oneLine(image))
	}
	ref, err := name.ParseReference(text)
	if err != nil {
		return nil, fmt.Errorf("image %q is not a reference that a registry understands", oneLine(image))
	}
	return ref, nil
}

// resolve asks what a reference names.
func (r *registry) resolve(ctx context.Context, ref name.Reference) (*ggcr.Descriptor, error) {
	head, err := r.puller.Head(ctx, ref)
	if err == nil && head.Digest.Algorithm == "sha256" {
		return head, nil
	}
	if err != nil && (statusOf(err) != 0 && statusOf(err) != 405 || broken(ctx, err)) {
		return nil, explain(ctx, ref.Context(), err)
	}
	// Some registries answer HEAD without saying the digest, or not at all.
	got, err := r.puller.Get(ctx, ref)
	if err != nil {
		return nil, explain(ctx, ref.Context(), err)
	}
	return &got.Descriptor, nil
}

// look goes through what stands beside an image until something makes it signed.
// That something could not be read matters only where nothing does.
func (r *registry) look(ctx context.Context, p policy, digest name.Digest, media types.MediaType) (found, error) {
	l := &looking{registry: r, policy: p, digest: digest}
	places := []func(context.Context) error{l.simple, l.referrers, l.attached}
	if p.needsProvenance() {
		places = []func(context.Context) error{l.referrers, l.attached, l.simple}
	}
	var errs []error
	for _, place := range places {
		if err := place(ctx); err != nil {
			errs = append(errs, err)
		}
		if l.good != nil {
			return l.complete(ctx, media)
		}
	}
	if len(errs) > 0 {
		return found{}, errs[0]
	}
	return l.unsigned(), nil
}

// looking is a look at what stands beside one image.
type looking struct {
	*registry
	policy policy
	digest name.Digest

	items   int
	good    *item
	nearest judgement
	key     int // of who signed it without that being enough
	signed  bool
}

// add judges an item and reports whether to go on.
func (l *looking) add(i item) bool {
	l.items++
	j := l.policy.judge(l.digest, i)
	if j.good {
		l.good = &i
		return false
	}
	if j.signed {
		l.signed, l.key = true, j.key
	}
	if l.nearest.reason == "" || j.steps > l.nearest.steps {
		l.nearest = j
	}
	return true
}

func (l *looking) unsigned() found {
	f := found{Reason: "is not signed: its registry has no signature of it"}
	switch {
	case l.items == 1:
		f.Reason = "is not signed as asked: its signature " + l.nearest.reason
	case l.items > 1:
		f.Reason = fmt.Sprintf("is not signed as asked: none of its %d signatures counts, and the one that comes nearest %s", l.items, l.nearest.reason)
	}
	if l.signed {
		f.Key, f.KeyIndex = l.policy.keys[l.key].fingerprint, l.key
	}
	return f
}

// complete adds the images of a signed index.
func (l *looking) complete(ctx context.Context, media types.MediaType) (found, error) {
	f := found{Good: l.good}
	if !media.IsIndex() {
		return f, nil
	}
	got, err := l.puller.Get(ctx, l.digest)
	if err != nil {
		return found{}, l.explain(ctx, err)
	}
	if _, ok := platformsOf(l.digest, got.Manifest); !ok {
		return found{}, l.explain(ctx, errUnreadable)
	}
	f.Index = got.Manifest
	return f, nil
}

// platforms returns the digests of an index's images.
func (r *registry) platforms(ctx context.Context, digest name.Digest) ([]string, error) {
	got, err := r.puller.Get(ctx, digest)
	if err != nil {
		return nil, explain(ctx, digest.Context(), err)
	}
	all, ok := platformsOf(digest, got.Manifest)
	if !ok {
		return nil, explain(ctx, digest.Context(), errUnreadable)
	}
	return all, nil
}

// platformsOf returns the digests of an index's images. It fails for what is not
// the index of that digest.
func platformsOf(digest name.Digest, manifest []byte) ([]string, bool) {
	if manifest == nil {
		return nil, true
	}
	sum, _, err := ggcr.SHA256(bytes.NewReader(manifest))
	if err != nil || sum.String() != digest.DigestStr() {
		return nil, false
	}
	index, err := ggcr.ParseIndexManifest(bytes.NewReader(manifest))
	if err != nil {
		return nil, false
	}
	var digests []string
	for _, m := range index.Manifests {
		digests = append(digests, m.Digest.String())
	}
	slices.Sort(digests)
	return slices.Compact(digests), true
}

func (l *looking) explain(ctx context.Context, err error) error {
	return explain(ctx, l.digest.Context(), err)
}

// simple looks at the layers of sha256-HEX.sig.
func (l *looking) simple(ctx context.Context) error {
	return l.layers(ctx, "sig", func(layer ggcr.Descriptor, content []byte) (item, bool) {
		return item{kindSimple, content, layer.Annotations[noteSignature]}, true
	}, mediaSimple)
}

// attached looks at the layers of sha256-HEX.att.
func (l *looking) attached(ctx context.Context) error {
	return l.layers(ctx, "att", func(_ ggcr.Descriptor, content []byte) (item, bool) {
		return item{Kind: kindEnvelope, Content: content}, approves(content)
	}, mediaDSSE)
}

// layers looks at the newest layers of an image that stands beside ours, by a name
// that it is given by convention.
func (l *looking) layers(ctx context.Context, suffix string, read func(ggcr.Descriptor, []byte) (item, bool), media types.MediaType) error {
	tag := l.digest.Context().Tag(strings.Replace(l.digest.DigestStr(), ":", "-", 1) + "." + suffix)
	got, err := l.puller.Get(ctx, tag)
	if statusOf(err) == 404 {
		return nil
	}
	if err != nil {
		return l.explain(ctx, err)
	}
	manifest, err := ggcr.ParseManifest(bytes.NewReader(got.Manifest))
	if err != nil {
		return l.explain(ctx, errUnreadable)
	}
	return l.each(ctx, manifest.Layers, func(d ggcr.Descriptor) (bool, error) {
		if d.MediaType != media {
			return true, nil
		}
		content, err := l.blob(ctx, d)
		if err != nil {
			return false, err
		}
		if i, ok := read(d, content); ok {
			return l.add(i), nil
		}
		return true, nil
	})
}

// referrers looks at the bundles that refer to the image.
func (l *looking) referrers(ctx context.Context) error {
	index, err := remote.Referrers(l.digest, append(slices.Clone(l.options), remote.WithContext(ctx))...)
	if err != nil {
		return l.explain(ctx, err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		return l.explain(ctx, errUnreadable)
	}
	bundles := slices.DeleteFunc(slices.Clone(list.Manifests), func(d ggcr.Descriptor) bool {
		return !strings.HasPrefix(d.ArtifactType, mediaBundle)
	})
	return l.each(ctx, bundles, func(d ggcr.Descriptor) (bool, error) {
		content, err := l.bundle(ctx, d)
		if err != nil || !approves(envelopeOf(content)) {
			return err == nil, err
		}
		return l.add(item{Kind: kindBundle, Content: content}), nil
	})
}

// each goes through the newest items, which registries list last, until one is
// good. One that cannot be had does not keep the others from being looked at.
func (l *looking) each(ctx context.Context, items []ggcr.Descriptor, look func(ggcr.Descriptor) (more bool, err error)) error {
	var first error
	skipped := max(0, len(items)-maxItems)
	for _, d := range slices.Backward(items[skipped:]) {
		more, err := look(d)
		if err == nil && !more {
			return nil
		}
		if first == nil && err != nil {
			first = l.explain(ctx, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if first == nil && skipped > 0 {
		first = l.explain(ctx, fmt.Errorf("%w: the image has %d signatures, of which only the newest %d were looked at, and none of those counts", errBounds, len(items), maxItems))
	}
	return first
}

func (l *looking) bundle(ctx context.Context, d ggcr.Descriptor) ([]byte, error) {
	got, err := l.puller.Get(ctx, l.digest.Context().Digest(d.Digest.String()))
	if err != nil {
		return nil, err
	}
	manifest, err := ggcr.ParseManifest(bytes.NewReader(got.Manifest))
	if err != nil || len(manifest.Layers) != 1 {
		return nil, errUnreadable
	}
	return l.blob(ctx, manifest.Layers[0])
}

// blob returns a layer's content, which the library holds against its digest.
func (l *looking) blob(ctx context.Context, d ggcr.Descriptor) ([]byte, error) {
	if d.Size > maxBytes {
		return nil, errTooLarge
	}
	layer, err := l.puller.Layer(ctx, l.digest.Context().Digest(d.Digest.String()))
	if err != nil {
		return nil, err
	}
	r, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}

// envelopeOf returns the DSSE envelope in a bundle.
func envelopeOf(bundle []byte) []byte {
	var b struct {
		Envelope json.RawMessage `json:"dsseEnvelope"`
	}
	_ = json.Unmarshal(bundle, &b) // what cannot be read is said when it is judged
	return b.Envelope
}

// approves reports whether an envelope may approve of its image: what else is
// attested of it is not spoken of as a signature that does not count. Nothing is
// taken for good by this.
func approves(envelope []byte) bool {
	var e struct {
		Payload []byte `json:"payload"`
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	if json.Unmarshal(envelope, &e) != nil || json.Unmarshal(e.Payload, &statement) != nil {
		return true
	}
	return slices.Contains([]string{predicateCosign, predicateSLSA1, predicateSLSA02}, statement.PredicateType)
}
