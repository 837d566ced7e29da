package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/test/testenv"
)

// corpora returns the folder of real public configurations, or skips the test.
func corpora(t *testing.T) string {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "..", "shared", "corpora")
	if given := os.Getenv("PLUMBLINE_CORPORA"); given != "" {
		dir = given
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpora to test with: set PLUMBLINE_CORPORA to a folder that holds them (%v)", err)
	}
	return dir
}

// corpus is one directory of a corpus and what is known about it.
type corpus struct {
	dir string
	// refused says why the server refuses to have it applied by server-side
	// apply at all; empty where it takes it. Client-side apply cannot patch it
	// either, only create it.
	refused string
}

var corporaDirs = []corpus{
	{dir: "microservices-demo/kustomize"},
	{dir: "microservices-demo/kubernetes-manifests"},
	{dir: "microservices-demo/kustomize/tests/memorystore-with-all-components"},
	{dir: "microservices-demo/kustomize/tests/service-mesh-istio-with-all-components"},
	{dir: "microservices-demo/kustomize/tests/spanner-with-all-components"},
	{dir: "kube-prometheus"},
	{dir: "ingress-nginx/deploy/static/provider/aws"},
	{dir: "ingress-nginx/deploy/static/provider/aws/nlb-with-tls-termination", refused: "two ports with the same merge key"},
	{dir: "ingress-nginx/deploy/static/provider/baremetal"},
	{dir: "ingress-nginx/deploy/static/provider/cloud"},
	{dir: "ingress-nginx/deploy/static/provider/do"},
	{dir: "ingress-nginx/deploy/static/provider/exoscale"},
	{dir: "ingress-nginx/deploy/static/provider/kind"},
	{dir: "ingress-nginx/deploy/static/provider/oracle"},
	{dir: "ingress-nginx/deploy/static/provider/scw"},
	{dir: "ingress-nginx/deploy/prometheus"},
	{dir: "ingress-nginx/deploy/grafana"},
	{dir: "knative-serving-config/config/core"},
	{dir: "knative-serving-config/config/hpa-autoscaling"},
	{dir: "flux2-kustomize-helm-example/apps/production"},
	{dir: "flux2-kustomize-helm-example/apps/staging"},
	{dir: "flux2-kustomize-helm-example/infrastructure/controllers"},
	{dir: "flux2-kustomize-helm-example/infrastructure/configs"},
	{dir: "flux2-kustomize-helm-example/clusters/production"},
	{dir: "flux2-kustomize-helm-example/clusters/staging"},
}

// TestCorporaServerSide deploys every corpus by server-side apply and wants
// nothing found, with controllers running and pods up.
func TestCorporaServerSide(t *testing.T) {
	deployAll(t, env, true)
}

// TestCorporaClientSide does the same by client-side apply, in a cluster of its
// own.
func TestCorporaClientSide(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped in short mode: it starts a second control plane")
	}
	second, err := testenv.Start(2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
	}()
	deployAll(t, second, false)
}

func deployAll(t *testing.T, e *testenv.Env, serverSide bool) {
	source := corpora(t)
	deployer, reader := e.User(t, "ci-deploy", masters), e.User(t, "reader", masters)
	repository := checkout(t, source)
	rogues := newWatch(e)
	for _, c := range corporaDirs {
		t.Run(c.dir, func(t *testing.T) {
			if c.refused != "" && serverSide {
				t.Skipf("the API server refuses it: %s", c.refused)
			}
			dir := filepath.Join(repository, filepath.FromSlash(c.dir))
			installKinds(t, deployer, dir)
			if c.refused != "" {
				deleteDeployments := func() { deployer.Kubectl(t, "delete", "deployments", "-A", "--all") }
				deleteDeployments()
				defer deleteDeployments()
			}
			d := deployment{user: deployer, dir: dir, serverSide: serverSide}
			d.run(t)
			waitForPods(t, deployer)
			report, r := diff(t, reader.Kubeconfig, dir)
			clean(t, report, r)
			rogues.quietCorpus(t, repository, c.dir, reader.Kubeconfig)
			if len(report.Source.Commit) != 40 {
				t.Errorf("the commit is %q", report.Source.Commit)
			}
			// A webhook whose server does not run would refuse the next corpus.
			deployer.Kubectl(t, "delete", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "--all", "--ignore-not-found")
		})
	}
}

// checkout makes a git repository of a folder, as a user would have it.
func checkout(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=corpora"},
	} {
		c := exec.Command("git", args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	return dir
}

// deployment applies a directory as CI does, again and again while kinds that it
// brings itself are being established.
type deployment struct {
	user       testenv.User
	dir        string
	serverSide bool
}

func (d deployment) args(serverSide bool) []string {
	args := []string{"apply"}
	if serverSide {
		args = append(args, "--server-side", "--force-conflicts", "--field-manager=ci-deploy")
	}
	if _, err := os.Stat(filepath.Join(d.dir, "kustomization.yaml")); err == nil {
		return append(args, "-k", d.dir)
	}
	return append(args, "-R", "-f", d.dir)
}

func (d deployment) run(t *testing.T) {
	t.Helper()
	var err error
	largeApplied := false
	testenv.Poll(2*time.Minute, func() bool {
		if _, err = d.user.Try("", d.args(d.serverSide)...); err == nil {
			return true
		}
		switch text := err.Error(); {
		case strings.Contains(text, "failed calling webhook"):
			d.user.Kubectl(t, "delete", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "--all", "--ignore-not-found")
			return false
		case strings.Contains(text, "metadata.annotations: Too long") && !largeApplied:
			// What does not fit client-side apply's annotation is deployed
			// by server-side apply, as its users must.
			d.applyLarge(t)
			largeApplied = true
			return false
		case strings.Contains(text, "metadata.annotations: Too long"), strings.Contains(text, "kustomize.config.k8s.io"):
			err = nil // the rest is applied; a nested kustomization is no object
			return true
		case strings.Contains(text, "no matches for kind"):
			return false // until the API server serves the new kinds
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
}

// applyLarge applies the CustomResourceDefinitions by server-side apply.
func (d deployment) applyLarge(t *testing.T) {
	t.Helper()
	rendered := d.user.Kubectl(t, "kustomize", d.dir)
	var large []string
	for _, document := range strings.Split(rendered, "\n---\n") {
		if len(document) > 200_000 {
			large = append(large, document)
		}
	}
	d.user.KubectlIn(t, strings.Join(large, "\n---\n"), "apply", "--server-side", "--force-conflicts", "--field-manager=ci-deploy", "-f", "-")
}

// installKinds creates the namespaces that the directory takes for granted, and a
// definition that takes anything for each kind that it uses and neither the
// cluster nor the directory defines.
func installKinds(t *testing.T, user testenv.User, dir string) {
	t.Helper()
	report, _ := diff(t, user.Kubeconfig, dir)
	declared := map[string]bool{}
	for _, f := range report.Findings {
		switch f.Object.Kind {
		case "CustomResourceDefinition", "Namespace":
			declared[f.Object.Name] = true
		}
	}
	for _, f := range report.Findings {
		if ns := f.Object.Namespace; ns != "" && !declared[ns] {
			declared[ns] = true
			_, _ = user.Try("", "create", "namespace", ns) // it may exist
		}
	}
	for _, f := range report.Findings {
		group, version, _ := strings.Cut(f.Object.APIVersion, "/")
		plural := pluralOf(f.Object.Kind)
		name := plural + "." + group
		if !strings.Contains(f.Message, "CustomResourceDefinition is not installed") || declared[name] {
			continue
		}
		declared[name] = true
		definition := fmt.Sprintf(anyKind, name, group, scopeOf(f.Object.Namespace), f.Object.Kind, plural, strings.ToLower(f.Object.Kind))
		versions := []string{"v1", "v1beta1", "v1alpha3", version}
		slices.Sort(versions)
		for _, v := range slices.Compact(versions) {
			definition += fmt.Sprintf(anyVersion, v, v == "v1")
		}
		user.KubectlIn(t, definition, "apply", "--server-side", "-f", "-")
		user.Kubectl(t, "wait", "--for=condition=Established", "customresourcedefinition/"+name)
	}
}

func pluralOf(kind string) string {
	plural := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(plural, "s"):
		return plural + "es"
	case strings.HasSuffix(plural, "cy") || strings.HasSuffix(plural, "ry"):
		return plural[:len(plural)-1] + "ies"
	default:
		return plural + "s"
	}
}

func scopeOf(namespace string) string {
	if namespace == "" {
		return "Cluster"
	}
	return "Namespaced"
}

const anyKind = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %s
  annotations: {api-approved.kubernetes.io: "unapproved, for a test"}
spec:
  group: %s
  scope: %s
  names: {kind: %s, plural: %s, singular: %s}
  versions:
`

const anyVersion = `  - name: %s
    served: true
    storage: %t
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// waitForPods waits until the controllers have made what they are going to make:
// until all pods are up and their number stays the same.
func waitForPods(t *testing.T, user testenv.User) {
	t.Helper()
	last := -1
	settled := testenv.Poll(60*time.Second, func() bool {
		var pods struct {
			Items []struct{ Status struct{ Phase string } }
		}
		if err := json.Unmarshal([]byte(user.Kubectl(t, "get", "pods", "-A", "-o", "json")), &pods); err != nil {
			t.Fatal(err)
		}
		up := 0
		for _, p := range pods.Items {
			if p.Status.Phase == "Running" || p.Status.Phase == "Succeeded" {
				up++
			}
		}
		same := up == last
		last = up
		return same && up == len(pods.Items)
	})
	if !settled {
		t.Fatal("the pods do not come up")
	}
}
