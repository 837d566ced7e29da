package provenance

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// keychain says of failures only that they happened: helpers write what they like
// into theirs.
type keychain struct{ authn.Keychain }

// Resolve implements authn.Keychain.
func (k keychain) Resolve(of authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), of)
}

// ResolveContext implements authn.ContextKeychain.
func (k keychain) ResolveContext(ctx context.Context, of authn.Resource) (authn.Authenticator, error) {
	auth, err := authn.Resolve(ctx, k.Keychain, of)
	if err != nil {
		return nil, errKeychain
	}
	return auth, nil
}

// guarded holds a registry to bounds: nothing unencrypted but on this machine, no
// answer that is larger than anything to be read here. Credentials are bound to
// their host above it, by the library.
type guarded struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !loopback(req.URL.Hostname()) {
		return nil, errPlain
	}
	resp, err := g.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case req.Method != http.MethodHead && resp.ContentLength > maxBytes:
		err = errTooLarge
	case strings.Contains(req.URL.Path, "/referrers/") && strings.Contains(resp.Header.Get("Link"), "next"):
		err = errPages
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxBytes}
	return resp, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// boundedBody fails where it would read more than is left.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
