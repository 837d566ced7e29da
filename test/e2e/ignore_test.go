package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ignoreReport is the part of the report that is about rules.
type ignoreReport struct {
	Summary struct {
		Verdicts map[string]int
		Ignored  int
	}
	Findings []jsonFinding
	Ignored  []struct {
		jsonFinding
		Reason string
	}
	SuggestedIgnore []map[string]any
	Warnings        []string
}

// rulesFile writes a Baseline of rules alone.
func rulesFile(t testing.TB, ignore string) string {
	t.Helper()
	text := "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: shop}\nspec:\n  ignore:\n" + ignore
	return filepath.Join(write(t, map[string]string{"rules.yaml": text}), "rules.yaml")
}

func ignoring(t testing.TB, dir, ns string, args ...string) (ignoreReport, result) {
	t.Helper()
	r := run(t, admin(t).Kubeconfig, append([]string{"diff", dir, "-n", ns, "-o", "json", "--show", "ignored"}, args...)...)
	var report ignoreReport
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatalf("exit %d and no JSON: %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	return report, r
}

// lines spells findings, one line for each change.
func lines(findings []jsonFinding) []string {
	all := []string{}
	for _, f := range findings {
		about := f.Rule + " " + f.Object.Kind + " " + f.Object.Name
		if len(f.Changes) == 0 {
			all = append(all, about)
		}
		for _, c := range f.Changes {
			all = append(all, about+" "+c.Op+" "+c.Path+" "+c.Manager+" "+toText(c.Live))
		}
	}
	slices.Sort(all)
	return all
}

func toText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func ignoredLines(r ignoreReport) []string {
	var findings []jsonFinding
	for _, f := range r.Ignored {
		findings = append(findings, f.jsonFinding)
	}
	return lines(findings)
}

const twoContainers = `apiVersion: apps/v1
kind: Deployment
metadata: {name: pair, labels: {app: pair, tier: back}}
spec:
  replicas: 1
  selector: {matchLabels: {app: pair}}
  template:
    metadata: {labels: {app: pair}}
    spec:
      containers:
      - {name: a, image: "registry.example.com/a:1.0", ports: [{containerPort: 80}]}
      - {name: b, image: "registry.example.com/b:1.0"}
`

// tampered deploys a few objects and has several people change them in every way
// that there is a kind of finding for.
func tampered(t *testing.T, ns string) string {
	t.Helper()
	secret := keepSecret("ignored-secret-value")
	dir := deployed(t, ns, map[string]string{
		"web.yaml":    webDeployment,
		"pair.yaml":   twoContainers,
		"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\nstringData: {password: first}\n",
		"gone.yaml":   configMap("", "gone", "1"),
		"strip.yaml":  configMap("", "stripped", "1"),
		"maps.yaml":   configMap("", "a", "1") + "---\n" + configMap("", "b", "1"),
		"bare.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bare, labels: {a: b}}\n",
	})
	person := env.User(t, "someone-"+ns, masters)
	do := func(args ...string) { person.Kubectl(t, append([]string{"-n", ns}, args...)...) }
	do("set", "image", "deployment/web", "web=docker.io/library/nginx:latest")
	do("set", "env", "deployment/web", "DEBUG=1", "LEVEL-")
	do("scale", "deployment/web", "--replicas=3")
	do("label", "deployment/web", "team=intruders", "example.com/x=y")
	do("patch", "deployment/web", "--field-manager=first", "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"miner","image":"evil.example/miner"}]}}}}`)
	do("patch", "deployment/web", "--field-manager=second", "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"miner","env":[{"name":"POOL","value":"x"}]}]}}}}`)
	do("patch", "deployment/pair", "--type=json", "-p", `[{"op":"move","from":"/spec/template/spec/containers/1","path":"/spec/template/spec/containers/0"}]`)
	do("patch", "secret/token", "-p", `{"stringData":{"password":"`+secret+`","more":"`+secret+`"}}`)
	do("patch", "configmap/a", "-p", `{"data":{"key":"2","new.file":"x"}}`)
	do("patch", "configmap/a", "--field-manager=other", "-p", `{"metadata":{"annotations":{"example.com/b":"d"}}}`)
	do("patch", "configmap/bare", "-p", `{"data":{"x":"1","y":"2"}}`)
	do("delete", "configmap/gone")
	do("patch", "configmap/stripped", "--type=json", "-p", `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`)
	return dir
}

// TestSuggestIgnore pastes the suggested rules, all and one by one: each silences
// the changes for which it was suggested, and nothing else in the report changes.
func TestSuggestIgnore(t *testing.T) {
	t.Parallel()
	const ns = "suggest"
	dir := tampered(t, ns)
	before, r := ignoring(t, dir, ns, "--suggest-ignore")
	if r.code != 1 || len(before.SuggestedIgnore) < 12 || before.Summary.Ignored != 0 || len(before.Ignored) != 0 {
		t.Fatalf("exit %d, %d suggestions:\n%s%s", r.code, len(before.SuggestedIgnore), r.stdout, r.stderr)
	}
	rules := map[string]bool{}
	for _, f := range before.Findings {
		rules[f.Rule] = true
	}
	for _, want := range []string{"drift/modified", "drift/removed", "drift/added", "drift/missing", "drift/unattributed"} {
		if !rules[want] {
			t.Errorf("there is no finding of %s", want)
		}
	}
	all := lines(before.Findings)

	t.Run("as they are", func(t *testing.T) { // a person has to answer for them
		r := run(t, admin(t).Kubeconfig, "diff", dir, "-n", ns, "-f", pasted(t, dir, ns, "TODO: say why"))
		refused(t, r, "spec.ignore[0].reason is still to be written")
	})
	t.Run("all", func(t *testing.T) {
		after, r := ignoring(t, dir, ns, "-f", pasted(t, dir, ns, "because of a test"))
		if r.code != 0 || len(after.Findings) > 0 || len(after.Warnings) > 0 || after.Summary.Ignored != len(all) {
			t.Errorf("exit %d, %d ignored:\n%s%s", r.code, after.Summary.Ignored, r.stdout, r.stderr)
		}
		if d := cmp.Diff(all, ignoredLines(after)); d != "" {
			t.Errorf("ignored, -want +got:\n%s", d)
		}
		if after.Summary.Verdicts["Drifted"]+after.Summary.Verdicts["Missing"] > 0 || after.Summary.Verdicts["InSync"] != before.Summary.Verdicts["InSync"] {
			t.Errorf("the verdicts are %v, and were %v", after.Summary.Verdicts, before.Summary.Verdicts)
		}
	})
	for i, rule := range before.SuggestedIgnore {
		t.Run(fmt.Sprintf("rule-%d", i), func(t *testing.T) {
			rule["reason"] = "because of a test"
			after, r := ignoring(t, dir, ns, "-f", rulesFile(t, "  - "+toText(rule)+"\n"))
			ignored := ignoredLines(after)
			if d := cmp.Diff(all, slices.Sorted(slices.Values(append(lines(after.Findings), ignored...)))); d != "" {
				t.Errorf("%v changes the report, -before +after:\n%s", rule, d)
			}
			if want := aboutIn(rule, all); len(want) == 0 || !slices.Equal(ignored, want) || len(after.Warnings) > 0 {
				t.Errorf("%v ignores %q, want %q; warnings %q\n%s", rule, ignored, want, after.Warnings, r.stderr)
			}
		})
	}
}

// pasted is a Baseline of the rules that the text report suggests.
func pasted(t *testing.T, dir, ns, reason string) string {
	t.Helper()
	r := run(t, admin(t).Kubeconfig, "diff", dir, "-n", ns, "--suggest-ignore")
	_, rules, ok := strings.Cut(r.stdout, "spec:\n  ignore:\n")
	if !ok {
		t.Fatalf("no rules are suggested:\n%s", r.stdout)
	}
	return rulesFile(t, strings.ReplaceAll(rules, "TODO: say why", reason))
}

// aboutIn returns the lines of what a suggested rule names.
func aboutIn(rule map[string]any, all []string) []string {
	var found []string
	object := fmt.Sprintf(" %s %s", rule["kind"], rule["name"])
	for _, line := range all {
		about, change, _ := strings.Cut(line+" ", object+" ")
		switch {
		case change == "" && about == line+" ": // another object
		case rule["when"] == `change.op == "missing"`:
			if about == "drift/missing" {
				found = append(found, line)
			}
		case change == "":
			if about == "drift/unattributed" && toText(rule["paths"]) == `["metadata.managedFields"]` {
				found = append(found, line)
			}
		default:
			for _, path := range rule["paths"].([]any) {
				if strings.Contains(change, " "+path.(string)+" ") || strings.HasPrefix(change, "reordered "+path.(string)+" ") {
					found = append(found, line)
				}
			}
		}
	}
	return found
}

// TestIgnoreRules gives each kind of rule something to ignore and something to
// leave.
func TestIgnoreRules(t *testing.T) {
	t.Parallel()
	const ns = "ignore-rules"
	dir := tampered(t, ns)
	before, _ := ignoring(t, dir, ns)
	all := lines(before.Findings)
	const pod = "spec.template.spec."
	for _, test := range []struct {
		name, rule string
		want       []string // what is ignored, each a part of its line
		warns      string
	}{
		{"pointer", `{kind: Deployment, paths: [/spec/replicas]}`, []string{"web modified spec.replicas"}, ""},
		{"item", `{paths: ["/spec/template/spec/containers/name=web/image"]}`, []string{"modified " + pod + "containers[name=web].image"}, ""},
		{"index", `{paths: ["/spec/template/spec/containers/0/image"]}`, []string{"modified " + pod + "containers[name=web].image"}, ""},
		{"as printed", `{paths: ["metadata.labels[\"example.com/x\"]"]}`, []string{`metadata.labels["example.com/x"]`}, ""},
		{"jsonpath", `{paths: ["$.spec.template.spec.containers[?@.name=='web'].env"]}`, []string{"added " + pod + "containers[name=web].env[name=DEBUG]", "removed " + pod + "containers[name=web].env[name=LEVEL]"}, ""},
		{"jsonpath of live values", `{paths: ["$..containers[?search(@.image, '^evil')]"]}`, []string{pod + "containers[name=miner]"}, ""},
		{"group", `{group: "", paths: [/metadata, /data/key]}`, []string{`ConfigMap a added metadata.annotations["example.com/b"]`, "ConfigMap a modified data.key", "drift/unattributed ConfigMap stripped"}, ""},
		{"name", `{name: "ba*", paths: [/data/x]}`, []string{"ConfigMap bare added data.x"}, ""},
		{"selector", `{selector: {matchLabels: {tier: back}}, paths: [/spec]}`, []string{"pair reordered"}, ""},
		{"live labels", `{selector: {matchLabels: {team: intruders}}, paths: [/spec]}`, nil, "is about none of the declared objects"},
		{"manager", `{managers: [kubectl-label]}`, []string{"metadata.labels.team", `metadata.labels["example.com/x"]`}, ""},
		{"manager of a part", `{managers: [second]}`, []string{"containers[name=miner].env"}, ""},
		{"managers", `{managers: [first/Update, "sec*"]}`, []string{"added " + pod + "containers[name=miner]"}, ""},
		{"any manager", `{kind: Deployment, name: pair, managers: ["*"]}`, nil, "matched nothing: no object that it is about differs so (compared: 1;"},
		{"when", `{kind: Deployment, when: 'change.live == 3 && object.spec.replicas < 5'}`, []string{"modified spec.replicas"}, ""},
		{"when beside a path", `{paths: [/data], when: 'change.op == "added" && declared.metadata.name == "a"'}`, []string{`data["new.file"]`}, ""},
		{"when fails", `{kind: Deployment, when: 'object.spec.nothing == 1'}`, nil, "cannot be evaluated for Deployment.apps ignore-rules/pair, so what it is about is told: spec.template.spec.containers: no such key: nothing; nor for 1 object more"},
		{"secret", `{kind: Secret, when: 'object.data.password.startsWith("aWdub3Jl")'}`, nil, "matched nothing"},
		{"whole object", `{kind: ConfigMap, name: gone, paths: ["/"]}`, []string{"drift/missing ConfigMap gone"}, ""},
		{"ended", `{paths: ["/"], until: 2020-01-31}`, nil, "ended on 2020-01-31"},
		{"no such object", `{kind: Deploymet, paths: [/spec]}`, nil, "is about none of the declared objects"},
		{"no such path", `{paths: [/spec/template/spec/nodeName]}`, nil, "matched nothing"},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			after, r := ignoring(t, dir, ns, "-f", rulesFile(t, "  - "+strings.TrimSuffix(test.rule, "}")+", reason: because of a test}\n"))
			ignored := ignoredLines(after)
			for _, want := range test.want {
				if !slices.ContainsFunc(ignored, func(line string) bool { return strings.Contains(line, want) }) {
					t.Errorf("%q is not ignored: %q", want, ignored)
				}
			}
			if len(ignored) != len(test.want) || after.Summary.Ignored != len(test.want) {
				t.Errorf("%d are ignored, want %d: %q\n%s", after.Summary.Ignored, len(test.want), ignored, r.stderr)
			}
			warned := slices.ContainsFunc(after.Warnings, func(w string) bool { return test.warns != "" && strings.Contains(w, test.warns) })
			if warned != (test.warns != "") || test.warns == "" && len(after.Warnings) > 0 {
				t.Errorf("warns %q, want %q", after.Warnings, test.warns)
			}
			// Nothing is lost: where a part of an addition is ignored the rest is told.
			if lost := len(all) - len(after.Findings); lost > 0 && len(test.want) == 0 && !slices.Equal(all, lines(after.Findings)) {
				t.Errorf("the report changed: %q", cmp.Diff(all, lines(after.Findings)))
			}
		})
	}
	t.Run("of a part the rest is told", func(t *testing.T) {
		after, _ := ignoring(t, dir, ns, "-f", rulesFile(t, "  - {managers: [second], reason: because of a test}\n"))
		rest := strings.Join(lines(after.Findings), "\n")
		for _, want := range []string{"containers[name=miner].image", "containers[name=miner].name"} {
			if !strings.Contains(rest, want) {
				t.Errorf("%s is not told:\n%s", want, rest)
			}
		}
	})
	t.Run("as text", func(t *testing.T) {
		file := rulesFile(t, "  - {kind: Deployment, paths: [/spec/replicas], reason: because of a test}\n")
		r := run(t, admin(t).Kubeconfig, "diff", dir, "-n", ns, "-f", file)
		if !strings.Contains(r.stdout, "1 difference ignored") || strings.Contains(r.stdout, "because of a test") || strings.Contains(r.stdout, "spec.replicas") {
			t.Errorf("unasked:\n%s", r.stdout)
		}
		r = run(t, admin(t).Kubeconfig, "diff", dir, "-n", ns, "-f", file, "--show", "ignored")
		if !strings.Contains(r.stdout, "spec.replicas  1 → 3  drift/modified") || !strings.Contains(r.stdout, "ignored: because of a test") {
			t.Errorf("asked:\n%s", r.stdout)
		}
	})
}

// TestIgnoreRefused wants rules that cannot be meant so to be refused, with their
// line.
func TestIgnoreRefused(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.yaml": configMap("", "a", "1")})
	for name, c := range map[string]struct {
		rules string
		want  []string
	}{
		"nothing":   {"  - {kind: Deployment, reason: x}\n", []string{":6:5: spec.ignore[0] has neither paths, managers nor when"}},
		"when":      {"  - {paths: [/a], reason: x}\n  - reason: x\n    when: change.pth == 'a'\n", []string{":7:5: spec.ignore[1]: when:", "undefined field 'pth'"}},
		"jsonpath":  {"  - {paths: ['$.a[0]'], reason: x}\n", []string{":6:5: spec.ignore[0]: paths:", "selects by position"}},
		"selector":  {"  - {paths: [/a], selector: {matchExpressions: [{key: a, operator: Like}]}, reason: x}\n", []string{":6:5: spec.ignore[0]: selector:", "Like"}},
		"unknown":   {"  - {path: [/a], reason: x}\n", []string{":6:6: unknown field spec.ignore[0].path (did you mean paths?)"}},
		"no reason": {"  - {paths: [/a], reason: TODO}\n", []string{":6:27: spec.ignore[0].reason is still to be written"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			file := rulesFile(t, c.rules)
			refused(t, run(t, admin(t).Kubeconfig, "diff", dir, "-f", file), append(c.want, file)...)
		})
	}
	t.Run("without a repository", func(t *testing.T) {
		file := rulesFile(t, "  - {paths: [/a], reason: x}\n")
		refused(t, run(t, admin(t).Kubeconfig, "diff", "-f", file), file, "names no repository", "spec.git")
	})
}
