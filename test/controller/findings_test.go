package controller

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/test/testenv"
)

// findings are the Findings beside the Baseline, by rule and object: "drift/added
// ConfigMap shop/a".
func (w *world) findings() map[string]v1alpha1.Finding {
	w.Helper()
	var list v1alpha1.FindingList
	if err := json.Unmarshal([]byte(w.admin.Kubectl(w, "-n", system, "get", "findings", "-o", "json")), &list); err != nil {
		w.Fatal(err)
	}
	all := map[string]v1alpha1.Finding{}
	for _, f := range list.Items {
		all[f.Rule+" "+f.About] = f
	}
	if len(all) != len(list.Items) {
		w.Fatalf("%d findings are about %d things", len(list.Items), len(all))
	}
	return all
}

// untilFindings waits for exactly these Findings, and returns them.
func (w *world) untilFindings(want ...string) map[string]v1alpha1.Finding {
	w.Helper()
	slices.Sort(want)
	var all map[string]v1alpha1.Finding
	var got []string
	if !testenv.Poll(within, func() bool {
		all, got = w.findings(), nil
		for name := range all {
			got = append(got, name)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	}) {
		w.Fatalf("the findings are %q, want %q", got, want)
	}
	return all
}

// saidOf counts what the log says of findings: "finding ConfigMap shop/a".
func (w *world) saidOf() map[string]int {
	all := map[string]int{}
	for line := range strings.Lines(w.log.String()) {
		var entry struct{ Msg, Object string }
		if json.Unmarshal([]byte(line), &entry) == nil && strings.HasPrefix(entry.Msg, "finding") {
			all[entry.Msg+" "+entry.Object]++
		}
	}
	return all
}

// lastTold is when the log last told of a finding.
func (w *world) lastTold() time.Time {
	var last time.Time
	for line := range strings.Lines(w.log.String()) {
		var entry struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "finding" {
			last = entry.Time
		}
	}
	return last
}

const foundSecret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: found}\nstringData: {password: declared-and-secret}\n"

// TestFindings wants the cluster to hold what is found, from when it is until it is gone,
// whoever else writes there and whatever becomes of the process.
func TestFindings(t *testing.T) {
	w := install(t)
	w.admin.Kubectl(t, "create", "namespace", "found")
	t.Cleanup(func() { w.admin.Kubectl(t, "delete", "namespace", "found") })
	in := func(name, value string) string {
		return strings.Replace(configMap(name, value), "namespace: shop", "namespace: found", 1)
	}
	patch := func(what, name, text string) {
		w.admin.Kubectl(t, "-n", "found", "patch", what, name, "--field-manager=kubectl-edit", "-p", text)
	}
	commit := w.deploy(map[string]string{"a.yaml": in("a", "1"), "b.yaml": in("b", "1"), "s.yaml": foundSecret})
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [found, " + system + "], kinds: [ConfigMap, Finding.plumbline.dev]}\n  deployer: {managers: [ci-deploy]}\n")
	w.until("True Compared", "False InSync")
	w.untilFindings()

	// What is found has all that is known of it, and nothing secret.
	const modified, masked, rogue = "drift/modified ConfigMap found/a", "drift/modified Secret found/s", "rogue/object ConfigMap found/rogue"
	patch("configmap", "a", `{"data":{"key":"2"}}`)
	patch("secret", "s", `{"stringData":{"password":"live-and-secret"}}`)
	w.admin.Kubectl(t, "-n", "found", "create", "configmap", "rogue")
	first := w.untilFindings(modified, masked, rogue)
	f := first[modified]
	if len(f.Changes) != 1 {
		t.Fatalf("the finding is %+v", f)
	}
	c := f.Changes[0]
	if c.Path != "data.key" || c.Op != "modified" || string(c.Declared.Raw) != `"1"` || string(c.Live.Raw) != `"2"` || c.Manager != "kubectl-edit" || c.Time.IsZero() {
		t.Errorf("the change is %+v", c)
	}
	if f.Name != "shop-"+f.Fingerprint || f.Labels["plumbline.dev/baseline"] != "shop" || len(f.OwnerReferences) != 1 || f.Severity != "warning" ||
		f.Origin == nil || f.Origin.File != "a.yaml" || f.Commit != commit || time.Since(f.Since.Time) > time.Minute {
		t.Errorf("the finding is %+v", f)
	}
	text := w.admin.Kubectl(t, "-n", system, "get", "findings", "-o", "json") + w.log.String()
	for _, secret := range []string{"declared-and-secret", "live-and-secret", "ZGVjbGFyZWQtYW5kLXNlY3JldA==", "bGl2ZS1hbmQtc2VjcmV0"} {
		if strings.Contains(text, secret) {
			t.Errorf("a Secret's value is told: %s", secret)
		}
	}
	if table := w.admin.Kubectl(t, "-n", system, "get", "finding", f.Name); !strings.Contains(table, "SEVERITY") || !strings.Contains(table, "ConfigMap found/a") || !strings.Contains(table, "drift/modified") {
		t.Errorf("kubectl get prints\n%s", table)
	}

	// Another value is the same finding; what people do to it is undone, but for metadata.
	<-time.After(time.Second)
	patch("configmap", "a", `{"data":{"key":"3"}}`)
	w.admin.Kubectl(t, "-n", system, "label", "finding", f.Name, "ticket=4711")
	w.admin.Kubectl(t, "-n", system, "patch", "finding", first[rogue].Name, "--type=merge", "-p", `{"severity":"info","message":"nothing to see here","changes":[{"path":"x","op":"added"}]}`)
	w.admin.Kubectl(t, "-n", system, "delete", "finding", first[masked].Name)
	var now map[string]v1alpha1.Finding
	if !testenv.Poll(within, func() bool {
		now = w.findings()
		f := now[modified]
		return len(now) == 3 && string(f.Changes[0].Live.Raw) == `"3"` && f.Labels["ticket"] == "4711" &&
			now[rogue].Message == first[rogue].Message && len(now[rogue].Changes) == 0
	}) {
		t.Errorf("the findings are %+v", now)
	}
	if f, was := now[modified], first[modified]; !f.Since.Equal(&was.Since) || !f.Changed.After(f.Since.Time) || f.UID != was.UID {
		t.Errorf("the finding was\n%+v\nand is\n%+v", was, f)
	}

	// A process that is killed tells nothing twice, and what happens meanwhile is told.
	w.kill()
	w.admin.Kubectl(t, "-n", "found", "delete", "configmap", "rogue")
	patch("configmap", "b", `{"data":{"key":"2"}}`)
	w.start()
	const later = "drift/modified ConfigMap found/b"
	after := w.untilFindings(modified, masked, later)
	for _, name := range []string{modified, masked} {
		before := now[name]
		if f := after[name]; !f.Since.Equal(&before.Since) || f.ResourceVersion != before.ResourceVersion {
			t.Errorf("the finding was\n%+v\nand is\n%+v", before, f)
		}
	}
	said := w.saidOf()
	for what, times := range map[string]int{
		"finding ConfigMap found/a": 1, "finding Secret found/s": 1, "finding ConfigMap found/b": 1,
		"finding ConfigMap found/rogue": 1, "finding resolved ConfigMap found/rogue": 1, "finding resolved ConfigMap found/a": 0,
	} {
		if said[what] != times {
			t.Errorf("%q is told %d times, want %d", what, said[what], times)
		}
	}

	// Nothing is written while nothing changes, also by a whole look.
	before := w.wrote("findings")
	w.look()
	if again := w.wrote("findings"); again != before {
		t.Errorf("%d writes for nothing", again-before)
	}

	// What is undone is gone, and all goes with the Baseline.
	for _, name := range []string{"a", "b"} {
		w.admin.KubectlIn(t, in(name, "1"), "apply", "--server-side", "--force-conflicts", "--field-manager=ci-deploy", "-f", "-")
	}
	w.untilFindings(masked)
	w.admin.Kubectl(t, "-n", system, "delete", "baseline", "shop")
	w.untilFindings()
	w.stopped()
	w.writes()
}

// wrote counts the controller's writes of a kind.
func (w *world) wrote(resource string) int {
	n := 0
	for _, r := range w.requests() {
		if r.ObjectRef.Resource == resource && r.Verb != "get" && r.Verb != "list" && r.Verb != "watch" {
			n++
		}
	}
	return n
}

const storm = 1000

// TestStorm wants thousands of findings at once to be told and held, also where the process
// is killed or ended meanwhile, and to hold up no others. What is told when a process is
// ended is not told again.
func TestStorm(t *testing.T) {
	w := prepare(t)
	w.admin.Kubectl(t, "create", "namespace", "storm")
	t.Cleanup(func() { w.admin.Kubectl(t, "delete", "namespace", "storm", "--wait=false") })
	w.deploy(map[string]string{"a.yaml": strings.Replace(configMap("a", "1"), "namespace: shop", "namespace: storm", 1)})
	cluster := newClient(t)
	maps := cluster.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("storm")
	work, ctx := errgroup.WithContext(t.Context())
	work.SetLimit(16)
	for i := range storm {
		work.Go(func() error {
			o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": fmt.Sprintf("rogue-%d", i)}}}
			_, err := maps.Create(ctx, o, metav1.CreateOptions{})
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	held := cluster.Resource(schema.GroupVersionResource{Group: "plumbline.dev", Version: "v1alpha1", Resource: "findings"}).Namespace(system)
	count := func() int {
		list, err := held.List(t.Context(), metav1.ListOptions{Limit: 1}) // the others are counted and not read
		if err != nil {
			t.Fatal(err)
		}
		if more := list.GetRemainingItemCount(); more != nil {
			return len(list.Items) + int(*more)
		}
		return len(list.Items)
	}
	wait := func(what string, done func(n int) bool) {
		t.Helper()
		n := 0
		if !testenv.Poll(within, func() bool { n = count(); return done(n) }) {
			t.Fatalf("%s: there are %d findings", what, n)
		}
	}
	w.start()
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [storm]}\n  deployer: {managers: [ci-deploy]}\n")
	wait("before it is killed", func(n int) bool { return n > 0 })
	w.kill()
	before := count()
	w.start()
	wait("after it was killed", func(n int) bool { return n > before })
	w.stopped()
	w.start()
	wait("after it was ended", func(n int) bool { return n == storm })
	complete := time.Now()
	t.Logf("the last of %d findings is held %s after it was told", storm, complete.Sub(w.lastTold()).Round(time.Millisecond))
	told := 0
	for what, n := range w.saidOf() {
		told += n
		if n > 2 {
			t.Errorf("%q is told %d times", what, n)
		}
	}
	if told < storm || told > 2*storm-before {
		t.Errorf("%d findings are told %d times; %d were held when the process was killed", storm, told, before)
	}

	// While thousands are taken back, another is told at once.
	if err := maps.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	w.admin.KubectlIn(t, strings.Replace(configMap("a", "2"), "namespace: shop", "namespace: storm", 1), "apply", "--server-side", "--force-conflicts", "--field-manager=kubectl-edit", "-f", "-")
	edited := time.Now()
	if !testenv.Poll(within, func() bool { return w.saidOf()["finding ConfigMap storm/a"] > 0 }) {
		t.Fatal("an edit is not told")
	}
	t.Logf("an edit was told within %s", time.Since(edited))
	wait("after the end", func(n int) bool { return n == 1 })
	w.stopped()
	w.writes()
}

// TestFindingsRefused wants it to be seen that the cluster does not take Findings, and what
// it did not take to be there once it does.
func TestFindingsRefused(t *testing.T) {
	w := prepare(t)
	// Not the account by whose requests other tests judge, nor with its lease.
	w.kube, w.flags = env.User(t, "unwelcome").Kubeconfig, []string{"--leader-elect=false"}
	w.admin.Kubectl(t, "create", "clusterrole", "unwelcome", "--verb=patch", "--resource=baselines.plumbline.dev/status")
	t.Cleanup(func() { w.admin.Kubectl(t, "delete", "clusterrole", "unwelcome") })
	bind := func(role string) {
		w.admin.Kubectl(t, "create", "clusterrolebinding", "unwelcome-"+role, "--user=unwelcome", "--clusterrole="+role)
		t.Cleanup(func() { w.admin.Kubectl(t, "delete", "clusterrolebinding", "unwelcome-"+role) })
	}
	bind("unwelcome")
	bind("plumbline-reader")
	w.admin.Kubectl(t, "create", "namespace", "refused")
	t.Cleanup(func() { w.admin.Kubectl(t, "delete", "namespace", "refused") })
	w.deploy(map[string]string{"a.yaml": strings.Replace(configMap("a", "1"), "namespace: shop", "namespace: refused", 1)})
	for i := range 20 {
		w.admin.Kubectl(t, "-n", "refused", "create", "configmap", fmt.Sprintf("rogue-%d", i))
	}
	w.start()
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [refused], kinds: [ConfigMap]}\n  deployer: {managers: [ci-deploy]}\n")
	w.until("True Compared", "True Drifted")
	if !testenv.Poll(within, func() bool { return !strings.Contains(w.scrape(), "plumbline_finding_write_failures_total 0") }) {
		t.Errorf("no metric tells of it:\n%s", w.scrape())
	}
	if n := strings.Count(w.log.String(), "findings cannot be written"); n < 1 || n > 5 {
		t.Errorf("the log says it %d times", n)
	}
	if !strings.Contains(w.log.String(), `cannot create resource \"findings\"`) {
		t.Error("the log does not say why")
	}
	bind("plumbline-status")
	if !testenv.Poll(within, func() bool { return len(w.findings()) == 20 }) {
		t.Errorf("%d findings are held", len(w.findings()))
	}
	w.kill()
}
