package v1alpha1

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

func (s Sources) validate(ps *problems) {
	ps.locations("spec.sources.registries", s.Registries, "registry.example.com/shop")
	ps.locations("spec.sources.charts", s.Charts, "charts.example.com")
	ps.locations("spec.sources.repositories", s.Repositories, "git.example.com/platform")
	for i, r := range s.Registries {
		if _, last, _ := strings.Cut(r, "/"); strings.ContainsAny(last, ":@") {
			ps.add(fmt.Sprintf("spec.sources.registries[%d]", i), " is %q: leave the tag or digest out", r)
		}
	}
	ps.oneOf("spec.sources.tags", s.Tags, Fixed, Any)
	ps.oneOf("spec.sources.digests", s.Digests, Required, Optional)
	ps.oneOf("spec.sources.releases", s.Releases, Read, Unread)
	for i, f := range s.Images {
		f.validate(fmt.Sprintf("spec.sources.images[%d]", i), ps)
	}
	if s.Signatures != nil {
		s.Signatures.validate(ps)
	}
}

// scheme is how a URL begins.
var scheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://`)

// locations checks places from which things may come: a host, and a path whose
// segments count as wholes.
func (ps *problems) locations(at string, locations []string, example string) {
	ps.words(at, locations)
	for i, l := range locations {
		at := fmt.Sprintf("%s[%d]", at, i)
		bare := strings.TrimRight(scheme.ReplaceAllString(l, ""), "/")
		host, _, _ := strings.Cut(bare, "/")
		switch {
		case strings.TrimSpace(l) != l || l == "": // said already
		case strings.ContainsAny(l, " \t\n"):
			ps.add(at, " is %q: write one place, such as %s", l, example)
		case strings.Contains(host, "@"): // there may be a password in front of it
			ps.add(at, " names a user: write the host and path alone, such as %s", example)
		case strings.ContainsAny(l, "*?"):
			ps.add(at, " is %q: write it without a pattern, because all beneath a place is meant: %s", l, strings.TrimRight(strings.TrimRight(bare, "*?"), "/"))
		case bare == "" || strings.HasPrefix(bare, "/"):
			ps.add(at, " is %q: begin with a host, such as %s", l, example)
		case bare != l:
			ps.add(at, " is %q: write it without a scheme and a slash at its end: %s", l, bare)
		case strings.Contains(l, "//"):
			ps.add(at, " is %q: write one slash between two parts", l)
		}
	}
}

func (f ImageField) validate(at string, ps *problems) {
	ps.group(at+".group", f.Group)
	if f.Kind == "" {
		ps.add(at, " has no kind: write that of the custom resource, such as Prometheus")
	}
	ps.kindAlone(at+".kind", f.Kind)
	if !strings.HasPrefix(f.Path, "$") {
		ps.add(at+".path", " is %q: write a JSONPath, such as $.spec.image", f.Path)
	}
}

func (s Signatures) validate(ps *problems) {
	at := "spec.sources.signatures"
	if len(s.Keys) == 0 {
		ps.add(at, " has no keys: write the public keys of those who sign, in PEM")
	}
	for i, key := range s.Keys {
		if text := publicKey(key); text != "" {
			ps.add(fmt.Sprintf("%s.keys[%d]", at, i), " %s", text)
		}
	}
	ps.words(at+".builders", s.Builders)
	ps.words(at+".repositories", s.Repositories)
}

// publicKey says what is wrong with a public key in PEM, without a word of it.
func publicKey(text string) string {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return `is not PEM: write what cosign.pub holds, from -----BEGIN PUBLIC KEY----- to the end, after "|"`
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return "is a private key: take it out, make a new pair, and write the public key"
	case block.Type != "PUBLIC KEY":
		return fmt.Sprintf("is a %s: write a PUBLIC KEY, as cosign public-key prints it", strings.ToLower(block.Type))
	case strings.TrimSpace(string(rest)) != "":
		return "holds more than one key: write each as an item of its own"
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return "is no public key that can be read: write it anew, as cosign public-key prints it"
	}
	return ""
}

func (v Verify) validate(ps *problems) {
	ps.oneOf("spec.verify.commits", v.Commits, Head, All)
	if strings.TrimSpace(v.AllowedSigners) == "" && strings.TrimSpace(v.OpenPGP) == "" {
		ps.add("spec.verify", " has neither allowedSigners nor openpgp: write the public keys of those whose commits count")
		return
	}
	for _, f := range []struct{ at, text string }{{"spec.verify.allowedSigners", v.AllowedSigners}, {"spec.verify.openpgp", v.OpenPGP}} {
		if strings.Contains(f.text, "PRIVATE KEY") {
			ps.add(f.at, " holds a private key: take it out, make a new one, and write its public key")
			return
		}
	}
	if text := strings.TrimSpace(v.OpenPGP); text != "" && !strings.Contains(text, "-----BEGIN PGP PUBLIC KEY BLOCK-----") {
		ps.add("spec.verify.openpgp", ` is not armored: write what gpg --armor --export prints, after "|"`)
	}
}

// levelsOfSecurity are the Pod Security Standards.
var levelsOfSecurity = []string{"privileged", "baseline", "restricted"}

var minorVersion = regexp.MustCompile(`^(latest|v1\.(0|[1-9][0-9]*))$`)

func (p Posture) validate(ps *problems) {
	ps.oneOf("spec.posture.podSecurity", p.PodSecurity, levelsOfSecurity...)
	if v := p.PodSecurityVersion; v != "" {
		at := "spec.posture.podSecurityVersion"
		if !minorVersion.MatchString(v) {
			ps.add(at, " is %q: write latest, or a version as v1.36", v)
		}
		if p.PodSecurity == "" {
			ps.add(at, " is that of no standard: write spec.posture.podSecurity too")
		}
	}
	if j := p.Justification; j != "" && len(validation.IsQualifiedName(j)) > 0 {
		ps.add("spec.posture.justification", " is %q: write an annotation's name, such as plumbline.dev/reason", j)
	}
}
