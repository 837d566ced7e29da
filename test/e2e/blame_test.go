package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// TestBlame wants the commit and author of each declared value that differs,
// from a work tree and from a repository, and none where nothing was committed.
func TestBlame(t *testing.T) {
	const ns = "blame"
	admin(t).Kubectl(t, "create", "namespace", ns)
	dir := write(t, map[string]string{"web.yaml": webDeployment})
	git := func(args ...string) string {
		t.Helper()
		c := exec.Command("git", append([]string{"-C", dir}, args...)...)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
		return strings.TrimSpace(string(out))
	}
	commit := func(author string) string {
		git("add", "--all")
		git("-c", "user.name="+author, "-c", "user.email="+author+"@example.com", "commit", "--quiet", "--message=by "+author)
		return git("rev-parse", "HEAD")
	}
	git("init", "--quiet", "--initial-branch=main")
	first := commit("Ann")
	admin(t).Kubectl(t, "-n", ns, "apply", "--server-side", "--field-manager=ci-deploy", "-f", dir)
	gitsourcetest.WriteFiles(t, dir, map[string]string{"web.yaml": strings.Replace(webDeployment, "replicas: 1", "replicas: 0", 1)})
	second := commit("Bob")

	for _, source := range [][]string{{dir}, {"--git", "file://" + filepath.ToSlash(dir)}} {
		report, r := diff(t, admin(t).Kubeconfig, append(source, "-n", ns, "--blame")...)
		if r.code != 0 || len(report.Findings) != 1 || len(report.Findings[0].Changes) != 1 || report.Findings[0].Rule != "drift/pending" {
			t.Fatalf("exit %d, want one change that is pending:\n%s%s", r.code, r.stdout, r.stderr)
		}
		object, value := report.Findings[0].Origin, report.Findings[0].Changes[0].Origin
		if object.Commit != first || object.Author != "Ann" || value.Commit != second || value.Author != "Bob" || len(report.Warnings) > 0 {
			t.Errorf("the object is said to be of %+v, the value of %+v (warnings %q)", object, value, report.Warnings)
		}
	}

	gitsourcetest.WriteFiles(t, dir, map[string]string{"web.yaml": strings.Replace(webDeployment, "replicas: 1", "replicas: 5", 1)})
	report, _ := diff(t, admin(t).Kubeconfig, dir, "-n", ns, "--blame")
	if len(report.Findings) != 1 || report.Findings[0].Changes[0].Origin.Author != "" {
		t.Errorf("what is not committed has an author: %+v", report.Findings)
	}
}
