package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
	"plumbline.dev/plumbline/rogue"
	"plumbline.dev/plumbline/test/testenv"
)

var ciDeploy = differ.Options{Deployers: []string{"ci-deploy"}}

// watch is what a test knows of a cluster: what git declares, and the scope.
type watch struct {
	env      *testenv.Env
	declared map[object.ID]object.Object
	scope    v1alpha1.Scope
	mutated  bool // something changes Pods on their way
	dir      string
}

func newWatch(e *testenv.Env) *watch {
	return &watch{env: e, declared: map[object.ID]object.Object{}}
}

// declare adds what a directory of a repository declares.
func (w *watch) declare(t testing.TB, repository, dir string) {
	t.Helper()
	c := w.connect(t)
	r, err := render.Render(t.Context(), os.DirFS(repository), dir, render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Objects {
		if res, err := c.Resource(o.ID.Group, o.ID.Version, o.ID.Kind); err == nil && res.Namespaced {
			o.ID.Namespace = cmp.Or(o.ID.Namespace, "default")
		}
		w.declared[o.ID] = o
		if ns := o.ID.Namespace; ns != "" && !slices.Contains(w.scope.Namespaces, ns) {
			w.scope.Namespaces = append(w.scope.Namespaces, ns)
		}
	}
}

func (w *watch) connect(t testing.TB) *cluster.Cluster {
	t.Helper()
	config, err := w.env.Config("reader", masters)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Connect(t.Context(), config, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// live reads everything, as metadata where that is enough.
func (w *watch) live(t testing.TB) []object.Object {
	t.Helper()
	c := w.connect(t)
	kinds, err := c.Kinds()
	if err != nil {
		t.Log(err) // a corpus may register an API whose server does not run
	}
	var listings []cluster.Listing
	for _, k := range kinds {
		name := k.Kind
		if k.Group != "" {
			name += "." + k.Group
		}
		listings = append(listings, cluster.Listing{Resource: k, Partial: !slices.Contains(rogue.Whole, name)})
	}
	var all []object.Object
	for _, l := range c.List(t.Context(), listings) {
		if l.Err != nil {
			t.Fatalf("%s: %v", l.Listing, l.Err)
		}
		for _, o := range l.Objects {
			all = append(all, o.Object())
		}
	}
	return all
}

// find judges all that is live now.
func (w *watch) find(t testing.TB) rogue.Result {
	t.Helper()
	policy, err := rogue.New(w.scope, ciDeploy)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Find(rogue.World{
		Declared: object.LooseAll(slices.Collect(maps.Values(w.declared))), Live: object.PackAll(w.live(t)),
		Mutated: func(id object.ID) bool { return w.mutated && id.Kind == "Pod" },
	})
}

// told spells what was found, for comparing and for reading.
func told(r rogue.Result) []string {
	var lines []string
	for _, f := range r.Findings {
		line := fmt.Sprintf("%s %s %s", f.Severity, f.Rule, f.Object)
		if f.Subject != "" {
			line += " " + f.Subject
		}
		lines = append(lines, fmt.Sprintf("%s (%s) %s", line, f.Evidence, f.Message))
	}
	for _, u := range r.Unjudged {
		lines = append(lines, fmt.Sprintf("unjudged %s: %s", u.Object, u.Reason))
	}
	return lines
}

// quiet fails the test unless nothing is found. What belongs together is not read at
// one time, so that what is found has to be found again.
func (w *watch) quiet(t testing.TB) {
	t.Helper()
	var last []string
	if !testenv.Poll(20*time.Second, func() bool { last = told(w.find(t)); return len(last) == 0 }) {
		t.Errorf("found:\n%s", strings.Join(last, "\n"))
	}
}

// rogueShop has one of each kind of workload, and what usually stands beside.
const rogueShop = `apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: NS}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: NS}
spec: {limits: [{type: Container, default: {cpu: 500m, memory: 128Mi}, defaultRequest: {cpu: 10m, memory: 16Mi}}]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: NS}
spec: {hard: {pods: "50"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      initContainers: [{name: init, image: "registry.example.com/shop/init:1"}]
      containers: [{name: web, image: "registry.example.com/shop/web:1", ports: [{containerPort: 80}], resources: {limits: {cpu: 100m}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: paused, namespace: NS}
spec:
  replicas: 1
  selector: {matchLabels: {app: paused}}
  template: {metadata: {labels: {app: paused}}, spec: {containers: [{name: web, image: "registry.example.com/shop/web:1"}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: waiting, namespace: NS}
spec:
  replicas: 1
  selector: {matchLabels: {app: waiting}}
  template:
    metadata: {labels: {app: waiting}}
    spec:
      containers: [{name: web, image: "registry.example.com/shop/web:1"}]
      volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: NS}
spec:
  replicas: 1
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: "registry.example.com/shop/db:1"}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: NS}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {hostNetwork: true, containers: [{name: agent, image: "registry.example.com/shop/agent:1", ports: [{containerPort: 9100}]}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick, namespace: NS}
spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: tick, image: "registry.example.com/shop/tick:1"}]}}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: yearly, namespace: NS}
spec: {schedule: "0 0 1 1 *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: tick, image: "registry.example.com/shop/tick:1"}]}}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: NS}
spec: {completionMode: Indexed, completions: 2, template: {spec: {restartPolicy: Never, containers: [{name: once, image: "registry.example.com/shop/once:1"}]}}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: old, namespace: NS}
spec: {replicas: 1, selector: {app: old}, template: {metadata: {labels: {app: old}}, spec: {containers: [{name: old, image: "registry.example.com/shop/old:1"}]}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: set, namespace: NS}
spec: {replicas: 1, selector: {matchLabels: {app: set}}, template: {metadata: {labels: {app: set}}, spec: {containers: [{name: web, image: "registry.example.com/shop/web:1"}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NS}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared, namespace: NS}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NS}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: NS}
spec: {containers: [{name: bare, image: "registry.example.com/shop/bare:1"}]}
`

// rogueKustomization generates a ConfigMap and a Secret beside it.
const rogueKustomization = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: NS
resources: [shop.yaml]
configMapGenerator: [{name: settings, literals: [a=b]}]
secretGenerator: [{name: token, literals: [a=b]}]
`

func (w *watch) deploy(t testing.TB, ci testenv.User) {
	t.Helper()
	ci.Kubectl(t, "apply", "--server-side", "--field-manager=ci-deploy", "-k", w.dir)
}

// rogueNamespace deploys the shop into a namespace of its own and waits until its
// Pods are there.
func rogueNamespace(t *testing.T, namespace string) (*watch, testenv.User) {
	t.Helper()
	dir := write(t, map[string]string{
		"shop.yaml":          strings.ReplaceAll(rogueShop, "NS", namespace),
		"kustomization.yaml": strings.ReplaceAll(rogueKustomization, "NS", namespace),
	})
	ci := env.User(t, "ci-deploy", masters)
	w := newWatch(env)
	w.declare(t, dir, ".")
	w.dir = dir
	w.deploy(t, ci)
	if !testenv.Poll(60*time.Second, func() bool {
		names := ci.Kubectl(t, "-n", namespace, "get", "pods", "-o", "name")
		return strings.Count(names, "\n") >= 12 && strings.Contains(names, "pod/agent-")
	}) {
		t.Fatalf("not all Pods come up:\n%s", ci.Kubectl(t, "-n", namespace, "get", "pods"))
	}
	return w, ci
}

// TestRogueUntouched wants nothing found in a namespace that only CI and controllers
// touch: after deploying, during a rollout, after it, and when a CronJob has run.
func TestRogueUntouched(t *testing.T) {
	t.Parallel()
	w, ci := rogueNamespace(t, "rogue-untouched")
	w.quiet(t)
	w.quietCluster(t)
	ns := []string{"-n", "rogue-untouched"}
	kubectl := func(args ...string) { t.Helper(); ci.Kubectl(t, append(ns, args...)...) }
	kubectl("set", "image", "--field-manager=ci-deploy", "deployment/web", "web=registry.example.com/shop/web:2")
	kubectl("set", "image", "--field-manager=ci-deploy", "statefulset/db", "db=registry.example.com/shop/db:2")
	kubectl("set", "image", "--field-manager=ci-deploy", "daemonset/agent", "agent=registry.example.com/shop/agent:2")
	for range 3 { // while it goes on
		w.quiet(t)
	}
	kubectl("rollout", "status", "deployment/web", "--timeout=60s")
	w.quiet(t)
	if !testenv.Poll(90*time.Second, func() bool {
		return strings.Contains(ci.Kubectl(t, append(ns, "get", "jobs", "-o", "name")...), "job.batch/tick-")
	}) {
		t.Fatal("the CronJob does not run")
	}
	w.quiet(t)
}

// quietCluster wants nothing found of what the cluster's own components have made,
// anywhere. Other tests make things too.
func (w *watch) quietCluster(t *testing.T) {
	t.Helper()
	all := *w
	all.scope.ClusterKinds = []string{"*"}
	all.scope.Namespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease"}
	for _, line := range told(all.find(t)) {
		if strings.Contains(line, "its records name kube-") || strings.Contains(line, "ServiceAccount kube-") {
			t.Error(line)
		}
	}
}

// intrusion is something that somebody does, and how it has to be told: exactly once,
// as these lines begin.
type intrusion struct {
	name  string
	stdin string
	args  []string
	want  []string
}

// TestRogueIntruder does one thing after the other that nobody declared, and wants
// each found at its root, by its rule, with the evidence that it has.
func TestRogueIntruder(t *testing.T) {
	t.Parallel()
	const ns = "rogue-intruder"
	w, ci := rogueNamespace(t, ns)
	w.quiet(t)
	w.scope.ClusterKinds = []string{"ClusterRoleBinding"}
	ours := func() []string { // and not what other tests have made
		return slices.DeleteFunc(told(w.find(t)), func(line string) bool { return !strings.Contains(line, ns) })
	}
	mallory := env.User(t, "mallory", masters)
	names := map[string]string{}
	for _, app := range []string{"web", "paused"} {
		names[app] = strings.Fields(ci.Kubectl(t, "-n", ns, "get", "pods", "-l", "app="+app, "-o", "jsonpath={.items[*].metadata.name}"))[0]
	}
	uid := func(what string) string {
		return ci.Kubectl(t, "-n", ns, "get", what, "-o", "jsonpath={.metadata.uid}")
	}
	pod := func(name, labels, metadata string) string {
		return fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s, labels: {%s}%s}, spec: {containers: [{name: web, image: docker.io/evil/miner}]}}", name, ns, labels, metadata)
	}
	owner := func(apiVersion, kind, name, uid string) string {
		return fmt.Sprintf(", ownerReferences: [{apiVersion: %s, kind: %s, name: %s, uid: %s, controller: true}]", apiVersion, kind, name, uid)
	}
	mallory.KubectlIn(t, pod("adopted", "", ", annotations: {controller.kubernetes.io/pod-deletion-cost: '1000'}"), "create", "-f", "-")
	ci.Kubectl(t, "-n", ns, "wait", "--for=condition=Ready", "pod/adopted", "--timeout=30s")

	for _, step := range []intrusion{
		{
			name: "bare Pod", stdin: pod("bare-pod", "", ""), args: []string{"create", "-f", "-"},
			want: []string{"warning rogue/object Pod " + ns + "/bare-pod (declared) nobody declared it: it belongs to nothing that is declared; its records name kubectl-create"},
		}, {
			name: "kubectl run", args: []string{"run", "shell", "--image=nginx"},
			want: []string{"warning rogue/object Pod " + ns + "/shell (declared) nobody declared it: it belongs to nothing that is declared; its records name kubectl-run"},
		}, {
			name: "forged label", stdin: pod("by-helm", "app.kubernetes.io/managed-by: Helm", ""), args: []string{"create", "-f", "-"},
			want: []string{"warning rogue/object Pod " + ns + "/by-helm (declared) nobody declared it"},
		}, {
			name: "forged field manager", stdin: pod("by-ci", "", ""), args: []string{"apply", "--server-side", "--field-manager=ci-deploy", "-f", "-"},
			want: []string{"warning rogue/object Pod " + ns + "/by-ci (declared) nobody declared it: it belongs to nothing that is declared; its records name ci-deploy"},
		}, {
			name: "adopted Pod", args: []string{"label", "pod/adopted", "app=set"}, // and the ReplicaSet deletes its own
			want: []string{"warning rogue/object Pod " + ns + `/adopted (checked) nobody declared it: it names ReplicaSet.apps set as its owner, but container "web" has the image docker.io/evil/miner where the template has registry.example.com/shop/web:1: it was adopted`},
		}, {
			name: "unknown edge", stdin: pod("unknown-edge", "", owner("apps/v1", "Deployment", "web", uid("deployment/web"))), args: []string{"create", "-f", "-"},
			want: []string{"warning rogue/object Pod " + ns + "/unknown-edge (checked) nobody declared it: it names Deployment.apps web as its owner, but a Deployment makes no Pod"},
		}, {
			name: "of a ConfigMap", stdin: pod("of-a-configmap", "", owner("v1", "ConfigMap", "kube-root-ca.crt", uid("configmap/kube-root-ca.crt"))), args: []string{"create", "-f", "-"},
			want: []string{"warning rogue/object Pod " + ns + "/of-a-configmap (checked) nobody declared it: it names ConfigMap kube-root-ca.crt as its owner, but a ConfigMap makes no Pod"},
		}, {
			name: "image edited in a Pod", args: []string{"set", "image", "pod/" + names["web"], "web=docker.io/library/nginx:latest"},
			want: []string{"warning rogue/container Pod " + ns + "/" + names["web"] + ` web (checked) container "web" has the image docker.io/library/nginx:latest where the template has registry.example.com/shop/web:1; its records name kubectl-set`},
		}, {
			name: "ephemeral container", args: []string{"debug", names["paused"], "--image=busybox", "--container=debugger", "--", "sh"},
			want: []string{"warning rogue/container Pod " + ns + "/" + names["paused"] + ` debugger (checked) ephemeral container "debugger" with the image busybox is not in the template; its records name kubectl`},
		}, {
			name: "manual run", args: []string{"create", "job", "by-hand", "--from=cronjob/yearly"},
			want: []string{"warning rogue/object Job.batch " + ns + "/by-hand (checked) nobody declared it: it is a run of CronJob.batch " + ns + "/yearly that somebody started by hand"},
		}, {
			name: "Deployment", args: []string{"create", "deployment", "miner", "--image=docker.io/evil/miner"},
			want: []string{"warning rogue/object Deployment.apps " + ns + "/miner (declared) nobody declared it"},
		}, {
			name: "NodePort Service", args: []string{"create", "service", "nodeport", "door", "--tcp=80"},
			want: []string{"warning rogue/object Service " + ns + "/door (declared) nobody declared it"},
		}, {
			name: "EndpointSlice", args: []string{"create", "-f", "-"},
			stdin: fmt.Sprintf("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: detour, namespace: %s, labels: {kubernetes.io/service-name: web}%s}, addressType: IPv4, endpoints: [{addresses: [10.9.9.9]}]}",
				ns, owner("v1", "Service", "web", uid("service/web"))),
			want: []string{"warning rogue/object EndpointSlice.discovery.k8s.io " + ns + "/detour (checked) nobody declared it: it names Service web as its owner, but the cluster's controller does not keep it"},
		}, {
			name: "binding to a person", args: []string{"create", "clusterrolebinding", ns, "--clusterrole=cluster-admin", "--user=mallory"},
			want: []string{"critical rogue/object ClusterRoleBinding.rbac.authorization.k8s.io " + ns + " (declared) nobody declared it"},
		}, {
			name: "binding that looks built in", args: []string{"create", "-f", "-"},
			stdin: fmt.Sprintf("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: 'system:%s', labels: {kubernetes.io/bootstrapping: rbac-defaults}, annotations: {rbac.authorization.kubernetes.io/autoupdate: 'true'}}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: User, name: mallory}]}", ns),
			want:  []string{"critical rogue/object ClusterRoleBinding.rbac.authorization.k8s.io system:" + ns + " (declared) nobody declared it"},
		}, {
			name: "ReplicaSet for a Deployment", args: []string{"create", "-f", "-"},
			stdin: fmt.Sprintf("{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: paused-evil, namespace: %s, labels: {app: paused}}, spec: {replicas: 1, selector: {matchLabels: {app: paused, x: z}}, template: {metadata: {labels: {app: paused, x: z}}, spec: {containers: [{name: web, image: docker.io/evil/miner}]}}}}", ns),
			want:  []string{"warning rogue/object ReplicaSet.apps " + ns + "/paused-evil (checked) nobody declared it: it names Deployment.apps paused as its owner, but it has another template, and is none of those that the Deployment has made: it was adopted"},
		}, {
			name: "mirror of no static Pod", args: []string{"create", "-f", "-"},
			stdin: strings.Replace(pod("static-node-0", "", ", annotations: {kubernetes.io/config.mirror: x}"), "spec: {", "spec: {nodeName: node-0, ", 1),
			want:  []string{"warning rogue/object Pod " + ns + "/static-node-0 (declared) nobody declared it"},
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			before := ours()
			mallory.KubectlIn(t, step.stdin, append([]string{"-n", ns}, step.args...)...)
			var fresh []string
			if !testenv.Poll(20*time.Second, func() bool {
				fresh = slices.DeleteFunc(ours(), func(line string) bool { return slices.Contains(before, line) })
				return slices.EqualFunc(fresh, step.want, strings.HasPrefix)
			}) {
				t.Errorf("told:\n%s\nwant:\n%s", strings.Join(fresh, "\n"), strings.Join(step.want, "\n"))
			}
		})
	}
	t.Run("children", func(t *testing.T) {
		for _, f := range w.find(t).Findings {
			if f.Object.Name == "miner" && len(f.Children) != 2 {
				t.Errorf("the Deployment has the children %v, want its ReplicaSet and its Pod", f.Children)
			}
			if f.Rule == finding.RogueObject && f.Severity < finding.Warning || f.Advice == "" {
				t.Errorf("incomplete: %+v", f)
			}
		}
	})
}

// TestRogueDeadOwner makes an object whose owner has another UID, which the garbage
// collector removes within moments: it is told as long as it is there.
func TestRogueDeadOwner(t *testing.T) {
	t.Parallel()
	const ns = "rogue-dead"
	w, ci := rogueNamespace(t, ns)
	ci.KubectlIn(t, fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: dead, namespace: %s, finalizers: [example.com/keep],
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: set, uid: 00000000-0000-4000-8000-000000000000, controller: true}]}}`, ns), "create", "-f", "-")
	lines := told(w.find(t))
	want := "warning rogue/object ConfigMap " + ns + "/dead (checked) nobody declared it: it names ReplicaSet.apps set as its owner, but that has another UID"
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) }) {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(lines, "\n"), want)
	}
	ci.Kubectl(t, "-n", ns, "patch", "configmap/dead", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
}

// TestRogueScaled scales a Deployment's ReplicaSet by hand, which its controller
// undoes: nothing is left to tell.
func TestRogueScaled(t *testing.T) {
	t.Parallel()
	w, ci := rogueNamespace(t, "rogue-scaled")
	set := strings.TrimSpace(ci.Kubectl(t, "-n", "rogue-scaled", "get", "replicasets", "-l", "app=web", "-o", "name"))
	ci.Kubectl(t, "-n", "rogue-scaled", "scale", set, "--replicas=4")
	w.quiet(t)
}

// sidecar is a policy by which the server itself puts a container into Pods.
const sidecar = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: NS}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{spec: Object.spec{containers: [Object.spec.containers{name: "mesh-proxy", image: "registry.example.com/mesh/proxy:1",
          volumeMounts: [Object.spec.containers.volumeMounts{name: "mesh", mountPath: "/mesh"}]}],
          volumes: [Object.spec.volumes{name: "mesh", emptyDir: Object.spec.volumes.emptyDir{}}]}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: NS}
spec:
  policyName: NS
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}}
`

// TestRogueInjected has a sidecar put into every Pod: nothing is found where that is
// declared, and once for each workload where it is not.
func TestRogueInjected(t *testing.T) {
	t.Parallel()
	const ns = "rogue-injected"
	platform := env.User(t, "platform", masters)
	platform.Kubectl(t, "create", "namespace", ns)
	platform.KubectlIn(t, strings.ReplaceAll(sidecar, "NS", ns), "apply", "-f", "-")
	if !testenv.Poll(30*time.Second, func() bool {
		out, err := platform.Try("", "-n", ns, "run", "probe", "--image=x", "--dry-run=server", "-o", "yaml")
		return err == nil && strings.Contains(out, "mesh-proxy")
	}) {
		t.Fatal("the policy does not put its container into Pods")
	}
	w, _ := rogueNamespace(t, ns)
	delete(w.declared, object.ID{Version: "v1", Kind: "Pod", Namespace: ns, Name: "bare"})
	platform.Kubectl(t, "-n", ns, "delete", "pod/bare") // it is declared without the sidecar: that is drift's
	w.scope.Injected = []v1alpha1.Injected{{Container: "mesh-proxy", Image: "registry.example.com/mesh/*"}}
	w.quiet(t)

	w.scope.Injected = nil
	w.mutated = true
	infos := map[string]bool{}
	for _, f := range w.find(t).Findings {
		if f.Severity != finding.Info || f.Subject != "mesh-proxy" && f.Subject != "" || infos[f.Object.String()+f.Subject] {
			t.Errorf("%s %s %s: %s", f.Severity, f.Object, f.Subject, f.Message)
		}
		infos[f.Object.String()+f.Subject] = true
	}
	if !infos["Deployment.apps "+ns+"/webmesh-proxy"] {
		t.Errorf("told only of %v", slices.Sorted(maps.Keys(infos)))
	}
	w.mutated = false
	if f := w.find(t).Findings; len(f) == 0 || f[0].Severity != finding.Warning {
		t.Errorf("found %v where nothing changes Pods on their way", f)
	}
}

// TestRogueWriters wants nobody named of what CI has deployed, and whoever writes
// declared fields afterwards, though they are as declared, or takes CI's name.
func TestRogueWriters(t *testing.T) {
	t.Parallel()
	const ns = "rogue-writers"
	w, ci := rogueNamespace(t, ns)
	components, err := differ.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	schemas := differ.NewSchemas()
	if err := schemas.Add(components); err != nil {
		t.Fatal(err)
	}
	writers := func() []string {
		var lines []string
		for _, l := range w.live(t) {
			d, ok := w.declared[l.ID]
			if !ok || l.ID.Namespace != ns || l.Content["spec"] == nil {
				continue
			}
			o := ciDeploy
			o.Rewritten = true
			diff := differ.Compare(d, l, schemas.Type(l.ID.Group, l.ID.Version, l.ID.Kind), o)
			lines = append(lines, told(rogue.Result{Findings: rogue.Writers(d, diff)})...)
		}
		return lines
	}
	if found := writers(); len(found) > 0 {
		t.Errorf("found %q in what CI has deployed", found)
	}
	mallory := env.User(t, "mallory", masters)
	kubectl := func(args ...string) { t.Helper(); mallory.Kubectl(t, append([]string{"-n", ns}, args...)...) }
	testenv.Poll(3*time.Second, func() bool { return false }) // records tell times to the second
	kubectl("set", "image", "deployment/web", "web=docker.io/evil/miner")
	kubectl("set", "image", "deployment/web", "web=registry.example.com/shop/web:1")
	kubectl("annotate", "--field-manager=ci-deploy", "statefulset/db", "note=x")
	want := []string{
		"warning rogue/writer Deployment.apps " + ns + "/web kubectl-set/Update (claimed) kubectl-set, ",
		"warning rogue/writer StatefulSet.apps " + ns + "/db ci-deploy/Update (claimed) somebody updated it as ci-deploy, ",
	}
	found := writers()
	slices.Sort(found)
	if !slices.EqualFunc(found, want, strings.HasPrefix) {
		t.Errorf("found %q, want %q", found, want)
	}

	// What the deployer applies since is its own again, of which the server notes no time.
	w.deploy(t, ci)
	if found = writers(); !slices.ContainsFunc(found, func(line string) bool { return strings.HasPrefix(line, "info rogue/writer Deployment.apps "+ns+"/web") }) {
		t.Errorf("found %q after the deployer has applied it all again", found)
	}
}
