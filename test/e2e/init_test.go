package e2e

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
)

// TestInit prints a Baseline of a work tree and its cluster, by which the cluster can be
// compared at once.
func TestInit(t *testing.T) {
	const ns = "init"
	dir := write(t, map[string]string{"apps/web.yaml": webDeployment, "apps/map.yaml": configMap("", "a", "1")})
	for _, args := range [][]string{
		{"init", "-q", "-b", "release"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "x"},
		{"remote", "add", "origin", "https://ci:hunter2@git.example.com/team/shop.git"},
	} {
		command := exec.Command("git", args...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	apps := filepath.Join(dir, "apps")
	admin(t).Kubectl(t, "create", "namespace", ns)
	admin(t).Kubectl(t, "-n", ns, "apply", "--server-side", "--field-manager=shop-robot", "-f", apps)
	admin(t).Kubectl(t, "-n", ns, "label", "configmap/a", "by=hand")

	r := run(t, admin(t).Kubeconfig, "init", apps, "-n", ns)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	b, err := v1alpha1.Parse("b.yaml", []byte(r.stdout))
	if err != nil {
		t.Fatalf("%v\n%s", err, r.stdout)
	}
	if want := (v1alpha1.Git{URL: "https://git.example.com/team/shop.git", Ref: "release", Path: "apps"}); b.Spec.Git != want || b.Name != "shop" {
		t.Errorf("the repository is %+v, named %s", b.Spec.Git, b.Name)
	}
	if !slices.Equal(b.Spec.Scope.Namespaces, []string{ns}) || !slices.Equal(b.Spec.Deployer.Managers, []string{"shop-robot"}) {
		t.Errorf("namespaces %q, managers %q", b.Spec.Scope.Namespaces, b.Spec.Deployer.Managers)
	}
	if len(b.Spec.Sources.Registries) != 1 || strings.Contains(r.stdout, "hunter2") {
		t.Errorf("printed:\n%s", r.stdout)
	}

	compare := command{args: []string{"diff", apps, "-n", ns, "-f", "-"}, kubeconfig: admin(t).Kubeconfig, stdin: r.stdout}.run(t)
	if compare.code != 1 || !strings.Contains(compare.stdout, "metadata.labels.by") || strings.Contains(compare.stdout, "shop-robot") {
		t.Errorf("exit %d, want the label alone:\n%s%s", compare.code, compare.stdout, compare.stderr)
	}

	t.Run("no cluster", func(t *testing.T) {
		r := run(t, "/nonexistent", "init", apps)
		if r.code != 0 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "what the cluster has is not known") {
			t.Errorf("exit %d: %s", r.code, r.stderr)
		}
		if _, err := v1alpha1.Parse("b.yaml", []byte(r.stdout)); err != nil {
			t.Error(err)
		}
	})
	t.Run("broken standard input", func(t *testing.T) {
		refused(t, command{args: []string{"diff", apps, "-f", "-"}, stdin: "spec: {scop: {}}\n"}.run(t), "standard input:1:8: unknown field spec.scop (did you mean scope?)")
	})
	t.Run("usage", func(t *testing.T) {
		refused(t, run(t, "", "init", apps, dir), `"plumbline init --help"`)
		refused(t, run(t, "", "init", filepath.Join(dir, "none")), "no such file or directory")
	})
}
