package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/crypto/ssh"
)

// sshKey writes a private key and returns its file and the public key's line.
func sshKey(t *testing.T) (file, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// git runs git as the shop's team.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := exec.Command("git", append([]string{"-c", "user.name=Shop Team", "-c", "user.email=team@shop.example.com"}, args...)...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestVerifiedCommits wants a repository whose head nobody known has signed refused
// before anything is compared, and one that is signed compared.
func TestVerifiedCommits(t *testing.T) {
	t.Parallel()
	const ns = "verified"
	dir := deployed(t, ns, map[string]string{"a.yaml": configMap(ns, "a", "1")})
	known, public := sshKey(t)
	other, _ := sshKey(t)
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "not signed")
	baseline := filepath.Join(write(t, map[string]string{"b.yaml": `apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: verified}
spec:
  git: {url: "file://` + dir + `", ref: main}
  verify: {allowedSigners: "team@shop.example.com namespaces=\"git\" ` + strings.ReplaceAll(public, `"`, "") + `"}
`}), "b.yaml")
	signed := func(key string) []string {
		return []string{"-c", "gpg.format=ssh", "-c", "user.signingkey=" + key, "commit", "-q", "--amend", "-S", "-m", "signed"}
	}

	refused(t, run(t, admin(t).Kubeconfig, "diff", "-f", baseline), "Shop Team <team@shop.example.com>", "sign it with one of the known keys (git commit -S")
	git(t, dir, signed(other)...)
	refused(t, run(t, admin(t).Kubeconfig, "diff", "-f", baseline), "Shop Team <team@shop.example.com>")
	git(t, dir, signed(known)...)
	report, r := diff(t, admin(t).Kubeconfig, "-f", baseline)
	clean(t, report, r)

	// A directory is taken as it is, and that is said.
	git(t, dir, "commit", "-q", "--amend", "--no-gpg-sign", "-m", "not signed")
	report, r = diff(t, admin(t).Kubeconfig, dir, "-f", baseline)
	if r.code != 0 || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "spec.verify: a directory is taken as it is") {
		t.Errorf("exit %d, the warnings are %q", r.code, report.Warnings)
	}
}

// TestSignedImages wants an image that nobody has signed found where it is declared, and
// where its registry does not answer nothing said of it but that.
func TestSignedImages(t *testing.T) {
	t.Parallel()
	const ns = "signed-images"
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer server.Close()
	image := strings.TrimPrefix(server.URL, "http://") + "/shop/web:1"
	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	content, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, content); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := deployed(t, ns, map[string]string{"web.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ` + ns + `}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "` + image + `"}]}}
`})
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	baseline := filepath.Join(write(t, map[string]string{"b.yaml": `apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: signed}
spec:
  scope: {namespaces: [` + ns + `]}
  deployer: {managers: [ci-deploy]}
  sources:
    signatures:
      keys:
      - |
        ` + strings.ReplaceAll(strings.TrimSpace(string(public)), "\n", "\n        ") + `
`}), "b.yaml")
	admin(t).Kubectl(t, "-n", ns, "wait", "--for=condition=Available", "--timeout=60s", "deployment/web")

	compare := func() (jsonReport, result) { // the answers of registries are remembered
		return diff(t, admin(t).Kubeconfig, dir, "-f", baseline, "--cache-dir", t.TempDir())
	}
	report, r := compare()
	if r.code != 1 || len(report.Findings) != 1 || len(report.Unknown) > 0 || report.Findings[0].Rule != "source/signature" || report.Findings[0].Object.Kind != "Deployment" {
		t.Errorf("exit %d:\n%s", r.code, r.stdout)
	}
	server.Close()
	report, r = compare()
	if r.code != 3 || len(report.Findings) > 0 || len(report.Unknown) == 0 || report.Unknown[0].Object == nil || report.Unknown[0].Object.Name != "web" {
		t.Errorf("exit %d, want the image unknown:\n%s", r.code, r.stdout)
	}
}

// TestScopeRights wants what a reader may not list named, and nothing about it called
// clean. The nodes are nobody's business.
func TestScopeRights(t *testing.T) {
	t.Parallel()
	const ns = "scope-rights"
	secret := keepSecret("not-even-listed")
	dir := deployed(t, ns, map[string]string{"web.yaml": webDeployment})
	baseline := filepath.Join(write(t, map[string]string{"b.yaml": `apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: rights}
spec:
  scope: {namespaces: [` + ns + `], kinds: [Deployment.apps, Secret]}
  deployer: {managers: [ci-deploy]}
`}), "b.yaml")
	admin(t).Kubectl(t, "-n", ns, "create", "secret", "generic", "hidden", "--from-literal=key="+secret)
	reader := env.User(t, "scope-reader")
	admin(t).Kubectl(t, "-n", ns, "create", "rolebinding", "view", "--clusterrole=view", "--user=scope-reader")
	rights(t, reader, ns, "--verb=get,list", "--resource=podtemplates") // and so all but Secrets
	args := []string{dir, "-n", ns, "-f", baseline}
	report, r := diff(t, reader.Kubeconfig, args...)
	if r.code != 3 || len(report.Findings) > 0 {
		t.Errorf("exit %d, want what was not listed:\n%s", r.code, r.stdout)
	}
	reasons(t, report, "secrets", ns, "scope-reader")
	if len(report.Unknown) != 1 {
		t.Errorf("%d things are unknown, want the Secrets alone:\n%s", len(report.Unknown), r.stdout)
	}
	text := run(t, reader.Kubeconfig, append([]string{"diff"}, args...)...)
	if text.code != 3 || !strings.Contains(text.stdout, "not ") || !strings.Contains(text.stdout, "secrets") {
		t.Errorf("exit %d:\n%s", text.code, text.stdout)
	}

	rights(t, reader, ns, "--verb=get,list", "--resource=secrets")
	report, r = diff(t, reader.Kubeconfig, args...)
	if r.code != 1 || len(report.Unknown) > 0 || len(report.Findings) != 1 || report.Findings[0].Rule != "rogue/object" || report.Findings[0].Object.Name != "hidden" {
		t.Errorf("exit %d, want the Secret found:\n%s", r.code, r.stdout)
	}
}
