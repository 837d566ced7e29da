package controller

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/test/testenv"
)

// manifests returns a folder to install the base with components from; of none, the base.
func manifests(t testing.TB, components ...string) string {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(root, "manifests")
	if len(components) == 0 {
		return base
	}
	dir := t.TempDir()
	relative := func(target ...string) string {
		path, err := filepath.Rel(dir, filepath.Join(append([]string{base}, target...)...))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	var paths []string
	for _, c := range components {
		paths = append(paths, relative("components", c))
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []string{relative()}, "components": paths,
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "kustomization.yaml"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// components are the names of all there are.
func components(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(manifests(t), "components"))
	if err != nil || len(entries) == 0 {
		t.Fatalf("there are no components: %v", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// installed is the part of an object of the manifests that tests look at.
type installed struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Rules    []right
}

// right is a rule of a Role or a ClusterRole.
type right struct{ APIGroups, Resources, ResourceNames, Verbs []string }

func rendered(t testing.TB, w *world, dir string) []installed {
	t.Helper()
	var all []installed
	for _, document := range strings.Split(w.admin.Kubectl(t, "kustomize", dir), "\n---\n") {
		var o installed
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// operated installs the definitions of the Prometheus Operator's custom resources.
func (w *world) operated() {
	w.Helper()
	promcheck := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus-operator/prometheus-operator")
	promcheck.Dir = filepath.Join(manifests(w), "../test/monitoring/tools")
	dir, err := promcheck.Output()
	if err != nil {
		w.Fatalf("looking for the Prometheus Operator: %v", err)
	}
	for _, name := range []string{"podmonitors", "prometheusrules"} {
		file := filepath.Join(strings.TrimSpace(string(dir)), "example/prometheus-operator-crd/monitoring.coreos.com_"+name+".yaml")
		w.admin.Kubectl(w, "apply", "--server-side", "-f", file)
		w.admin.Kubectl(w, "wait", "--for=condition=Established", "--timeout=60s", "crd/"+name+".monitoring.coreos.com")
		w.Cleanup(func() { w.admin.Kubectl(w, "delete", "-f", file) })
	}
}

// TestComponents wants the API server to take each component with the base, and all that is
// installed to be in one namespace.
func TestComponents(t *testing.T) {
	w := prepare(t)
	w.operated()
	alone := w.admin.Kubectl(t, "kustomize", manifests(t))
	for _, component := range components(t) {
		dir := manifests(t, component)
		w.admin.Kubectl(t, "apply", "--dry-run=server", "-k", dir)
		if with := w.admin.Kubectl(t, "kustomize", dir); alone == with {
			t.Errorf("%s adds nothing", component)
		}
		for _, o := range rendered(t, w, dir) {
			if cluster := strings.HasPrefix(o.Kind, "Cluster") || o.Kind == "Namespace" || o.Kind == "CustomResourceDefinition"; cluster != (o.Metadata.Namespace == "") || !cluster && o.Metadata.Namespace != system {
				t.Errorf("with %s the %s %s is in the namespace %q", component, o.Kind, o.Metadata.Name, o.Metadata.Namespace)
			}
		}
	}
	w.admin.Kubectl(t, "apply", "--dry-run=server", "-k", manifests(t, components(t)...))
}

// TestHighlyAvailable wants two Pods on two nodes, of which one may be evicted and the other
// not before there is another one.
func TestHighlyAvailable(t *testing.T) {
	w := prepare(t)
	w.admin.Kubectl(t, "apply", "-k", manifests(t, "ha"))
	w.admin.Kubectl(t, "-n", system, "rollout", "status", "deployment", "plumbline", "--timeout=60s")
	pods := func(of string) []string {
		return strings.Fields(w.admin.Kubectl(t, "-n", system, "get", "pods", "-l", "app.kubernetes.io/name=plumbline", "--field-selector=status.phase=Running", "-o", "jsonpath={.items[*]"+of+"}"))
	}
	if !testenv.Poll(within, func() bool { return len(pods(".metadata.name")) == 2 }) {
		t.Fatalf("the Pods are %v", pods(".metadata.name"))
	}
	if nodes := pods(".spec.nodeName"); nodes[0] == nodes[1] {
		t.Errorf("both Pods are on %s", nodes[0])
	}
	for _, node := range strings.Fields(w.admin.Kubectl(t, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")) {
		w.admin.Kubectl(t, "cordon", node)
		t.Cleanup(func() { w.admin.Kubectl(t, "uncordon", node) })
	}
	evict := func(pod string) error {
		_, err := w.admin.Try(fmt.Sprintf(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":%q}}`, pod, system), "create", "--raw", "/api/v1/namespaces/"+system+"/pods/"+pod+"/eviction", "-f", "-")
		return err
	}
	names := pods(".metadata.name")
	var err error
	if !testenv.Poll(within, func() bool { err = evict(names[0]); return err == nil }) { // once the budget has been counted
		t.Fatalf("no Pod may be evicted: %v", err)
	}
	if err := evict(names[1]); err == nil || !strings.Contains(err.Error(), "disruption budget") {
		t.Errorf("the last Pod is evicted, or refuses for another reason: %v", err)
	}
}

// use is a request as a right grants it.
type use struct{ verb, group, resource, name string }

func (r right) grants(u use) bool {
	has := func(all []string, one string) bool { return slices.Contains(all, one) || slices.Contains(all, "*") }
	return has(r.Verbs, u.verb) && has(r.APIGroups, u.group) && has(r.Resources, u.resource) && (len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, u.name))
}

// single splits a rule into the rights that it grants.
func (r right) single() []right {
	var all []right
	for _, group := range r.APIGroups {
		for _, resource := range r.Resources {
			for _, verb := range r.Verbs {
				names := r.ResourceNames
				if len(names) == 0 {
					names = []string{""}
				}
				for _, name := range names {
					one := right{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}}
					if name != "" {
						one.ResourceNames = []string{name}
					}
					all = append(all, one)
				}
			}
		}
	}
	return all
}

// rights are all that the rules of manifests grant, each on its own.
func rights(t testing.TB, w *world, dir string) map[string]right {
	t.Helper()
	all := map[string]right{}
	for _, o := range rendered(t, w, dir) {
		for _, rule := range o.Rules {
			for _, one := range rule.single() {
				text, err := json.Marshal(one)
				if err != nil {
					t.Fatal(err)
				}
				all[o.Kind+" "+o.Metadata.Name+" "+string(text)] = one
			}
		}
	}
	return all
}

// withoutRights are the components that need none of their own.
var withoutRights = []string{"ha", "monitoring", "webhook"}

// byDesign are the rights of the base that need not be used, each with the reason, and
// beside those of components.
var (
	byDesign = map[string]string{
		`ClusterRole plumbline-reader {"APIGroups":["*"],"Resources":["*"],"ResourceNames":null,"Verbs":["list"]}`: "a watch brings all there is along, but for API servers before Kubernetes 1.34, which are asked for a list",
	}
	beside = map[string]string{
		`ClusterRole plumbline-quarantiner {"APIGroups":["networking.k8s.io"],"Resources":["networkpolicies"],"ResourceNames":null,"Verbs":["create"]}`: "an apply that creates needs it beside patch, and the audit log tells of the patch alone",
	}
)

// TestRights wants the controller to get by with the rights that it is installed with, and
// to need each of them. The audit log is that of all tests before; those rights that only
// some of them take are made use of here as well, so that it can be run alone.
//
// That it may read everything is by design: any kind may be declared, and what nobody
// declared may be of any, so that no test can use that up. manifests/base/rbac.yaml says how
// to keep it from Secrets.
func TestRights(t *testing.T) {
	w := install(t)
	w.admin.Kubectl(t, "create", "namespace", "rights")
	w.deploy(map[string]string{"a.yaml": strings.Replace(configMap("a", "1"), "namespace: shop", "namespace: rights", 1)})
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [rights], kinds: [ConfigMap]}\n  deployer: {managers: [ci-deploy]}\n")
	w.until("True Compared", "False InSync")
	w.admin.Kubectl(t, "-n", "rights", "create", "configmap", "rogue")
	finding := ""
	if !testenv.Poll(within, func() bool {
		finding = w.admin.Kubectl(t, "-n", system, "get", "findings", "-o", `jsonpath={.items[?(@.object.namespace=="rights")].metadata.name}`)
		return finding != ""
	}) {
		t.Fatal("there is no Finding")
	}
	w.admin.Kubectl(t, "-n", system, "patch", "finding", finding, "--type=merge", "-p", `{"message":"all is well"}`) // which is put back
	if !testenv.Poll(within, func() bool {
		return !strings.Contains(w.admin.Kubectl(t, "-n", system, "get", "finding", finding, "-o", "yaml"), "all is well")
	}) {
		t.Error("what somebody wrote into a Finding stays")
	}
	w.admin.Kubectl(t, "-n", "rights", "delete", "configmap", "rogue")
	w.until("True Compared", "False InSync")
	w.admin.Kubectl(t, "-n", system, "patch", "baseline", "shop", "--type=merge", "-p", `{"spec":{"suspend":true}}`)
	w.until("False Suspended", "Unknown Suspended") // of two Events for one reason the second is a patch of the first
	granted := rights(t, w, manifests(t))
	for name := range byDesign {
		if _, ok := granted[name]; !ok {
			t.Errorf("there is no right %s", name)
		}
		delete(granted, name)
	}
	w.usesAll(granted, func() []use { return uses(t, 0) })
	w.stopped()
	w.writes()
	for _, r := range audited(t, 0) {
		if r.ResponseStatus.Code == http.StatusForbidden {
			t.Errorf("refused: %s %s", r.Verb, r.RequestURI)
		}
	}
	for _, component := range withoutRights {
		for name := range w.adds(component) {
			t.Errorf("the component %s adds the right %s", component, name)
		}
	}
}

// adds are the rights that components add to the base.
func (w *world) adds(components ...string) map[string]right {
	w.Helper()
	all := rights(w, w, manifests(w, components...))
	for name := range rights(w, w, manifests(w)) {
		delete(all, name)
	}
	return all
}

// usesAll wants each right to be used, now or soon.
func (w *world) usesAll(granted map[string]right, uses func() []use) {
	w.Helper()
	var unused []string
	if !testenv.Poll(within, func() bool {
		unused = nil
		made := uses()
		for name, r := range granted {
			if !slices.ContainsFunc(made, r.grants) {
				unused = append(unused, name)
			}
		}
		return len(unused) == 0
	}) {
		slices.Sort(unused)
		w.Errorf("rights that nobody uses:\n%s", strings.Join(unused, "\n"))
	}
}

// usesItsOwn wants the rights that components add to be used since the world began, for
// what the base does not allow.
func (w *world) usesItsOwn(components ...string) {
	w.Helper()
	base, own := rights(w, w, manifests(w)), w.adds(components...)
	if len(own) == 0 {
		w.Errorf("%v add no rights", components)
	}
	maps.DeleteFunc(own, func(name string, _ right) bool { return beside[name] != "" })
	w.usesAll(own, func() []use {
		return slices.DeleteFunc(uses(w, w.since), func(u use) bool {
			for _, r := range base {
				if r.grants(u) {
					return true
				}
			}
			return false
		})
	})
}

// uses are what the controller has asked for and got, from a place in the audit log on.
func uses(t testing.TB, from int64) []use {
	t.Helper()
	var all []use
	for _, r := range audited(t, from) {
		if r.ResponseStatus.Code == http.StatusForbidden || r.ObjectRef.Resource == "" {
			continue
		}
		resource := r.ObjectRef.Resource
		if r.ObjectRef.Subresource != "" {
			resource += "/" + r.ObjectRef.Subresource
		}
		all = append(all, use{r.Verb, r.ObjectRef.APIGroup, resource, r.ObjectRef.Name})
	}
	return all
}

// TestShardsAreInstalledAsDocumented wants what docs/operations.md says of shards to be
// what the API server takes, and the lease in it to be the one that the controller takes.
func TestShardsAreInstalledAsDocumented(t *testing.T) {
	w := prepare(t)
	text, err := os.ReadFile(filepath.Join(manifests(t), "../docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```yaml\n# shards/a/kustomization.yaml\n")
	example, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("docs/operations.md has no example")
	}
	dir := t.TempDir()
	base, err := filepath.Rel(dir, manifests(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(strings.Replace(example, "../../plumbline/manifests", base, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.admin.Kubectl(t, "apply", "--dry-run=server", "-k", dir)
	want := leaseOf("shard=a")
	for name, r := range rights(t, w, dir) {
		if len(r.ResourceNames) > 0 && !slices.Equal(r.ResourceNames, []string{want}) {
			t.Errorf("%s is not for the lease %s", name, want)
		}
	}
	for _, o := range rendered(t, w, dir) {
		if shared := o.Kind == "Namespace" || o.Kind == "CustomResourceDefinition"; shared == strings.HasSuffix(o.Metadata.Name, "-a") {
			t.Errorf("of the shard there is the %s %s", o.Kind, o.Metadata.Name)
		}
	}
}
