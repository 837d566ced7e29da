package posture_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/posture"
)

// drawn stands for what a machine has drawn; the forms are put together here so that
// this file holds none that a scanner would take for real.
const drawn = "h7Kq2ZxW9vBn4TmR8sLc6YpD3fGj5EaU1oViNeXtAbCdEf0246813579QwErTyUiOp"

func pemKey(kind, lineEnd string) string {
	return strings.Join([]string{"-----BEGIN " + kind + "-----", drawn[:40], drawn[10:50], "-----END " + kind + "-----", ""}, lineEnd)
}

func jwt(header string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(`{"sub":"shop","aud":"example"}`)) + "." + drawn[:43]
}

// TestDetect is the table of what is a credential by its form, and what looks like one
// and is none.
func TestDetect(t *testing.T) {
	upper := "Q2ZXW7VBN4TMRLC6"
	for _, c := range []struct{ what, value, want string }{
		{"RSA key", pemKey("RSA PRIVATE KEY", "\n"), "a private key"},
		{"PKCS 8 key", pemKey("PRIVATE KEY", "\n"), "a private key"},
		{"SSH key", pemKey("OPENSSH PRIVATE KEY", "\n"), "a private key"},
		{"key in JSON", `{"key":"` + pemKey("EC PRIVATE KEY", `\n`) + `"}`, "a private key"},
		{"key with headers", strings.Replace(pemKey("RSA PRIVATE KEY", "\n"), "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1), "a private key"},
		{"key with Windows' line ends", pemKey("PRIVATE KEY", "\r\n"), "a private key"},
		{"Google key", `{"type": "service_account", "private_key": "` + pemKey("PRIVATE KEY", `\n`) + `"}`, "a key of a Google Cloud service account"},
		{"certificate", pemKey("CERTIFICATE", "\n"), ""},
		{"public key", pemKey("PUBLIC KEY", "\n"), ""},
		{"cut key", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", ""},
		{"talk of a key", "a file that begins with -----BEGIN PRIVATE KEY----- is a key", ""},
		{"AWS", "id = AKIA" + upper, "an AWS access key"},
		{"AWS, temporary", "ASIA" + upper, "an AWS access key"},
		{"AWS, of the documentation", "AKIAIOSFODNN7EXAMPLE", ""},
		{"AWS, within a word", "XAKIA" + upper + "X", ""},
		{"AWS, too short", "AKIA" + upper[:10] + " is short", ""},
		{"AWS, filled up", "AKIA" + strings.Repeat("A", 16), ""},
		{"GitHub", "ghp_" + drawn[:36], "a GitHub token"},
		{"GitHub, of an app", "token gho_" + drawn[:36] + ".", "a GitHub token"},
		{"GitHub, fine-grained", "github_pat_" + drawn[:22] + "_" + drawn[:59], "a GitHub token"},
		{"GitHub, filled up", "ghp_" + strings.Repeat("x", 36), ""},
		{"GitHub, short", "ghp_" + drawn[:20], ""},
		{"GitLab", "glpat-" + drawn[:20], "a GitLab token"},
		{"Slack", "xoxb-" + "123456789012-" + drawn[:24], "a Slack token"},
		{"Slack, hook", "https://hooks.slack.com/services/T" + upper[:8] + "/B" + upper[:8] + "/" + drawn[:24], "a Slack token"},
		{"Slack, of the documentation", "https://hooks.slack.com/services/T00000000/B00000000/" + strings.Repeat("X", 24), ""},
		{"Slack, a placeholder", "xoxb-your-token-goes-here", ""},
		{"Stripe", "sk_live_" + drawn[:24], "a Stripe key"},
		{"Stripe, test", "sk_test_" + drawn[:24], ""},
		{"JWT", "Bearer " + jwt(`{"alg":"RS256","typ":"JWT"}`), "a JSON Web Token"},
		{"JWT without a header", jwt(`{"foo":"bar","typ":"baz"}`), ""},
		{"JSON in base64", base64.StdEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)), ""},
		{"URL", "see postgres://shop:hunter2@db:5432/shop?x=y", "a URL with a password"},
		{"URL, no user", "redis://:hunter2@cache", "a URL with a password"},
		{"URL, the second", "https://example.com/ https://joe:hunter2@example.com/", "a URL with a password"},
		{"URL, an @ in the password", "amqp://shop:hun@ter2@queue/", "a URL with a password"},
		{"URL, no password", "ssh://git@example.com/config", ""},
		{"URL, an @ in the path", "https://example.com:8080/a@b/c:d@e", ""},
		{"URL, a variable", "postgres://shop:${PASSWORD}@db/shop", ""},
		{"URL, a variable of a Pod", "postgres://shop:$(PASSWORD)@db/shop", ""},
		{"URL, a template", "postgres://{{ .user }}:{{ .password }}@db/shop", ""},
		{"URL, a format", "postgres://%s:%s@db/shop", ""},
		{"URL, a sample", "https://user:password@example.com/", ""},
		{"URL, grammar", "scheme://[user:pass@]host", ""},
		{"URL, stars", "https://joe:*****@example.com/", ""},
		{"digest", "registry.example.com/shop@sha256:" + strings.Repeat("0123456789abcdef", 4), ""},
		{"plain", "nothing at all to be seen here", ""},
	} {
		o, err := object.FromContent(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}, "data": map[string]any{"x": c.value}})
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if c.want != "" {
			want = "data.x holds what looks like " + c.want
		}
		if got := secretMessage(t, o); got != want {
			t.Errorf("%s: %q, want %q", c.what, got, want)
		}
	}
}

// TestNamed is the table of what is a credential by the name that it has.
func TestNamed(t *testing.T) {
	const hex = "9f86d081884c7d659a2feaa0c55ad015"
	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"PASSWORD", "hunter2", true},
		{"PGPASSWORD", "hunter2", true},
		{"db-passwd", "hunter2", true},
		{"sshPassphrase", "hunter2", true},
		{"OIDC_CLIENT_SECRET", "hunter2", true},
		{"AWS_SECRET_ACCESS_KEY", "hunter2", true},
		{"PASSWORD", "12345678", true},
		{"JWT_SECRET", hex, true},
		{"API_KEY", hex, true},
		{"AUTH_TOKEN", drawn[:32], true},
		{"PASSWORD", "", false},
		{"PASSWORD", "on", false},
		{"PASSWORD", "false", false},
		{"PASSWORD", "changeme", false},
		{"PASSWORD", "change-me-please", false},
		{"PASSWORD", "<password>", false},
		{"PASSWORD", "XXXXXXXX", false},
		{"PASSWORD", "aaaaaaaa", false},
		{"PASSWORD", "/run/secrets/password", false},
		{"PASSWORD", "vault:kv/shop#pw", false},
		{"PASSWORD", "ENC[AES256_GCM,data:p673w==]", false},
		{"PASSWORD", "my-db-password", false},
		{"PASSWORD", "shop-credentials", false},
		{"PASSWORD", "two words", false},
		{"PASSWORD", "get(key)", false},
		{"PASSWORD_FILE", "hunter2", false},
		{"PASSWORD_LENGTH", "hunter2", false},
		{"PASSWORDS", "hunter2", false},
		{"USER", "hunter2", false},
		{"CERT_SECRET", "letsencrypt-prod", false},
		{"CERT_SECRET", "letsencrypt-prod-2024-01-account", false},
		{"TOKEN", "kubernetes", false},
		{"API_KEY", "com.example.shop.api.key", false},
		{"SOME_KEY", hex, false},
		{"TOKEN", "550e8400-e29b-41d4-a716-446655440000", false},
	} {
		env := map[string]any{"name": c.name, "value": c.value}
		o, err := object.FromContent(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "a"},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "web", "env": []any{env}}}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := secretMessage(t, o); (got != "") != c.want || c.value != "" && strings.Contains(got, c.value) {
			t.Errorf("%s=%s: %q, want a finding: %t", c.name, c.value, got, c.want)
		}
	}
}

func secretMessage(t *testing.T, o object.Object) string {
	t.Helper()
	findings, unjudged := mustNew(t, v1alpha1.Posture{Secrets: true}).Find(posture.World{Declared: []object.Packed{new(object.Packer).Pack(o)}})
	if len(findings) > 1 || len(unjudged) > 0 {
		t.Errorf("more than one: %v %v", findings, unjudged)
	}
	for _, f := range findings {
		return f.Message
	}
	return ""
}

// TestNoValueInMessages wants no finding to tell what it found, in whatever field.
func TestNoValueInMessages(t *testing.T) {
	values := []string{"hunter2hunter2", "ghp_" + drawn[:36], jwt(`{"alg":"none","typ":"JWT"}`), "AKIAQ2ZXW7VBN4TMRLC6", "postgres://shop:hunter2hunter2@db/shop"}
	for _, value := range values {
		data := map[string]any{"password": value, "file": "password: " + value + "\n", "list": value}
		var objects []object.Object
		for _, kind := range []string{"Secret", "ConfigMap"} {
			o, err := object.FromContent(map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "a"}, "stringData": data, "data": data,
				"args": []any{"--password=" + value, "--token", value, value}, "env": []any{map[string]any{"name": "PASSWORD", "value": value}, value}})
			if err != nil {
				t.Fatal(err)
			}
			objects = append(objects, o)
		}
		findings, _ := mustNew(t, v1alpha1.Posture{Secrets: true}).Find(posture.World{Declared: object.PackAll(objects)})
		if len(findings) < 3 {
			t.Errorf("%s: only %d findings", value, len(findings))
		}
		for _, f := range findings {
			if text := fmt.Sprintf("%+v", f); strings.Contains(text, value) || strings.Contains(text, "hunter2") {
				t.Errorf("%s tells the value", text)
			}
		}
	}
}

// TestCriticalCredentials wants a Secret with a key that opens something elsewhere to
// be critical.
func TestCriticalCredentials(t *testing.T) {
	objects := decode(t, "a.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {key: "+base64.StdEncoding.EncodeToString([]byte(pemKey("PRIVATE KEY", "\n")))+"}}")
	findings, _ := mustNew(t, v1alpha1.Posture{Secrets: true}).Find(posture.World{Declared: object.PackAll(objects)})
	if len(findings) != 1 || findings[0].Severity != finding.Critical || findings[0].Message != "a Secret that is not encrypted: key, with a private key" {
		t.Errorf("got %+v", findings)
	}
}
