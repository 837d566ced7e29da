package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/test/testenv"
)

// reverts installs the controller with components that let it write, and has a namespace
// governed.
func reverts(t *testing.T, namespace string, components ...string) *world {
	t.Helper()
	w := prepare(t)
	dir := manifests(t, components...)
	w.admin.Kubectl(t, "apply", "-k", dir)
	for name := range w.adds(components...) {
		kind, rest, _ := strings.Cut(name, " ")
		role, _, _ := strings.Cut(rest, " ")
		t.Cleanup(func() {
			w.admin.Kubectl(t, "delete", "--ignore-not-found", kind+"/"+role, kind+"Binding/"+role)
		})
	}
	w.start()
	w.admin.Kubectl(t, "create", "namespace", namespace)
	return w
}

// eventually waits for kubectl to print a text.
func (w *world) eventually(want string, args ...string) {
	w.Helper()
	var got string
	if !testenv.Poll(within, func() bool {
		out, err := w.admin.Try("", args...)
		got = strings.TrimSpace(out)
		return err == nil && got == want
	}) {
		w.Fatalf("kubectl %s is %q, want %q; the Baseline is %+v", strings.Join(args, " "), got, want, w.get().Status)
	}
}

const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: reverted, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example.com/shop/web:1", env: [{name: MODE, value: production}], resources: {requests: {cpu: 10m}}}
`

// TestRevert tampers with what a Baseline has put back, beside an autoscaler, an injector
// of certificates and somebody who insists.
func TestRevert(t *testing.T) {
	w := reverts(t, "reverted", "revert", "prune")
	in := func(name, value string) string {
		return strings.Replace(configMap(name, value), "namespace: shop", "namespace: reverted", 1)
	}
	hook := `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: reverted}
webhooks:
- name: check.example.com
  clientConfig: {service: {name: web, namespace: reverted}}
  rules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [widgets]}]
  sideEffects: None
  admissionReviewVersions: [v1]
  failurePolicy: Ignore
`
	files := map[string]string{
		"web.yaml": web, "a.yaml": in("a", "1"), "b.yaml": in("b", "1"), "fought.yaml": in("fought", "1"), "hook.yaml": hook,
		"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: reverted}\nstringData: {password: correct}\n",
		"hpa.yaml":    "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: reverted}\nspec: {minReplicas: 3, maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n",
	}
	w.deploy(files)
	commit := func(more map[string]string) string {
		maps.Copy(files, more)
		return w.repo.Commit(gitsourcetest.Commit{Files: files})
	}
	t.Cleanup(func() { w.admin.Kubectl(t, "delete", "validatingwebhookconfiguration", "reverted") })
	git := "  git: {url: " + w.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [reverted], kinds: [ConfigMap, Pod, Service]}\n  deployer: {managers: [ci-deploy]}\n  writesPerMinute: 6000\n"
	w.apply(git + "  mode: Revert\n")
	w.eventually("3", "-n", "reverted", "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")
	w.admin.Kubectl(t, "patch", "validatingwebhookconfiguration", "reverted", "--field-manager=cert-manager-cainjector", "--type=json", "-p", `[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"Q0E="}]`)
	w.until("True Compared", "False InSync")

	// What somebody does is put back, and nothing else.
	generation := func() string {
		return strings.TrimSpace(w.admin.Kubectl(t, "-n", "reverted", "get", "deployment", "web", "-o", "jsonpath={.spec.template}"))
	}
	before := generation()
	edit := func(kind, name, patch string) {
		w.admin.Kubectl(t, "-n", "reverted", "patch", kind, name, "--field-manager=kubectl-edit", "-p", patch)
	}
	edit("deployment", "web", `{"metadata":{"labels":{"app":"mine"}},"spec":{"template":{"spec":{"hostNetwork":true,"containers":[{"name":"web","image":"evil.example/web:1","env":[{"name":"DEBUG","value":"1"},{"name":"MODE","value":"test"}],"securityContext":{"privileged":true}},{"name":"sidecar","image":"evil.example/sidecar:1"}]}}}}`)
	edit("configmap", "a", `{"data":{"key":"2","more":"3"}}`)
	edit("secret", "s", `{"stringData":{"password":"stolen"}}`)
	w.admin.Kubectl(t, "-n", "reverted", "delete", "configmap", "b")
	w.eventually(before, "-n", "reverted", "get", "deployment", "web", "-o", "jsonpath={.spec.template}")
	w.eventually("web", "-n", "reverted", "get", "deployment", "web", "-o", "jsonpath={.metadata.labels.app}")
	w.eventually(`{"key":"1"}`, "-n", "reverted", "get", "configmap", "a", "-o", "jsonpath={.data}")
	w.eventually(`{"key":"1"}`, "-n", "reverted", "get", "configmap", "b", "-o", "jsonpath={.data}")
	w.eventually("Y29ycmVjdA==", "-n", "reverted", "get", "secret", "s", "-o", "jsonpath={.data.password}")
	b := w.until("True Compared", "False InSync")
	if got := b.condition("Reverting"); got != "False Reverted" {
		t.Errorf("Reverting is %s", got)
	}
	if got := w.admin.Kubectl(t, "-n", "reverted", "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"); got != "3" {
		t.Errorf("the autoscaler's replicas are %s", got)
	}
	if got := w.admin.Kubectl(t, "get", "validatingwebhookconfiguration", "reverted", "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}"); got != "Q0E=" {
		t.Errorf("the injector's bundle is %q", got)
	}
	w.eventually("restored", "-n", "reverted", "get", "events", "--field-selector", "involvedObject.name=web,reason=Reverted", "-o", `go-template={{range .items}}{{slice .message 0 8}}{{end}}`)

	// A commit that is not deployed yet is left to CI, and what CI deploys stays.
	var many strings.Builder // more than are looked at at once
	for i := range 30 {
		many.WriteString("---\n" + in(fmt.Sprintf("a-new-%02d", i), "1"))
	}
	commit(map[string]string{"a.yaml": in("a", "new"), "many.yaml": many.String()})
	w.look()
	second := commit(map[string]string{"fought.yaml": in("fought", "next")}) // of which nobody has told yet
	w.admin.KubectlIn(t, in("fought", "next"), "apply", "--server-side", "--field-manager=ci-deploy", "-f", "-")
	if !testenv.Poll(within, func() bool { return w.get().Status.Commit == second }) {
		t.Errorf("the controller has not asked the repository before it put back: %+v", w.get().Status)
	}
	for name, want := range map[string]string{"a": "1", "fought": "next"} {
		if got := w.admin.Kubectl(t, "-n", "reverted", "get", "configmap", name, "-o", "jsonpath={.data.key}"); got != want {
			t.Errorf("%s is %q, want %q, which only CI may change", name, got, want)
		}
	}

	if out, err := w.admin.Try("", "-n", "reverted", "get", "configmap", "a-new-00"); err == nil {
		t.Errorf("what CI has not rolled out yet is there:\n%s", out)
	}

	// Who insists is told of, and left alone.
	ctx, stop := context.WithCancel(t.Context())
	fighter := make(chan int)
	go func() {
		rounds := 0
		for ctx.Err() == nil {
			if got, err := w.admin.Try("", "-n", "reverted", "get", "configmap", "fought", "-o", "jsonpath={.data.key}"); err == nil && got == "next" {
				_, _ = w.admin.Try("", "-n", "reverted", "patch", "configmap", "fought", "--field-manager=operator", "-p", `{"data":{"key":"mine"}}`)
				rounds++
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		fighter <- rounds
	}()
	if !testenv.Poll(within, func() bool { return strings.Contains(w.log.String(), `"rule":"drift/fight"`) }) {
		t.Error("the fight is not told of")
	}
	<-time.After(3 * time.Second) // in which nothing is to happen
	stop()
	if rounds := <-fighter; rounds != 4 {
		t.Errorf("after %d rounds", rounds)
	}
	if got := w.get().condition("Reverting"); got != "False Fight" {
		t.Errorf("Reverting is %s", got)
	}
	edit("configmap", "b", `{"data":{"key":"2"}}`) // all else is still put back
	w.eventually(`{"key":"1"}`, "-n", "reverted", "get", "configmap", "b", "-o", "jsonpath={.data}")

	// Rogues go only with prune, and what CI has not deleted yet does not.
	kept := files["b.yaml"]
	delete(files, "b.yaml")
	commit(nil)
	w.look()
	w.admin.Kubectl(t, "-n", "reverted", "create", "configmap", "rogue")
	w.admin.Kubectl(t, "-n", "reverted", "run", "rogue", "--image=evil.example/miner:1")
	w.eventually("configmap/rogue\npod/rogue", "-n", "reverted", "get", "configmap/rogue", "pod/rogue", "-o", "name")
	w.apply(git + "  mode: Revert\n  prune: true\n")
	w.eventually("", "-n", "reverted", "get", "configmap/rogue", "pod/rogue", "-o", "name", "--ignore-not-found")

	w.eventually("configmap/b", "-n", "reverted", "get", "configmap/b", "-o", "name")
	w.eventually("", "-n", "reverted", "get", "configmap/rogue", "-o", "name", "--ignore-not-found")

	// Sync rolls out.
	commit(map[string]string{"b.yaml": kept})
	w.look()
	w.apply(git + "  mode: Sync\n")
	w.eventually("new", "-n", "reverted", "get", "configmap", "a", "-o", "jsonpath={.data.key}")
	w.eventually("1", "-n", "reverted", "get", "configmap", "a-new-29", "-o", "jsonpath={.data.key}")
	commit(map[string]string{
		"web.yaml":    strings.Replace(web, "web:1", "web:2", 1),
		"later.yaml":  strings.Replace(in("later", "1"), "namespace: reverted", `namespace: reverted, annotations: {config.kubernetes.io/depends-on: "apps/namespaces/reverted/Deployment/web"}`, 1),
		"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: reverted}\nstringData: {other: correct}\n",
	})
	w.look()
	w.eventually("registry.example.com/shop/web:2", "-n", "reverted", "get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}")
	w.eventually("1", "-n", "reverted", "get", "configmap", "later", "-o", "jsonpath={.data.key}")
	w.eventually(`{"other":"Y29ycmVjdA=="}`, "-n", "reverted", "get", "secret", "s", "-o", "jsonpath={.data}")
	w.noSecrets("correct", "stolen", "Y29ycmVjdA==")
	w.usesItsOwn("revert", "prune")
	for _, entry := range w.requests() {
		if entry.ResponseStatus.Code == http.StatusForbidden {
			t.Errorf("refused: %s %s", entry.Verb, entry.RequestURI)
		}
	}
}

// TestServiceAccount wants a Baseline that names a ServiceAccount to write with that one's
// rights alone.
func TestServiceAccount(t *testing.T) {
	w := reverts(t, "limited", "impersonate")
	in := func(kind, value string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: %s\nmetadata: {name: a, namespace: limited}\n%s", kind, value)
	}
	w.deploy(map[string]string{"a.yaml": in("ConfigMap", `data: {key: "1"}`), "b.yaml": in("ServiceAccount", "automountServiceAccountToken: false")})
	w.admin.Kubectl(t, "-n", system, "create", "serviceaccount", "writer")
	t.Cleanup(func() { w.admin.Kubectl(t, "-n", system, "delete", "serviceaccount", "writer") })
	w.admin.Kubectl(t, "-n", "limited", "create", "role", "writer", "--verb=get,list,watch,patch,create", "--resource=configmaps")
	w.admin.Kubectl(t, "-n", "limited", "create", "rolebinding", "writer", "--role=writer", "--serviceaccount="+system+":writer")
	spec := "  git: {url: " + w.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [limited], kinds: [ConfigMap]}\n  deployer: {managers: [ci-deploy]}\n  mode: Revert\n"
	w.apply(spec + "  serviceAccountName: writer\n")
	w.until("True Compared", "False InSync")
	w.admin.Kubectl(t, "-n", "limited", "patch", "configmap", "a", "-p", `{"data":{"key":"2"}}`)
	w.eventually("1", "-n", "limited", "get", "configmap", "a", "-o", "jsonpath={.data.key}")
	w.admin.Kubectl(t, "-n", "limited", "patch", "serviceaccount", "a", "-p", `{"automountServiceAccountToken":true}`)
	failed := func(as string) {
		t.Helper()
		var b baseline
		if !testenv.Poll(within, func() bool {
			b = w.get()
			return b.condition("Reverting") == "False RevertFailed" && strings.Contains(fmt.Sprint(b.Status.Conditions), as)
		}) {
			t.Errorf("the conditions are %+v, want %s", b.Status.Conditions, as)
		}
	}
	failed("system:serviceaccount:" + system + ":writer\" cannot patch")
	w.apply(spec) // with its own, which it has not
	failed(account + "\" cannot patch")
	w.apply(spec + "  serviceAccountName: nobody\n")
	failed("system:serviceaccount:" + system + ":nobody\" cannot")
}

// noSecrets wants none of some values in what the controller tells.
func (w *world) noSecrets(values ...string) {
	w.Helper()
	events := w.admin.Kubectl(w, "get", "events", "-A", "-o", "json")
	status, err := json.Marshal(w.get())
	if err != nil {
		w.Fatal(err)
	}
	for _, value := range values {
		for where, text := range map[string]string{"the log": w.log.String(), "an Event": events, "the status": string(status)} {
			if strings.Contains(text, value) {
				w.Errorf("%s has %s", where, value)
			}
		}
	}
}
