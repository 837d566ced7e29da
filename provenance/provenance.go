// Package provenance tells who signed and built images. It is the only package
// that talks to registries.
//
// An image counts as signed where one of the known keys has signed its digest in
// one of these forms: cosign's simple signing, as a layer of the image
// sha256-HEX.sig; a Sigstore bundle or DSSE envelope that refers to the image (by
// OCI referrers, or as a layer of sha256-HEX.att), with the predicate of a
// cosign signature or of SLSA provenance. What else is attested of an image, such
// as a list of its parts or the report of a scan, is no approval of it. Keys are
// all that is trusted: there are no certificates, and no logs are asked.
//
// A registry that does not answer, or not well, is an error: such an image is
// neither signed nor unsigned.
package provenance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"plumbline.dev/plumbline/api/v1alpha1"
)

// Options say how to ask registries. All of it has defaults.
type Options struct {
	// Keychain knows the credentials of registries. Nil is those of docker login
	// and its credential helpers.
	Keychain authn.Keychain
	// Transport carries the requests. Nil is http.DefaultTransport's like, with the
	// proxy of the environment.
	Transport http.RoundTripper
	// CacheDir is a directory to remember answers in, made if need be. Empty means
	// that they are remembered only in memory.
	CacheDir string
	// KeepSigned is how long a good signature is remembered, by digest: 24 hours.
	// KeepUnsigned is how long it is that there is none: 5 minutes. Failures never
	// are.
	KeepSigned, KeepUnsigned time.Duration
	// Parallel is how many images are looked at at once: 8.
	Parallel int
	// Timeout bounds the work for one image: 30 seconds.
	Timeout time.Duration
	// Now is the clock.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Transport == nil {
		o.Transport = remote.DefaultTransport
	}
	if o.KeepSigned == 0 {
		o.KeepSigned = 24 * time.Hour
	}
	if o.KeepUnsigned == 0 {
		o.KeepUnsigned = 5 * time.Minute
	}
	if o.Parallel <= 0 {
		o.Parallel = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Result is what is known of one image. The zero value says nothing.
type Result struct {
	// Repository is where the image is, by its full name, and Digest which one it
	// is. Both are empty where that could not be found out.
	Repository, Digest string
	// Signed says that the image has all that is asked for: a signature by one of the
	// keys, and, where builders or repositories are named, provenance that names them.
	Signed bool
	// Key is the fingerprint of the key that signed it, SHA256:HEX of its DER form,
	// and KeyIndex the key's place in the list. Key is empty where no known key did.
	Key      string
	KeyIndex int
	// Builder and Source are who built it from which repository, where its
	// provenance tells.
	Builder, Source string
	// Platforms are the digests of a signed index's images, sorted: who signed the
	// index has signed them.
	Platforms []string
	// Reason says why it is not signed.
	Reason string
	// Err says why it could not be told.
	Err error
}

// Verifier knows the keys, and what it has seen. It may be used from several
// goroutines.
type Verifier struct {
	policy policy
	opts   Options
	disk   disk

	mu     sync.Mutex
	memory map[string]remembered
}

type remembered struct {
	result Result
	until  time.Time
}

// maxRemembered bounds how many images are remembered in memory.
const maxRemembered = 10_000

// New reads the keys. Its errors name the field of the Baseline.
func New(spec v1alpha1.Signatures, opts Options) (*Verifier, error) {
	p, err := newPolicy(spec)
	if err != nil {
		return nil, err
	}
	v := Open(opts)
	v.policy = p
	return v, nil
}

// Open returns a Verifier that knows no key: it can tell what tags name, and nothing
// is signed by it.
func Open(opts Options) *Verifier {
	opts = opts.withDefaults()
	return &Verifier{opts: opts, disk: disk{dir: opts.CacheDir}, memory: map[string]remembered{}}
}

// Verify looks at images, by references as containers have them, and returns what
// is known of each. A reference by digest that was seen before costs no request,
// one by tag a single one.
func (v *Verifier) Verify(ctx context.Context, images []string) map[string]Result {
	images = slices.Clone(images)
	slices.Sort(images)
	images = slices.Compact(images)
	results := make([]Result, len(images))
	r, err := v.open()
	var group errgroup.Group
	group.SetLimit(v.opts.Parallel)
	for i, image := range images {
		if err != nil {
			results[i] = Result{Err: err}
			continue
		}
		group.Go(func() error {
			results[i] = v.verify(ctx, r, image)
			return nil
		})
	}
	_ = group.Wait() // errors are in the results
	all := make(map[string]Result, len(images))
	for i, image := range images {
		all[image] = results[i]
	}
	return all
}

// Named is what a tag names.
type Named struct {
	// Digest is that of the image, or of the index where there is one for each platform.
	Digest string
	// Index says that it is an index, and Platforms are the digests of its images, sorted.
	Index     bool
	Platforms []string
}

// Newest returns what an image's tag names now; where the image is also pinned by
// digest, that is left aside.
func (v *Verifier) Newest(ctx context.Context, image string) (Named, error) {
	ctx, cancel := v.bounded(ctx)
	defer cancel()
	tagged, pinned, _ := strings.Cut(image, "@")
	ref, err := parse(tagged)
	if err == nil && pinned != "" && ref.Name() != tagged && !strings.Contains(tagged[strings.LastIndex(tagged, "/")+1:], ":") {
		err = errors.New("it is pinned by digest and has no tag")
	}
	var named Named
	if err == nil {
		named, err = v.named(ctx, ref)
	}
	if err != nil {
		return Named{}, fmt.Errorf("looking for the newest %s: %w", oneLine(image), err)
	}
	return named, nil
}

func (v *Verifier) named(ctx context.Context, ref name.Reference) (Named, error) {
	r, err := v.open()
	if err != nil {
		return Named{}, err
	}
	d, err := r.resolve(ctx, ref)
	if err != nil {
		return Named{}, err
	}
	named := Named{Digest: d.Digest.String(), Index: d.MediaType.IsIndex()}
	if named.Index {
		named.Platforms, err = r.platforms(ctx, ref.Context().Digest(named.Digest))
	}
	return named, err
}

func (v *Verifier) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, v.opts.Timeout, errTimeout)
}

// verify looks at one image.
func (v *Verifier) verify(ctx context.Context, r *registry, image string) Result {
	ctx, cancel := v.bounded(ctx)
	defer cancel()
	ref, err := parse(image)
	if err != nil {
		return Result{Err: err}
	}
	result := Result{Repository: ref.Context().Name()}
	digest, pinned := ref.(name.Digest)
	if pinned {
		if known, ok := v.recall(digest); ok {
			return known
		}
	}
	d, err := r.resolve(ctx, ref)
	if err != nil {
		result.Err = err
		return result
	}
	if !pinned {
		digest = ref.Context().Digest(d.Digest.String())
		if known, ok := v.recall(digest); ok {
			return known
		}
	}
	f, err := r.look(ctx, v.policy, digest, d.MediaType)
	if err != nil {
		result.Digest, result.Err = digest.DigestStr(), err
		return result
	}
	f.At = v.opts.Now()
	result = v.policy.result(digest, f)
	v.remember(digest, f, result)
	return result
}

// recall returns what was found earlier.
func (v *Verifier) recall(digest name.Digest) (Result, bool) {
	now, key := v.opts.Now(), digest.Name()
	v.mu.Lock()
	known, ok := v.memory[key]
	v.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.result, true
	}
	f, ok := v.disk.read(v.policy.id, digest)
	if !ok || f.At.After(now) {
		return Result{}, false
	}
	result := v.policy.result(digest, f)
	if f.Good != nil && !result.Signed || !now.Before(f.At.Add(v.keep(result))) {
		return Result{}, false
	}
	v.store(key, remembered{result, f.At.Add(v.keep(result))})
	return result, true
}

func (v *Verifier) keep(r Result) time.Duration {
	if r.Signed {
		return v.opts.KeepSigned
	}
	return v.opts.KeepUnsigned
}

func (v *Verifier) remember(digest name.Digest, f found, result Result) {
	v.store(digest.Name(), remembered{result, f.At.Add(v.keep(result))})
	v.disk.write(v.policy.id, digest, f)
}

func (v *Verifier) store(key string, r remembered) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.memory) >= maxRemembered {
		clear(v.memory)
	}
	v.memory[key] = r
}
