package e2e

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/test/testenv"
)

// shop is examples/shop, deployed into a cluster of its own, and a Baseline for it.
type shop struct {
	env      *testenv.Env
	ci       testenv.User
	auditor  testenv.User // may only read
	dir      string       // what is compared
	baseline string
	binaries string
}

// shopBaseline governs the shop, a namespace beside it, and who has rights.
const shopBaseline = `apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: shop}
spec:
  scope:
    namespaces: [shop, annex]
    clusterKinds: [ClusterRoleBinding]
    exempt:
    - {kind: ClusterRoleBinding, name: auditor, rules: [rogue/object, posture], reason: it is the one that compares}
    injected:
    - {container: mesh-proxy, image: "registry.example.com/mesh/*"}
  deployer: {managers: [ci-deploy]}
  sources:
    registries: [registry.example.com/shop, registry.example.com/mesh]
    releases: Read
  posture: {groups: true}
  runtime: {maxAge: 168h, outliers: true}
`

// meshWebhook puts a container into each Pod of the shop.
const meshWebhook = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: mesh}
webhooks:
- name: inject.mesh.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {url: "URL/mesh", caBundle: CA}
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
`

const meshPatch = `[{"op": "add", "path": "/spec/containers/-", "value": {"name": "mesh-proxy", "image": "registry.example.com/mesh/proxy:1.4.2", "env": [{"name": "MODE", "value": "sidecar"}]}}]`

// newShop starts a control plane, whose API server asks a webhook about each Pod, and
// deploys the shop as CI does.
func newShop(t *testing.T) *shop {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	e, err := testenv.Start(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	hooks := testenv.ServeWebhooks()
	t.Cleanup(hooks.Close)
	hooks.Set("/mesh", meshPatch)
	s := &shop{env: e, ci: e.User(t, "ci-deploy", masters), auditor: e.User(t, "auditor"), binaries: filepath.Join(root, "bin")}
	s.ci.KubectlIn(t, readerRole, "apply", "-f", "-")
	s.ci.Kubectl(t, "create", "clusterrolebinding", "auditor", "--clusterrole=plumbline-reader", "--user=auditor")
	s.ci.Kubectl(t, "create", "namespace", "annex")
	s.ci.KubectlIn(t, strings.NewReplacer("URL", hooks.URL, "CA", base64.StdEncoding.EncodeToString(hooks.CA())).Replace(meshWebhook), "apply", "-f", "-")

	config := t.TempDir()
	if err := os.CopyFS(config, os.DirFS(filepath.Join(root, "examples", "shop"))); err != nil {
		t.Fatal(err)
	}
	git(t, config, "init", "-q", "-b", "main")
	git(t, config, "add", "-A")
	git(t, config, "commit", "-q", "-m", "The shop")
	s.dir = filepath.Join(config, "overlays", "production")
	s.baseline = filepath.Join(write(t, map[string]string{"baseline.yaml": shopBaseline}), "baseline.yaml")
	apply := []string{"apply", "--server-side", "--field-manager=ci-deploy", "-k"}
	s.ci.Kubectl(t, append(apply, filepath.Join(config, "crd"))...)
	s.ci.Kubectl(t, "wait", "--for=condition=Established", "crd/coupons.shop.example.com")
	s.ci.Kubectl(t, append(apply, s.dir)...)
	s.ci.Kubectl(t, "-n", "shop", "wait", "--for=condition=Available", "--timeout=90s", "deployment", "--all")
	s.ci.Kubectl(t, "-n", "shop", "wait", "--for=condition=Ready", "--timeout=90s", "pod", "--all")
	if !hooks.Called("/mesh") {
		t.Fatal("the API server does not ask the webhook")
	}
	return s
}

// rows are what is found: rule, severity, evidence, object and subject, and what stands
// or falls with it.
func (s *shop) rows(t *testing.T) ([]string, result) {
	t.Helper()
	r := command{args: []string{"diff", s.dir, "-f", s.baseline, "-o", "json"}, kubeconfig: s.auditor.Kubeconfig}.run(t)
	var report struct {
		Findings []struct {
			Rule, Severity, Evidence, Subject, Message, Advice string
			Object                                             jsonID
			Children                                           []jsonID
		}
		Unknown          []struct{ Reason string }
		Errors, Warnings []string
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatalf("exit %d: %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	var rows []string
	for _, f := range report.Findings {
		if strings.HasPrefix(f.Rule, "drift/") && f.Severity == "info" {
			continue
		}
		row := fmt.Sprintf("%s %s %s %s [%s]", f.Rule, f.Severity, cmp.Or(f.Evidence, "-"), f.Object, f.Subject)
		for _, c := range f.Children {
			row += " with " + c.String()
		}
		rows = append(rows, madeUp.ReplaceAllString(row, "-*"))
		if f.Message == "" || f.Advice == "" && !strings.HasPrefix(f.Rule, "drift/") {
			t.Errorf("incomplete: %+v", f)
		}
	}
	for _, u := range report.Unknown {
		rows = append(rows, "unknown "+u.Reason)
	}
	for _, e := range slices.Concat(report.Errors, report.Warnings) {
		rows = append(rows, "told "+e)
	}
	slices.Sort(rows)
	return rows, r
}

type jsonID struct{ Kind, Namespace, Name string }

func (id jsonID) String() string {
	if id.Namespace == "" {
		return id.Kind + " " + id.Name
	}
	return id.Kind + " " + id.Namespace + "/" + id.Name
}

// madeUp are the parts of names that controllers make up.
var madeUp = regexp.MustCompile(`(-[0-9a-f]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}\b|-[0-9a-f]{9,10}\b`)

// TestIntruder wants nothing told of a shop that only CI, controllers and a mesh's
// webhook touch, and all that an intruder does there: at its root, by its rule, with
// the evidence that it has, and nothing more.
func TestIntruder(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped in short mode: it starts a second control plane")
	}
	s := newShop(t)
	t.Run("untouched", func(t *testing.T) {
		if rows, r := s.rows(t); len(rows) > 0 || r.code != 0 {
			t.Fatalf("exit %d, found:\n%s", r.code, strings.Join(rows, "\n"))
		}
		r := run(t, s.auditor.Kubeconfig, "diff", s.dir, "-f", s.baseline)
		if r.code != 0 || !strings.Contains(r.stdout, "34 objects: 34 in sync") {
			t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
	s.intrude(t)
	want := strings.Split(strings.TrimSpace(intruded), "\n")
	slices.Sort(want)
	var rows []string
	var r result
	testenv.Poll(20*time.Second, func() bool {
		rows, r = s.rows(t)
		return slices.Equal(rows, want)
	})
	if d := gocmp.Diff(want, rows); d != "" || r.code != 1 {
		t.Errorf("exit %d; -want +got:\n%s\n%s", r.code, d, r.stdout)
	}
	t.Run("text", func(t *testing.T) {
		r := command{args: []string{"diff", s.dir, "-f", s.baseline}, kubeconfig: s.auditor.Kubeconfig, env: []string{"COLUMNS=80"}}.run(t)
		for line := range strings.Lines(r.stdout) {
			if len([]rune(line)) > 81 && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("the line is too long: %s", line)
			}
		}
		for _, part := range intrudedText {
			if !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), part) {
				t.Errorf("the text does not say %q", part)
			}
		}
		if r.code != 1 || t.Failed() {
			t.Errorf("exit %d:\n%s", r.code, r.stdout)
		}
	})
}

// intrude does what an intruder with all rights may do beside changing what is
// declared.
func (s *shop) intrude(t *testing.T) {
	t.Helper()
	mallory := s.env.User(t, "mallory", masters)
	in := func(stdin string, args ...string) {
		t.Helper()
		mallory.KubectlIn(t, stdin, append([]string{"-n", "shop"}, args...)...)
	}
	pod := func(app, field string) string {
		return mallory.Kubectl(t, "-n", "shop", "get", "pods", "-l", "app.kubernetes.io/name="+app, "-o", "jsonpath={.items[0].metadata."+field+"}")
	}
	in(`{apiVersion: v1, kind: Pod, metadata: {name: bare}, spec: {containers: [{name: c, image: "registry.example.com/shop/cart:2026.10.7"}]}}`, "create", "-f", "-")
	in("", "run", "shell", "--image=nginx")
	in("", "debug", pod("cart", "name"), "--image=docker.io/library/busybox:1.36", "--container=debugger", "--", "sh")
	in("", "set", "image", "pod/"+pod("mailer", "name"), "mailer=docker.io/evil/mailer:1")
	// A ReplicaSet takes a Pod that fits its selector, and deletes its own in its favour.
	in(`{apiVersion: v1, kind: Pod, metadata: {name: adopted, annotations: {controller.kubernetes.io/pod-deletion-cost: "1000"}},
  spec: {containers: [{name: payments, image: "docker.io/evil/miner:1"}]}}`, "create", "-f", "-")
	in("", "wait", "--for=condition=Ready", "pod/adopted", "--timeout=30s")
	in("", "label", "pod/adopted", "app.kubernetes.io/name=payments", "pod-template-hash="+pod("payments", `labels.pod-template-hash`))
	s.helm(t, mallory)
	in(`{apiVersion: v1, kind: ConfigMap, metadata: {name: by-helm, labels: {app.kubernetes.io/managed-by: Helm}}, data: {a: b}}`, "create", "-f", "-")
	in(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: by-ci}, spec: {selector: {matchLabels: {app: by-ci}}, template: {metadata: {labels: {app: by-ci}},
  spec: {containers: [{name: c, image: "registry.example.com/shop/cart:2026.10.7"}]}}}}`, "apply", "--server-side", "--field-manager=ci-deploy", "-f", "-")
	in("", "annotate", "--field-manager=ci-deploy", "deployment/cart", "note=x")
	mallory.Kubectl(t, "-n", "annex", "create", "service", "nodeport", "door", "--tcp=80")
	mallory.Kubectl(t, "create", "clusterrolebinding", "mallory", "--clusterrole=cluster-admin", "--user=mallory")
	mallory.Kubectl(t, "-n", "shop", "wait", "--for=condition=Available", "--timeout=60s", "deployment", "--all")
}

// helm installs a chart that is not the shop's.
func (s *shop) helm(t *testing.T, user testenv.User) {
	t.Helper()
	chart := write(t, map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: miner\nversion: 1.2.3\n",
		"templates/miner.yaml": `{apiVersion: apps/v1, kind: Deployment, metadata: {name: miner}, spec: {selector: {matchLabels: {app: miner}}, template: {metadata: {labels: {app: miner}},
  spec: {containers: [{name: miner, image: "ghcr.io/evil/miner:1"}]}}}}`,
	})
	c := exec.Command(filepath.Join(s.binaries, "helm-v4"), "install", "coin", chart, "-n", "shop")
	c.Env = append(os.Environ(), "KUBECONFIG="+user.Kubeconfig, "HOME="+t.TempDir())
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("helm: %v\n%s", err, out)
	}
}

// intruded is all that there is to tell of it.
const intruded = `
drift/released warning - Deployment shop/cart []
posture/rbac-user critical declared ClusterRoleBinding mallory [mallory]
rogue/container warning checked Pod shop/cart-* [debugger]
rogue/container warning checked Pod shop/mailer-* [mailer]
rogue/object critical declared ClusterRoleBinding mallory []
rogue/object warning checked Pod shop/adopted []
rogue/object warning declared ConfigMap shop/by-helm []
rogue/object warning declared Deployment shop/by-ci [] with Pod shop/by-ci-* with ReplicaSet shop/by-ci-*
rogue/object warning declared Deployment shop/miner [] with Pod shop/miner-* with ReplicaSet shop/miner-*
rogue/object warning declared Pod shop/bare []
rogue/object warning declared Pod shop/shell []
rogue/object warning declared Secret shop/sh.helm.release.v1.coin.v1 []
rogue/object warning declared Service annex/door [] with EndpointSlice annex/door-* with Endpoints annex/door
rogue/writer warning claimed Deployment shop/cart [ci-deploy/Update]
runtime/outlier warning checked Pod shop/cart-* [debugger]
source/helm warning declared Release shop/coin [] with Deployment shop/miner with ReplicaSet shop/miner-* with Secret shop/sh.helm.release.v1.coin.v1
source/image warning declared Deployment shop/miner [containers[miner]] with Pod shop/miner-* with ReplicaSet shop/miner-*
source/image warning declared Pod shop/adopted [containers[payments]]
source/image warning declared Pod shop/cart-* [ephemeralContainers[debugger]]
source/image warning declared Pod shop/mailer-* [containers[mailer]]
source/image warning declared Pod shop/shell [containers[shell]]
source/tag warning declared Pod shop/shell [containers[shell]]
`

// intrudedText is what the text has to say.
var intrudedText = []string{
	"with EndpointSlice/door-",
	"by what anyone can write",
}
