package controller

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/test/testenv"
)

// expression is one that Prometheus evaluates, as test/monitoring/tools takes it.
type expression struct {
	Name, Expr string
	Shows      bool
	labels     []string // that what it shows must have
}

// scraped is what a target told at a time in seconds.
type scraped struct {
	At     int64
	Target map[string]string
	Text   string
}

func monitoringFile(t *testing.T, name string) string {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "manifests/components/monitoring", name)
}

// promcheck builds Prometheus' parser and engine, which are a module of their own.
func promcheck(t *testing.T) string {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "promcheck")
	if out, err := exec.Command("go", "build", "-C", filepath.Join(root, "test/monitoring/tools"), "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building promcheck: %v\n%s", err, out)
	}
	return binary
}

// TestMonitoring wants Prometheus to take the alert rules, each alert to fire when it
// should, and every metric and label of rules, their tests, and the dashboard to be among
// what real controllers tell: one that acts, one that stands by, and one that may write
// nothing.
func TestMonitoring(t *testing.T) {
	program := promcheck(t)
	rules, tests := monitoringFile(t, "rules.yaml"), monitoringFile(t, "rules_test.yaml")
	if out, err := exec.Command(program, "rules", rules, tests).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	told := scrapes(t)
	documented(t, told)
	expressions := slices.Concat(ofRules(t, rules), ofTests(t, tests), ofDashboard(t, monitoringFile(t, "dashboard.json")))
	text, err := json.Marshal(map[string]any{"Scrapes": told, "Expressions": expressions})
	if err != nil {
		t.Fatal(err)
	}
	evaluate := exec.Command(program, "evaluate")
	evaluate.Stdin, evaluate.Stderr = bytes.NewReader(text), os.Stderr
	out, err := evaluate.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []struct {
		Name             string
		Problems, Labels []string
	}
	if err := json.Unmarshal(out, &results); err != nil || len(results) != len(expressions) {
		t.Fatalf("%d results of %d expressions: %v", len(results), len(expressions), err)
	}
	for i, r := range results {
		for _, p := range r.Problems {
			t.Errorf("%s: %s: %s", r.Name, expressions[i].Expr, p)
		}
		for _, l := range expressions[i].labels {
			if !slices.Contains(r.Labels, l) {
				t.Errorf("%s: %s has no label %s, but %v", r.Name, expressions[i].Expr, l, r.Labels)
			}
		}
	}
	t.Logf("%d expressions were evaluated", len(results))
}

// documented wants docs/operations.md to tell of all our metrics with their labels, and of
// none that there is not; and of each alert.
func documented(t *testing.T, told []scraped) {
	t.Helper()
	text, err := os.ReadFile(monitoringFile(t, "../../../docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	series := regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? `)
	label := regexp.MustCompile(`(\w+)="`)
	there := map[string][]string{}
	for _, s := range told {
		for _, m := range series.FindAllStringSubmatch(s.Text, -1) {
			name := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(m[1], "")
			if there[name] == nil {
				there[name] = []string{}
			}
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				if l[1] != "le" && !slices.Contains(there[name], l[1]) {
					there[name] = append(there[name], l[1])
				}
			}
		}
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z]+_[a-z_]+)` \\|([^|]*)\\|")
	documented := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ' ' || r == ',' || r == '`' })
		slices.Sort(labels)
		slices.Sort(there[m[1]])
		if there[m[1]] == nil || !slices.Equal(labels, there[m[1]]) {
			t.Errorf("docs/operations.md: %s has the labels %v, not %v", m[1], there[m[1]], labels)
		}
	}
	for name := range there {
		if strings.HasPrefix(name, "plumbline_") && !documented[name] {
			t.Errorf("docs/operations.md says nothing of %s", name)
		}
	}
	for _, e := range ofRules(t, monitoringFile(t, "rules.yaml")) {
		if !strings.Contains(string(text), "| `"+e.Name+"` |") {
			t.Errorf("docs/operations.md says nothing of %s", e.Name)
		}
	}
}

// ofRules are the expressions of alerts.
func ofRules(t *testing.T, file string) []expression {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	readYAML(t, file, &rules)
	var all []expression
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			all = append(all, expression{Name: rule.Alert, Expr: rule.Expr})
		}
	}
	return all
}

// ofTests select the series that tests of alerts make up.
func ofTests(t *testing.T, file string) []expression {
	t.Helper()
	var tests struct {
		Tests []struct {
			Name        string
			InputSeries []struct{ Series string } `json:"input_series"`
		}
	}
	readYAML(t, file, &tests)
	value := regexp.MustCompile(`="[^"]*"`)
	var all []expression
	for _, test := range tests.Tests {
		for _, in := range test.InputSeries {
			all = append(all, expression{Name: "test " + test.Name, Expr: value.ReplaceAllString(in.Series, `=~".+"`)})
		}
	}
	return all
}

// ofDashboard are the expressions of panels and variables.
func ofDashboard(t *testing.T, file string) []expression {
	t.Helper()
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	readYAML(t, file, &dashboard)
	fill := strings.NewReplacer("$__rate_interval", "2m", "$namespace", ".*", "$baseline", ".*").Replace
	legend, values := regexp.MustCompile(`{{(\w+)}}`), regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	var all []expression
	for _, v := range dashboard.Templating.List {
		if v.Type != "query" {
			continue
		}
		parts := values.FindStringSubmatch(v.Definition)
		if parts == nil {
			t.Fatalf("variable %s asks %q", v.Name, v.Definition)
		}
		all = append(all, expression{Name: "variable " + v.Name, Expr: fill(parts[1]), Shows: true, labels: parts[2:]})
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			e := expression{Name: "panel " + p.Title, Expr: fill(target.Expr), Shows: true}
			for _, l := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				e.labels = append(e.labels, l[1])
			}
			all = append(all, e)
		}
	}
	return all
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// scrapes are what controllers tell while things happen, as if 15 seconds lay between.
func scrapes(t *testing.T) []scraped {
	t.Helper()
	w := prepare(t)
	w.admin.Kubectl(t, "apply", "-k", manifests(t, "revert"))
	t.Cleanup(func() {
		w.admin.Kubectl(t, "delete", "clusterrolebinding,clusterrole", "plumbline-reverter")
	})
	w.admin.Kubectl(t, "create", "namespace", "monitored")
	w.deploy(map[string]string{
		"a.yaml": strings.Replace(fmt.Sprintf(benchDeployment, 0), "namespace: bench", "namespace: monitored", 1),
		"b.yaml": strings.Replace(configMap("b", "1"), "namespace: shop", "namespace: monitored", 1),
	})
	baseline := func(name, labels, url, more string) {
		w.admin.KubectlIn(t, fmt.Sprintf(`apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: %s, namespace: %s, labels: {%s}}
spec:
  git: {url: %s, interval: 10s}
  scope: {namespaces: [monitored], kinds: [Deployment, ConfigMap]}
  deployer: {managers: [ci-deploy]}
%s`, name, system, labels, url, more), "apply", "-f", "-")
	}
	w.start()
	w.isReady()
	if !testenv.Poll(within, w.acts) {
		t.Fatal("the controller does not act")
	}
	standby := w.beside()
	const refused = "system:serviceaccount:" + system + ":refused"
	w.admin.Kubectl(t, "create", "clusterrolebinding", "refused", "--clusterrole=plumbline-reader", "--user="+refused)
	t.Cleanup(func() { w.admin.Kubectl(t, "delete", "clusterrolebinding", "refused") })
	silent := &world{TB: t, admin: w.admin, kube: env.User(t, refused, "system:authenticated").Kubeconfig, flags: []string{"--leader-elect=false", "--selector=of=silent"}}
	silent.start()
	baseline("shop", "", w.server.Repo(), "  posture: {podSecurity: restricted}\n")
	baseline("undone", "", w.server.Repo(), "  mode: Revert\n  ignore: [{kind: Deployment, paths: [/], reason: another one looks at it}]\n")
	baseline("broken", "", w.server.Repo()+"-is-not-there", "")
	baseline("resting", "", w.server.Repo(), "  suspend: true\n")
	baseline("silent", "of: silent", w.server.Repo(), "")
	w.until("True Compared", "False InSync")
	w.admin.Kubectl(t, "-n", "monitored", "patch", "deployment", "app-00000", "--type=json", "-p",
		`[{"op":"add","path":"/spec/template/spec/containers/0/securityContext","value":{"privileged":true}}]`)
	var all []scraped
	begun := time.Now().Unix()
	for i := range 10 {
		w.admin.Kubectl(t, "-n", "monitored", "patch", "deployment", "app-00000", "--field-manager=kubectl-edit", "-p", `{"metadata":{"annotations":{"edit":"`+strconv.Itoa(i)+`"}}}`)
		w.admin.Kubectl(t, "-n", "monitored", "patch", "configmap", "b", "--field-manager=kubectl-edit", "-p", `{"data":{"fought":"`+strconv.Itoa(i)+`","more`+strconv.Itoa(i)+`":"x"}}`)
		<-time.After(time.Second)
		for name, target := range map[string]*world{"acts": w, "stands-by": standby, "refused": silent} {
			all = append(all, scraped{begun + 15*int64(i), map[string]string{"namespace": system, "pod": name, "instance": target.metrics, "job": system + "/plumbline"}, target.scrape()})
		}
	}
	silent.kill()
	standby.kill()
	w.stopped()
	return all
}

// TestRequestsAreCounted wants the metrics to know of every request that the API server has
// seen.
func TestRequestsAreCounted(t *testing.T) {
	w := prepare(t)
	earlier := w.asked()
	w.start()
	w.admin.Kubectl(t, "create", "namespace", "counted")
	w.deploy(map[string]string{"a.yaml": strings.Replace(configMap("a", "1"), "namespace: shop", "namespace: counted", 1)})
	w.apply("  git: {url: " + w.server.Repo() + ", interval: 10s}\n  scope: {namespaces: [counted]}\n  deployer: {managers: [ci-deploy]}\n")
	w.until("True Compared", "False InSync")
	counter := regexp.MustCompile(`(?m)^rest_client_requests_total\{.*\} (\d+)$`)
	var before, counted, after int
	if !testenv.Poll(within, func() bool {
		before, counted = w.asked()-earlier, 0
		for _, m := range counter.FindAllStringSubmatch(w.scrape(), -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			counted += n
		}
		after = w.asked() - earlier
		return before <= counted && counted <= after
	}) {
		t.Errorf("%d requests were counted, and the API server has seen %d before and %d after", counted, before, after)
	}
	if counted < 20 {
		t.Errorf("%d requests are too few: the mirror's are not among them", counted)
	}
	w.stopped()
}

// asked is how many requests of controllers the API server has seen.
func (w *world) asked() int {
	w.Helper()
	ids := map[string]bool{}
	for _, r := range w.requests() {
		ids[r.AuditID] = true
	}
	return len(ids)
}
