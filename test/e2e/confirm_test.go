package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/test/testenv"
)

// confirming compares with --confirm=dry-run, with a cache of its own, and counts
// what the user sends.
type confirming struct {
	user  testenv.User
	args  []string
	cache string
}

func newConfirming(t testing.TB, user testenv.User, args ...string) confirming {
	t.Helper()
	cache := t.TempDir()
	return confirming{user, append(args, "--confirm=dry-run", "--cache-dir", cache), cache}
}

// diff wants a number of dry runs.
func (c confirming) diff(t testing.TB, dryRuns int) (jsonReport, result) {
	t.Helper()
	before := len(asked(requests(t, c.user.Name)))
	report, r := diff(t, c.user.Kubeconfig, c.args...)
	got := asked(settled(t, c.user.Name))[before:]
	if len(got) != dryRuns {
		t.Errorf("%d dry runs, want %d: %q", len(got), dryRuns, got)
	}
	return report, r
}

// asked are the requests that would write if they were not dry runs.
func asked(requests []request) []string {
	var uris []string
	for _, r := range requests {
		if r.Verb != "get" && r.Verb != "list" && r.Verb != "watch" {
			uris = append(uris, r.Verb+" "+r.RequestURI)
		}
	}
	return uris
}

// changed wants exactly the given changes ("Name path op").
func changed(t testing.TB, report jsonReport, want ...string) {
	t.Helper()
	var got []string
	for _, f := range report.Findings {
		for _, c := range f.Changes {
			got = append(got, f.Object.Name+" "+c.Path+" "+c.Op)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the changes are %q, want %q", got, want)
	}
}

func grouped(name string) string {
	return `apiVersion: v1
kind: ReplicationController
metadata: {name: ` + name + `}
spec:
  replicas: 0
  selector: {app: ` + name + `}
  template:
    metadata: {labels: {app: ` + name + `}}
    spec:
      schedulingGroup: {podGroupName: batch}
      containers: [{name: c, image: registry.example.com/c:1.0}]
`
}

// TestConfirmDropped declares a field of a feature that the server has switched
// off, so that it drops it: drift to who does not ask, and none to who does, which
// takes one request for each content and none the second time.
func TestConfirmDropped(t *testing.T) {
	const ns = "confirm-dropped"
	dir := deployed(t, ns, map[string]string{
		"a.yaml": grouped("a"), "b.yaml": grouped("b"), "web.yaml": webDeployment, "c.yaml": configMap("", "c", "1"),
		"service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n",
	})
	user := env.User(t, "confirm-dropped", masters)
	report, r := diff(t, user.Kubeconfig, dir, "-n", ns)
	if r.code != 1 {
		t.Errorf("exit %d, want drift:\n%s", r.code, r.stdout)
	}
	changed(t, report, "a spec.template.spec.schedulingGroup removed", "b spec.template.spec.schedulingGroup removed")
	if sent := asked(settled(t, user.Name)); len(sent) > 0 {
		t.Errorf("who does not ask for it sent %q", sent)
	}

	all := func() string { // controllers keep to the status, which has no generation
		return admin(t).Kubectl(t, "-n", ns, "get", "rc,deploy,svc", "-o", "custom-columns=:.metadata.name,:.metadata.uid,:.metadata.generation") +
			admin(t).Kubectl(t, "-n", ns, "get", "cm,svc", "-o", "custom-columns=:.metadata.name,:.metadata.resourceVersion")
	}
	before := all()
	c := newConfirming(t, user, dir, "-n", ns)
	report, r = c.diff(t, 2)
	clean(t, report, r)
	report, r = c.diff(t, 0)
	clean(t, report, r)
	if after := all(); after != before {
		t.Errorf("a dry run wrote:\n%s\nbefore:\n%s", after, before)
	}

	edited := strings.Replace(grouped("a"), "podGroupName: batch", "podGroupName: other", 1)
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	report, r = c.diff(t, 1)
	clean(t, report, r)

	admin(t).Kubectl(t, "-n", ns, "set", "image", "rc/b", "c=registry.example.com/c:2.0")
	admin(t).Kubectl(t, "-n", ns, "label", "deployment/web", "by=hand")
	report, _ = c.diff(t, 1) // of the Deployment
	changed(t, report, "web metadata.labels.by added", "b spec.template.spec.containers[name=c].image modified")
}

// TestConfirmBaseline has a Baseline ask for it, and a flag take it back.
func TestConfirmBaseline(t *testing.T) {
	const ns = "confirm-baseline"
	dir := deployed(t, ns, map[string]string{"a.yaml": grouped("a")})
	file := filepath.Join(t.TempDir(), "baseline.yaml")
	text := "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: b}\nspec: {confirm: DryRun, deployer: {managers: [ci-deploy]}}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	report, r := diff(t, admin(t).Kubeconfig, dir, "-n", ns, "-f", file)
	clean(t, report, r)
	report, _ = diff(t, admin(t).Kubeconfig, dir, "-n", ns, "-f", file, "--confirm=none")
	changed(t, report, "a spec.template.spec.schedulingGroup removed")
	refused(t, run(t, "", "diff", dir, "--confirm=maybe"), `--confirm: "maybe"`, "dry-run")
	refused(t, run(t, "", "diff", dir, "--confirm=dry-run", "--live", "x.yaml"), "--live")
}

// mutating is a policy that changes what is created in one namespace.
const mutating = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: confirm}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: confirm-mutated}}
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{
          metadata: Object.metadata{annotations: {"example.com/made-for": string(object.metadata.name), "example.com/note": "RELEASE"}},
          spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{priorityClassName: "system-node-critical"}}}
        }
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: confirm}
spec: {policyName: confirm}
`

// mutate installs the policy until the test ends, and waits until it is followed.
func mutate(t testing.TB, namespace, release string) {
	t.Helper()
	admin(t).KubectlIn(t, strings.ReplaceAll(mutating, "RELEASE", release), "apply", "-f", "-")
	dir := write(t, map[string]string{"probe.yaml": strings.Replace(webDeployment, "name: web", "name: probe", 1)})
	if !testenv.Poll(30*time.Second, func() bool {
		out, err := admin(t).Try("", "-n", namespace, "create", "--dry-run=server", "-o", "yaml", "-f", dir)
		return err == nil && strings.Contains(out, "example.com/note: "+release)
	}) {
		t.Fatal("the policy is not followed")
	}
}

// TestConfirmMutated has something change Deployments on their way, so that what
// nobody owns, and what the deployer owns by an update, may have come from it: who
// asks knows, and who does not keeps quiet.
func TestConfirmMutated(t *testing.T) {
	const ns = "confirm-mutated"
	user := env.User(t, ns, masters)
	admin(t).Kubectl(t, "create", "namespace", ns)
	t.Cleanup(func() {
		admin(t).KubectlIn(t, strings.ReplaceAll(mutating, "RELEASE", "x"), "delete", "-f", "-")
	})
	mutate(t, ns, "one")
	dir := write(t, map[string]string{"web.yaml": webDeployment})
	deploy(t, ns, dir)
	c := newConfirming(t, user, dir, "-n", ns)
	quiet := func() {
		t.Helper()
		report, r := diff(t, user.Kubeconfig, dir, "-n", ns)
		clean(t, report, r)
	}
	quiet()
	report, r := c.diff(t, 1)
	clean(t, report, r)

	mutate(t, ns, "two") // another time it marks them otherwise
	report, r = c.diff(t, 1)
	clean(t, report, r)

	t.Run("in the deployer's name", func(t *testing.T) {
		admin(t).Kubectl(t, "-n", ns, "patch", "deployment", "web", "--type=merge", "--field-manager=ci-deploy",
			"-p", `{"metadata":{"annotations":{"example.com/by":"mallory"}},"spec":{"template":{"spec":{"hostPID":true}}}}`)
		quiet()
		report, _ := c.diff(t, 0)
		changed(t, report, `web metadata.annotations["example.com/by"] released`, "web spec.template.spec.hostPID released")
	})
	t.Run("without a record", func(t *testing.T) {
		admin(t).Kubectl(t, "-n", ns, "patch", "deployment", "web", "--type=merge", "--field-manager=mallory", "-p", `{"spec":{"template":{"spec":{"hostIPC":true}}}}`)
		admin(t).Kubectl(t, "-n", ns, "patch", "deployment", "web", "--type=json", "-p", `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`)
		deploy(t, ns, dir)
		quiet()
		report, _ := c.diff(t, 0)
		changed(t, report, `web metadata.annotations["example.com/by"] added`, "web spec.template.spec.hostIPC added", "web spec.template.spec.hostPID added")
	})
}

// TestConfirmRights wants one warning that says which right is missing, and the
// comparison to stand as it would without.
func TestConfirmRights(t *testing.T) {
	const ns = "confirm-rights"
	dir := deployed(t, ns, map[string]string{"a.yaml": grouped("a"), "b.yaml": grouped("b"), "c.yaml": configMap("", "c", "1")})
	admin(t).Kubectl(t, "-n", ns, "patch", "configmap", "c", "--type=merge", "-p", `{"data":{"key":"2"}}`)
	without := []string{"c data.key modified", "a spec.template.spec.schedulingGroup removed", "b spec.template.spec.schedulingGroup removed"}
	warned := func(t *testing.T, report jsonReport, parts ...string) {
		t.Helper()
		if len(report.Warnings) != 1 {
			t.Fatalf("the warnings are %q, want one", report.Warnings)
		}
		for _, part := range parts {
			if !strings.Contains(report.Warnings[0], part) {
				t.Errorf("the warning does not say %q: %s", part, report.Warnings[0])
			}
		}
	}
	reader := newReader(t, "confirm-reader")
	report, _ := newConfirming(t, reader, dir, "-n", ns).diff(t, 4) // two for each kind
	changed(t, report, without...)
	warned(t, report, "grant patch and create on", "configmaps of namespace "+ns, "replicationcontrollers of namespace "+ns, reader.Name)

	patcher := newReader(t, "confirm-patcher")
	rights(t, patcher, ns, "--verb=patch", "--resource=replicationcontrollers,configmaps")
	report, _ = newConfirming(t, patcher, dir, "-n", ns).diff(t, 5)
	changed(t, report, without[0]) // what an apply would not change is told without the right to create
	warned(t, report, "create")
}

// TestConfirmSecrets wants a Secret's values to go to the API server and nowhere
// else: not to the disk, and not into what is printed when it refuses them.
func TestConfirmSecrets(t *testing.T) {
	const ns = "confirm-secrets"
	user := env.User(t, ns, masters)
	dir := deployed(t, ns, map[string]string{"s.yaml": secretManifest("s", "stringData", "password", keepSecret("confirm-declared-1"))})
	c := newConfirming(t, user, dir, "-n", ns)
	report, r := c.diff(t, 0)
	clean(t, report, r)
	patchSecret(t, ns, "s", `{"stringData":{"password":"`+keepSecret("confirm-live-1")+`","more":"`+keepSecret("confirm-live-2")+`"}}`)
	for range 2 { // it is not kept
		report, _ = c.diff(t, 1)
		masked(t, report, "data.more added", "data.password modified")
	}
	if err := os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(secretManifest("s", "data", "password", "'"+keepSecret("confirm-no-base64!!")+"'")), 0o644); err != nil {
		t.Fatal(err)
	}
	report, _ = c.diff(t, 1)
	masked(t, report, "data.more added", "data.password modified")
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "500 Internal Server Error") {
		t.Errorf("the warnings are %q", report.Warnings)
	}
	unwritten(t, c.cache, "confirm-declared-1", "confirm-live-1", "confirm-live-2", "confirm-no-base64!!")
}

// unwritten wants no file under dir to hold any of the values.
func unwritten(t testing.TB, dir string, values ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		for _, v := range values {
			if strings.Contains(string(text), v) || strings.Contains(string(text), encoded(v)) {
				t.Errorf("%s holds %s", path, v)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files under %s: %v", files, dir, err)
	}
}

// TestConfirmNamed has kinds whose objects cannot exist under another name, or not
// twice, and quantities that the server stores as they are spelled: what differs
// of them is told, and who asks is not warned.
func TestConfirmNamed(t *testing.T) {
	const ns, group = "confirm-named", "confirm.example.com"
	crd := strings.NewReplacer("rights.example.com", group, "widget", "trinket", "Widget", "Trinket").Replace(widgets)
	crd = strings.Replace(crd, "size: {type: integer}", "size: {type: integer}, memory: {x-kubernetes-int-or-string: true}", 1)
	admin(t).KubectlIn(t, crd, "apply", "--server-side", "--field-manager=ci-deploy", "-f", "-")
	admin(t).Kubectl(t, "wait", "--for=condition=Established", "crd/trinkets."+group)
	dir := write(t, map[string]string{
		"crd.yaml":     crd,
		"service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 31234}]}\n",
		"trinket.yaml": "apiVersion: " + group + "/v1\nkind: Trinket\nmetadata: {name: w}\nspec: {size: 1, memory: 1Gi}\n",
	})
	admin(t).Kubectl(t, "create", "namespace", ns)
	if !testenv.Poll(30*time.Second, func() bool {
		_, err := admin(t).Try("", "-n", ns, "apply", "--server-side", "--field-manager=ci-deploy", "-f", dir)
		return err == nil
	}) {
		t.Fatal("the objects cannot be deployed")
	}
	c := newConfirming(t, env.User(t, ns, masters), dir, "-n", ns)
	report, r := c.diff(t, 0)
	clean(t, report, r)
	admin(t).Kubectl(t, "label", "crd", "trinkets."+group, "by=hand")
	admin(t).Kubectl(t, "-n", ns, "patch", "service", "s", "-p", `{"spec":{"sessionAffinity":"ClientIP"}}`)
	admin(t).Kubectl(t, "-n", ns, "patch", "trinket.v1."+group, "w", "--type=merge", "-p", `{"spec":{"memory":"1024Mi"}}`)
	for _, dryRuns := range []int{3, 0} {
		report, _ = c.diff(t, dryRuns)
		changed(t, report, "trinkets."+group+" metadata.labels.by added", "s spec.sessionAffinity added", "w spec.memory modified")
		if len(report.Warnings) > 0 {
			t.Errorf("the warnings are %q", fmt.Sprint(report.Warnings))
		}
	}
}

// TestConfirmRefused has git declare what no server-side apply takes: it is
// compared as without, with a warning, and not asked about again.
func TestConfirmRefused(t *testing.T) {
	const ns = "confirm-refused"
	dir := write(t, map[string]string{"web.yaml": strings.Replace(webDeployment, "  replicas: 1", "  replicas: 1\n  replikas: 2", 1)})
	admin(t).Kubectl(t, "create", "namespace", ns)
	admin(t).Kubectl(t, "-n", ns, "apply", "--validate=ignore", "--field-manager=ci-deploy", "-f", dir)
	admin(t).Kubectl(t, "-n", ns, "set", "image", "deployment/web", "web=registry.example.com/web:2.0")
	c := newConfirming(t, env.User(t, ns, masters), dir, "-n", ns)
	for _, dryRuns := range []int{2, 0} {
		report, _ := c.diff(t, dryRuns)
		changed(t, report, "web spec.template.spec.containers[name=web].image modified")
		if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "replikas") {
			t.Errorf("the warnings are %q", report.Warnings)
		}
	}
}
