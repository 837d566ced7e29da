package gitsource

import (
	"strings"
	"testing"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw  string
		want endpoint
		text string
	}{
		{
			"https://u:p@git.example.com/org/repo.git/",
			endpoint{scheme: "https", user: "u", password: "p", host: "git.example.com", path: "/org/repo.git"},
			"https://***@git.example.com/org/repo.git",
		},
		{
			"HTTPS://git.example.com:8443/a%20b",
			endpoint{scheme: "https", host: "git.example.com", port: "8443", path: "/a%20b"},
			"https://git.example.com:8443/a%20b",
		},
		{
			"git@git.example.com:org/repo.git",
			endpoint{scheme: "ssh", user: "git", host: "git.example.com", path: "org/repo.git", scp: true},
			"***@git.example.com:org/repo.git",
		},
		{
			"git.example.com:/srv/repo.git",
			endpoint{scheme: "ssh", host: "git.example.com", path: "/srv/repo.git", scp: true},
			"git.example.com:/srv/repo.git",
		},
		{
			"git@[::1]:repo.git",
			endpoint{scheme: "ssh", user: "git", host: "::1", path: "repo.git", scp: true},
			"***@[::1]:repo.git",
		},
		{
			"ssh://git@git.example.com:2222/~ada/repo.git",
			endpoint{scheme: "ssh", user: "git", host: "git.example.com", port: "2222", path: "/~ada/repo.git"},
			"ssh://***@git.example.com:2222/~ada/repo.git",
		},
		{
			"git://[::1]/repo.git",
			endpoint{scheme: "git", host: "::1", path: "/repo.git"},
			"git://[::1]/repo.git",
		},
		{"file:///srv/repo.git", endpoint{scheme: "file", path: "/srv/repo.git"}, "/srv/repo.git"},
		{"/srv/repo:1", endpoint{scheme: "file", path: "/srv/repo:1"}, "/srv/repo:1"},
	} {
		got, err := parseEndpoint(c.raw)
		if err != nil || got != c.want || got.String() != c.text {
			t.Errorf("parseEndpoint(%q) = %#v (%s), %v, want %#v (%s)", c.raw, got, got, err, c.want, c.text)
		}
	}
}

func TestRelativeEndpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, relative, want string }{
		{"https://h/org/repo.git", "../other.git", "https://h/org/other.git"},
		{"https://h/org/repo.git", "../../x/y", "https://h/x/y"},
		{"https://h/org/repo.git", "./sub", "https://h/org/repo.git/sub"},
		{"git@h:org/repo.git", "../other.git", "***@h:org/other.git"},
		{"ssh://h/org/repo.git", "../other.git", "ssh://h/org/other.git"},
		{"/srv/repo.git", "../other.git", "/srv/other.git"},
		{"https://h/org/repo.git", "../../../x", ""},
		{"https://h/org/repo.git", "../..", ""},
		{"git@h:repo.git", "../-o", ""},
	} {
		base, err := parseEndpoint(c.base)
		if err != nil {
			t.Fatal(err)
		}
		got, err := base.join(c.relative)
		if c.want == "" && err == nil || c.want != "" && (err != nil || got.String() != c.want) {
			t.Errorf("%s joined with %s = %s, %v, want %q", c.base, c.relative, got, err, c.want)
		}
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"https://u:pass-word@h/p", "u@h:p", "ssh://[::1]:22/p", "file:///p", "./x", "ext::x", "u:pass-word@h:p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		e, err := parseEndpoint(raw)
		text := e.String()
		if err != nil {
			text = err.Error()
		}
		if len(e.password) > 8 && !strings.Contains(e.path+e.host, e.password) && strings.Contains(text, e.password) {
			t.Errorf("%q shows the password of %q", text, raw)
		}
	})
}
