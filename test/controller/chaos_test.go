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
	"strings"
	"sync/atomic"
	"testing"

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
// commits while the controller is killed, the API server and the repository go away, and
// connections are cut.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("chaos: %d rounds of %d edits, seed %d", *chaosRounds, *chaosEdits, seed)
	c := &chaos{world: prepare(t), random: rand.New(rand.NewPCG(seed, 0)), files: map[string]string{}}
	c.admin.Kubectl(t, "create", "namespace", "chaos")
	c.before = c.between()
	for i := range 12 {
		c.files[fmt.Sprintf("f%d.yaml", i)] = c.object(i, "0")
	}
	c.deploy(c.files)
	c.kube = c.before.kubeconfig(t)
	c.start()
	spec := "  git: {url: " + c.server.Repo() + ", interval: 10s}\n  scope: {namespaces: [chaos]}\n  deployer: {managers: [ci-deploy]}\n"
	c.apply(spec)
	c.until("True Compared", "False InSync")
	for round := range *chaosRounds {
		c.round()
		c.agree(round, spec)
	}
	c.stopped()
	c.writes()
}

// chaos is a world in which things go wrong.
type chaos struct {
	*world
	random *rand.Rand
	files  map[string]string
	before *middleman
}

func (c *chaos) object(i int, value string) string {
	if i%3 == 0 {
		return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: n%d, namespace: chaos}\nspec: {replicas: 0, selector: {matchLabels: {app: n%d}}, template: {metadata: {labels: {app: n%d}}, spec: {containers: [{name: web, image: \"example.com/web:%s\"}]}}}\n", i, i, i, value)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: n%d, namespace: chaos}\ndata: {key: %q}\n", i, value)
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
	c.before.down.Store(false)
	c.down.Store(false)
	if !c.runs() {
		c.start()
	}
}

// fail has something go wrong, or be well again.
func (c *chaos) fail() {
	c.Helper()
	switch c.random.IntN(6) {
	case 0:
		c.kill()
		c.start()
	case 1:
		c.before.down.Store(true)
		c.before.CloseClientConnections()
	case 2:
		c.before.CloseClientConnections()
	case 3:
		c.down.Store(true)
	default:
		c.before.down.Store(false)
		c.down.Store(false)
	}
}

// edit is a person's, the deployer's or a commit.
func (c *chaos) edit() {
	c.Helper()
	i, value := c.random.IntN(12), fmt.Sprint(c.random.IntN(5))
	kind := "configmap"
	if i%3 == 0 {
		kind = "deployment"
	}
	name := fmt.Sprintf("n%d", i)
	try := func(stdin string, args ...string) { _, _ = c.admin.Try(stdin, args...) } // what is not there cannot be edited
	switch c.random.IntN(8) {
	case 0:
		try("", "-n", "chaos", "label", "--overwrite", kind, name, "by=hand"+value, "--field-manager=kubectl-label")
	case 1:
		try("", "-n", "chaos", "label", kind, name, "by-", "--field-manager=kubectl-label")
	case 2:
		try("", "-n", "chaos", "delete", kind, name)
	case 3:
		try("", "-n", "chaos", "create", "configmap", "rogue-"+value)
	case 4:
		try("", "-n", "chaos", "delete", "configmap", "rogue-"+value)
	case 5, 6:
		try(c.files[fmt.Sprintf("f%d.yaml", i)], "apply", "--server-side", "--force-conflicts", "--field-manager=ci-deploy", "-f", "-")
	default:
		c.files[fmt.Sprintf("f%d.yaml", i)] = c.object(i, value)
		c.repo.Commit(gitsourcetest.Commit{Files: maps.Clone(c.files)})
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
		return slices.Equal(want, got) && slices.Equal(want, held)
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
// the next may tell again.
func (c *chaos) told() []string {
	open, again := map[string]int{}, map[string]bool{}
	for line := range strings.Lines(c.log.String()) {
		var entry struct{ Msg, Rule, Fingerprint string }
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		f := entry.Rule + " " + entry.Fingerprint
		switch entry.Msg {
		case begun:
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
