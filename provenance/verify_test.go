package provenance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/provenance"
)

func TestKeys(t *testing.T) {
	w := newWorld(t, true)
	for kind, ci := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			image := w.image("shop/web:1")
			isUnsigned(t, verify(t, trusting(ci), image.Name()), "its registry has no signature of it")
			w.attachSimple(image, ci.simple(image))
			isSigned(t, verify(t, trusting(ci), image.Name()))

			image = w.image("shop/web:2")
			w.attachBundle(image, ci.bundle(statement(image.DigestStr(), cosignSign, map[string]any{})))
			isSigned(t, verify(t, trusting(ci), image.Name()))
		})
	}
}

func TestReferences(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	image := w.image("shop/web:1.2")
	w.attachSimple(image, ci.simple(image))
	for _, ref := range []string{
		w.host + "/shop/web:1.2", image.Name(), w.host + "/shop/web:1.2@" + image.DigestStr(),
		w.host + "/shop/web:gone@" + image.DigestStr(), "docker-pullable://" + image.Name(),
	} {
		r := verify(t, trusting(newSigner(t), ci), ref)
		isSigned(t, r)
		if r.KeyIndex != 1 || r.Digest != image.DigestStr() || r.Repository != w.host+"/shop/web" || !strings.HasPrefix(r.Key, "SHA256:") {
			t.Errorf("%s: %+v", ref, r)
		}
	}
	isUnknown(t, verify(t, trusting(ci), w.host+"/shop/web:nosuch"), w.host, "shop/web", "no such image")
	for _, ref := range []string{"", "sha256:" + strings.Repeat("a", 64), "docker://sha256:" + strings.Repeat("a", 64), "oci://x/y", "A B", "x@sha256:1"} {
		isUnknown(t, verify(t, trusting(ci), ref), "image ")
	}
}

func TestSimple(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	other := w.image("shop/other:1")
	signed := func(content []byte) simple {
		return simple{content, base64.StdEncoding.EncodeToString(ci.raw(content))}
	}
	for name, test := range map[string]struct {
		layer func(name.Digest) simple
		want  string
	}{
		"another key": {func(d name.Digest) simple { return newSigner(t).simple(d) }, "is by none of the known keys"},
		"tampered": {func(d name.Digest) simple {
			return simple{simpleContent(d.Context().Name(), d.DigestStr()), ci.simple(other).signature}
		}, "is by none of the known keys"},
		"of another digest":     {func(name.Digest) simple { return ci.simple(other) }, "is that of another image"},
		"of another repository": {func(d name.Digest) simple { return signed(simpleContent("evil.example.com/x", d.DigestStr())) }, "was made for evil.example.com/x"},
		"of a longer name":      {func(d name.Digest) simple { return signed(simpleContent(d.Context().Name()+"x", d.DigestStr())) }, "was made for"},
		"of no repository":      {func(d name.Digest) simple { return signed(simpleContent("", d.DigestStr())) }, "was made for no repository"},
		"of something else":     {func(name.Digest) simple { return signed([]byte(`{"release":"notes"}`)) }, "is not one of an image"},
		"not JSON":              {func(name.Digest) simple { return signed([]byte("hello")) }, "is not one of an image"},
		"not base64":            {func(d name.Digest) simple { return simple{ci.simple(d).content, "%%%"} }, "cannot be read"},
		"without a signature":   {func(d name.Digest) simple { return simple{ci.simple(d).content, ""} }, "is by none of the known keys"},
	} {
		t.Run(name, func(t *testing.T) {
			image := w.image("shop/web:1")
			w.attachSimple(image, test.layer(image))
			isUnsigned(t, verify(t, trusting(ci), image.Name()), test.want)
			// A good one beside it counts, wherever it stands.
			w.attachSimple(image, ci.simple(image), test.layer(image))
			isSigned(t, verify(t, trusting(ci), image.Name()))
			w.attachSimple(image, test.layer(image), ci.simple(image))
			isSigned(t, verify(t, trusting(ci), image.Name()))
		})
	}
	image := w.image("shop/web:1")
	w.attachSimple(image, signed(simpleContent(image.Context().Name()+":1", image.DigestStr())))
	isSigned(t, verify(t, trusting(ci), image.Name()))
}

func TestBundles(t *testing.T) {
	for _, referrers := range []bool{true, false} { // by the API, and by the tag in its place
		w, ci := newWorld(t, referrers), newSigner(t)
		other := w.image("shop/other:1")
		changed := func(d name.Digest) []byte {
			var e map[string]any
			_ = json.Unmarshal(ci.envelope(statement(d.DigestStr(), cosignSign, nil)), &e)
			e["payload"] = base64.StdEncoding.EncodeToString(statement(d.DigestStr(), cosignSign, "more"))
			text, _ := json.Marshal(e)
			return bundleOf(text)
		}
		for name, test := range map[string]struct {
			bundle func(name.Digest) []byte
			want   string
		}{
			"another key":       {func(d name.Digest) []byte { return newSigner(t).bundle(statement(d.DigestStr(), cosignSign, nil)) }, "is by none of the known keys"},
			"tampered":          {changed, "is by none of the known keys"},
			"of another digest": {func(name.Digest) []byte { return ci.bundle(statement(other.DigestStr(), cosignSign, nil)) }, "is that of another image"},
			"garbage":           {func(name.Digest) []byte { return []byte("{") }, "cannot be read"},
			"no envelope": {func(name.Digest) []byte {
				return []byte(`{"mediaType":"` + bundleMedia + `","verificationMaterial":{"publicKey":{}},"messageSignature":{}}`)
			}, "is not an in-toto statement"},
			"a scan": {func(d name.Digest) []byte {
				return ci.bundle(statement(d.DigestStr(), "https://cosign.sigstore.dev/attestation/vuln/v1", nil))
			}, "no signature of it"},
		} {
			t.Run(fmt.Sprint(name, " ", referrers), func(t *testing.T) {
				image := w.image("shop/web:1")
				w.attachBundle(image, test.bundle(image))
				isUnsigned(t, verify(t, trusting(ci), image.Name()), test.want)
				w.attachBundle(image, ci.bundle(statement(image.DigestStr(), cosignSign, nil)))
				isSigned(t, verify(t, trusting(ci), image.Name()))
			})
		}
	}
}

const builder = "https://ci.example.com/builder/v1"

func TestProvenance(t *testing.T) {
	ci := newSigner(t)
	workflow := func(repository string) map[string]any {
		return map[string]any{"workflow": map[string]any{"repository": repository, "ref": "refs/heads/main"}}
	}
	v02 := func(id, source string, materials ...string) map[string]any {
		var list []any
		for _, m := range materials {
			list = append(list, map[string]any{"uri": m})
		}
		return map[string]any{"builder": map[string]any{"id": id}, "invocation": map[string]any{"configSource": map[string]any{"uri": source}}, "materials": list}
	}
	const ours = "https://git.example.com/shop/web"
	for name, test := range map[string]struct {
		kind      string
		predicate map[string]any
		want      string
	}{
		"good":                          {slsa1, built(builder, workflow(ours)), ""},
		"by ssh":                        {slsa1, built(builder, workflow("git@git.example.com:shop/web.git")), ""},
		"of the dependencies":           {slsa1, built(builder, nil, "git+https://git.example.com/shop/web@refs/heads/main", "pkg:docker/golang@1.26"), ""},
		"BuildKit":                      {slsa1, built(builder, map[string]any{"configSource": map[string]any{"uri": ours + ".git#main"}}), ""},
		"GitLab":                        {slsa1, built(builder, map[string]any{"source": ours}), ""},
		"the group's":                   {slsa1, built(builder, workflow("https://git.example.com/lib/log")), ""},
		"0.2":                           {slsa02, v02(builder, "git+"+ours+"@refs/tags/v1"), ""},
		"0.2 of the materials":          {slsa02, v02(builder, "", "git+"+ours), ""},
		"another builder":               {slsa1, built("https://evil.example.com", workflow(ours)), `built by "https://evil.example.com", which is none of the builders`},
		"a longer builder":              {slsa1, built(builder+"0", workflow(ours)), "none of the builders"},
		"no builder":                    {slsa1, built("", workflow(ours)), "none of the builders"},
		"0.2 by another":                {slsa02, v02("x", ours), "none of the builders"},
		"another repository":            {slsa1, built(builder, workflow("https://git.example.com/evil/web")), "built from https://git.example.com/evil/web, which is none of the repositories"},
		"a longer repository":           {slsa1, built(builder, workflow(ours+"evil")), "none of the repositories"},
		"another host":                  {slsa1, built(builder, workflow("https://git.example.com.evil.io/shop/web")), "none of the repositories"},
		"up and away":                   {slsa1, built(builder, workflow("https://git.example.com/shop/web/../../evil")), "none of the repositories"},
		"encoded":                       {slsa1, built(builder, workflow("https://git.example.com/shop/web/%2e%2e/evil")), "none of the repositories"},
		"a user like our host":          {slsa1, built(builder, workflow("https://git.example.com@evil.io/shop/web")), "none of the repositories"},
		"ours as a dependency only":     {slsa1, built(builder, workflow("https://evil.io/x"), "git+"+ours), "none of the repositories"},
		"ours among foreign sources":    {slsa1, built(builder, nil, "git+"+ours, "git+https://evil.io/x"), "built from git+https://evil.io/x"},
		"ours as what the user gave":    {slsa1, built(builder, map[string]any{"inputs": map[string]any{"repository": ours}}), "does not say from which repository"},
		"two parameters that disagree":  {slsa1, built(builder, map[string]any{"source": ours, "workflow": map[string]any{"repository": "https://evil.io/x"}}), "built from https://evil.io/x"},
		"from nowhere":                  {slsa1, built(builder, nil), "does not say from which repository"},
		"not provenance":                {cosignSign, built(builder, workflow(ours)), "does not tell who built the image"},
		"something between":             {"https://slsa.dev/provenance/v1?x", built(builder, workflow(ours)), "no signature of it"},
		"of another form":               {slsa1, map[string]any{"runDetails": "x"}, "cannot be read"},
		"0.2 of what is said to be 1.0": {slsa1, v02(builder, ours), "none of the builders"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, true)
			spec := trusting(ci)
			spec.Builders = []string{"https://ci.example.com/old", builder}
			spec.Repositories = []string{"git.example.com/shop/web", "https://git.example.com/lib"}
			check := func(image string) {
				t.Helper()
				r := verify(t, spec, image)
				if test.want != "" {
					isUnsigned(t, r, test.want)
					return
				}
				isSigned(t, r)
				if r.Builder != builder || !strings.HasPrefix(r.Source, "git.example.com/") {
					t.Errorf("%+v", r)
				}
			}
			image := w.image("shop/web:1")
			text := statement(image.DigestStr(), test.kind, test.predicate)
			w.attachBundle(image, ci.bundle(text))
			check(image.Name())
			image = w.image("shop/web:2")
			w.attachEnvelope(image, ci.envelope(statement(image.DigestStr(), test.kind, test.predicate)))
			check(image.Name())
			// A stranger's word that all is well adds nothing.
			image = w.image("shop/web:3")
			text = statement(image.DigestStr(), slsa1, built(builder, workflow(ours)))
			w.attachBundle(image, newSigner(t).bundle(text))
			isUnsigned(t, verify(t, spec, image.Name()), "is by none of the known keys")
		})
	}
}

// TestSignedAndBuilt: a signature without provenance is not enough, and is said to
// be there; and provenance is a signature where no more is asked.
func TestSignedAndBuilt(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	image := w.image("shop/web:1")
	w.attachSimple(image, ci.simple(image))
	spec := trusting(ci)
	spec.Builders = []string{builder}
	r := verify(t, spec, image.Name())
	isUnsigned(t, r, "it has no SLSA provenance")
	if r.Key == "" {
		t.Errorf("nobody signed it: %+v", r)
	}
	w.attachBundle(image, ci.bundle(statement(image.DigestStr(), slsa1, built(builder, nil))))
	isSigned(t, verify(t, spec, image.Name()))
	image = w.image("shop/web:2")
	w.attachEnvelope(image, ci.envelope(statement(image.DigestStr(), slsa1, built(builder, nil))))
	isSigned(t, verify(t, trusting(ci), image.Name()))
}

func TestPlatforms(t *testing.T) {
	w, ci := newWorld(t, true), newSigner(t)
	index, platforms := w.index("shop/web:1")
	v := verifier(t, trusting(ci), provenance.Options{})
	all := []string{w.host + "/shop/web:1", platforms[0].Name(), platforms[1].Name()}
	for _, r := range v.Verify(t.Context(), all) {
		isUnsigned(t, r, "no signature")
	}
	w.attachSimple(index, ci.simple(index))
	other := w.host + "/mirror/web@" + platforms[0].DigestStr()
	results := verifier(t, trusting(ci), provenance.Options{}).Verify(t.Context(), all)
	isSigned(t, results[all[0]])
	if got := results[all[0]].Platforms; len(got) != 2 {
		t.Errorf("platforms %v", got)
	}
	isUnsigned(t, results[all[1]], "no signature")
	uses := []provenance.Use{{Subject: "a", Image: all[0]}, {Subject: "b", Image: all[1]}, {Subject: "c", Image: all[2]}}
	findings, unjudged := provenance.Findings(uses, results)
	if len(findings)+len(unjudged) != 0 {
		t.Errorf("a signed index's platforms: %v, %v", findings, unjudged)
	}
	// The same image in another repository is not what was signed.
	results[other] = provenance.Result{Repository: w.host + "/mirror/web", Digest: platforms[0].DigestStr(), Reason: "is not signed"}
	if findings, _ = provenance.Findings(append(uses, provenance.Use{Subject: "d", Image: other}), results); len(findings) != 1 {
		t.Errorf("in another repository: %v", findings)
	}
	// A platform that is signed itself.
	w.attachSimple(platforms[1], ci.simple(platforms[1]))
	isSigned(t, verify(t, trusting(ci), platforms[1].Name()))
}

func TestNew(t *testing.T) {
	ci := newSigner(t)
	for name, test := range map[string]struct {
		spec v1alpha1.Signatures
		want string
	}{
		"no keys":         {v1alpha1.Signatures{}, "spec.sources.signatures.keys: there are none"},
		"not PEM":         {v1alpha1.Signatures{Keys: []string{ci.pem, "cosign.pub"}}, "spec.sources.signatures.keys[1]: it is not a public key in PEM"},
		"private":         {v1alpha1.Signatures{Keys: []string{"-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED COSIGN PRIVATE KEY-----"}}, "keys[0]: it is a private key"},
		"two in one":      {v1alpha1.Signatures{Keys: []string{ci.pem + ci.pem}}, "more than one key"},
		"certificate":     {v1alpha1.Signatures{Keys: []string{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}}, "it is a certificate"},
		"broken":          {v1alpha1.Signatures{Keys: []string{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}}, "cannot be read"},
		"empty builder":   {v1alpha1.Signatures{Keys: []string{ci.pem}, Builders: []string{""}}, "spec.sources.signatures.builders[0]"},
		"no repository":   {v1alpha1.Signatures{Keys: []string{ci.pem}, Repositories: []string{"git.example.com/x", "../x"}}, "spec.sources.signatures.repositories[1]"},
		"scheme of files": {v1alpha1.Signatures{Keys: []string{ci.pem}, Repositories: []string{"file:///x"}}, "repositories[0]"},
	} {
		_, err := provenance.New(test.spec, provenance.Options{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
