package provenance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"plumbline.dev/plumbline/api/v1alpha1"
)

func TestRepository(t *testing.T) {
	for _, test := range []struct{ uri, want string }{
		{"https://git.example.com/shop/web", "git.example.com/shop/web"},
		{"git.example.com/shop/web", "git.example.com/shop/web"},
		{"git.example.com:8443/shop/web", "git.example.com:8443/shop/web"},
		{"git+https://Git.Example.com:443/shop/web.git@refs/heads/main", "git.example.com/shop/web"},
		{"https://user:word@git.example.com/shop/web/", "git.example.com/shop/web"},
		{"https://git.example.com/shop/web.git#main:dir", "git.example.com/shop/web"},
		{"https://git.example.com/shop/web?x=y", "git.example.com/shop/web"},
		{"ssh://git@git.example.com:22/shop/web", "git.example.com/shop/web"},
		{"ssh://git@git.example.com:2222/shop/web", "git.example.com:2222/shop/web"},
		{"git@git.example.com:shop/web.git", "git.example.com/shop/web"},
		{"git+ssh://git@git.example.com/shop/web", "git.example.com/shop/web"},
		{"git://git.example.com/shop/web", "git.example.com/shop/web"},
		{"", ""}, {"https://", ""}, {"https://git.example.com", ""}, {"https://git.example.com/", ""}, {"file:///srv/web", ""},
		{"https://git.example.com/shop/../evil", ""}, {"https://git.example.com/shop//web", ""}, {"https://git.example.com/%73hop/web", ""},
		{"https://git.example.com/shop%2fweb", ""}, {"https://git.example.com./shop/web", ""}, {"https:///shop/web", ""},
		{"javascript:alert(1)", ""}, {"https://git.example.com/a b\\c", ""}, {"pkg:docker/golang@1", "pkg/docker/golang"},
	} {
		got, ok := repository(test.uri)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("repository(%q) = %q, %v, want %q", test.uri, got, ok, test.want)
		}
	}
}

func FuzzRepository(f *testing.F) {
	f.Add("git+https://user@git.example.com:443/shop/web.git@refs/heads/main#x")
	f.Add("git@git.example.com:shop/web.git")
	f.Fuzz(func(t *testing.T, uri string) {
		got, ok := repository(uri)
		if !ok {
			return
		}
		if same, ok := repository(got); !ok || same != got && same+".git" != got {
			t.Errorf("%q is %q, which is %q", uri, got, same)
		}
	})
}

// FuzzJudge: nothing that is not signed is good, and nothing makes it stop.
func FuzzJudge(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	text, err := cryptoutils.MarshalPublicKeyToPEM(key.Public())
	if err != nil {
		f.Fatal(err)
	}
	p, err := newPolicy(v1alpha1.Signatures{Keys: []string{string(text)}})
	if err != nil {
		f.Fatal(err)
	}
	digest, err := name.NewDigest("registry.example.com/shop/web@sha256:4b825dc642cb6eb9a060e54bf8d69288fbee49044b825dc642cb6eb9a060e54b")
	if err != nil {
		f.Fatal(err)
	}
	envelope := `{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":"MEUCIQ=="}]}`
	f.Add(kindSimple, []byte(`{"critical":{}}`), "MEUCIQ==")
	f.Add(kindEnvelope, []byte(envelope), "")
	f.Add(kindBundle, []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{},"tlogEntries":[{}]},"dsseEnvelope":`+envelope+`}`), "")
	f.Fuzz(func(t *testing.T, kind string, content []byte, signature string) {
		if j := p.judge(digest, item{kind, content, signature}); j.good || j.signed || j.reason == "" {
			t.Errorf("%+v", j)
		}
		_ = approves(envelopeOf(content))
		_, _ = readSLSA1(content)
		_, _ = readSLSA02(content)
		_, _ = platformsOf(digest, content)
	})
}
