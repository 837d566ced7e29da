package provenance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"plumbline.dev/plumbline/provenance"
)

// TestFailures: whatever a registry fails to say, nothing is unsigned for that.
func TestFailures(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	signed, bare := w.image("shop/web:1"), w.image("shop/web:2")
	w.attachSimple(signed, ci.simple(signed))
	huge := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", string(types.OCIImageIndex))
		for range 5 {
			_, _ = rw.Write(make([]byte, 1<<20))
		}
	}
	cut := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", string(types.OCIImageIndex))
		rw.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(rw, `{"schemaVersion":2`)
	}
	slow := func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-req.Context().Done():
		case <-time.After(10 * time.Second):
		}
	}
	garbage := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", string(types.OCIImageIndex))
		_, _ = io.WriteString(rw, "<html>s3cret")
	}
	pages := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", string(types.OCIImageIndex))
		rw.Header().Set("Link", `</v2/x?next=1>; rel="next"`)
		_, _ = io.WriteString(rw, `{"schemaVersion":2,"manifests":[]}`)
	}
	drop := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, place := range []string{"/v2/", "/manifests/", ".sig", "/referrers/", "/blobs/"} {
		for _, fault := range []struct {
			name   string
			answer http.HandlerFunc
			want   string
		}{
			{"401", status(401), "401 Unauthorized: it does not take the credentials"},
			{"403", status(403), "403 Forbidden"},
			{"429", status(429), "429 Too Many Requests: it was asked too often"},
			{"500", status(500), "500 Internal Server Error"},
			{"503", status(503), "503"},
			{"huge", huge, ""},
			{"cut off", cut, ""},
			{"slow", slow, "did not answer in time"},
			{"garbage", garbage, ""},
			{"pages", pages, ""},
			{"dropped", drop, "closed the connection early"},
		} {
			if fault.name == "huge" && place == "/v2/" || fault.name == "pages" && place != "/referrers/" {
				continue
			}
			t.Run(place+" "+fault.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, true)
				signed, bare := w.image("shop/web:1"), w.image("shop/web:2")
				w.attachSimple(signed, ci.simple(signed))
				w.attachSimple(bare, newSigner(t).simple(bare))
				w.fails(place, fault.answer)
				v := verifier(t, trusting(ci), provenance.Options{Timeout: 3 * time.Second})
				isUnknown(t, again(t, v, bare.Name()), "asking registry "+w.host+" about shop/web: ", fault.want)
				if place == "/referrers/" { // which a good signature makes unnecessary
					isSigned(t, again(t, v, signed.Name()))
				}
				w.mu.Lock()
				w.fault = nil
				w.mu.Unlock()
				isUnsigned(t, again(t, v, bare.Name()), "none of the known keys")
				isSigned(t, again(t, v, signed.Name()))
			})
		}
	}
	isSigned(t, verify(t, trusting(ci), signed.Name()))
	isUnsigned(t, verify(t, trusting(ci), bare.Name()), "no signature")
}

func TestUnreachable(t *testing.T) {
	ci := newSigner(t)
	server := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(server.URL, "http://")
	server.Close()
	isUnknown(t, verify(t, trusting(ci), host+"/shop/web:1"), "asking registry "+host+" about shop/web: it cannot be reached", "connection refused")
	isUnknown(t, verify(t, trusting(ci), "registry.invalid/shop/web:1"), "asking registry registry.invalid about shop/web: ")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	image := host + "/shop/web:1"
	if r := verifier(t, trusting(ci), provenance.Options{}).Verify(ctx, []string{image})[image]; !errors.Is(r.Err, context.Canceled) {
		t.Errorf("cancelled: %v", r.Err)
	}
}

func TestPlainHTTPStaysHere(t *testing.T) {
	asked := func(req *http.Request) (*http.Response, error) {
		if req.URL.Scheme != "https" {
			t.Errorf("asked %s", req.URL)
		}
		return nil, errors.New("no TLS here: s3cret")
	}
	v := verifier(t, trusting(newSigner(t)), provenance.Options{Transport: roundTripper(asked)})
	isUnknown(t, again(t, v, "10.0.0.1:5000/shop/web:1"), "asking registry 10.0.0.1:5000")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// TestBounds: a registry with more signatures than anybody looks at.
func TestBounds(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	image := w.image("shop/web:1")
	other := newSigner(t)
	many := make([]simple, 60)
	for i := range many {
		many[i] = other.simple(image)
	}
	w.attachSimple(image, many...)
	isUnknown(t, verify(t, trusting(ci), image.Name()), "60 signatures, of which only the newest 50")
	many[59] = ci.simple(image)
	w.attachSimple(image, many...)
	isSigned(t, verify(t, trusting(ci), image.Name()))

	image = w.image("shop/web:2")
	large := ci.simple(image)
	large.content = append(large.content, make([]byte, 5<<20)...)
	w.attachSimple(image, large)
	isUnknown(t, verify(t, trusting(ci), image.Name()), "more than 4 MiB")
}

// fixed is a keychain with a password for one registry.
type fixed string

func (f fixed) Resolve(of authn.Resource) (authn.Authenticator, error) {
	if of.RegistryStr() != string(f) {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: "ci", Password: "s3cret"}, nil
}

type broken struct{}

func (broken) Resolve(authn.Resource) (authn.Authenticator, error) {
	return nil, errors.New("helper says s3cret")
}

// TestCredentials go to the registry that they are for, and no further.
func TestCredentials(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	image := w.image("shop/web:1")
	w.attachSimple(image, ci.simple(image))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if got := req.Header.Get("Authorization"); got != "" {
			t.Errorf("another host got %q", got)
		}
		rw.WriteHeader(http.StatusNotFound)
	}))
	defer elsewhere.Close()
	there := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)
	authorized := 0
	w.fault = func(rw http.ResponseWriter, req *http.Request) bool {
		user, password, _ := req.BasicAuth()
		if user != "ci" || password != "s3cret" {
			rw.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			rw.WriteHeader(http.StatusUnauthorized)
			return true
		}
		authorized++
		if strings.Contains(req.URL.Path, "/blobs/") {
			http.Redirect(rw, req, there+req.URL.Path, http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	v := verifier(t, trusting(ci), provenance.Options{Keychain: fixed(w.host)})
	isUnknown(t, again(t, v, image.Name()), "404")
	if authorized == 0 {
		t.Error("no request was authorized")
	}
	isUnknown(t, verify(t, trusting(ci), image.Name()), "401")
	v = verifier(t, trusting(ci), provenance.Options{Keychain: broken{}})
	isUnknown(t, again(t, v, image.Name()), "the credentials for it cannot be read")
}

func TestCache(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	index, _ := w.index("shop/web:1")
	w.attachSimple(index, ci.simple(index))
	bare := w.image("shop/web:2")
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	opts := provenance.Options{CacheDir: filepath.Join(t.TempDir(), "cache"), Now: func() time.Time { return now }}
	v := verifier(t, trusting(ci), opts)
	expect := func(what string, v *provenance.Verifier, ref string, requests int) {
		t.Helper()
		w.count()
		r := again(t, v, ref)
		if n := w.count(); n != requests && requests >= 0 || requests < 0 && n == 0 {
			t.Errorf("%s: %d requests, want %d", what, n, requests)
		}
		if strings.HasSuffix(ref, index.DigestStr()) || strings.HasSuffix(ref, ":1") {
			isSigned(t, r)
			if len(r.Platforms) != 2 {
				t.Errorf("%s: platforms %v", what, r.Platforms)
			}
		} else {
			isUnsigned(t, r, "no signature")
		}
	}
	expect("first", v, index.Name(), -1)
	expect("first of the unsigned", v, bare.Name(), -1)
	expect("in memory", v, index.Name(), 0)
	expect("unsigned in memory", v, bare.Name(), 0)
	expect("by tag: ping and HEAD", v, w.host+"/shop/web:1", 2)
	again := verifier(t, trusting(ci), opts)
	expect("on disk", again, index.Name(), 0)
	expect("unsigned on disk", again, bare.Name(), 0)
	expect("by another policy", verifier(t, trusting(newSigner(t), ci), opts), index.Name(), -1)
	now = now.Add(10 * time.Minute)
	expect("later", v, index.Name(), 0)
	expect("unsigned, later", v, bare.Name(), -1)
	now = now.Add(24 * time.Hour)
	expect("a day later", v, index.Name(), -1)
	now = now.Add(-48 * time.Hour)
	expect("the clock was set back", verifier(t, trusting(ci), opts), index.Name(), -1)
	files, err := os.ReadDir(opts.CacheDir)
	if err != nil || len(files) != 3 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// TestCacheIsNotTrusted: who can write to the cache makes nothing signed.
func TestCacheIsNotTrusted(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	image, other := w.image("shop/web:1"), w.image("shop/web:2")
	w.attachSimple(image, ci.simple(image))
	opts := provenance.Options{CacheDir: t.TempDir()}
	isSigned(t, again(t, verifier(t, trusting(ci), opts), image.Name()))
	good := only(t, opts.CacheDir, "")
	isUnsigned(t, again(t, verifier(t, trusting(ci), opts), other.Name()), "no signature")
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	bad := only(t, opts.CacheDir, good)
	for _, forged := range []string{string(text), `{"good":{"kind":"simple"},"at":"2026-01-01T00:00:00Z"}`, `{"good":null}`, "{", ""} {
		if err := os.WriteFile(bad, []byte(forged), 0o600); err != nil {
			t.Fatal(err)
		}
		isUnsigned(t, again(t, verifier(t, trusting(ci), opts), other.Name()), "no signature")
	}
	// A directory that cannot be written to is no failure.
	opts.CacheDir = filepath.Join(good, "below a file")
	isSigned(t, again(t, verifier(t, trusting(ci), opts), image.Name()))
}

// only returns the one file of dir that is not other.
func only(t *testing.T, dir, other string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f != other {
			return f
		}
	}
	t.Fatal("no file")
	return ""
}

func TestNewest(t *testing.T) {
	w := newWorld(t, true)
	old := w.image("shop/web:1")
	v := verifier(t, trusting(newSigner(t)), provenance.Options{})
	newest := func(ref, want string) {
		t.Helper()
		got, err := v.Newest(t.Context(), ref)
		if err != nil || got.Digest != want {
			t.Errorf("%s: %v, %v, want %s", ref, got, err, want)
		}
	}
	newest(w.host+"/shop/web:1", old.DigestStr())
	moved := w.image("shop/web:1")
	latest := w.image("shop/web")
	newest(w.host+"/shop/web:1", moved.DigestStr())
	newest(w.host+"/shop/web:1@"+old.DigestStr(), moved.DigestStr())
	newest(w.host+"/shop/web", latest.DigestStr())
	for _, ref := range []string{old.Name(), w.host + "/shop/web:nosuch", "sha256:" + strings.Repeat("0", 64), ""} {
		if got, err := v.Newest(t.Context(), ref); err == nil {
			t.Errorf("%s: %v", ref, got)
		}
	}
	w.fails("/manifests/1", func(rw http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodHead {
			rw.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		rw.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		_, _ = io.WriteString(rw, `{"schemaVersion":2}`)
	})
	sum, _, _ := ggcr.SHA256(strings.NewReader(`{"schemaVersion":2}`))
	newest(w.host+"/shop/web:1", sum.String())
}

// TestMoved: a tag that moved to an image that nobody signed.
func TestMoved(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	image := w.image("shop/web:1")
	w.attachSimple(image, ci.simple(image))
	v := verifier(t, trusting(ci), provenance.Options{})
	tag := w.host + "/shop/web:1"
	isSigned(t, again(t, v, tag))
	w.image("shop/web:1")
	isUnsigned(t, again(t, v, tag), "no signature")
	isSigned(t, again(t, v, image.Name()))
}

// TestForeignThings beside an image are not taken for signatures.
func TestForeignThings(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	image := w.image("shop/web:1")
	w.push(w.beside(image, "sig"), w.append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), []byte("x"), types.DockerLayer, nil))
	isUnsigned(t, verify(t, trusting(ci), image.Name()), "its registry has no signature")
}

func TestManyAtOnce(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	var images []string
	signed := map[string]bool{}
	for i := range 30 {
		image := w.image(fmt.Sprintf("shop/web-%d:1", i))
		if i%2 == 0 {
			w.attachSimple(image, ci.simple(image))
		}
		signed[image.Name()] = i%2 == 0
		images = append(images, image.Name(), image.Name())
	}
	results := verifier(t, trusting(ci), provenance.Options{}).Verify(t.Context(), images)
	if len(results) != 30 {
		t.Errorf("%d results", len(results))
	}
	for image, r := range results {
		if r.Err != nil || r.Signed != signed[image] {
			t.Errorf("%s: %+v", image, r)
		}
	}
	if _, err := name.NewDigest(images[0]); err != nil {
		t.Error(err)
	}
}
