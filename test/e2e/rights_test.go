package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/test/testenv"
)

const readerRole = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: plumbline-reader}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}
`

// newReader returns a user who may read everything and write nothing.
func newReader(t testing.TB, name string) testenv.User {
	t.Helper()
	u := env.User(t, name)
	admin(t).KubectlIn(t, readerRole, "apply", "-f", "-")
	admin(t).Kubectl(t, "create", "clusterrolebinding", name, "--clusterrole=plumbline-reader", "--user="+name)
	return u
}

// request is a line of the audit log.
type request struct {
	Verb, RequestURI string
	User             struct{ Username string }
	ResponseStatus   struct{ Code int }
}

// requests returns what a user has asked the server so far.
func requests(t testing.TB, user string) []request {
	t.Helper()
	text, err := os.ReadFile(env.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	var all []request
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var r request
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.User.Username == user {
			all = append(all, r)
		}
	}
	return all
}

// settled waits until the log has stopped growing by the user's requests.
func settled(t testing.TB, user string) []request {
	t.Helper()
	before := -1
	testenv.Poll(5*time.Second, func() bool {
		n := len(requests(t, user))
		same := n > 0 && n == before
		before = n
		return same
	})
	return requests(t, user)
}

const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.rights.example.com}
spec:
  group: rights.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, listKind: WidgetCatalogue}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`

// mixed are objects of seven kinds in six group versions.
var mixed = map[string]string{
	"maps.yaml": configMap("", "a", "1") + "---\n" + configMap("", "b", "1") + "---\n" + configMap("", "c", "1"),
	"web.yaml":  webDeployment,
	"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: " + keepSecret("read-and-not-told") + "}\n---\n" +
		"apiVersion: v1\nkind: Secret\nmetadata: {name: t}\nstringData: {key: " + keepSecret("read-and-not-told-either") + "}\n",
	"role.yaml":   "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: rights-role}\nrules: [{apiGroups: [apps], resources: [deployments], verbs: [get]}]\n",
	"policy.yaml": "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n",
	"crd.yaml":    widgets,
	"widgets.yaml": "apiVersion: rights.example.com/v1\nkind: Widget\nmetadata: {name: w1}\nspec: {size: 1}\n---\n" +
		"apiVersion: rights.example.com/v1\nkind: Widget\nmetadata: {name: w2}\nspec: {size: 2}\n",
}

const (
	mixedKinds  = 7
	mixedGroups = 6
)

// deployMixed deploys the objects, of which some need the kind that another one
// brings.
func deployMixed(t *testing.T, namespace string) string {
	t.Helper()
	admin(t).KubectlIn(t, widgets, "apply", "--server-side", "--field-manager=ci-deploy", "-f", "-")
	admin(t).Kubectl(t, "wait", "--for=condition=Established", "crd/widgets.rights.example.com")
	dir := write(t, mixed)
	admin(t).Kubectl(t, "create", "namespace", namespace)
	if !testenv.Poll(20*time.Second, func() bool { // until the schema of the new kind is served
		_, err := admin(t).Try("", "-n", namespace, "apply", "--server-side", "--field-manager=ci-deploy", "-f", dir)
		return err == nil
	}) {
		t.Fatal("the objects cannot be deployed")
	}
	published, same := "", 0
	testenv.Poll(20*time.Second, func() bool { // the schemas of a new kind are published more than once
		before := published
		published = admin(t).Kubectl(t, "get", "--raw", "/openapi/v3")
		if same++; published != before {
			same = 0
		}
		return same == 3
	})
	return dir
}

// TestReadRights wants get, list and watch to be all that a comparison needs and
// all that it does, with and without drift, and to be few requests.
func TestReadRights(t *testing.T) {
	dir := deployMixed(t, "rights")
	reader := newReader(t, "rights-reader")
	report, r := diff(t, reader.Kubeconfig, dir, "-n", "rights")
	clean(t, report, r)
	first := settled(t, reader.Name)
	onlyReads(t, first)
	// Which kinds there are takes two requests, the schemas one and one for each
	// group version, the objects one for each kind and namespace.
	if most := 2 + 1 + mixedGroups + mixedKinds; len(first) > most {
		t.Errorf("%d requests for an unchanged set, want at most %d:\n%v", len(first), most, first)
	}

	report, r = diff(t, reader.Kubeconfig, dir, "-n", "rights")
	clean(t, report, r)
	second := settled(t, reader.Name)[len(first):]
	if most := 2 + 1 + mixedKinds; len(second) > most {
		t.Errorf("%d requests with the schemas known, want at most %d:\n%v", len(second), most, second)
	}

	admin(t).Kubectl(t, "-n", "rights", "set", "image", "deployment/web", "web=nginx:latest")
	admin(t).Kubectl(t, "-n", "rights", "patch", "secret", "s", "-p", `{"stringData":{"key":"`+keepSecret("changed-and-not-told")+`"}}`)
	admin(t).Kubectl(t, "-n", "rights", "patch", "widget", "w1", "--type=merge", "-p", `{"spec":{"size":7}}`)
	admin(t).Kubectl(t, "-n", "rights", "delete", "configmap", "b")
	report, r = diff(t, reader.Kubeconfig, dir, "-n", "rights", "--show", "controllers")
	verdicts(t, report, r, 1, map[string]int{"Drifted": 3, "InSync": 7, "Missing": 1})
	onlyReads(t, settled(t, reader.Name))
}

// onlyReads wants every request to be one that the role allows, and none to be a
// write that only pretends.
func onlyReads(t *testing.T, requests []request) {
	t.Helper()
	if len(requests) == 0 {
		t.Error("the log has no request")
	}
	for _, r := range requests {
		if (r.Verb != "get" && r.Verb != "list" && r.Verb != "watch") || strings.Contains(r.RequestURI, "dryRun") || r.ResponseStatus.Code != 200 {
			t.Errorf("%s %s was answered with %d", r.Verb, r.RequestURI, r.ResponseStatus.Code)
		}
	}
}
