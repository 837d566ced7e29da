package gitsource

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// endpoint is a repository's address in parts. Path is percent-encoded for http
// and https, and plain for the others. Only String is fit for people.
type endpoint struct {
	scheme         string // https, http, ssh, git, file
	user, password string
	host, port     string
	path           string
	scp            bool // written as user@host:path
}

// helper matches the remote helpers of git, such as ext::, that run commands.
var helper = regexp.MustCompile(`^[A-Za-z0-9+.-]+::`)

// scpLike matches user@host:path, where no slash stands before the colon.
var scpLike = regexp.MustCompile(`^(?:([^/@:]+)@)?([^/@:\[\]]+|\[[^/@\]]+\]):(.+)$`)

// parseEndpoint reads a repository's URL. Its errors never quote the URL, which
// may hold a password.
func parseEndpoint(raw string) (endpoint, error) {
	switch {
	case raw == "":
		return endpoint{}, errors.New("the git source has no URL")
	case strings.HasPrefix(raw, "-"), strings.ContainsFunc(raw, isControl):
		return endpoint{}, errors.New("the URL of the git source begins with a dash or holds control characters")
	case helper.MatchString(raw):
		return endpoint{}, errors.New("the URL of the git source names a remote helper, which is not supported: use https, ssh, git or file")
	case strings.Contains(raw, "://"):
		return parseURL(raw)
	}
	if m := scpLike.FindStringSubmatch(raw); m != nil && filepath.VolumeName(raw) == "" {
		return checked(endpoint{scheme: "ssh", user: m[1], host: strings.Trim(m[2], "[]"), path: m[3], scp: true})
	}
	dir, err := filepath.Abs(raw)
	if err != nil {
		return endpoint{}, fmt.Errorf("finding the directory of the git source: %w", err)
	}
	return endpoint{scheme: "file", path: dir}, nil
}

func parseURL(raw string) (endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return endpoint{}, errors.New("the URL of the git source is malformed")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return endpoint{}, errors.New("the URL of the git source has a query or fragment: give credentials as such, and the ref as ref")
	}
	e := endpoint{scheme: strings.ToLower(u.Scheme), host: u.Hostname(), port: u.Port(), path: u.Path}
	if u.User != nil {
		e.user = u.User.Username()
		e.password, _ = u.User.Password()
	}
	if e.scheme == "https" || e.scheme == "http" {
		e.path = strings.TrimRight(u.EscapedPath(), "/")
	}
	return checked(e)
}

// checked refuses endpoints that are incomplete or unsafe.
func checked(e endpoint) (endpoint, error) {
	if strings.ContainsFunc(e.host+e.path, isControl) {
		return endpoint{}, errors.New("the URL of the git source holds control characters")
	}
	switch e.scheme {
	case "file":
		if e.host != "" && e.host != "localhost" {
			return endpoint{}, fmt.Errorf("file URL of the git source names the host %s: only local files can be read", e.host)
		}
		if !path.IsAbs(e.path) {
			return endpoint{}, errors.New("file URL of the git source has no absolute path")
		}
		return endpoint{scheme: "file", path: filepath.FromSlash(e.path)}, nil
	case "https", "ssh", "git":
	case "http":
		if !isLoopback(e.host) {
			return endpoint{}, fmt.Errorf("the git source at %s is read over plain http, which anyone on the way can change: use https", e.host)
		}
	default:
		return endpoint{}, fmt.Errorf("scheme %q of the git source is not supported: use https, ssh, git or file", e.scheme)
	}
	if e.host == "" || strings.HasPrefix(e.host, "-") || strings.HasPrefix(e.path, "-") {
		return endpoint{}, errors.New("the URL of the git source has no usable host or path")
	}
	if strings.Trim(e.path, "/") == "" {
		return endpoint{}, fmt.Errorf("the URL of the git source names the host %s and no repository", e.host)
	}
	return e, nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// String returns the address with the user and password masked.
func (e endpoint) String() string {
	mask := ""
	if e.user != "" || e.password != "" {
		mask = "***@"
	}
	switch {
	case e.scheme == "file":
		return e.path
	case e.scp:
		return mask + bracketed(e.host) + ":" + e.path
	}
	return e.scheme + "://" + mask + e.authority() + "/" + strings.TrimPrefix(e.path, "/")
}

// public returns the address without credentials. The user of ssh is none, and git's
// servers want it.
func (e endpoint) public() string {
	user := e.user
	e.user, e.password = "", ""
	text := e.String()
	switch {
	case e.scheme != "ssh" || user == "":
		return text
	case e.scp:
		return user + "@" + text
	}
	return "ssh://" + url.User(user).String() + "@" + strings.TrimPrefix(text, "ssh://")
}

// authority returns host or host:port, as they were written.
func (e endpoint) authority() string {
	if e.port == "" {
		return bracketed(e.host)
	}
	return net.JoinHostPort(e.host, e.port)
}

// address returns host:port for dialling.
func (e endpoint) address(port string) string {
	if e.port != "" {
		port = e.port
	}
	return net.JoinHostPort(e.host, port)
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// sameOrigin reports whether credentials for e may be sent to other.
func (e endpoint) sameOrigin(other endpoint) bool {
	return e.scheme == other.scheme && strings.EqualFold(e.host, other.host) && e.port == other.port
}

// join resolves a submodule's relative URL against the repository's own.
func (e endpoint) join(relative string) (endpoint, error) {
	segments := strings.Split(strings.Trim(filepath.ToSlash(e.path), "/"), "/")
	for _, s := range strings.Split(relative, "/") {
		switch s {
		case "", ".":
		case "..":
			if len(segments) == 0 {
				return endpoint{}, errors.New("the URL climbs above the host's root")
			}
			segments = segments[:len(segments)-1]
		default:
			segments = append(segments, s)
		}
	}
	joined := e
	joined.path = strings.Join(segments, "/")
	if !e.scp {
		joined.path = "/" + joined.path
	}
	return checked(joined)
}
