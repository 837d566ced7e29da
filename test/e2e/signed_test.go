package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"plumbline.dev/plumbline/provenance/provenancetest"
)

// sshKey writes a private key and returns its file and the public key's line.
func sshKey(t *testing.T) (file, public string) {
	t.Helper()
	key := signingKey(t)
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
	gitSays(t, dir, args...)
}

// gitSays is git, with what it prints.
func gitSays(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := exec.Command("git", append([]string{"-c", "user.name=Shop Team", "-c", "user.email=team@shop.example.com"}, args...)...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
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

// TestVerifiedHistory wants every commit of a history asked for where the Baseline says
// so: one in its middle that nobody known has signed has all of it refused, however
// well the newest is signed.
func TestVerifiedHistory(t *testing.T) {
	t.Parallel()
	const ns = "verified-history"
	dir := deployed(t, ns, map[string]string{"a.yaml": configMap(ns, "a", "1")})
	known, public := sshKey(t)
	other, _ := sshKey(t)
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "add", "-A")
	commit := func(message, key string) {
		sign := []string{"-c", "gpg.format=ssh", "-c", "user.signingkey=" + key, "commit", "-q", "--allow-empty", "-m", message, "-S"}
		if key == "" {
			sign = []string{"commit", "-q", "--allow-empty", "-m", message, "--no-gpg-sign"}
		}
		git(t, dir, sign...)
	}
	baseline := func(commits string) string {
		return filepath.Join(write(t, map[string]string{"b.yaml": `apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: verified}
spec:
  git: {url: "file://` + dir + `", ref: main}
  verify: {commits: ` + commits + `, allowedSigners: "team@shop.example.com namespaces=\"git\" ` + public + `"}
`}), "b.yaml")
	}
	head, all := baseline("Head"), baseline("All")
	passes := func(baseline string) {
		t.Helper()
		report, r := diff(t, admin(t).Kubeconfig, "-f", baseline)
		clean(t, report, r)
	}

	commit("first", known)
	commit("second", known)
	passes(all)

	for name, key := range map[string]string{"unsigned": "", "strange": other} {
		t.Run(name, func(t *testing.T) {
			before := gitSays(t, dir, "rev-parse", "HEAD")
			commit(name, key)
			bad := gitSays(t, dir, "rev-parse", "HEAD")
			commit("last", known)
			passes(head)
			refused(t, run(t, admin(t).Kubeconfig, "diff", "-f", all), "commit "+bad, "Shop Team <team@shop.example.com>")
			git(t, dir, "reset", "-q", "--hard", before)
		})
	}
	t.Run("merged", func(t *testing.T) { // by a branch that the newest commit does not come from first
		git(t, dir, "checkout", "-q", "-b", "feature")
		commit("feature", "")
		bad := gitSays(t, dir, "rev-parse", "HEAD")
		git(t, dir, "checkout", "-q", "main")
		git(t, dir, "-c", "gpg.format=ssh", "-c", "user.signingkey="+known, "merge", "-q", "--no-ff", "-S", "-m", "merge", "feature")
		passes(head)
		refused(t, run(t, admin(t).Kubeconfig, "diff", "-f", all), "commit "+bad, "sign it with one of the known keys")
	})
}

// TestSignedImages wants an image that nobody has signed found where it is declared, its
// signed neighbour left alone, and where their registry does not answer nothing said of
// either but that.
func TestSignedImages(t *testing.T) {
	t.Parallel()
	const ns = "signed-images"
	registry := provenancetest.NewRegistry(t)
	ours, theirs := signingKey(t), signingKey(t)
	signed := registry.Push(t, "shop/signed:1")
	provenancetest.Sign(t, signed, ours)
	forged := registry.Push(t, "shop/forged:1")
	provenancetest.Sign(t, forged, theirs)
	registry.Push(t, "shop/unsigned:1")
	dir := deployed(t, ns, map[string]string{
		"signed.yaml":   deploymentOf(ns, "signed", registry.Host+"/shop/signed:1"),
		"digest.yaml":   deploymentOf(ns, "digest", signed.String()),
		"forged.yaml":   deploymentOf(ns, "forged", registry.Host+"/shop/forged:1"),
		"unsigned.yaml": deploymentOf(ns, "unsigned", registry.Host+"/shop/unsigned:1"),
	})
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
        ` + strings.ReplaceAll(strings.TrimSpace(provenancetest.PEM(t, ours)), "\n", "\n        ") + `
`}), "b.yaml")
	admin(t).Kubectl(t, "-n", ns, "wait", "--for=condition=Available", "--timeout=60s", "deployment", "--all")

	compare := func() (jsonReport, result) { // the answers of registries are remembered
		return diff(t, admin(t).Kubeconfig, dir, "-f", baseline, "--cache-dir", t.TempDir())
	}
	report, r := compare()
	var found []string
	for _, f := range report.Findings {
		found = append(found, f.Rule+" "+f.Object.Kind+"/"+f.Object.Name)
	}
	want := []string{"source/signature Deployment/forged", "source/signature Deployment/unsigned"}
	if d := cmp.Diff(want, found); r.code != 1 || d != "" || len(report.Unknown) > 0 {
		t.Errorf("exit %d (-want +got):\n%s\n%s", r.code, d, r.stdout)
	}
	registry.Close()
	report, r = compare()
	unknown := map[string]bool{}
	for _, u := range report.Unknown {
		if u.Object != nil {
			unknown[u.Object.Name] = true
		}
	}
	if r.code != 3 || len(report.Findings) > 0 || !unknown["signed"] || !unknown["unsigned"] {
		t.Errorf("exit %d, want the images unknown:\n%s", r.code, r.stdout)
	}
}

func signingKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// deploymentOf declares a Deployment of one image.
func deploymentOf(namespace, name, image string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `, namespace: ` + namespace + `}
spec:
  selector: {matchLabels: {app: ` + name + `}}
  template: {metadata: {labels: {app: ` + name + `}}, spec: {containers: [{name: web, image: "` + image + `"}]}}
`
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
