package gitsourcetest

import (
	"compress/gzip"
	"crypto/subtle"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// ServerOptions say whom a server lets in.
type ServerOptions struct {
	// Username and Password ask for basic authentication, Token for a bearer
	// token. Without them everyone may read.
	Username, Password, Token string
	// TLS serves https with a certificate of an authority of its own.
	TLS bool
	// Intercept, if not nil, may answer a request itself and return true.
	Intercept func(http.ResponseWriter, *http.Request) bool
}

// Server serves repositories over the smart HTTP protocol.
type Server struct {
	// URL is the server's address. The repository given to Serve is at
	// URL/repo.git.
	URL string
	// CA is the authority's certificate in PEM, where TLS is on.
	CA []byte

	t    testing.TB
	opts ServerOptions

	mu       sync.Mutex
	repos    map[string]*Repo
	requests []string
}

// Serve serves a repository until the test ends.
func Serve(t testing.TB, repo *Repo, opts ServerOptions) *Server {
	t.Helper()
	s := &Server{t: t, opts: opts, repos: map[string]*Repo{"repo.git": repo}}
	var h *httptest.Server
	if opts.TLS {
		h = httptest.NewUnstartedServer(s)
		h.Config.ErrorLog = quiet()
		h.StartTLS()
		s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	} else {
		h = httptest.NewServer(s)
	}
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Add serves one more repository, at URL/name, and returns its URL.
func (s *Server) Add(name string, repo *Repo) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos[name] = repo
	return s.URL + "/" + name
}

// Repo returns the URL of the repository given to Serve.
func (s *Server) Repo() string { return s.URL + "/repo.git" }

// Requests returns the requests so far, such as "GET /repo.git/info/refs".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, req.Method+" "+req.URL.Path)
	s.mu.Unlock()
	if s.opts.Intercept != nil && s.opts.Intercept(w, req) {
		return
	}
	if !s.admits(req) {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		// A careless server that repeats what it was sent.
		http.Error(w, "no entry with "+req.Header.Get("Authorization"), http.StatusUnauthorized)
		return
	}
	s.git(w, req)
}

func (s *Server) admits(req *http.Request) bool {
	switch {
	case s.opts.Token != "":
		return same(req.Header.Get("Authorization"), "Bearer "+s.opts.Token)
	case s.opts.Password != "":
		user, password, _ := req.BasicAuth()
		return same(user, s.opts.Username) && same(password, s.opts.Password)
	}
	return true
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (s *Server) git(w http.ResponseWriter, req *http.Request) {
	name, action, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), ".git/")
	s.mu.Lock()
	repo := s.repos[name+".git"]
	s.mu.Unlock()
	switch {
	case repo == nil:
		http.NotFound(w, req)
	case action == "info/refs":
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		fmt.Fprint(w, "001e# service=git-upload-pack\n0000")
		uploadPack(req, repo.Dir, nil, w, "--advertise-refs")
	case action == "git-upload-pack":
		body, err := plainBody(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		uploadPack(req, repo.Dir, body, w)
	default:
		http.NotFound(w, req)
	}
}

func plainBody(req *http.Request) (io.Reader, error) {
	if req.Header.Get("Content-Encoding") == "gzip" {
		return gzip.NewReader(req.Body)
	}
	return req.Body, nil
}

// uploadPack answers with git itself. Its failure shows in what it wrote.
func uploadPack(req *http.Request, dir string, in io.Reader, out io.Writer, flags ...string) {
	args := slices.Concat([]string{"upload-pack", "--stateless-rpc"}, flags, []string{dir})
	cmd := exec.CommandContext(req.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	cmd.Stdin, cmd.Stdout = in, out
	_ = cmd.Run()
}
