package controller

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/test/testenv"
)

// miner is a workload of a kind, whose Pods are chosen by a Service that it could do without
// and by a NetworkPolicy.
func miner(kind, name, spec string) string {
	version := map[string]string{"Job": "batch/v1", "CronJob": "batch/v1", "ReplicationController": "v1", "Pod": "v1"}[kind]
	if version == "" {
		version = "apps/v1"
	}
	labels := fmt.Sprintf("{run: %s, app: web, access: granted}", name)
	pods := "{containers: [{name: miner, image: 'evil.example/miner:1'}]}"
	if strings.HasSuffix(kind, "Job") {
		pods = strings.Replace(pods, "{", "{restartPolicy: Never, ", 1)
	}
	spec = strings.NewReplacer("SELECTOR", "selector: {matchLabels: {run: "+name+"}}", "TEMPLATE", "template: {metadata: {labels: "+labels+"}, spec: "+pods+"}", "PODS", pods).Replace(spec)
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: apart, labels: %s}\nspec: %s\n", version, kind, name, labels, spec)
}

// TestQuarantine keeps rogues of each kind apart, whatever comes and goes, and says so.
func TestQuarantine(t *testing.T) {
	w := reverts(t, "apart", "quarantine")
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: apart}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
	policy := func(name, chosen string) string {
		return fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s, namespace: apart}\nspec: {podSelector: %s, policyTypes: [Ingress], ingress: [{}]}\n", name, chosen)
	}
	old := miner("Deployment", "old", "{replicas: 1, SELECTOR, TEMPLATE}")
	files := map[string]string{"web.yaml": service, "granted.yaml": policy("granted", "{matchLabels: {access: granted}}"), "dns.yaml": policy("dns", "{}"), "old.yaml": old}
	w.deploy(files)
	delete(files, "old.yaml")
	w.repo.Commit(gitsourcetest.Commit{Files: files})
	rogues := map[string]string{
		"deployment":            miner("Deployment", "deployment", "{replicas: 2, SELECTOR, TEMPLATE}"),
		"statefulset":           miner("StatefulSet", "statefulset", "{replicas: 1, serviceName: web, SELECTOR, TEMPLATE}"),
		"daemonset":             miner("DaemonSet", "daemonset", "{SELECTOR, TEMPLATE}"),
		"replicaset":            miner("ReplicaSet", "replicaset", "{replicas: 1, SELECTOR, TEMPLATE}"),
		"replicationcontroller": miner("ReplicationController", "replicationcontroller", "{replicas: 1, selector: {run: replicationcontroller}, TEMPLATE}"),
		"job":                   miner("Job", "job", "{TEMPLATE}"),
		"cronjob":               miner("CronJob", "cronjob", "{schedule: '0 0 1 1 *', jobTemplate: {spec: {TEMPLATE}}}"),
		"pod":                   miner("Pod", "pod", "PODS"),
	}
	for _, manifest := range rogues {
		w.admin.KubectlIn(t, manifest, "apply", "-f", "-")
	}
	chosen := []string{"-n", "apart", "get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o", `jsonpath={range .items[*].endpoints[*]}{.targetRef.name} {end}`}
	if !testenv.Poll(within, func() bool {
		out, err := w.admin.Try("", chosen...)
		return err == nil && strings.Contains(out, "deployment-") && strings.Contains(out, "pod ")
	}) {
		t.Fatal("the Service does not send to the rogues")
	}
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [apart]}\n  deployer: {managers: [ci-deploy]}\n  mode: Revert\n  quarantine: true\n  writesPerMinute: 6000\n")

	// All of their Pods are chosen by the policy that denies, and by no Service.
	apart := func() {
		t.Helper()
		w.eventually("", "-n", "apart", "get", "pods", "-l", "!plumbline.dev/quarantined,run!=old", "-o", "name")
	}
	apart()
	denies := []string{"-n", "apart", "get", "networkpolicy", "plumbline-quarantine", "-o", "jsonpath={.spec}"}
	const deny = `{"podSelector":{"matchExpressions":[{"key":"plumbline.dev/quarantined","operator":"Exists"}]},"policyTypes":["Ingress","Egress"]}`
	w.eventually(deny, denies...)
	if !testenv.Poll(within, func() bool {
		out, err := w.admin.Try("", chosen...)
		return err == nil && strings.HasPrefix(out, "old-") && len(strings.Fields(out)) == 1
	}) {
		t.Errorf("the Service sends to %s", w.admin.Kubectl(t, chosen...))
	}
	w.eventually("", "-n", "apart", "get", "pods", "-l", "access,run!=old", "-o", "name")
	for kind := range rogues {
		w.eventually("true", "-n", "apart", "get", kind, kind, "-o", `jsonpath={.metadata.labels.plumbline\.dev/quarantined}`)
		w.eventually("Quarantined", "-n", "apart", "get", "events", "--field-selector", "reason=Quarantined,involvedObject.name="+kind, "-o", "jsonpath={.items[0].reason}")
	}
	event := w.admin.Kubectl(t, "-n", "apart", "get", "events", "--field-selector", "reason=Quarantined,involvedObject.name=deployment", "-o", "jsonpath={.items[*].message}")
	if !strings.Contains(event, "what NetworkPolicy.networking.k8s.io apart/dns allows stays allowed") || strings.Contains(event, "granted") || strings.Contains(event, "goes on") {
		t.Errorf("the Event says %s", event)
	}
	if got := w.admin.Kubectl(t, "-n", "apart", "get", "pods", "-l", "plumbline.dev/quarantined,run=old", "-o", "name"); got != "" {
		t.Errorf("what CI has not deleted yet is in quarantine: %s", got)
	}

	// What comes back does so in quarantine, and what is let out goes back.
	w.admin.Kubectl(t, "-n", "apart", "delete", "pods", "-l", "run in (deployment, statefulset, job)", "--wait=false")
	w.admin.Kubectl(t, "-n", "apart", "create", "job", "again", "--from=cronjob/cronjob")
	w.admin.Kubectl(t, "-n", "apart", "label", "pod", "pod", "plumbline.dev/quarantined-", "app=web")
	w.admin.Kubectl(t, "-n", "apart", "patch", "networkpolicy", "plumbline-quarantine", "--type=merge", "-p", `{"spec":{"ingress":[{}]}}`)
	w.eventually(deny, denies...)
	w.eventually("true", "-n", "apart", "get", "pod", "pod", "-o", `jsonpath={.metadata.labels.plumbline\.dev/quarantined}{.metadata.labels.app}`)
	apart()

	// They stay findings, and the policy is none.
	for kind := range rogues {
		said := ""
		if !testenv.Poll(within, func() bool {
			said = w.admin.Kubectl(t, "-n", system, "get", "findings", "-o", fmt.Sprintf(`jsonpath={.items[?(@.object.name==%q)].message}`, kind))
			return strings.Contains(said, "it is in quarantine")
		}) {
			t.Errorf("the Finding about %s says %s", kind, said)
		}
	}
	if got := w.admin.Kubectl(t, "-n", system, "get", "findings", "-o", "jsonpath={.items[*].object.name}"); strings.Contains(got, "plumbline-quarantine") {
		t.Errorf("there are Findings about %s", got)
	}
	if b := w.get(); b.condition("Reverting") != "False Reverted" {
		t.Errorf("Reverting is %s", b.condition("Reverting"))
	}
	w.usesItsOwn("quarantine")
	for _, entry := range w.requests() {
		if entry.ResponseStatus.Code == http.StatusForbidden {
			t.Errorf("refused: %s %s", entry.Verb, entry.RequestURI)
		}
	}
}
