package controller

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/test/testenv"
)

// beside runs another controller over the same Baselines, with more flags.
func (w *world) beside(flags ...string) *world {
	w.Helper()
	other := &world{TB: w.TB, admin: w.admin, repo: w.repo, server: w.server, kube: w.kube, flags: flags, since: w.since}
	other.start()
	if !testenv.Poll(within, func() bool { return other.listens(other.metrics) && other.listens(other.probes) }) {
		w.Fatal("the controller does not begin")
	}
	return other
}

// listens tells whether the controller takes connections at an address.
func (w *world) listens(address string) bool {
	w.Helper()
	var d net.Dialer
	connection, err := d.DialContext(w.Context(), "tcp", address)
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

// answers returns the code that a probe is answered with, 0 for no answer.
func (w *world) answers(probe string) int {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.probes+probe, nil)
	if err != nil {
		w.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// acts tells whether the controller holds the lease.
func (w *world) acts() bool {
	w.Helper()
	return strings.Contains(w.scrape(), "leader_election_master_status{name=\"plumbline\"} 1")
}

// isReady waits for a controller to be.
func (w *world) isReady() {
	w.Helper()
	if !testenv.Poll(within, func() bool { return w.answers("/readyz") == http.StatusOK }) {
		w.Fatal("the controller does not become ready")
	}
}

// TestTakeover wants one of two controllers to act, the other one to do so within seconds
// of an orderly end of the first, and within the lease's time of a crash, and neither to say
// or write again what was said.
func TestTakeover(t *testing.T) {
	first := install(t)
	first.admin.Kubectl(t, "create", "namespace", "takeover")
	inNamespace := func(value string) string {
		return strings.Replace(configMap("a", value), "namespace: shop", "namespace: takeover", 1)
	}
	first.deploy(map[string]string{"a.yaml": inNamespace("1")})
	first.apply("  git: {url: " + first.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [takeover], kinds: [ConfigMap]}\n  deployer: {managers: [ci-deploy]}\n")
	first.until("True Compared", "False InSync")
	first.admin.Kubectl(t, "-n", "takeover", "create", "configmap", "rogue")
	const rogue = "rogue/object ConfigMap takeover/rogue"
	held := first.untilFindings(rogue)[rogue]
	second := first.beside()
	second.isReady()
	if !first.acts() || second.acts() {
		t.Fatalf("the first acts: %t, the second: %t", first.acts(), second.acts())
	}
	if m := second.scrape(); strings.Contains(m, `baseline="shop"`) || !strings.Contains(m, "plumbline_build_info{") {
		t.Errorf("one that stands by tells\n%s", m)
	}

	for _, end := range []struct {
		how    string
		signal syscall.Signal
		within time.Duration
	}{
		{"an orderly end", syscall.SIGTERM, 8 * time.Second},
		{"a crash", syscall.SIGKILL, 25 * time.Second}, // 15 s of lease, asked for every 2 s and a bit
	} {
		third := second.beside()
		third.isReady()
		begun := time.Now()
		if err := first.process.Process.Signal(end.signal); err != nil {
			t.Fatal(err)
		}
		first.admin.Kubectl(t, "-n", "takeover", "patch", "configmap", "a", "--field-manager=kubectl-edit", "-p", fmt.Sprintf(`{"data":{"more":%q}}`, end.how))
		var acting, standing *world
		if !testenv.Poll(end.within, func() bool {
			switch told := `"rule":"drift/added"`; {
			case strings.Contains(second.log.String(), told):
				acting, standing = second, third
			case strings.Contains(third.log.String(), told):
				acting, standing = third, second
			}
			return acting != nil
		}) {
			t.Fatalf("after %s nobody takes over within %s", end.how, end.within)
		}
		t.Logf("after %s another one tells what has changed %s later", end.how, time.Since(begun).Round(100*time.Millisecond))
		if !acting.acts() || standing.acts() {
			t.Errorf("after %s: the one that tells acts: %t, the other: %t", end.how, acting.acts(), standing.acts())
		}
		if strings.Contains(acting.log.String(), `"rule":"rogue/object"`) {
			t.Errorf("after %s it is said again what the first has said", end.how)
		}
		if f := first.findings()[rogue]; f.ResourceVersion != held.ResourceVersion {
			t.Errorf("after %s the finding was\n%+v\nand is\n%+v", end.how, held, f)
		}
		first.admin.Kubectl(t, "-n", "takeover", "patch", "configmap", "a", "--field-manager=kubectl-edit", "-p", `{"data":{"more":null}}`)
		if !testenv.Poll(within, func() bool { return strings.Contains(acting.log.String(), `"msg":"finding resolved"`) }) {
			t.Fatalf("after %s it is not told that the edit has gone", end.how)
		}
		first, second = acting, standing
	}
	second.kill() // lest it takes the lease that the first lets go
	first.stopped()
}

// TestRelay wants a push that reaches a controller that stands by to be taken as if it had
// reached the one that acts, but for one that nobody signed, and none to go in circles.
func TestRelay(t *testing.T) {
	w := prepare(t)
	w.flags = []string{"--webhook-host", "127.0.0.1"}
	w.start()
	w.admin.Kubectl(t, "create", "namespace", "relayed")
	inNamespace := func(value string) map[string]string {
		return map[string]string{"a.yaml": strings.Replace(configMap("a", value), "namespace: shop", "namespace: relayed", 1)}
	}
	w.deploy(inNamespace("1"))
	w.admin.Kubectl(t, "-n", system, "create", "secret", "generic", "relayed", "--from-literal=webhook=shared")
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10h, secretRef: {name: relayed}}\n  scope: {namespaces: [relayed], kinds: [ConfigMap]}\n  deployer: {managers: [ci-deploy]}\n")
	w.until("True Compared", "False InSync")
	standby := w.beside("--webhook-host", "127.0.0.1")
	standby.isReady()
	commit := w.repo.Commit(gitsourcetest.Commit{Files: inNamespace("2")})
	for _, push := range []struct {
		baseline, what string
		code           int
	}{
		{"shop", "push", http.StatusAccepted}, {"shop", "push", http.StatusConflict}, {"none", "push", http.StatusUnauthorized},
	} {
		if code := standby.pushes(push.baseline, push.what); code != push.code {
			t.Errorf("%q about %s is answered with %d, want %d", push.what, push.baseline, code, push.code)
		}
	}
	if !testenv.Poll(within, func() bool { return w.get().Status.Commit == commit }) {
		t.Errorf("the commit is not looked at: %+v", w.get())
	}

	// Where the lease names the wrong one, or none, it is said so, and nothing goes in circles.
	w.kill()
	w.admin.Kubectl(t, "-n", system, "label", "--overwrite", "lease", "plumbline", "plumbline.dev/webhook-port="+standby.hooks[strings.LastIndex(standby.hooks, ":")+1:])
	if code := standby.pushes("shop", "another"); code != http.StatusServiceUnavailable {
		t.Errorf("a push that nobody can take is answered with %d", code)
	}
	if !testenv.Poll(within, func() bool { return standby.pushes("shop", "at last") == http.StatusAccepted }) {
		t.Error("the one that takes over takes no pushes")
	}
	standby.stopped()
}

// TestReadiness wants a controller that has not read the Baselines not to say that it is
// ready, but alive.
func TestReadiness(t *testing.T) {
	w := prepare(t)
	var open atomic.Bool
	server, err := env.User(t, account, "system:serviceaccounts", "system:serviceaccounts:"+system, "system:authenticated").Proxy(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/baselines") && !open.Load() {
				http.Error(answer, "not yet", http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(answer, r)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	w.kube = (&middleman{Server: server}).kubeconfig(t)
	w.start()
	if !testenv.Poll(within, func() bool { return w.answers("/healthz") == http.StatusOK }) {
		t.Fatal("the controller does not live")
	}
	for range 5 {
		if code := w.answers("/readyz"); code == http.StatusOK {
			t.Fatal("the controller is ready without having read the Baselines")
		}
		<-time.After(200 * time.Millisecond)
	}
	open.Store(true)
	w.isReady()
	w.stopped()
}

// TestShards wants two controllers to share out the Baselines by a label, a third Baseline
// of neither to be left alone, and one that moves to be let go and taken over, without its
// findings being told again.
func TestShards(t *testing.T) {
	w := prepare(t)
	a := "shard=a"
	w.permit(a, "shard=b")
	w.admin.Kubectl(t, "create", "namespace", "shards")
	inNamespace := strings.Replace(configMap("a", "1"), "namespace: shop", "namespace: shards", 1)
	w.deploy(map[string]string{"a.yaml": inNamespace})
	w.admin.Kubectl(t, "-n", "shards", "create", "configmap", "rogue")
	w.admin.Kubectl(t, "-n", system, "create", "secret", "generic", "shards", "--from-literal=webhook=shared")
	for _, shard := range []string{"a", "b", "c"} {
		w.admin.KubectlIn(t, fmt.Sprintf(`apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: of-%s, namespace: %s, labels: {shard: %s}}
spec:
  git: {url: %s, interval: 10h, secretRef: {name: shards}}
  scope: {namespaces: [shards], kinds: [ConfigMap]}
  deployer: {managers: [ci-deploy]}
`, shard, system, shard, w.server.Repo()), "apply", "-f", "-")
	}
	left := w.beside("--selector", a)
	right := w.beside("--selector", "shard = b")
	looksAt := func(who *world, name string) bool {
		return strings.Contains(who.scrape(), `plumbline_findings{baseline="`+name+`",namespace="`+system+`",rule="rogue/object"`)
	}
	if !testenv.Poll(within, func() bool { return looksAt(left, "of-a") && looksAt(right, "of-b") }) {
		t.Fatal("not both look at theirs")
	}
	for _, who := range []*world{left, right} {
		if strings.Contains(who.scrape(), `baseline="of-c"`) {
			t.Error("a Baseline of neither is looked at")
		}
	}
	if n := w.watches("configmaps", "shards"); n != 2 {
		t.Errorf("%d watches are open, want one of each controller's", n)
	}
	if left.pushes("of-a", "push") != http.StatusAccepted || left.pushes("of-b", "push") != http.StatusUnauthorized {
		t.Error("pushes are not taken for the own Baselines alone")
	}

	w.admin.Kubectl(t, "-n", system, "label", "--overwrite", "baseline", "of-a", "shard=b")
	if !testenv.Poll(within, func() bool { return !strings.Contains(left.scrape(), `baseline="of-a"`) && looksAt(right, "of-a") }) {
		t.Fatal("the Baseline that moves is not handed over")
	}
	for _, line := range []string{`"msg":"finding"`, `"msg":"finding resolved"`} {
		if of := told(right, "of-a", line); of != 0 {
			t.Errorf("%d times it is said again: %s", of, line)
		}
	}
	if !testenv.Poll(within, func() bool { return w.watches("configmaps", "shards") == 1 }) {
		t.Errorf("%d watches are open, want one for both Baselines", w.watches("configmaps", "shards"))
	}
	w.admin.Kubectl(t, "-n", "shards", "create", "configmap", "another")
	if !testenv.Poll(within, func() bool { return told(right, "of-a", `"msg":"finding"`) == 1 }) {
		t.Error("the one that took it over tells nothing new")
	}
	if told(left, "of-a", `"msg":"finding"`) != 1 {
		t.Error("the one that let it go goes on telling")
	}
}

// told counts the lines of a controller's log about a Baseline that have a text.
func told(by *world, baseline, text string) int {
	n := 0
	for line := range strings.Lines(by.log.String()) {
		if strings.Contains(line, text) && strings.Contains(line, `"baseline":"`+baseline+`"`) {
			n++
		}
	}
	return n
}

// leaseOf is what the lease of a selector's controllers is called.
func leaseOf(selector string) string {
	return fmt.Sprintf("plumbline-%x", sha256.Sum256([]byte(selector)))[:len("plumbline-")+8]
}

// permit lets controllers of these selectors elect their leaders, as docs/operations.md
// says.
func (w *world) permit(selectors ...string) {
	w.Helper()
	var names []string
	for _, s := range selectors {
		names = append(names, fmt.Sprintf("%q", leaseOf(s)))
	}
	w.admin.Kubectl(w, "-n", system, "patch", "role", "plumbline-lease", "--type=json", "-p",
		fmt.Sprintf(`[{"op":"replace","path":"/rules/1/resourceNames","value":[%s]}]`, strings.Join(names, ",")))
}

// pushes sends what a forge does about a Baseline, and returns the answer's code.
func (w *world) pushes(baseline, what string) int {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, "http://"+w.hooks+"/hooks/"+system+"/"+baseline, strings.NewReader(what))
	if err != nil {
		w.Fatal(err)
	}
	request.Header.Set("X-Gitlab-Token", "shared")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// watches counts the watches of a namespace that controllers have open.
func (w *world) watches(resource, namespace string) int {
	w.Helper()
	open := map[string]bool{}
	for _, r := range w.requests() {
		if r.Verb == "watch" && r.ObjectRef.Resource == resource && r.ObjectRef.Namespace == namespace {
			open[r.AuditID] = r.Stage == "ResponseStarted"
		}
	}
	n := 0
	for _, is := range open {
		if is {
			n++
		}
	}
	return n
}
