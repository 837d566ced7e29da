package controller

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"plumbline.dev/plumbline/test/testenv"
)

// said is what one run of plumbline printed, and its exit code.
type said struct {
	out, err string
	code     int
}

// run runs plumbline for somebody, whose terminal has 80 columns.
func run(t *testing.T, by testenv.User, args ...string) said {
	t.Helper()
	process := exec.CommandContext(t.Context(), plumbline, args...)
	process.Env = append(os.Environ(), "KUBECONFIG="+by.Kubeconfig, "COLUMNS=80", "XDG_CACHE_HOME="+filepath.Join(env.Dir, "cache"), "HOME="+env.Dir)
	var out, stderr bytes.Buffer
	process.Stdout, process.Stderr = &out, &stderr
	if err := process.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if !slices.Contains(args, "-o") && utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("plumbline %s: wider than 80 columns: %s", strings.Join(args, " "), line)
		}
	}
	return said{out.String(), stderr.String(), process.ProcessState.ExitCode()}
}

// wants fails the test unless a run ended with the code and printed all of these.
func (s said) wants(t *testing.T, what string, code int, parts ...string) {
	t.Helper()
	joined := strings.Join(strings.Fields(s.out+s.err), " ")
	for _, part := range parts {
		if !strings.Contains(joined, part) {
			t.Errorf("%s: %q is not told", what, part)
			code = -1
		}
	}
	if s.code != code {
		t.Errorf("%s: exit %d, want %d:\n%s%s", what, s.code, code, s.out, s.err)
	}
}

// TestVerbs wants "plumbline status" and "plumbline findings" to tell what the controller
// knows, and never that all is well where nobody looks.
func TestVerbs(t *testing.T) {
	w := install(t)
	verb := func(args ...string) said { return run(t, w.admin, append(args, "-n", system)...) }
	w.admin.Kubectl(t, "create", "namespace", "verbs")
	t.Cleanup(func() { w.admin.Kubectl(t, "delete", "namespace", "verbs") })
	in := func(name, value string) string {
		return strings.Replace(configMap(name, value), "namespace: shop", "namespace: verbs", 1)
	}
	spec := "  git: {url: " + w.server.Repo() + ", interval: 10h}\n  scope: {namespaces: [verbs], kinds: [ConfigMap]}\n  deployer: {managers: [ci-deploy]}\n"
	verb("status").wants(t, "without Baselines", 3, "there are no Baselines in namespace "+system)
	verb("findings", "-o", "json").wants(t, "without Baselines", 3, `"items": []`)

	commit := w.deploy(map[string]string{"a.yaml": in("a", "1"), "b.yaml": in("b", "1")})
	w.apply(spec)
	w.until("True Compared", "False InSync")
	for _, args := range [][]string{{"status"}, {"status", "shop"}, {"status", "--fail-on", "info"}} {
		if s := verb(args...); s.code != 0 || strings.Count(s.out, "\n") != 2 {
			t.Errorf("%q: exit %d:\n%s%s", args, s.code, s.out, s.err)
		}
	}
	run(t, w.admin, "status", "-A").wants(t, "everywhere", 0, "NAMESPACE NAME READY DRIFTED FINDINGS UNKNOWN COMMIT AGE "+system+" shop True False 0 0 "+commit[:8])
	verb("status", "-o", "wide").wants(t, "wide", 0, commit, "SINCE OBJECTS REPOSITORY", w.server.Repo())
	verb("status", "-o", "name").wants(t, "names", 0, "baseline.plumbline.dev/shop")
	verb("status", "shop", "-o", "yaml").wants(t, "YAML", 0, "kind: Baseline metadata:", "observedGeneration: 1")
	verb("status", "-o", "json").wants(t, "JSON", 0, `"kind": "List"`, `"kind": "Baseline"`)
	verb("findings", "shop").wants(t, "in sync", 0, "Baseline "+system+"/shop 2 objects: 2 in sync against commit "+commit[:12])

	w.admin.Kubectl(t, "-n", "verbs", "patch", "configmap", "a", "--field-manager=kubectl-edit", "-p", `{"data":{"key":"2"}}`)
	w.admin.Kubectl(t, "-n", "verbs", "create", "configmap", "rogue")
	w.untilFindings("drift/modified ConfigMap verbs/a", "rogue/object ConfigMap verbs/rogue")
	w.until("True Compared", "True Drifted")
	verb("status").wants(t, "drifted", 1, "shop True True 2 0", system+"/shop: findings: 1 drift/modified, 1 rogue/object")
	verb("status", "--fail-on", "critical").wants(t, "nothing critical", 0, "True")
	verb("findings").wants(t, "drifted", 1, "ConfigMap verbs/a a.yaml:1", `data.key "1" → "2"`, "by kubectl-edit", "ConfigMap verbs/rogue", "found", "What to do:", "3 objects: 1 in sync, 1 drifted, 1 rogue")
	verb("findings", "--fail-on", "critical").wants(t, "nothing critical", 0, "data.key")
	if s := verb("findings", "--rule", "rogue"); s.code != 1 || strings.Contains(s.out, "data.key") || !strings.Contains(s.out, "verbs/rogue") {
		t.Errorf("of a group of rules: exit %d:\n%s%s", s.code, s.out, s.err)
	}
	if s := verb("findings", "--severity", "critical"); s.code != 0 || strings.Contains(s.out, "data.key") {
		t.Errorf("of a severity: exit %d:\n%s%s", s.code, s.out, s.err)
	}
	w.sameReport(t, commit)

	// What is not known is not clean.
	w.admin.KubectlIn(t, in("a", "1"), "apply", "--server-side", "--force-conflicts", "--field-manager=ci-deploy", "-f", "-")
	w.admin.Kubectl(t, "-n", "verbs", "delete", "configmap", "rogue")
	w.until("True Compared", "False InSync")
	w.down.Store(true)
	w.look()
	w.until("False GitFailed", "False InSync")
	for _, name := range []string{"status", "findings"} {
		verb(name).wants(t, "without a repository", 3, "it is not ready (GitFailed): ", "503")
	}
	w.down.Store(false)
	w.look()
	w.apply(spec + "  suspend: true\n")
	w.until("False Suspended", "Unknown Suspended")
	verb("status").wants(t, "suspended", 3, "spec.suspend is true: nobody looks")
	w.apply(spec)
	w.until("True Compared", "False InSync")
	verb("status").wants(t, "again", 0)
	w.stopped()
	verb("status").wants(t, "just ended", 0)
	stale := time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z")
	w.admin.Kubectl(t, "-n", system, "delete", "leases", "--all") // other tests' as well
	w.admin.KubectlIn(t, "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: plumbline, namespace: "+system+"}, spec: {holderIdentity: a, renewTime: '"+stale+"'}}", "create", "-f", "-")
	for _, name := range []string{"status", "findings"} {
		verb(name).wants(t, "without a controller", 3, "no controller has lived since "+stale[:19]+"Z", "kubectl -n plumbline-system get pods")
	}
	verb("status").wants(t, "without a controller", 3, "shop Unknown Unknown 0 0")
	w.admin.Kubectl(t, "-n", system, "delete", "lease", "plumbline")
	w.apply(spec + "  suspend: true\n")
	verb("status").wants(t, "of an earlier spec", 3, "since its spec was changed", "shop Unknown Unknown")
	w.admin.Kubectl(t, "-n", system, "delete", "baseline", "shop")
	w.apply(spec)
	verb("status", "shop").wants(t, "never looked at", 3, "no controller has looked at it yet", "shop Unknown Unknown")
}

// sameReport wants the JSON of "plumbline findings" to be a report's, and YAML and lists to
// hold the same.
func (w *world) sameReport(t *testing.T, commit string) {
	t.Helper()
	type report struct {
		APIVersion, Kind, Baseline string
		Source                     struct{ Commit string }
		Summary                    struct {
			Objects  int
			Verdicts map[string]int
			Findings map[string]int
		}
		Findings []struct {
			Rule, Severity, Fingerprint, Since string
			Object                             struct{ Kind, Namespace, Name string }
			Changes                            []struct {
				Path, Op, Manager string
				Declared, Live    any
			}
		}
		Items []json.RawMessage
	}
	var one, list, item report
	if err := json.Unmarshal([]byte(run(t, w.admin, "findings", "shop", "-n", system, "-o", "json").out), &one); err != nil {
		t.Fatal(err)
	}
	if one.Kind != "Report" || one.Baseline != system+"/shop" || one.Source.Commit != commit || one.Summary.Objects != 3 || one.Summary.Verdicts["Rogue"] != 1 || len(one.Findings) != 2 {
		t.Fatalf("the report is %+v", one)
	}
	f := one.Findings[0]
	if f.Rule != "drift/modified" || f.Since == "" || len(f.Changes) != 1 || f.Changes[0].Path != "data.key" || f.Changes[0].Declared != "1" || f.Changes[0].Live != "2" {
		t.Errorf("the finding is %+v", f)
	}
	if err := json.Unmarshal([]byte(run(t, w.admin, "findings", "-A", "-o", "json").out), &list); err != nil {
		t.Fatal(err)
	}
	if list.Kind != "ReportList" || len(list.Items) != 1 || json.Unmarshal(list.Items[0], &item) != nil || item.Findings[1].Fingerprint != one.Findings[1].Fingerprint {
		t.Errorf("the list is %+v", list)
	}
	if text := run(t, w.admin, "findings", "-o", "yaml", "-n", system).out; !strings.Contains(text, "kind: ReportList") || !strings.Contains(text, "path: data.key") {
		t.Errorf("the YAML is\n%s", text)
	}
}

// TestVerbsRefused wants what goes wrong to be one line that says what to do.
func TestVerbsRefused(t *testing.T) {
	w := prepare(t)
	nobody := env.User(t, "nobody-in-particular")
	elsewhere := testenv.User{Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	const config = `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c}}], clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]}`
	if err := os.WriteFile(elsewhere.Kubeconfig, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"status", "findings"} {
		for _, c := range []struct {
			by   testenv.User
			args []string
			want []string
		}{
			{nobody, nil, []string{"baselines of namespace default", "forbidden: grant get and list", "nobody-in-particular"}},
			{elsewhere, nil, []string{"reaching the API server at https://127.0.0.1:1", "check the context"}},
			{testenv.User{Kubeconfig: "/nonexistent"}, nil, []string{"there is no kubeconfig"}},
			{w.admin, []string{"none"}, []string{`there is no Baseline "none" in namespace "default"`, "-n", "-A"}},
			{w.admin, []string{"a", "b"}, []string{"one Baseline", `"plumbline ` + verb + ` --help"`}},
			{w.admin, []string{"a", "-A"}, []string{"in one namespace"}},
			{w.admin, []string{"-o", "xml"}, []string{"--output", `"xml"`, "json"}},
			{w.admin, []string{"--fail-on", "much"}, []string{"--fail-on", `"much"`, "info, warning or critical"}},
		} {
			s := run(t, c.by, append([]string{verb}, c.args...)...)
			s.wants(t, verb+" "+strings.Join(c.args, " "), 2, c.want...)
			if s.out != "" || strings.Count(s.err, "\n") != 1 || !strings.HasPrefix(s.err, "error: ") {
				t.Errorf("%s %q prints\n%s%s", verb, c.args, s.out, s.err)
			}
		}
		if s := run(t, w.admin, verb, "--help"); s.code != 0 || !strings.Contains(s.out, "[BASELINE]") {
			t.Errorf("exit %d:\n%s%s", s.code, s.out, s.err)
		}
	}
	run(t, w.admin, "findings", "--rule", "drift/aded").wants(t, "a rule that is none", 2, `"drift/aded"`, "docs/rules.md")
	run(t, w.admin, "findings", "--severity", "high").wants(t, "a severity that is none", 2, "--severity", `"high"`)

	// The server itself refuses what no Finding can be.
	for text, want := range map[string]string{
		"rule: x": "severity: Required value",
		"severity: terrible, rule: x, fingerprint: f, about: a, message: m, object: {apiVersion: v1, kind: A, name: a}, since: '2026-01-01T00:00:00Z', changed: '2026-01-01T00:00:00Z'": "Unsupported value",
	} {
		_, err := w.admin.Try("{apiVersion: plumbline.dev/v1alpha1, kind: Finding, metadata: {name: refused, namespace: "+system+"}, "+text+"}", "apply", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
