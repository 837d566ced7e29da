package controller

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/test/testenv"
)

var (
	chaosRounds = flag.Int("rounds", 3, "rounds of chaos")
	chaosEdits  = flag.Int("chaos", 40, "edits in each round of chaos")
	chaosSeed   = flag.Uint64("seed", 0, "of the chaos; 0 takes a fresh one")
)

// middleman stands between the controller and the API server.
type middleman struct {
	*httptest.Server
	down atomic.Bool // it answers nobody
}

func (w *world) between() *middleman {
	w.Helper()
	m := &middleman{}
	server, err := env.User(w, account, "system:serviceaccounts", "system:serviceaccounts:"+system, "system:authenticated").Proxy(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			if m.down.Load() {
				http.Error(answer, "down for maintenance", http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(answer, r)
		})
	})
	if err != nil {
		w.Fatal(err)
	}
	m.Server = server
	w.Cleanup(func() { m.CloseClientConnections(); m.Close() })
	return m
}

// kubeconfig is one by which the controller reaches the middleman.
func (m *middleman) kubeconfig(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
 clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}], users: [{name: u, user: {}}]}`, m.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestChaos wants the findings to be those of a fresh comparison, after random edits and
// commits while one of two controllers is killed or cut off, the API server, etcd and the
// repository go away or stand still, history is rewritten, and connections are cut.
func TestChaos(t *testing.T) {
	c := newChaos(t, prepare(t), "chaos")
	spec := "  git: {url: " + c.server.Repo() + ", interval: 10s}\n  scope: {namespaces: [chaos]}\n  deployer: {managers: [ci-deploy]}\n"
	c.apply(spec)
	c.until("True Compared", "False InSync")
	for round := range *chaosRounds {
		c.round()
		c.agree(round, spec)
	}
	acting, standing := c.both[0], c.both[1]
	if !acting.acts() {
		acting, standing = standing, acting
	}
	standing.kill() // lest it takes the lease that the other lets go
	acting.stopped()
	c.writes()
}

// TestChaosInSync wants the cluster to be what git says after the same, in mode Sync, and
// what a controller has written to be there still.
func TestChaosInSync(t *testing.T) {
	w := reverts(t, "synced", "revert", "prune")
	w.kill()
	c := newChaos(t, w, "synced")
	c.syncs = true
	spec := "  git: {url: " + c.server.Repo() + ", interval: 10s}\n  scope: {namespaces: [synced]}\n  deployer: {managers: [ci-deploy]}\n"
	c.apply(spec + "  mode: Sync\n  prune: true\n  writesPerMinute: 6000\n")
	c.until("True Compared", "False InSync")
	for round := range *chaosRounds {
		c.round()
		c.agree(round, spec)
		for i, want := range c.marks {
			kind, name := c.which(i)
			if got := c.admin.Kubectl(t, "-n", c.namespace, "get", kind, name, "-o", `jsonpath={.metadata.annotations.injected}`); got != want {
				t.Errorf("round %d: the controller's mark on %s is %q, want %q", round, name, got, want)
			}
		}
	}
}

// newChaos deploys what is tampered with later.
func newChaos(t *testing.T, w *world, namespace string) *chaos {
	t.Helper()
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("chaos: %d rounds of %d edits, seed %d", *chaosRounds, *chaosEdits, seed)
	c := &chaos{world: w, namespace: namespace, random: rand.New(rand.NewPCG(seed, 0)), files: map[string]string{}, marks: map[int]string{}, deleted: map[int]int{}}
	_, _ = c.admin.Try("", "create", "namespace", namespace) // which may be there
	for i := range 12 {
		c.files[fmt.Sprintf("f%d.yaml", i)] = c.object(i, "0")
	}
	c.deploy(c.files)
	c.commits = []string{c.repo.Commit(gitsourcetest.Commit{Files: maps.Clone(c.files)})}
	c.log = &syncBuffer{}
	for i := range c.both {
		m := c.between()
		c.both[i] = &replica{world: &world{TB: t, admin: c.admin, repo: c.repo, server: c.server, log: c.log, kube: m.kubeconfig(t), since: c.since}, before: m}
		c.both[i].start()
	}
	return c
}

// replica is one of two controllers, of which one acts.
type replica struct {
	*world
	before *middleman
}

// cutOff has the API server be out of its reach.
func (r *replica) cutOff() {
	r.before.down.Store(true)
	r.before.CloseClientConnections()
}

// chaos is a world in which things go wrong.
type chaos struct {
	*world
	namespace string
	random    *rand.Rand
	files     map[string]string
	commits   []string
	both      [2]*replica
	edits     int
	// syncs tells that what is edited is put back: no field is edited so often that it would
	// be a fight.
	syncs   bool
	marks   map[int]string // that a controller has left, by object
	deleted map[int]int    // how often
}

func (c *chaos) object(i int, value string) string {
	if i%3 == 0 {
		return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: n%d, namespace: %s}\nspec: {replicas: 0, selector: {matchLabels: {app: n%d}}, template: {metadata: {labels: {app: n%d}}, spec: {containers: [{name: web, image: \"example.com/web:%s\"}]}}}\n", i, c.namespace, i, i, value)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: n%d, namespace: %s}\ndata: {key: %q}\n", i, c.namespace, value)
}

// round edits at random, and has something go wrong meanwhile.
func (c *chaos) round() {
	c.Helper()
	for i := range *chaosEdits {
		if i%10 == 3 {
			c.fail()
		}
		c.edit()
	}
	c.mend()
}

// mend has all be well again.
func (c *chaos) mend() {
	c.Helper()
	c.down.Store(false)
	c.slow.Store(false)
	for _, r := range c.both {
		r.before.down.Store(false)
		if !r.runs() {
			r.start()
		}
	}
}

// which is the kind and the name of an object.
func (c *chaos) which(i int) (kind, name string) {
	if i%3 == 0 {
		return "deployment", fmt.Sprintf("n%d", i)
	}
	return "configmap", fmt.Sprintf("n%d", i)
}

// fail has something go wrong, or be well again.
func (c *chaos) fail() {
	c.Helper()
	one := c.both[c.random.IntN(2)]
	switch c.random.IntN(10) {
	case 0:
		one.kill()
		one.start()
	case 1:
		one.cutOff() // the other one has to take over, if it is that one that acts
	case 2:
		for _, r := range c.both {
			r.cutOff()
		}
	case 3:
		one.before.CloseClientConnections()
	case 4:
		c.down.Store(true)
	case 5:
		c.slow.Store(true)
	case 6:
		c.pause("etcd")
	case 7:
		c.pause("kube-apiserver")
	default:
		c.mend()
	}
}

// pause stops a component of the control plane for a while.
func (c *chaos) pause(component string) {
	c.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,args=").Output()
	if err != nil {
		c.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[1] != component || !strings.Contains(line, env.Dir) {
			continue
		}
		pid, err := strconv.Atoi(words[0])
		if err != nil {
			c.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			c.Fatal(err)
		}
		<-time.After(time.Duration(c.random.IntN(3000)) * time.Millisecond)
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			c.Fatal(err)
		}
		return
	}
	c.Fatalf("%s does not run", component)
}

// edit is a person's, the deployer's, a controller's or a commit.
func (c *chaos) edit() {
	c.Helper()
	c.edits++
	i, value := c.random.IntN(12), fmt.Sprint(c.random.IntN(5))
	label := "by"
	if c.syncs {
		label, value = fmt.Sprintf("by-%d", c.edits), fmt.Sprint(c.edits)
	}
	kind, name := c.which(i)
	try := func(stdin string, args ...string) bool {
		_, err := c.admin.Try(stdin, args...)
		return err == nil // what is not there cannot be edited
	}
	file := fmt.Sprintf("f%d.yaml", i)
	switch c.random.IntN(10) {
	case 0:
		try("", "-n", c.namespace, "label", "--overwrite", kind, name, label+"=hand"+value, "--field-manager=kubectl-label")
	case 1:
		try("", "-n", c.namespace, "label", kind, name, label+"-", "--field-manager=kubectl-label")
	case 2:
		if c.syncs && c.deleted[i] == 2 {
			return
		}
		if try("", "-n", c.namespace, "delete", kind, name) {
			delete(c.marks, i)
			c.deleted[i]++
		}
	case 3:
		try("", "-n", c.namespace, "create", "configmap", "rogue-"+value)
	case 4:
		try("", "-n", c.namespace, "delete", "configmap", "rogue-"+value)
	case 5, 6:
		try(c.files[file], "apply", "--server-side", "--force-conflicts", "--field-manager=ci-deploy", "-f", "-")
	case 7:
		if try("", "-n", c.namespace, "annotate", "--overwrite", kind, name, "injected="+value, "--field-manager=cert-manager-cainjector") {
			c.marks[i] = value
		}
	case 8: // history is rewritten
		c.repo.SetRef("refs/heads/main", c.commits[max(0, len(c.commits)-2)])
		fallthrough
	default:
		c.files[file] = c.object(i, value)
		c.commits = append(c.commits, c.repo.Commit(gitsourcetest.Commit{Files: maps.Clone(c.files)}))
	}
}

// agree wants what the controller has told, and what the cluster holds, to be what a fresh
// comparison finds.
func (c *chaos) agree(round int, spec string) {
	c.Helper()
	file := filepath.Join(c.TempDir(), "baseline.yaml")
	text := "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: shop}\nspec:\n" + spec
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
	var want, got, held []string
	if !testenv.Poll(within, func() bool {
		want, got, held = c.fresh(file), c.told(), c.held()
		return slices.Equal(want, got) && slices.Equal(want, held) && (!c.syncs || len(want) == 0)
	}) {
		c.Fatalf("round %d: a fresh comparison finds\n  %s\nthe controller\n  %s\nand the cluster holds\n  %s", round, strings.Join(want, "\n  "), strings.Join(got, "\n  "), strings.Join(held, "\n  "))
	}
	c.Logf("round %d: %d findings, as of a fresh comparison", round, len(want))
}

// fresh are the findings of the command line, sorted.
func (c *chaos) fresh(baseline string) []string {
	c.Helper()
	program := exec.Command(plumbline, "diff", "-f", baseline, "-o", "json")
	program.Env = append(os.Environ(), "KUBECONFIG="+c.admin.Kubeconfig)
	out, err := program.Output()
	var report struct {
		Findings []struct {
			Fingerprint, Rule string
			Object            json.RawMessage
		}
		Unknown []json.RawMessage
	}
	if json.Unmarshal(out, &report) != nil || len(report.Unknown) > 0 {
		c.Fatalf("a fresh comparison: %v: %s", err, out)
	}
	var all []string
	for _, f := range report.Findings {
		all = append(all, f.Rule+" "+f.Fingerprint)
	}
	slices.Sort(all)
	return all
}

// told are the findings that controllers have told and not taken back, sorted; one that a
// controller told twice is there twice. What the last one told just before it was killed
// or cut off the next may tell again.
func (c *chaos) told() []string {
	open, again := map[string]int{}, map[string]bool{}
	for line := range strings.Lines(c.log.String()) {
		var entry struct{ Msg, Rule, Fingerprint, Controller string }
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		f := entry.Rule + " " + entry.Fingerprint
		switch entry.Msg {
		case "Starting workers": // by the one that acts from now on
			if entry.Controller != "plumbline" {
				continue
			}
			clear(again)
			for f := range open {
				again[f] = true
			}
			continue
		case "finding":
			if !again[f] || open[f] == 0 {
				open[f]++
			}
		case "finding resolved":
			if !again[f] || open[f] > 0 {
				open[f]--
			}
		}
		delete(again, f)
	}
	var all []string
	for f, n := range open {
		for range n {
			all = append(all, f)
		}
	}
	slices.Sort(all)
	return all
}

// held are the findings that the cluster holds, sorted.
func (c *chaos) held() []string {
	var all []string
	for _, f := range c.findings() {
		all = append(all, f.Rule+" "+f.Fingerprint)
	}
	slices.Sort(all)
	return all
}
