package address

import (
	"strings"
	"testing"
)

const (
	sha   = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sha5  = "sha512:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	inner = "registry.example.com/shop"
)

// TestImages decides each reference against registry.example.com/shop,
// docker.io/library, localhost:5000, [2001:db8::1]:5000 and corp.example.com:5000.
func TestImages(t *testing.T) {
	var ours []Place
	for _, text := range []string{inner, "Index.Docker.io/library", "localhost:5000", "[2001:DB8:0::1]:5000", "corp.example.com:05000", "plain.example.com:443", "dotted.example.com."} {
		place, err := ParseRegistry(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		ours = append(ours, place)
	}
	for _, c := range []struct{ text, want string }{ // "" refused; "-" before what is outside
		{"nginx", "docker.io/library/nginx"},
		{"nginx:1.27", "docker.io/library/nginx:1.27"},
		{"nginx:latest", "docker.io/library/nginx:latest"},
		{"library/nginx", "docker.io/library/nginx"},
		{"docker.io/nginx", "docker.io/library/nginx"},
		{"docker.io/library/nginx:latest", "docker.io/library/nginx:latest"},
		{"index.docker.io/nginx", "docker.io/library/nginx"},
		{"INDEX.docker.io/nginx", "docker.io/library/nginx"},
		{"INDEX.docker.io/library/nginx", "docker.io/library/nginx"},
		{"registry-1.docker.io/library/nginx", "docker.io/library/nginx"},
		{"registry.hub.docker.com/library/nginx", "docker.io/library/nginx"},
		{"docker.io:443/library/nginx", "docker.io/library/nginx"},
		{"bitnami/redis", "-docker.io/bitnami/redis"},
		{"docker.io/bitnami/redis:7", "-docker.io/bitnami/redis:7"},
		{"registry-1.docker.io/bitnami/redis", "-docker.io/bitnami/redis"},
		{"docker.io/libraryevil/nginx", "-docker.io/libraryevil/nginx"},
		{"docker.io.evil.io/library/nginx", "-docker.io.evil.io/library/nginx"},
		{"docker.io:5000/library/nginx", "-docker.io:5000/library/nginx"},
		{"mirror.gcr.io/library/nginx", "-mirror.gcr.io/library/nginx"},
		{"nginx@" + sha, "docker.io/library/nginx@" + sha},

		{"registry.example.com/shop/web", "registry.example.com/shop/web"},
		{"registry.example.com/shop/web:1.2", "registry.example.com/shop/web:1.2"},
		{"registry.example.com/shop/web:1.2@" + sha, "registry.example.com/shop/web:1.2@" + sha},
		{"registry.example.com/shop/web@" + sha5, "registry.example.com/shop/web@" + sha5},
		{"registry.example.com/shop/a/b/c", "registry.example.com/shop/a/b/c"},
		{"registry.example.com/shop:1", "registry.example.com/shop:1"},
		{"REGISTRY.Example.COM/shop/web", "registry.example.com/shop/web"},
		{"registry.example.com:443/shop/web", "registry.example.com/shop/web"},
		{"registry.example.com:0443/shop/web", "registry.example.com/shop/web"},
		{"plain.example.com/x", "plain.example.com/x"},
		{"dotted.example.com/x", "dotted.example.com/x"},
		{"registry.example.com/shopevil/x", "-registry.example.com/shopevil/x"},
		{"registry.example.com/shop-evil/x", "-registry.example.com/shop-evil/x"},
		{"registry.example.com/sho/p/x", "-registry.example.com/sho/p/x"},
		{"registry.example.com/x/shop/web", "-registry.example.com/x/shop/web"},
		{"registry.example.com/x", "-registry.example.com/x"},
		{"registry.example.com.evil.io/x", "-registry.example.com.evil.io/x"},
		{"registry.example.com.evil.io/shop/x", "-registry.example.com.evil.io/shop/x"},
		{"evilregistry.example.com/shop/x", "-evilregistry.example.com/shop/x"},
		{"evil.io/registry.example.com/shop/x", "-evil.io/registry.example.com/shop/x"},
		{"registry.example.com:8443/shop/web", "-registry.example.com:8443/shop/web"},
		{"registry.example.com:80/shop/web", "-registry.example.com:80/shop/web"},
		{"registry.example.com", "docker.io/library/registry.example.com"},
		{"registry-example-com/shop/web", "-docker.io/registry-example-com/shop/web"},
		{"Foo/bar", "-foo/bar"},

		{"localhost:5000/x", "localhost:5000/x"},
		{"localhost/x", "-localhost/x"},
		{"localhost:5001/x", "-localhost:5001/x"},
		{"127.0.0.1:5000/x", "-127.0.0.1:5000/x"},
		{"[2001:db8::1]:5000/x", "[2001:db8::1]:5000/x"},
		{"[2001:DB8:0:0:0:0:0:1]:5000/x", "[2001:db8::1]:5000/x"},
		{"[2001:db8::1]/x", "-[2001:db8::1]/x"},
		{"[2001:db8::2]:5000/x", "-[2001:db8::2]:5000/x"},
		{"corp.example.com:5000/x", "corp.example.com:5000/x"},
		{"corp.example.com/x", "-corp.example.com/x"},

		{"", ""},
		{" ", ""},
		{" nginx", ""},
		{"nginx ", ""},
		{"nginx\n", ""},
		{"registry.example.com/shop/web\tx", ""},
		{sha, ""},
		{sha5, ""},
		{strings.TrimPrefix(sha, "sha256:"), ""},
		{"sha256:" + strings.Repeat("a", 40), ""},
		{"nginx@sha256:abc", ""},
		{"nginx@" + sha + "aa", ""},
		{"nginx@" + sha[:len(sha)-1], ""},
		{"nginx@sha256:" + strings.Repeat("A", 64), ""},
		{"nginx@md5:" + strings.Repeat("a", 32), ""},
		{"nginx@" + sha + "@" + sha, ""},
		{"user@registry.example.com/shop/web", ""},
		{"user:password@registry.example.com/shop/web", ""},
		{"registry.example.com@evil.io/shop/web", ""},
		{"oci://registry.example.com/shop/web", ""},
		{"https://registry.example.com/shop/web", ""},
		{"docker://nginx", ""},
		{"ko://example.com/cmd/web", ""},
		{"registry.example.com/Shop/web", ""},
		{"registry.example.com/shop/../evil/x", ""},
		{"registry.example.com/shop/./x", ""},
		{"registry.example.com//shop/x", ""},
		{"registry.example.com/shop/", ""},
		{"registry.example.com/shop%2fweb", ""},
		{"registry.example.com\\shop/web", ""},
		{"registry.corp./x", ""},
		{"registry.example.com:/shop/web", ""},
		{"registry.example.com:99999/shop/web", ""},
		{"registry.example.com:0/shop/web", ""},
		{"rеgistry.example.com/shop/web", ""}, // a Cyrillic е
		{"registry․example․com/shop/web", ""}, // one dot leaders
		{"registry.example.com/ѕhop/web", ""}, // a Cyrillic ѕ
		{"nginx:", ""},
		{"nginx:-1", ""},
		{"nginx:" + strings.Repeat("a", 129), ""},
		{"nginx:1:2", ""},
		{"/nginx", ""},
		{"-nginx", ""},
		{"${IMAGE}", ""},
		{"{{ .Values.image }}", ""},
		{"[::1/x", ""},
		{"[:::]:5000/x", ""},
		{"[2001:db8::1%eth0]:5000/x", ""},
		{"registry.example.com/" + strings.Repeat("a", 256), ""},
	} {
		image, err := ParseImage(c.text)
		got := ""
		if err == nil {
			got = image.String()
			if !image.WithinAny(ours) {
				got = "-" + got
			}
		}
		if got != c.want {
			t.Errorf("%q is %q (%v), want %q", c.text, got, err, c.want)
		}
		if err != nil && strings.Contains(c.text, "password") && strings.Contains(err.Error(), "password") {
			t.Errorf("%q: the error tells the password: %v", c.text, err)
		}
	}
}

func TestURLs(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"https://git.example.com/platform/config.git", "git.example.com/platform/config"},
		{"https://git.example.com/platform/config", "git.example.com/platform/config"},
		{"https://GIT.example.com:443/platform/config/", "git.example.com/platform/config"},
		{"http://git.example.com:80/x", "git.example.com/x"},
		{"http://git.example.com:443/x", "git.example.com:443/x"},
		{"https://git.example.com:8443/x", "git.example.com:8443/x"},
		{"https://git.example.com./x", "git.example.com/x"},
		{"https://user:secret@git.example.com/x", "git.example.com/x"},
		{"https://git.example.com@evil.io/x", "evil.io/x"},
		{"https://evil.io#git.example.com/x", "evil.io"},
		{"https://evil.io?git.example.com/x", "evil.io"},
		{"https://git.example.com/x?ref=v1", "git.example.com/x"},
		{"https://git.example.com/x.git//base?ref=v1", "git.example.com/x.git/base"},
		{"git@git.example.com:platform/config.git", "git.example.com/platform/config"},
		{"git.example.com:platform/config.git", "git.example.com/platform/config"},
		{"git@git.example.com:/platform/config", "git.example.com/platform/config"},
		{"ssh://git@git.example.com/platform/config.git", "git.example.com/platform/config"},
		{"ssh://git@git.example.com:22/x", "git.example.com/x"},
		{"ssh://git@git.example.com:7999/x", "git.example.com:7999/x"},
		{"git::https://git.example.com/x", "git.example.com/x"},
		{"git://git.example.com/x", "git.example.com/x"},
		{"oci://registry-1.docker.io/bitnamicharts", "docker.io/bitnamicharts"},
		{"oci://ghcr.io/org/charts", "ghcr.io/org/charts"},
		{"registry.example.com/charts", "registry.example.com/charts"},
		{"registry.example.com:5000/charts", "registry.example.com:5000/charts"},
		{"minio.example.com:9000", "minio.example.com:9000"},
		{"user:secret@git.example.com/x", "git.example.com/x"},
		{"https://[2001:db8::0:1]:8443/x", "[2001:db8::1]:8443/x"},
		{"https://git.example.com/%73hop", "git.example.com/shop"},
		{"", ""},
		{"https://", ""},
		{"https:///x", ""},
		{"https:git.example.com/x", ""},
		{"file:///srv/git", ""},
		{"/srv/git", ""},
		{"../base", ""},
		{"charts/web", ""},
		{"https://git.example.com/shop/../evil", ""},
		{"https://git.example.com/shop/%2e%2e/evil", ""},
		{"https://git.example.com/shop%2F..%2fevil", ""},
		{"https://git.example.com/shop%252fevil", ""},
		{"https://git.example.com\\@evil.io/x", ""},
		{"https://git.example.com/x y", ""},
		{"https://git.example.com/x\n", ""},
		{"https://gіt.example.com/x", ""}, // a Cyrillic і
		{"https://user:secret@/x", ""},
		{"https://user:sec%ret@git.example.com/x", ""},
		{"user:sec@ret@git.example.com/x", ""},
		{"javascript://git.example.com/x", ""},
	} {
		place, err := ParseURL(c.text)
		if got := place.String(); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q is %q (%v), want %q", c.text, got, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "sec") {
			t.Errorf("%q: the error tells the password: %v", c.text, err)
		}
	}
}

func TestPrefixesSayWhatToWrite(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "name a host"},
		{"registry.example.com /x", "holds a space"},
		{"https://registry.example.com/x", `leave that out: "registry.example.com/x"`},
		{"registry.example.com/*", "holds a *"},
		{"user@registry.example.com", "leave out users"},
		{"https://user:secret@registry.example.com", "leave out users"},
		{"registry.example.com/x@" + sha, "leave out users, passwords and digests"},
		{"registry.example.com/x/", `leave that out: "registry.example.com/x"`},
		{"registry.example.com/x?y", "holds one of"},
		{"registry.example.com/x%2fy", "holds one of"},
		{"bitnami", `write "docker.io/bitnami"`},
		{"bitnami/redis", `write "docker.io/bitnami/redis"`},
		{"registry.example.com/x:1", `leave that out: "registry.example.com/x"`},
		{"registry.example.com/Shop", `write "registry.example.com/shop"`},
		{"registry.example.com/x//y", "empty segment"},
		{"registry.example.com/../y", "segment of dots"},
		{"registry.example.com/a b", "holds a space"},
		{"registry.example.com/ä", "no image can have"},
		{"registry.example.com:99999", "no number from 1 to 65535"},
		{"git.example.com:platform/config", `write "git.example.com/platform/config"`},
		{"rеgistry.example.com", "no DNS name"},
		{"registry..com", "no DNS name"},
		{":5000/x", "no DNS name"},
		{"/x", "names no host"},
		{"[::1", "no IPv6 address"},
		{"[::zz]:5000", "no IPv6 address"},
	} {
		_, err := ParseRegistry(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want …%s…", c.text, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells the password: %v", c.text, err)
		}
	}
	if p, err := ParsePrefix("git.example.com/Platform/config.git"); err != nil || p.String() != "git.example.com/Platform/config" {
		t.Errorf("got %v, %v", p, err)
	}
}

// FuzzAddresses: what is read reads the same once it is spelled, and nothing panics.
func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"nginx", "registry.example.com:443/a/b:c@" + sha, "git@host:path", "https://u:p@h/p?q#f", "[::1]:5000/x", "user:pw@h/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if image, err := ParseImage(text); err == nil {
			again, err := ParseImage(image.String())
			if err != nil && len(image.Path) < 200 && strings.ContainsAny(image.Host, ".:") || err == nil && again != image && strings.ContainsAny(image.Host, ".:") {
				t.Errorf("%q is %q, and that is %q (%v)", text, image, again, err)
			}
		}
		if place, err := ParseURL(text); err == nil {
			if place.Host == "" || strings.Contains(place.Host, "@") || !place.Within(place) {
				t.Errorf("%q is %+v", text, place)
			}
		}
		if place, err := ParsePrefix(text); err == nil && !place.Within(place) {
			t.Errorf("%q is %+v", text, place)
		}
	})
}
