// Package address reads what image references and URLs name, and brings it into one
// spelling: a host and a path. Whether one lies within another is decided by whole
// segments, so that shop is not shopevil and example.com not example.com.evil.io.
package address

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Place is where something comes from. The zero Place is nowhere.
type Place struct {
	// Host is in lower case and without a default port: "registry.example.com",
	// "registry.example.com:5000", "[2001:db8::1]".
	Host string
	// Path has no slash at either end. It is empty for all of a host.
	Path string
}

// String returns "host/path".
func (p Place) String() string {
	if p.Path == "" {
		return p.Host
	}
	return p.Host + "/" + p.Path
}

// Within says whether p is outer or lies below it.
func (p Place) Within(outer Place) bool {
	if p.Host != outer.Host || p.Host == "" {
		return false
	}
	rest, ok := strings.CutPrefix(p.Path, outer.Path)
	return ok && (outer.Path == "" || rest == "" || rest[0] == '/')
}

// WithinAny says whether p lies within one of the places.
func (p Place) WithinAny(places []Place) bool { return slices.ContainsFunc(places, p.Within) }

// Docker Hub, by the names that it answers to.
const hub = "docker.io"

var hubs = []string{"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com", "registry.docker.io"}

// host brings a host, with or without a port, into one spelling. A port that is the
// default is dropped.
func host(text, defaultPort string) (string, error) {
	name, port, err := splitPort(text)
	if err != nil {
		return "", err
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", errors.New("its host is no IPv6 address")
		}
		name = "[" + ip.String() + "]"
	} else if name, err = hostName(name); err != nil {
		return "", err
	}
	if port == "" || port == defaultPort {
		if slices.Contains(hubs, name) {
			return hub, nil
		}
		return name, nil
	}
	return name + ":" + port, nil
}

// splitPort parts a host from its port, and spells the port without leading zeros.
func splitPort(text string) (name, port string, err error) {
	name = text
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		name, port = text[:i], text[i+1:]
	}
	if port == "" {
		return name, "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strings.Trim(port, "0123456789") != "" {
		return "", "", errors.New("its port is no number from 1 to 65535")
	}
	return name, strconv.FormatUint(n, 10), nil
}

// hostName checks a DNS name. What is beyond ASCII is refused, because it may look
// like what it is not.
func hostName(text string) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(text), ".")
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return "", errors.New("its host is no DNS name")
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return "", errors.New("its host is no DNS name")
			}
		}
	}
	return name, nil
}

// ParsePrefix reads an entry of spec.sources.registries, charts or repositories:
// "host", "host:port" or either with a path. Errors say what to write instead.
func ParsePrefix(text string) (Place, error) {
	scheme, rest, hasScheme := strings.Cut(text, "://")
	switch {
	case text == "":
		return Place{}, errors.New("is empty: name a host, such as registry.example.com, or a path on one")
	case strings.ContainsAny(text, " \t\r\n"):
		return Place{}, errors.New("holds a space: write one host, with or without a path")
	case strings.Contains(text, "*"):
		return Place{}, errors.New("holds a *: leave it out, for all below a path is meant without it")
	case hasScheme && !strings.Contains(rest, "@"):
		return Place{}, fmt.Errorf("begins with %s://: leave that out: %q", scheme, rest)
	case strings.Contains(text, "@"):
		return Place{}, errors.New("holds an @: leave out users, passwords and digests")
	case strings.ContainsAny(text, "?#%\\"):
		return Place{}, errors.New("holds one of ? # % \\: write a host and a path as they are")
	case strings.HasSuffix(text, "/"):
		return Place{}, fmt.Errorf("ends in a slash: leave that out: %q", strings.TrimRight(text, "/"))
	}
	first, path, _ := strings.Cut(text, "/")
	if name, rest, ok := strings.Cut(first, ":"); ok && rest != "" && strings.Trim(rest, "0123456789") != "" && !strings.HasPrefix(name, "[") && !strings.Contains(rest, ":") {
		return Place{}, fmt.Errorf("is no host with a port: write %q", name+"/"+text[len(name)+1:])
	}
	if !strings.ContainsAny(first, ".:") && first != "localhost" {
		return Place{}, fmt.Errorf("names no host: write %q for images of Docker Hub, or a whole host name such as registry.example.com", hub+"/"+text)
	}
	name, err := host(first, "443")
	if err != nil {
		return Place{}, fmt.Errorf("cannot be read: %w", err)
	}
	if err := checkSegments(path); err != nil {
		return Place{}, fmt.Errorf("cannot be read: %w", err)
	}
	return Place{Host: name, Path: strings.TrimSuffix(path, ".git")}, nil
}

// ParseRegistry reads an entry of spec.sources.registries: a prefix, of the form
// that images' names have.
func ParseRegistry(text string) (Place, error) {
	p, err := ParsePrefix(text)
	if err != nil {
		return Place{}, err
	}
	_, path, _ := strings.Cut(text, "/")
	switch {
	case strings.Contains(path, ":"):
		return Place{}, fmt.Errorf("holds a tag: leave that out: %q", text[:strings.LastIndexByte(text, ':')])
	case strings.ToLower(path) != path:
		return Place{}, fmt.Errorf("has capital letters in its path, and no image has: write %q", p.Host+"/"+strings.ToLower(path))
	case path != "" && !validPath(path):
		return Place{}, errors.New("has a path that no image can have: write lower case letters and digits, parted by / . _ or -")
	}
	return Place{Host: p.Host, Path: path}, nil
}

// checkSegments refuses paths that mean something else than they say.
func checkSegments(path string) error {
	if path == "" {
		return nil
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			return errors.New("its path has an empty segment")
		case ".", "..":
			return errors.New("its path has a segment of dots")
		}
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return errors.New("its path holds a space or a control character")
	}
	return nil
}
