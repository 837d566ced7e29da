// Package controller runs the controller against a real control plane, with the rights
// of its manifests and no others.
package controller

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/test/testenv"
)

var (
	env       *testenv.Env
	plumbline string // path of the binary
)

func TestMain(m *testing.M) { os.Exit(testenv.MainWithProgram(m, 2, 0, &env, &plumbline)) }

const (
	// system is the controller's own namespace, account whom it acts as.
	system  = "plumbline-system"
	account = "system:serviceaccount:" + system + ":plumbline"

	within = 60 * time.Second
)

// world is an installed controller and a repository that it looks at.
type world struct {
	testing.TB
	admin     testenv.User
	repo      *gitsourcetest.Repo
	server    *gitsourcetest.Server
	down      atomic.Bool // the server answers nobody
	slow      atomic.Bool // it takes its time
	log       *syncBuffer // of all that have run
	kube      string      // by which it reaches the API server
	metrics   string      // address
	probes    string
	hooks     string
	profileAt string
	flags     []string // more of them
	since     int64    // where its requests begin in the audit log
	process   *exec.Cmd
	ended     chan struct{}
}

// install applies the manifests, and runs the controller in the place of its Pod, which
// has no container here.
func install(t testing.TB) *world {
	t.Helper()
	w := prepare(t)
	w.start()
	return w
}

// prepare applies the manifests.
func prepare(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, admin: env.User(t, "admin", "system:masters"), repo: gitsourcetest.NewRepo(t), since: auditedSoFar(t)}
	w.server = gitsourcetest.Serve(t, w.repo, gitsourcetest.ServerOptions{Intercept: func(answer http.ResponseWriter, r *http.Request) bool {
		if w.slow.Load() {
			select {
			case <-time.After(2 * time.Second):
			case <-r.Context().Done():
			}
		}
		if w.down.Load() {
			http.Error(answer, "down for maintenance", http.StatusServiceUnavailable)
		}
		return w.down.Load()
	}})
	w.admin.Kubectl(t, "apply", "-k", manifests(t))
	t.Cleanup(func() {
		w.admin.Kubectl(t, "-n", system, "delete", "baselines", "--all")
		w.admin.Kubectl(t, "-n", system, "delete", "findings", "--all") // which go with them, but not at once
		w.admin.Kubectl(t, "-n", system, "delete", "events.events.k8s.io", "--all")
	})
	w.admin.Kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd/baselines.plumbline.dev", "crd/findings.plumbline.dev")
	return w
}

func (w *world) start() {
	w.Helper()
	w.metrics, w.probes, w.profileAt, w.hooks = testenv.FreeAddress(w), testenv.FreeAddress(w), testenv.FreeAddress(w), testenv.FreeAddress(w)
	if w.kube == "" {
		w.kube = env.User(w, account, "system:serviceaccounts", "system:serviceaccounts:"+system, "system:authenticated").Kubeconfig
	}
	if w.log == nil {
		w.log = &syncBuffer{}
	}
	w.process = exec.Command(plumbline, "controller", "--leader-elect", "--lease-namespace", system, "--metrics-address", w.metrics, "--probe-address", w.probes, "--profile-address", w.profileAt, "--webhook-address", w.hooks, "--cache-dir", w.TempDir())
	w.process.Args = append(w.process.Args, w.flags...)
	w.process.Env = append(os.Environ(), "KUBECONFIG="+w.kube)
	w.process.Stderr = w.log
	if err := w.process.Start(); err != nil {
		w.Fatal(err)
	}
	process, ended := w.process, make(chan struct{})
	w.ended = ended
	go func() {
		_ = process.Wait() // whoever wants to know looks at its state
		close(ended)
	}()
	w.Cleanup(func() {
		w.kill()
		if w.Failed() {
			w.Logf("the controller's log:\n%s", w.log)
		}
	})
}

// kill ends the controller as a crash does.
func (w *world) kill() {
	_ = w.process.Process.Kill() // unless it has ended
	<-w.ended
}

// runs tells whether the controller has not ended by itself, as it does when it cannot
// renew its lease: its Pod is begun anew then.
func (w *world) runs() bool {
	select {
	case <-w.ended:
		return false
	default:
		return true
	}
}

// syncBuffer can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// baseline is the part of a Baseline's status that the tests look at.
type baseline struct {
	Metadata struct{ Generation int64 }
	Status   struct {
		ObservedGeneration   int64
		Requested, Commit    string
		Objects, NotCompared int
		Findings             int
		Verdicts             map[string]int
		Conditions           []struct{ Type, Status, Reason, Message string }
	}
}

func (b baseline) condition(name string) string {
	for _, c := range b.Status.Conditions {
		if c.Type == name {
			return c.Status + " " + c.Reason
		}
	}
	return ""
}

func (w *world) get() baseline {
	w.Helper()
	var b baseline
	if err := json.Unmarshal([]byte(w.admin.Kubectl(w, "-n", system, "get", "baseline", "shop", "-o", "json")), &b); err != nil {
		w.Fatal(err)
	}
	return b
}

// until waits for the conditions Ready and Drifted, and returns the Baseline.
func (w *world) until(ready, drifted string) baseline {
	w.Helper()
	var b baseline
	if !testenv.Poll(within, func() bool {
		b = w.get()
		return b.condition("Ready") == ready && b.condition("Drifted") == drifted && b.Status.ObservedGeneration == b.Metadata.Generation
	}) {
		w.Fatalf("want Ready %s and Drifted %s, the status is %+v", ready, drifted, b.Status)
	}
	return b
}

// look asks the controller to look at once, and waits until it has.
func (w *world) look() {
	w.Helper()
	stamp := time.Now().Format(time.RFC3339Nano)
	w.admin.Kubectl(w, "-n", system, "annotate", "--overwrite", "baseline", "shop", "plumbline.dev/requested="+stamp)
	if !testenv.Poll(within, func() bool { return w.get().Status.Requested == stamp }) {
		w.Fatalf("the controller has not looked: %+v", w.get())
	}
}

func (w *world) apply(spec string) {
	w.Helper()
	w.admin.KubectlIn(w, "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: shop, namespace: "+system+"}\nspec:\n"+spec, "apply", "-f", "-")
}

func (w *world) scrape() string { return w.fetch("http://" + w.metrics + "/metrics") }

func (w *world) fetch(url string) string {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {key: %q}\n", name, value)
}

// deploy commits objects, and applies them as CI does.
func (w *world) deploy(files map[string]string) string {
	w.Helper()
	for _, text := range files {
		w.admin.KubectlIn(w, text, "apply", "--server-side", "--field-manager=ci-deploy", "-f", "-")
	}
	return w.repo.Commit(gitsourcetest.Commit{Files: files})
}

// TestController wants the status of a Baseline to be true at all times: in sync,
// tampered with, with rogues, with a repository that is gone, a spec that is wrong, one
// that is suspended; and nothing written but that.
func TestController(t *testing.T) {
	w := install(t)
	w.admin.Kubectl(t, "create", "namespace", "shop")
	first := w.deploy(map[string]string{"a.yaml": configMap("a", "1"), "b.yaml": configMap("b", "1")})
	git := func(more string) string {
		return "  git: {url: " + w.server.Repo() + ", interval: 10s}\n  scope: {namespaces: [shop], kinds: [ConfigMap]}\n  deployer: {managers: [ci-deploy]}\n" + more
	}
	w.apply(git(""))
	b := w.until("True Compared", "False InSync")
	if b.Status.Commit != first || b.Status.Objects != 2 || b.Status.Verdicts["InSync"] != 2 || b.Status.Findings != 0 {
		t.Errorf("the status is %+v", b.Status)
	}

	// Nothing is written while nothing changes.
	before := w.admin.Kubectl(t, "-n", system, "get", "baseline", "shop", "-o", "jsonpath={.metadata.resourceVersion}")
	passes := regexp.MustCompile(`plumbline_pass_duration_seconds_count\{[^}]*\} (\d+)`)
	count := passes.FindString(w.scrape())
	if !testenv.Poll(within, func() bool { return passes.FindString(w.scrape()) != count }) {
		t.Error("the interval passes and nobody looks")
	}
	if after := w.admin.Kubectl(t, "-n", system, "get", "baseline", "shop", "-o", "jsonpath={.metadata.resourceVersion}"); after != before {
		t.Errorf("the Baseline was written at version %s, after %s, though nothing has changed", after, before)
	}

	// Drift, and a rogue.
	w.admin.Kubectl(t, "-n", "shop", "patch", "configmap", "a", "--field-manager=kubectl-edit", "-p", `{"data":{"key":"2"}}`)
	w.admin.Kubectl(t, "-n", "shop", "create", "configmap", "rogue")
	w.look()
	if b = w.until("True Compared", "True Drifted"); b.Status.Findings != 2 || b.Status.Verdicts["Drifted"] != 1 || b.Status.Verdicts["Rogue"] != 1 {
		t.Errorf("the status is %+v", b.Status)
	}
	if m := w.scrape(); !strings.Contains(m, `plumbline_findings{baseline="shop",namespace="plumbline-system",rule="drift/modified",severity="warning"} 1`) ||
		!strings.Contains(m, `plumbline_objects{baseline="shop",namespace="plumbline-system",verdict="InSync"} 1`) {
		t.Errorf("the metrics are\n%s", m)
	}
	if !testenv.Poll(within, func() bool {
		return strings.Contains(w.admin.Kubectl(t, "-n", system, "get", "events.events.k8s.io", "-o", "jsonpath={.items[*].reason}"), "Drifted")
	}) {
		t.Error("no Event tells of the drift")
	}
	if columns := strings.Fields(w.admin.Kubectl(t, "-n", system, "get", "baseline", "shop", "--no-headers")); len(columns) != 6 || columns[1] != "True" || columns[2] != "True" || columns[3] != "2" || columns[4] != first {
		t.Errorf("kubectl get prints %q", columns)
	}

	// What another commit declares counts, and what was undone is gone.
	w.admin.Kubectl(t, "-n", "shop", "delete", "configmap", "rogue")
	second := w.repo.Commit(gitsourcetest.Commit{Files: map[string]string{"a.yaml": configMap("a", "3"), "b.yaml": configMap("b", "1")}})
	w.admin.KubectlIn(t, configMap("a", "3"), "apply", "--server-side", "--force-conflicts", "--field-manager=ci-deploy", "-f", "-")
	w.look()
	if b = w.until("True Compared", "False InSync"); b.Status.Commit != second {
		t.Errorf("the status is %+v", b.Status)
	}
	for _, line := range []string{`"msg":"finding"`, `"msg":"finding resolved"`} {
		if !strings.Contains(w.log.String(), line) {
			t.Errorf("the log has no line with %s", line)
		}
	}

	// A directory that is gone is said to be, and so is a history that was rewritten; a
	// commit on top of another is not.
	rewritten := func() int { return strings.Count(w.log.String(), `"msg":"history rewritten"`) }
	if rewritten() > 0 {
		t.Error("a new commit is taken for a rewritten history")
	}
	w.apply(strings.Replace(git(""), "interval:", "path: gone, interval:", 1))
	if b = w.until("False RenderFailed", "Unknown NotCompared"); !strings.Contains(fmt.Sprint(b.Status.Conditions), "has no directory gone") {
		t.Errorf("the conditions are %+v", b.Status.Conditions)
	}
	w.apply(git(""))
	w.until("True Compared", "False InSync")
	w.repo.SetRef("refs/heads/main", first)
	second = w.repo.Commit(gitsourcetest.Commit{Message: "instead", Files: map[string]string{"a.yaml": configMap("a", "3"), "b.yaml": configMap("b", "1")}})
	w.look()
	if b = w.until("True Compared", "False InSync"); b.Status.Commit != second {
		t.Errorf("the status is %+v", b.Status)
	}
	if !testenv.Poll(within, func() bool { return rewritten() == 1 }) {
		t.Errorf("a rewritten history is told %d times", rewritten())
	}
	w.eventually("1", "-n", system, "get", "events.events.k8s.io", "-o", `go-template={{range .items}}{{if eq .reason "HistoryRewritten"}}1{{end}}{{end}}`)

	// A repository that is gone is said to be, and the last good commit still counts.
	w.down.Store(true)
	w.admin.Kubectl(t, "-n", "shop", "delete", "configmap", "b")
	w.look()
	if b = w.until("False GitFailed", "True Drifted"); b.Status.Commit != second || b.Status.Verdicts["Missing"] != 1 {
		t.Errorf("the status is %+v", b.Status)
	}

	// But not for another branch, of which nothing is known.
	w.apply(strings.Replace(git(""), "interval:", "ref: other, interval:", 1))
	w.until("False GitFailed", "Unknown NotCompared")

	// A wrong spec, and a suspended one.
	w.apply(git("  rules: {sorce: Report}\n"))
	b = w.until("False InvalidSpec", "Unknown NotCompared")
	if b.condition("Stalled") != "True InvalidSpec" {
		t.Errorf("the conditions are %+v", b.Status.Conditions)
	}
	w.apply(git("  suspend: true\n"))
	if b = w.until("False Suspended", "Unknown Suspended"); b.condition("Stalled") != "" {
		t.Errorf("the conditions are %+v", b.Status.Conditions)
	}

	// Its deletion leaves alone what it governed, and no metrics.
	w.admin.Kubectl(t, "-n", system, "delete", "baseline", "shop")
	if !testenv.Poll(within, func() bool { return !strings.Contains(w.scrape(), `baseline="shop"`) }) {
		t.Error("the metrics of a Baseline outlive it")
	}
	w.admin.Kubectl(t, "-n", "shop", "get", "configmap", "a")
	w.stopped()
	w.writes()
}

// TestWatch wants every change in the cluster to be told at once, long before the
// repository is looked at again, and nothing to be asked while nothing changes.
func TestWatch(t *testing.T) {
	w := install(t)
	w.admin.Kubectl(t, "create", "namespace", "watched")
	inNamespace := func(name, value string) string {
		return strings.Replace(configMap(name, value), "namespace: shop", "namespace: watched", 1)
	}
	w.deploy(map[string]string{
		"a.yaml": inNamespace("a", "1"), "b.yaml": inNamespace("b", "1"),
		"s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: watched}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n",
	})
	w.admin.Kubectl(t, "-n", system, "create", "secret", "generic", "forge", "--from-literal=webhook=shared")
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10h, secretRef: {name: forge}}\n  scope: {namespaces: [watched]}\n  deployer: {managers: [ci-deploy]}\n")
	w.until("True Compared", "False InSync")
	for _, step := range []struct {
		what    string
		do      func()
		drifted string
		verdict string
	}{
		{"an edit", func() {
			w.admin.Kubectl(t, "-n", "watched", "patch", "configmap", "a", "--field-manager=kubectl-edit", "-p", `{"data":{"more":"2"}}`)
		}, "True Drifted", "Drifted"},
		{"its end", func() {
			w.admin.Kubectl(t, "-n", "watched", "patch", "configmap", "a", "--field-manager=kubectl-edit", "-p", `{"data":{"more":null}}`)
		}, "False InSync", ""},
		{"a rogue", func() { w.admin.Kubectl(t, "-n", "watched", "create", "configmap", "rogue") }, "True Drifted", "Rogue"},
		{"the end of it", func() { w.admin.Kubectl(t, "-n", "watched", "delete", "configmap", "rogue") }, "False InSync", ""},
		{"a deletion", func() { w.admin.Kubectl(t, "-n", "watched", "delete", "configmap", "b") }, "True Drifted", "Missing"},
		{"a deployment", func() {
			w.admin.KubectlIn(t, inNamespace("b", "1"), "apply", "--server-side", "--field-manager=ci-deploy", "-f", "-")
		}, "False InSync", ""},
	} {
		step.do()
		b := w.until("True Compared", step.drifted)
		if step.verdict != "" && b.Status.Verdicts[step.verdict] != 1 {
			t.Errorf("after %s the status is %+v", step.what, b.Status)
		}
	}
	told := strings.Count(w.log.String(), `"msg":"finding"`)
	if gone := strings.Count(w.log.String(), `"msg":"finding resolved"`); told != 3 || gone != 3 {
		t.Errorf("%d findings were told, and %d to be gone, of 3", told, gone)
	}

	// What controllers write into a status changes nothing, and nobody asks anything.
	<-time.After(2 * time.Second) // the last judgement is over
	before := len(w.requests())
	for i := range 5 {
		w.admin.Kubectl(t, "-n", "watched", "patch", "service", "s", "--subresource=status", "-p", fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.%d"}]}}}`, i))
		<-time.After(time.Second)
	}
	for _, request := range w.requests()[before:] {
		if request.Verb != "watch" && request.ObjectRef.Resource != "leases" {
			t.Errorf("asked while nothing changes: %s %s", request.Verb, request.RequestURI)
		}
	}
	w.pushed()
	w.stopped()
	w.writes()
}

// pushed wants what a forge pushes to be taken, from whoever knows the secret and once,
// and the repository to be asked then.
func (w *world) pushed() {
	w.Helper()
	sign := func(body string) string {
		mac := hmac.New(sha256.New, []byte("shared"))
		mac.Write([]byte(body))
		return hex.EncodeToString(mac.Sum(nil))
	}
	next, before := "", w.compared(w)
	for i, push := range []struct {
		name, header, value, body string
		code                      int
	}{
		{"shop", "X-Hub-Signature-256", "sha256=" + sign("github"), "github", http.StatusAccepted},
		{"shop", "X-Hub-Signature-256", "sha256=" + sign("github"), "github", http.StatusConflict},
		{"shop", "X-Gitea-Signature", sign("gitea"), "gitea", http.StatusAccepted},
		{"shop", "X-Hub-Signature", "sha256=" + sign("bitbucket"), "bitbucket", http.StatusAccepted},
		{"shop", "X-Gitlab-Token", "shared", "gitlab", http.StatusAccepted},
		{"shop", "X-Gitlab-Token", "other", "gitlab", http.StatusUnauthorized},
		{"shop", "X-Hub-Signature-256", "sha256=" + sign("github"), "another", http.StatusUnauthorized},
		{"shop", "X-Hub-Signature-256", "sha256=", "", http.StatusUnauthorized},
		{"shop", "X-Nothing", "x", "plain", http.StatusUnauthorized},
		{"none", "X-Hub-Signature-256", "sha256=" + sign("github"), "github", http.StatusUnauthorized},
		{"shop", "X-Hub-Signature-256", "sha256=" + sign(large), large, http.StatusRequestEntityTooLarge},
	} {
		if push.code == http.StatusAccepted {
			next = w.repo.Commit(gitsourcetest.Commit{Message: fmt.Sprint(i), Files: map[string]string{"a.yaml": strings.Replace(configMap("a", "1"), "namespace: shop", "namespace: watched", 1)}})
		}
		request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, "http://"+w.hooks+"/hooks/"+system+"/"+push.name, strings.NewReader(push.body))
		if err != nil {
			w.Fatal(err)
		}
		request.Header.Set(push.header, push.value)
		request.Header.Set("X-Gitlab-Event-UUID", fmt.Sprint(i)) // which only GitLab's own pushes are told apart by
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			w.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != push.code {
			w.Errorf("push %d is answered with %s, want %d", i, answer.Status, push.code)
		}
		if push.code == http.StatusAccepted && !testenv.Poll(within, func() bool { return w.get().Status.Commit == next }) {
			w.Errorf("push %d: commit %s is not looked at: %+v", i, next, w.get())
		}
	}
	if compared := w.compared(w) - before; compared != 0 {
		w.Errorf("after commits that change no object %v were compared", compared)
	}
	w.repo.Commit(gitsourcetest.Commit{Files: map[string]string{
		"a.yaml": strings.Replace(configMap("a", "2"), "namespace: shop", "namespace: watched", 1), "b.yaml": strings.Replace(configMap("b", "1"), "namespace: shop", "namespace: watched", 1),
	}})
	if code := w.pushes("shop", "changes a"); code != http.StatusAccepted {
		w.Errorf("a push is answered with %d", code)
	}
	if !testenv.Poll(within, func() bool { return w.get().Status.Verdicts["Pending"] == 1 }) {
		w.Errorf("what a commit changes is not told: %+v", w.get())
	}
	if compared := w.compared(w) - before; compared != 2 {
		w.Errorf("after a commit that changes an object and brings another back %v were compared", compared)
	}
}

// large is more than a push may be.
var large = strings.Repeat("x", 5<<20)

// request is a line of the audit log.
type request struct {
	AuditID, Stage   string
	Verb, RequestURI string
	User             struct{ Username string }
	ObjectRef        struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	ResponseStatus   struct{ Code int }
}

// requests are those of the controller's since the world began.
func (w *world) requests() []request {
	w.Helper()
	return audited(w, w.since)
}

// audited are the controller's requests from a place in the audit log on.
func audited(t testing.TB, from int64) []request {
	t.Helper()
	file, err := os.Open(env.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, from, math.MaxInt64-from))
	if err != nil {
		t.Fatal(err)
	}
	var all []request
	for line := range strings.Lines(string(text)) {
		var r request
		if json.Unmarshal([]byte(line), &r) == nil && r.User.Username == account {
			all = append(all, r)
		}
	}
	return all
}

// auditedSoFar is where the audit log ends.
func auditedSoFar(t testing.TB) int64 {
	t.Helper()
	info, err := os.Stat(env.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// stopped ends the controller, and wants it to let its lease go.
func (w *world) stopped() {
	w.Helper()
	if err := w.process.Process.Signal(syscall.SIGTERM); err != nil {
		w.Fatal(err)
	}
	select {
	case <-w.ended:
		if code := w.process.ProcessState.ExitCode(); code != 0 {
			w.Errorf("the controller ended with code %d", code)
		}
	case <-time.After(30 * time.Second):
		w.Error("the controller does not end")
	}
	if holder := w.admin.Kubectl(w, "-n", system, "get", "lease", "plumbline", "-o", "jsonpath={.spec.holderIdentity}"); holder != "" {
		w.Errorf("%s still holds the lease", holder)
	}
}

// writes wants the audit log to have no write of the controller's but to its Baselines'
// status, its Findings, its lease and Events, and nothing that was refused.
func (w *world) writes() {
	w.Helper()
	all := w.requests()
	if len(all) == 0 {
		w.Error("the audit log has no request of the controller's")
	}
	for _, entry := range all {
		if entry.ResponseStatus.Code == http.StatusForbidden {
			w.Errorf("refused: %s %s", entry.Verb, entry.RequestURI)
		}
		switch at := entry.ObjectRef.Resource + "/" + entry.ObjectRef.Subresource; {
		case entry.Verb == "get", entry.Verb == "list", entry.Verb == "watch":
		case at == "baselines/status" && entry.Verb == "patch", at == "findings/", at == "leases/" && entry.Verb != "delete", at == "events/" && entry.Verb != "delete":
		default:
			w.Errorf("wrote: %s %s", entry.Verb, entry.RequestURI)
		}
	}
}

// TestRefused wants the API server itself to refuse what no Baseline can be.
func TestRefused(t *testing.T) {
	w := prepare(t)
	for spec, why := range map[string]string{
		"{git: {ref: main}}": "spec.git.url: Required value",
		"{git: {url: 'https://me:secret@git.example.com/a.git'}}":              "holds a password",
		"{git: {url: 'https://git.example.com/a.git', path: ../b}}":            "leaves the repository",
		"{git: {url: 'https://git.example.com/a.git', interval: 1s}}":          "is too short",
		"{git: {url: 'https://git.example.com/a.git'}, prune: true}":           "write Revert or Sync",
		"{git: {url: 'https://git.example.com/a.git'}, mode: Undo}":            "supported values",
		"{git: {url: 'https://git.example.com/a.git'}, ignore: [{reason: x}]}": "has neither paths, managers nor when",
	} {
		_, err := w.admin.Try("apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: refused, namespace: "+system+"}\nspec: "+spec+"\n", "apply", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", spec, err, why)
		}
	}
}
