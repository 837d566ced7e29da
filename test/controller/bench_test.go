package controller

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/test/testenv"
)

var (
	governed = flag.Int("governed", 1000, "Deployments that the benchmark governs")
	others   = flag.Int("others", 0, "other objects in their namespace, in no commit")
	edits    = flag.Int("edits", 100, "how often the benchmark tampers")
	profiles = flag.String("profiles", "", "`folder` to write profiles into")
	commits  = flag.Int("commits", 10, "how many commits change one file each")
	quiet    = flag.Duration("quiet", 30*time.Second, "how long nothing changes but statuses")
)

// BenchmarkController tells what it costs to watch: how long after a write was
// acknowledged its finding is on the board, and what is used while nothing changes.
// "make bench-controller" runs it.
func BenchmarkController(b *testing.B) {
	w := prepare(b)
	w.admin.Kubectl(b, "create", "namespace", "bench")
	cluster := newClient(b)
	files := map[string]string{}
	for i := range *governed {
		files[fmt.Sprintf("app-%05d.yaml", i)] = fmt.Sprintf(benchDeployment, i)
	}
	cluster.deploy(b, files)
	cluster.fill(b, *others)
	cluster.settle(b)
	w.repo.Commit(gitsourcetest.Commit{Files: files})
	begun := time.Now()
	w.start()
	w.admin.Kubectl(b, "-n", system, "create", "secret", "generic", "forge", "--from-literal=webhook=shared")
	b.Cleanup(func() { w.admin.Kubectl(b, "-n", system, "delete", "secret", "forge") })
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10h, secretRef: {name: forge}}\n  scope: {namespaces: [bench], exempt: [{kind: ConfigMap, name: 'other-*', reason: load}]}\n  deployer: {managers: [ci-deploy]}\n")
	for !strings.Contains(w.admin.Kubectl(b, "-n", system, "get", "baseline", "shop", "-o", "jsonpath={.status.conditions[*].reason}"), "Compared") {
		if time.Since(begun) > 5*time.Minute {
			b.Fatalf("nothing is compared: %+v", w.get())
		}
		<-time.After(100 * time.Millisecond)
	}
	b.ReportMetric(time.Since(begun).Seconds(), "s-to-board")

	<-time.After(5 * time.Second)
	pushed, compared := w.commit(b, files)
	b.ReportMetric(float64(pushed[len(pushed)/2].Milliseconds()), "p50-commit-ms")
	b.ReportMetric(float64(pushed[len(pushed)-1].Milliseconds()), "max-commit-ms")
	b.ReportMetric(compared, "compared/commit")
	<-time.After(5 * time.Second)
	go w.profile(b, "profile?seconds=10", "tampered")
	latencies := w.tamper(b, cluster)
	b.ReportMetric(float64(latencies[len(latencies)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(latencies[len(latencies)*99/100].Milliseconds()), "p99-ms")
	b.ReportMetric(float64(latencies[len(latencies)-1].Milliseconds()), "max-ms")

	<-time.After(10 * time.Second)
	w.profile(b, "heap?gc=1", "heap")
	w.profile(b, "allocs", "allocs")
	before, cpu := len(w.requests()), w.cpu(b)
	go w.profile(b, fmt.Sprintf("profile?seconds=%.0f", quiet.Seconds()*.8), "quiet")
	statuses := cluster.restless(b, *quiet)
	b.ReportMetric(100*(w.cpu(b)-cpu).Seconds()/quiet.Seconds(), "%cpu-quiet")
	asked := 0
	for _, r := range w.requests()[before:] {
		if r.Verb != "watch" && r.ObjectRef.Resource != "leases" {
			asked++
			b.Logf("asked: %s %s", r.Verb, r.RequestURI)
		}
	}
	b.ReportMetric(float64(asked), "requests-quiet")
	b.ReportMetric(float64(statuses)/quiet.Seconds(), "statuses/s")
	b.ReportMetric(w.memory(b, "VmRSS"), "MB")
	b.ReportMetric(w.memory(b, "RssAnon"), "MB-anonymous")
	b.ReportMetric(w.memory(b, "VmHWM"), "MB-peak")
	b.ReportMetric(0, "ns/op")
	for _, l := range latencies[max(0, len(latencies)-10):] {
		b.Logf("%v", l)
	}
}

// client writes many objects.
type client struct{ dynamic.Interface }

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

func newClient(t testing.TB) client {
	t.Helper()
	config, err := env.Config("bench-admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client{d}
}

func (c client) deploy(t testing.TB, files map[string]string) {
	t.Helper()
	work, ctx := errgroup.WithContext(t.Context())
	work.SetLimit(16)
	for name, text := range files {
		work.Go(func() error {
			objects, err := object.Decode(name, []byte(text))
			if err != nil {
				return err
			}
			_, err = c.Resource(deployments).Namespace("bench").Apply(ctx, objects[0].ID.Name, &unstructured.Unstructured{Object: objects[0].Content}, metav1.ApplyOptions{FieldManager: "ci-deploy"})
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
}

// settle waits until controllers write no more.
func (c client) settle(t testing.TB) {
	t.Helper()
	for before := ""; ; {
		list, err := c.Resource(deployments).Namespace("bench").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var versions strings.Builder
		seen := true
		for _, d := range list.Items {
			observed, _, _ := unstructured.NestedInt64(d.Object, "status", "observedGeneration")
			seen = seen && observed == d.GetGeneration()
			versions.WriteString(d.GetResourceVersion() + " ")
		}
		if seen && versions.String() == before {
			return
		}
		before = versions.String()
		<-time.After(2 * time.Second)
	}
}

// fill makes objects that nothing declares.
func (c client) fill(t testing.TB, n int) {
	t.Helper()
	work, ctx := errgroup.WithContext(t.Context())
	work.SetLimit(16)
	for i := range n {
		work.Go(func() error {
			o := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": fmt.Sprintf("other-%05d", i), "namespace": "bench"},
				"data": map[string]any{"key": strings.Repeat("value ", 100)},
			}}
			_, err := c.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("bench").Create(ctx, o, metav1.CreateOptions{})
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
}

// tamper edits objects one after another, and returns how long each took to be told,
// sorted.
func (w *world) tamper(t testing.TB, c client) []time.Duration {
	t.Helper()
	acknowledged := map[string]time.Time{}
	for _, i := range rand.Perm(*governed)[:min(*edits, *governed)] {
		name := fmt.Sprintf("app-%05d", i)
		env := [2]string{"BACKDOOR", "DATABASE_HOST"}[i%2] // added, or another value: of which earlier commits may know
		patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":%q,"value":"%d"}]}]}}}}`, env, i)
		if _, err := c.Resource(deployments).Namespace("bench").Patch(t.Context(), name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
			t.Fatal(err)
		}
		acknowledged[name] = time.Now()
		<-time.After(100 * time.Millisecond)
	}
	var all []time.Duration
	if !testenv.Poll(within, func() bool {
		all = w.latencies(acknowledged, "drift/added", "drift/modified")
		return len(all) == len(acknowledged)
	}) {
		t.Fatalf("of %d edits %d were told", len(acknowledged), len(all))
	}
	slices.Sort(all)
	return all
}

// commit changes one file after another in git, and
// returns how long after the forge's push each was told, sorted, and how many objects
// were compared for each.
func (w *world) commit(t testing.TB, files map[string]string) ([]time.Duration, float64) {
	t.Helper()
	acknowledged, before := map[string]time.Time{}, w.compared(t)
	for i := range *commits {
		name := fmt.Sprintf("app-%05d", i)
		files[name+".yaml"] = strings.Replace(files[name+".yaml"], "value: production", "value: staging", 1)
		w.repo.Commit(gitsourcetest.Commit{Files: files})
		if code := w.pushes("shop", name); code != http.StatusAccepted {
			t.Fatalf("the push is answered with %d", code)
		}
		acknowledged[name] = time.Now()
		if !testenv.Poll(within, func() bool { return len(w.latencies(acknowledged, "drift/pending")) == i+1 }) {
			t.Fatalf("the commit that changes %s is not told", name)
		}
	}
	all, compared := w.latencies(acknowledged, "drift/pending"), w.compared(t)-before
	slices.Sort(all)
	return all, compared / float64(*commits)
}

// compared is how many objects were so far.
func (w *world) compared(t testing.TB) float64 {
	t.Helper()
	for line := range strings.Lines(w.scrape()) {
		if strings.HasPrefix(line, "plumbline_comparisons_total{") {
			n, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no metric tells how many objects were compared")
	return 0
}

// latencies are from each acknowledgement to the line of the log that tells of it.
func (w *world) latencies(acknowledged map[string]time.Time, rules ...string) []time.Duration {
	var all []time.Duration
	for line := range strings.Lines(w.log.String()) {
		var entry struct {
			Time              time.Time
			Msg, Rule, Object string
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != "finding" || !slices.Contains(rules, entry.Rule) {
			continue
		}
		if at, ok := acknowledged[entry.Object[strings.LastIndex(entry.Object, "/")+1:]]; ok {
			all = append(all, entry.Time.Sub(at))
		}
	}
	return all
}

// restless changes nothing but statuses for a while, and returns how many.
func (c client) restless(t testing.TB, long time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	n := 0
	for ctx.Err() == nil {
		name := fmt.Sprintf("app-%05d", rand.IntN(*governed))
		patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"Seen","status":"True","reason":"N%d","message":"x"}]}}`, n)
		_, err := c.Resource(deployments).Namespace("bench").Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "a-controller"}, "status")
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			t.Fatal(err)
		}
		n++
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return n
}

// profile keeps one of the controller's profiles in a file, where somebody wants them.
func (w *world) profile(t testing.TB, what, name string) {
	t.Helper()
	if *profiles == "" {
		return
	}
	answer, err := http.Get("http://" + w.profileAt + "/debug/pprof/" + what)
	if err != nil {
		t.Error(err)
		return
	}
	defer answer.Body.Close()
	file, err := os.Create(filepath.Join(*profiles, name))
	if err != nil {
		t.Error(err)
		return
	}
	_, err = io.Copy(file, answer.Body)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Error(err)
	}
}

// cpu is what the controller has used so far.
func (w *world) cpu(t testing.TB) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	kernel, _ := strconv.Atoi(fields[12])
	return time.Duration(user+kernel) * 10 * time.Millisecond
}

// memory is a field of the controller's, in MB.
func (w *world) memory(t testing.TB, field string) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	t.Fatalf("no %s", field)
	return 0
}

// benchDeployment has what a grown one has, and no replicas.
const benchDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-%05[1]d
  namespace: bench
  labels: {app.kubernetes.io/name: app-%05[1]d, app.kubernetes.io/part-of: bench}
spec:
  replicas: 0
  selector: {matchLabels: {app.kubernetes.io/name: app-%05[1]d}}
  template:
    metadata:
      labels: {app.kubernetes.io/name: app-%05[1]d, app.kubernetes.io/part-of: bench}
      annotations: {prometheus.io/scrape: "true"}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: web
        image: registry.example.com/bench/app:2.7.%[1]d
        args: ["--listen=:8080", "--log-format=json"]
        ports:
        - {name: http, containerPort: 8080}
        env:
        - {name: MODE, value: production}
        - {name: DATABASE_HOST, value: db.bench.svc}
        - {name: CACHE_URL, value: "redis://cache.bench.svc:6379/%[1]d"}
        resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}
        readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 5}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`
