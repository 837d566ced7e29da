package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// allFormats are those of --output.
var allFormats = []string{"text", "json", "yaml", "markdown", "sarif", "junit", "html"}

// jsonReview is what the tests look at.
type jsonReview struct {
	jsonReport
	Review struct {
		Base, Revision string
		Offline        bool
		Overwritten    int
		LeftOut        int
		Objects        []struct {
			Object           struct{ Kind, Name string }
			Action           string
			Changes, Effects []struct {
				Path, Op      string
				Before, After any
				Overwrites    bool
				Manager       string
			}
		}
	}
}

// lines spell a review: "web changed: spec.replicas 1 → 2; live 7 → 2 overwrites kubectl-patch".
func (j jsonReview) lines() []string {
	var all []string
	for _, o := range j.Review.Objects {
		var parts []string
		for _, c := range o.Changes {
			parts = append(parts, fmt.Sprintf("%s %s %v → %v", c.Op, c.Path, c.Before, c.After))
		}
		for _, e := range o.Effects {
			part := fmt.Sprintf("live %s %s %v → %v", e.Op, e.Path, e.Before, e.After)
			if e.Overwrites {
				part += " overwrites " + e.Manager
			}
			parts = append(parts, part)
		}
		all = append(all, o.Object.Name+" "+o.Action+": "+strings.Join(parts, "; "))
	}
	return all
}

// branchOf is a clone of a repository with a branch that has another state of app.
func branchOf(t *testing.T, before, after map[string]string) (dir string, base string) {
	t.Helper()
	repo := gitsourcetest.NewRepo(t)
	base = repo.Commit(gitsourcetest.Commit{Files: before})
	clone := repo.Clone()
	gitsourcetest.Git(t, clone, "switch", "-qc", "change")
	gitsourcetest.Git(t, clone, "rm", "-rq", "app")
	gitsourcetest.WriteFiles(t, clone, after)
	gitsourcetest.Git(t, clone, "add", "-A")
	gitsourcetest.Git(t, clone, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "change")
	return filepath.Join(clone, "app"), base
}

func reviewed(t *testing.T, kubeconfig string, code int, args ...string) (review jsonReview) {
	t.Helper()
	for _, format := range allFormats {
		r := run(t, kubeconfig, append([]string{"diff", "-o", format}, args...)...)
		if r.code != code {
			t.Errorf("%s: exit %d, want %d:\n%s%s", format, r.code, code, r.stdout, r.stderr)
		}
		if format == "json" {
			if err := json.Unmarshal([]byte(r.stdout), &review); err != nil {
				t.Fatalf("%v in:\n%s%s", err, r.stdout, r.stderr)
			}
		}
	}
	return review
}

// TestReview deploys a base, lets people change what is live, and reviews a change that
// would overwrite some of that.
func TestReview(t *testing.T) {
	t.Parallel()
	const ns = "review"
	keep := func(names ...string) (all []string) {
		for _, n := range names {
			all = append(all, n, encoded(keepSecret("review-"+n)))
		}
		return all
	}
	before := map[string]string{
		"app/web.yaml":  webDeployment,
		"app/conf.yaml": configMap("", "touched", "1"), "app/kept.yaml": configMap("", "kept", "1"), "app/old.yaml": configMap("", "old", "1"),
		"app/gone.yaml": configMap("", "gone", "1"), "app/secret.yaml": secretManifest("secret", "data", keep("before")...),
	}
	after := map[string]string{
		"app/web.yaml":  strings.Replace(webDeployment, "web:1.0", "web:2.0", 1),
		"app/conf.yaml": configMap("", "touched", "2"), "app/kept.yaml": configMap("", "kept", "1"), "app/new.yaml": configMap("", "new", "1"),
		"app/gone.yaml": configMap("", "gone", "1"), "app/secret.yaml": secretManifest("secret", "data", "before", encoded(keepSecret("review-after"))),
	}
	dir, base := branchOf(t, before, after)
	admin(t).Kubectl(t, "create", "namespace", ns)
	deploy := append([]string{"-n", ns}, deployers["server-side"]...)
	admin(t).Kubectl(t, append(deploy, filepath.Join(write(t, before), "app"))...)

	// What is deployed is the base: all that differs is what the change does.
	r := reviewed(t, admin(t).Kubeconfig, 0, dir, "-n", ns, "--base", "origin/main")
	want := []string{
		"new created: live added  <nil> → <nil>",
		"old deleted: live removed  <nil> → <nil>",
		"touched changed: modified data.key 1 → 2; live modified data.key 1 → 2",
		"secret changed: modified data.before *** (before) → *** (after); live modified data.before *** (before) → *** (after)",
		"web changed: modified spec.template.spec.containers[name=web].image registry.example.com/web:1.0 → registry.example.com/web:2.0; live modified spec.template.spec.containers[name=web].image registry.example.com/web:1.0 → registry.example.com/web:2.0",
	}
	sameLines(t, want, r.lines())
	if r.Review.Base != base || r.Review.Revision != "origin/main" || r.Review.Offline || len(r.Findings) > 0 {
		t.Errorf("base %s of %s, findings %v", r.Review.Base, r.Review.Revision, r.Findings)
	}

	// People change what the change declares, what it leaves alone and what it deletes.
	admin(t).Kubectl(t, "-n", ns, "set", "image", "deployment/web", "web=registry.example.com/web:1.0-hotfix")
	for name, patch := range map[string]string{"touched": `{"data":{"more":"x"}}`, "kept": `{"data":{"key":"hot"}}`, "old": `{"data":{"key":"hot"}}`} {
		admin(t).Kubectl(t, "-n", ns, "patch", "configmap", name, "-p", patch)
	}
	patchSecret(t, ns, "secret", `{"data":{"before":"`+encoded(keepSecret("review-hot"))+`"}}`)
	admin(t).Kubectl(t, "-n", ns, "delete", "configmap", "gone")
	r = reviewed(t, admin(t).Kubeconfig, 1, dir, "-n", ns, "--base", "auto")
	want = []string{
		"gone kept: live added  <nil> → <nil> overwrites ",
		"kept kept: live modified data.key hot → 1 overwrites kubectl-patch",
		"new created: live added  <nil> → <nil>",
		"old deleted: live removed  <nil> → <nil>; live removed data.key hot → <nil> overwrites kubectl-patch",
		"touched changed: modified data.key 1 → 2; live modified data.key 1 → 2",
		"secret changed: modified data.before *** (before) → *** (after); live modified data.before *** (before) → *** (after) overwrites kubectl-patch",
		"web changed: modified spec.template.spec.containers[name=web].image registry.example.com/web:1.0 → registry.example.com/web:2.0; live modified spec.template.spec.containers[name=web].image registry.example.com/web:1.0-hotfix → registry.example.com/web:2.0 overwrites kubectl-set",
	}
	sameLines(t, want, r.lines())
	if r.Review.Overwritten != 5 || r.Review.LeftOut != 0 {
		t.Errorf("%d live changes are overwritten, want 5; %d findings are left out, want 0", r.Review.Overwritten, r.Review.LeftOut)
	}
	found := map[string]bool{}
	for _, f := range r.Findings {
		found[f.Rule+" "+f.Object.Name] = true
	}
	if !found["drift/added touched"] || !found["drift/modified web"] || found["drift/missing new"] {
		t.Errorf("the findings are %v", found)
	}

	// It is deployed, by one that prunes, and by force: all of that is as was said.
	admin(t).Kubectl(t, append(append([]string{"-n", ns}, deployers["server-side"][:3]...), "--force-conflicts", "-f", dir)...)
	admin(t).Kubectl(t, "-n", ns, "delete", "configmap", "old")
	r = reviewed(t, admin(t).Kubeconfig, 1, dir, "-n", ns, "--base", "main")
	if r.Review.Overwritten != 0 || len(r.Findings) != 1 || r.Findings[0].Rule != "drift/added" {
		t.Errorf("after it was deployed: %v, findings %v", r.lines(), r.Findings)
	}
}

// sameLines compares, in whatever order.
func sameLines(t *testing.T, want, got []string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestReviewOffline asks no cluster where there is none or none is wanted, and fails where
// there should be one.
func TestReviewOffline(t *testing.T) {
	t.Parallel()
	dir, _ := branchOf(t, map[string]string{"app/a.yaml": configMap("", "a", "1")}, map[string]string{"app/a.yaml": configMap("", "a", "2"), "app/b.yaml": configMap("", "b", "1")})
	want := []string{"a changed: modified data.key 1 → 2", "b created: "}
	for name, args := range map[string][]string{"no kubeconfig": nil, "asked for": {"--offline"}} {
		r := reviewed(t, "", 0, append([]string{dir, "--base", "main"}, args...)...)
		sameLines(t, want, r.lines())
		if !r.Review.Offline || (len(r.Warnings) > 0) != (args == nil) {
			t.Errorf("%s: offline %v, warnings %q", name, r.Review.Offline, r.Warnings)
		}
	}
	refused(t, run(t, "/nonexistent", "diff", dir, "--base", "main"), "kubeconfig", "--offline")
	refused(t, run(t, "", "diff", dir, "--base", "main", "--server", "https://127.0.0.1:1"), "127.0.0.1:1")
	refused(t, run(t, "", "diff", dir, "--offline"), "--offline", "--base")
	refused(t, run(t, "", "diff", "--git", "https://127.0.0.1:1/x.git", "--base", "main"), "--base", "directory")
	refused(t, run(t, "", "diff", dir, "--base", "none"), "--base", "none")
	refused(t, run(t, "", "diff", t.TempDir(), "--base", "main"), "declares no objects")
}
