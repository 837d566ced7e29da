package address

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var defaultPorts = map[string]string{"https": "443", "http": "80", "oci": "443", "ssh": "22", "git+ssh": "22", "git": "9418", "s3": "443", "gs": "443"}

var (
	scp     = regexp.MustCompile(`^(\[[^\]/]+\]|[^@/:\s\[\]]+):(.+)$`)
	forced  = regexp.MustCompile(`^[a-z0-9+]+::`)
	escaped = regexp.MustCompile(`(?i)%(2e|2f|5c|25|00)`)
)

// ParseURL reads the address of a repository, chart or bucket: a URL, an address as
// scp and git take them ("git@host:path"), or "host/path". Scheme, user, password,
// query, fragment and an ending ".git" are dropped. What could mean something else
// to whoever fetches it is an error: segments of dots, encoded slashes, hosts that
// are no ASCII names, and files.
//
// An error never repeats the text, which may hold a password.
func ParseURL(text string) (Place, error) {
	text = forced.ReplaceAllString(text, "")
	switch {
	case text == "":
		return Place{}, errors.New("it is empty")
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }):
		return Place{}, errors.New("it holds a space, a backslash or a control character")
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		return parseScheme(strings.ToLower(scheme), text)
	}
	text, _, _ = strings.Cut(text, "?")
	first, _, _ := strings.Cut(text, "/")
	user, _, ok := strings.Cut(first, "@")
	if ok { // before anything else, for it may hold a password
		text, first = text[len(user)+1:], first[len(user)+1:]
	}
	if strings.Contains(first, "@") {
		return Place{}, errors.New("its user holds an @")
	}
	// Without a user, what has no dot before the colon may as well be a scheme.
	if at := scp.FindStringSubmatch(text); at != nil && !portPath.MatchString(text) && (ok || strings.Contains(at[1], ".")) {
		return place(at[1], "22", strings.TrimLeft(at[2], "/"))
	}
	name, path, _ := strings.Cut(text, "/")
	if !strings.ContainsAny(name, ".:[") && name != "localhost" {
		return Place{}, errors.New("it names no host")
	}
	return place(name, "443", path)
}

// portPath tells "host:5000/path" from "host:path".
var portPath = regexp.MustCompile(`^(\[[^\]/]+\]|[^@/:\s\[\]]+):[0-9]+(/|$)`)

func parseScheme(scheme, text string) (Place, error) {
	port, ok := defaultPorts[scheme]
	if !ok {
		return Place{}, errors.New("its scheme is none of https, http, oci, ssh and git")
	}
	u, err := url.Parse(text)
	if err != nil { // the library's error repeats the text
		return Place{}, errors.New("it is no URL")
	}
	if escaped.MatchString(u.EscapedPath()) {
		return Place{}, errors.New("its path has encoded dots or slashes")
	}
	if u.Host == "" || u.Opaque != "" {
		return Place{}, errors.New("it names no host")
	}
	return place(u.Host, port, u.Path)
}

// place makes a Place of a host and a path as they are written.
func place(name, defaultPort, path string) (Place, error) {
	if escaped.MatchString(path) {
		return Place{}, errors.New("its path has encoded dots or slashes")
	}
	name, err := host(name, defaultPort)
	if err != nil {
		return Place{}, err
	}
	// Two slashes part a repository from a directory in it, as kustomize writes them.
	segments := slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" })
	path = strings.Join(segments, "/")
	if err := checkSegments(path); err != nil {
		return Place{}, err
	}
	return Place{Host: name, Path: strings.TrimSuffix(path, ".git")}, nil
}

// Redact returns an address without user, password and query, to be shown. What
// cannot be read is not shown at all.
func Redact(text string) string {
	p, err := ParseURL(text)
	if err != nil {
		return "an address that cannot be read"
	}
	return p.String()
}
