package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAdoptEdits makes each edit alone, takes it over into the files, and wants git and
// the cluster to say the same: no comparison may find anything then.
func TestAdoptEdits(t *testing.T) {
	person := env.User(t, "mallory", masters)
	for _, e := range edits {
		t.Run(strings.ReplaceAll(e.name, " ", "-"), func(t *testing.T) {
			namespace := "adopt-" + strings.ToLower(strings.ReplaceAll(e.name, " ", "-"))
			dir := deployed(t, namespace, map[string]string{"web.yaml": "# ours\n" + webDeployment})
			e.do(t, person, namespace)
			r := run(t, person.Kubeconfig, "adopt", dir, "-n", namespace, "--write")
			if r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, e.want.Path) {
				t.Fatalf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
			}
			report, r := diff(t, person.Kubeconfig, dir, "-n", namespace)
			clean(t, report, r)
			text, err := os.ReadFile(filepath.Join(dir, "web.yaml"))
			if err != nil || !strings.HasPrefix(string(text), "# ours\napiVersion") {
				t.Errorf("the comment is lost: %v\n%s", err, text)
			}
			if r := run(t, person.Kubeconfig, "adopt", dir, "-n", namespace); r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, "nothing to adopt") {
				t.Errorf("exit %d, want nothing to adopt:\n%s%s", r.code, r.stdout, r.stderr)
			}
			deploy(t, namespace, dir) // git says what is live: that conflicts with nobody
		})
	}
}

// overlays is a repository with a base that two overlays use.
func overlays(namespace string) map[string]string {
	return map[string]string{
		"base/kustomization.yaml":          "resources: [web.yaml]\n",
		"base/web.yaml":                    webDeployment,
		"overlays/prod/kustomization.yaml": "# production\nnamespace: " + namespace + "\nresources:\n- ../../base\n- settings.yaml\n",
		"overlays/prod/settings.yaml":      configMap("", "settings", "one") + "---\n" + configMap("", "extra", "two"),
		"overlays/dev/kustomization.yaml":  "resources:\n- ../../base\n",
	}
}

// repository writes files into a new git repository with one commit.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := write(t, files)
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "config", "user.name", "Shop Team")
	git(t, dir, "config", "user.email", "team@shop.example.com")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-q", "-m", "First")
	return dir
}

func gitOutput(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestAdoptOverlay takes over what cannot be written into a base that others use, as a
// patch, as a branch and as an edit, which must all say the same.
func TestAdoptOverlay(t *testing.T) {
	const ns = "adopt-overlay"
	person := env.User(t, "mallory", masters)
	dir := repository(t, overlays(ns))
	prod := filepath.Join(dir, "overlays", "prod")
	admin(t).Kubectl(t, "create", "namespace", ns)
	deploy(t, ns, prod)
	for _, name := range []string{"changed image", "added sidecar", "added label", "added arg", "scaled", "removed env var"} {
		for _, e := range edits {
			if e.name == name {
				e.do(t, person, ns)
			}
		}
	}
	person.Kubectl(t, "-n", ns, "patch", "configmap", "settings", "-p", `{"data":{"key":"three\nlines\n\nhere\n"}}`)

	printed := run(t, person.Kubeconfig, "adopt", prod)
	if printed.code != 0 || !strings.Contains(printed.stdout, "adopted-deployment-web.yaml") || strings.Contains(printed.stdout, "base/web.yaml") {
		t.Fatalf("exit %d:\n%s%s", printed.code, printed.stdout, printed.stderr)
	}
	if status := gitOutput(t, dir, "status", "--porcelain"); status != "" {
		t.Errorf("printing a patch has changed the work tree:\n%s", status)
	}

	fetched := run(t, person.Kubeconfig, "adopt", "--git", "file://"+dir, "--path", "overlays/prod")
	if fetched.code != 0 || fetched.stdout != printed.stdout {
		t.Errorf("exit %d, want of the repository the patch of its checkout:\n%s%s", fetched.code, fetched.stdout, fetched.stderr)
	}

	r := run(t, person.Kubeconfig, "adopt", prod, "--branch", "adopted")
	if r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, "adopted") {
		t.Fatalf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	if status := gitOutput(t, dir, "status", "--porcelain", "--branch"); status != "## main\n" {
		t.Errorf("making a branch has changed the work tree:\n%s", status)
	}
	if author := gitOutput(t, dir, "log", "-1", "--format=%an <%ae> %s", "adopted"); author != "Shop Team <team@shop.example.com> Adopt what is live\n" {
		t.Errorf("the commit is %s", author)
	}
	if r := run(t, person.Kubeconfig, "adopt", prod, "--branch", "adopted"); r.code != 2 || !strings.Contains(r.stderr, "exists already") {
		t.Errorf("exit %d, want the branch to be refused:\n%s", r.code, r.stderr)
	}

	file := filepath.Join(t.TempDir(), "adopt.patch")
	if err := os.WriteFile(file, []byte(printed.stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "apply", "--index", file)
	if differs := gitOutput(t, dir, "diff", "--cached", "adopted"); differs != "" {
		t.Errorf("the patch and the branch are not the same:\n%s", differs)
	}
	git(t, dir, "reset", "-q", "--hard")

	if r := run(t, person.Kubeconfig, "adopt", prod, "--write"); r.code != 0 {
		t.Fatalf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	report, r := diff(t, person.Kubeconfig, prod, "--lag", "0")
	clean(t, report, r)
	git(t, dir, "add", ".")
	if differs := gitOutput(t, dir, "diff", "--cached", "adopted"); differs != "" {
		t.Errorf("the edit and the branch are not the same:\n%s", differs)
	}
}

// TestAdoptChoice takes over one thing and leaves the rest.
func TestAdoptChoice(t *testing.T) {
	const ns = "adopt-choice"
	person := env.User(t, "mallory", masters)
	dir := deployed(t, ns, map[string]string{"web.yaml": webDeployment, "a.yaml": configMap("", "a", "1"), "secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {key: before}\n"})
	secret := keepSecret("s3cr3t-which-nobody-may-see")
	person.Kubectl(t, "-n", ns, "patch", "secret", "key", "-p", `{"stringData":{"key":"`+secret+`"}}`)
	person.Kubectl(t, "-n", ns, "patch", "configmap", "a", "-p", `{"data":{"key":"2"}}`)
	person.Kubectl(t, "-n", ns, "scale", "deployment", "web", "--replicas=3")
	args := []string{"adopt", dir, "-n", ns}

	r := run(t, person.Kubeconfig, append(args, "--object", "deployment/web")...)
	if r.code != 0 || !strings.Contains(r.stdout, "+  replicas: 3") || strings.Contains(r.stdout, "a.yaml") {
		t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	r = run(t, person.Kubeconfig, append(args, "--rule", "drift/added")...)
	if r.code != 2 || !strings.Contains(r.stderr, "plumbline diff") {
		t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	r = run(t, person.Kubeconfig, append(args, "--fingerprint", "0000000000000000")...)
	if r.code != 2 || !strings.Contains(r.stderr, "--fingerprint") {
		t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	r = run(t, person.Kubeconfig, append(args, "--write")...)
	if r.code != 1 || !strings.Contains(r.stderr, "values of Secrets are never written to git") {
		t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	report, r := diff(t, person.Kubeconfig, dir, "-n", ns)
	if len(report.Findings) != 1 || report.Findings[0].Object.Kind != "Secret" {
		t.Errorf("something else than the Secret is left:\n%s", r.stdout)
	}
}

// TestAdoptWhole takes over what is gone and what nobody declared, from a dump too.
func TestAdoptWhole(t *testing.T) {
	const ns = "adopt-whole"
	person := env.User(t, "mallory", masters)
	files := overlays(ns)
	files["baseline.yaml"] = "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: shop}\nspec:\n  scope: {namespaces: [" + ns + "]}\n"
	dir := repository(t, files)
	prod := filepath.Join(dir, "overlays", "prod")
	admin(t).Kubectl(t, "create", "namespace", ns)
	deploy(t, ns, prod)
	person.Kubectl(t, "-n", ns, "delete", "configmap", "extra")
	person.Kubectl(t, "-n", ns, "create", "configmap", "found", "--from-literal=a=b")
	person.Kubectl(t, "-n", ns, "expose", "deployment", "web", "--name=found", "--port=80")
	adopt := func(more ...string) result {
		return run(t, person.Kubeconfig, append([]string{"adopt", prod, "-f", filepath.Join(dir, "baseline.yaml")}, more...)...)
	}
	if r := adopt(); r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, "--missing") {
		t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := adopt("--missing", "--rogue", "--write"); r.code != 0 {
		t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	report, r := diff(t, person.Kubeconfig, prod, "-f", filepath.Join(dir, "baseline.yaml"), "--lag", "0")
	for _, f := range report.Findings {
		if strings.HasPrefix(f.Rule, "drift/") || strings.HasPrefix(f.Rule, "rogue/object") {
			t.Errorf("%s of %v is left:\n%s", f.Rule, f.Object, r.stdout)
		}
	}
	for _, name := range []string{"configmap-found.yaml", "service-found.yaml"} {
		text, err := os.ReadFile(filepath.Join(prod, name))
		if err != nil || strings.Contains(string(text), "uid") || strings.Contains(string(text), "clusterIP") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// TestAdoptBesideASecret wants a patch that would show a Secret's value to be refused, and
// the edit to be made all the same.
func TestAdoptBesideASecret(t *testing.T) {
	const ns = "adopt-beside"
	value := keepSecret("a-value-that-stands-in-git")
	dir := deployed(t, ns, map[string]string{"all.yaml": configMap("", "a", "1") + "---\nstringData: {key: " + value + "}\napiVersion: v1\nkind: Secret\nmetadata: {name: key}\n"})
	admin(t).Kubectl(t, "-n", ns, "patch", "configmap", "a", "--field-manager=kubectl-edit", "-p", `{"data":{"key":"2"}}`)
	if r := run(t, admin(t).Kubeconfig, "adopt", dir, "-n", ns); r.code != 2 || r.stdout != "" || !strings.Contains(r.stderr, "--write") {
		t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := run(t, admin(t).Kubeconfig, "adopt", dir, "-n", ns, "--write"); r.code != 0 {
		t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	report, r := diff(t, admin(t).Kubeconfig, dir, "-n", ns)
	clean(t, report, r)
}

// TestAdoptUsage wants wrong uses to be refused in one line that says what to do.
func TestAdoptUsage(t *testing.T) {
	dir := write(t, map[string]string{"a.yaml": configMap("", "a", "1")})
	for name, test := range map[string]struct{ args, want []string }{
		"both":       {[]string{dir, "--write", "--branch", "x"}, []string{"--write", "--branch"}},
		"remote":     {[]string{"--git", "file://" + dir, "--write"}, []string{"directory"}},
		"rogue":      {[]string{dir, "--rogue"}, []string{"Baseline", "-f"}},
		"rule":       {[]string{dir, "--rule", "drift/none"}, []string{"--rule", "drift/none"}},
		"object":     {[]string{dir, "--object", "web"}, []string{"--object", "KIND/NAME"}},
		"two":        {[]string{dir, dir}, []string{"--object"}},
		"kubeconfig": {[]string{dir}, []string{"kubeconfig"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, run(t, "/nonexistent", append([]string{"adopt"}, test.args...)...), test.want...)
		})
	}
}
