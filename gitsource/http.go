package gitsource

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// errorBody is how much of an error page is read.
const errorBody = 4 << 10

// httpSession is go-git's session over a client of its own. go-git follows
// redirects of the first request only, never from https to http, and takes the
// credentials off as soon as the scheme, host or port changes.
type httpSession struct {
	transport.UploadPackSession
	tripper *meteredTripper
}

func openHTTP(r remote) (session, error) {
	base, err := httpTransport(r.auth)
	if err != nil {
		return nil, err
	}
	tripper := &meteredTripper{base: base, meter: r.meter}
	client := githttp.NewClientWithOptions(&http.Client{Transport: tripper},
		&githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects})
	s, err := client.NewUploadPackSession(transportEndpoint(r.endpoint), httpAuth(r.auth))
	if err != nil {
		return nil, err
	}
	return &httpSession{UploadPackSession: s, tripper: tripper}, nil
}

func (s *httpSession) Close() error {
	s.tripper.base.CloseIdleConnections()
	return s.UploadPackSession.Close()
}

func (s *httpSession) hint() error { return s.tripper.failed }

func transportEndpoint(e endpoint) *transport.Endpoint {
	port, _ := strconv.Atoi(e.port) // url.Parse has checked it; 0 is the default
	return &transport.Endpoint{Protocol: e.scheme, Host: bracketed(e.host), Port: port, Path: e.path}
}

func httpAuth(a Auth) transport.AuthMethod {
	switch {
	case a.Token != "":
		return &githttp.TokenAuth{Token: a.Token}
	case a.Password != "" && a.Username == "":
		return &githttp.BasicAuth{Username: "git", Password: a.Password}
	case a.Username != "":
		return &githttp.BasicAuth{Username: a.Username, Password: a.Password}
	}
	return nil
}

// httpTransport returns a transport of its own per session, so that nothing is
// shared between repositories with different trust.
func httpTransport(a Auth) (*http.Transport, error) {
	base := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		base = t.Clone()
	}
	base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(a.CABundle) == 0 {
		return base, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(a.CABundle) {
		return nil, errors.New("the CA bundle holds no PEM certificate")
	}
	base.TLSClientConfig.RootCAs = pool
	return base, nil
}

// meteredTripper counts response bodies and remembers why a request failed. One
// session uses it from one goroutine.
type meteredTripper struct {
	base   *http.Transport
	meter  *meter
	failed error
}

// RoundTrip implements http.RoundTripper.
func (t *meteredTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		t.failed = err
		return nil, err
	}
	var body io.Reader = resp.Body
	if resp.StatusCode >= http.StatusBadRequest {
		body = io.LimitReader(body, errorBody)
		t.failed = statusError(req.URL.Hostname(), resp.StatusCode)
	}
	if err := speaksGit(req, resp); err != nil {
		resp.Body.Close()
		t.failed = err
		return nil, err
	}
	resp.Body = readCloser{t.meter.reader(body), resp.Body}
	return resp, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// statusError explains the status codes that go-git has no error for.
func statusError(host string, status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return nil
	case http.StatusTooManyRequests:
		return refusef("%s limits the rate of requests (status 429): ask less often", host)
	}
	return refusef("%s answers with status %d %s", host, status, http.StatusText(status))
}

// speaksGit tells a web page, such as a login form, from a git server.
func speaksGit(req *http.Request, resp *http.Response) error {
	const want = "application/x-git-upload-pack-advertisement"
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK || !strings.HasSuffix(req.URL.Path, "/info/refs") || strings.HasPrefix(kind, want) {
		return nil
	}
	return refusef("%s answers with %q, not as a git server: check the URL", req.URL.Hostname(), oneLine(kind))
}
