package e2e

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/test/testenv"
)

// TestRevertByHand previews, refuses to write unasked, writes what it is told to and
// nothing else, and says what it could not.
func TestRevertByHand(t *testing.T) {
	t.Parallel()
	const namespace = "by-hand"
	dir := deployed(t, namespace, map[string]string{
		"web.yaml": webDeployment, "a.yaml": configMap("", "a", "1"), "b.yaml": configMap("", "b", "1"),
	})
	baseline := filepath.Join(write(t, map[string]string{
		"baseline.yaml": "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nspec:\n  scope: {namespaces: [" + namespace + "], kinds: [ConfigMap]}\n",
	}), "baseline.yaml")
	person := env.User(t, "mallory", masters)
	edit := func(args ...string) { person.Kubectl(t, append([]string{"-n", namespace}, args...)...) }
	live := func() string {
		return person.Kubectl(t, "-n", namespace, "get", "deployment/web", "configmap/a", "configmap/rogue", "-o", "jsonpath={range .items[*]}{.spec.template.spec}{.data}{end}")
	}
	edit("set", "env", "deployment/web", "DEBUG=1")
	edit("patch", "configmap", "a", "-p", `{"data":{"key":"2","more":"3"}}`)
	edit("delete", "configmap", "b")
	edit("create", "configmap", "rogue")
	before := live()
	revert := func(more ...string) result {
		return run(t, admin(t).Kubeconfig, append([]string{"revert", dir, "-n", namespace}, more...)...)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"preview":               {[]string{"--dry-run=client"}, 0, []string{"env[name=DEBUG]", "data.more", "ConfigMap by-hand/b", "1 created, 2 restored"}},
		"try":                   {[]string{"--dry-run=server"}, 0, []string{"Deployment.apps by-hand/web restored (server dry run)", "ConfigMap by-hand/b created (server dry run)"}},
		"no terminal":           {nil, 2, []string{"say --yes"}},
		"prune of nothing":      {[]string{"--prune"}, 2, []string{"name the Baseline with -f"}},
		"quarantine of nothing": {[]string{"--quarantine"}, 2, []string{"name the Baseline with -f"}},
		"both":                  {[]string{"--quarantine", "--prune"}, 2, []string{"choose one of them"}},
		"a wrong word":          {[]string{"--dry-run=maybe"}, 2, []string{"use none, client or server"}},
		"a wrong rule":          {[]string{"--rule", "drift/adde"}, 2, []string{"drift/adde"}},
		"another finding":       {[]string{"--fingerprint", "0123456789abcdef"}, 0, []string{"nothing to undo"}},
	} {
		r := revert(c.args...)
		for _, want := range c.want {
			if !strings.Contains(r.stdout+r.stderr, want) {
				t.Errorf("%s: %q is missing in\n%s%s", name, want, r.stdout, r.stderr)
			}
		}
		if r.code != c.code {
			t.Errorf("%s: exit %d\n%s%s", name, r.code, r.stdout, r.stderr)
		}
	}
	if now := live(); now != before {
		t.Fatalf("something was written:\n%s, it was\n%s", now, before)
	}
	reader := newReader(t, "by-hand-reader")
	r := run(t, reader.Kubeconfig, "revert", dir, "-n", namespace, "--yes")
	if r.code != 1 || strings.Count(r.stderr, "grant patch") != 3 || live() != before {
		t.Errorf("without rights: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := revert("--yes", "--rule", "drift/added"); r.code != 0 || strings.Contains(r.stdout, "created") {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if got := person.Kubectl(t, "-n", namespace, "get", "configmap", "a", "-o", "jsonpath={.data}"); got != `{"key":"2"}` {
		t.Errorf("of one rule is written: %s", got)
	}
	if r := revert("--yes", "--prune", "-f", baseline); r.code != 0 {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	report, r := diff(t, admin(t).Kubeconfig, dir, "-n", namespace, "-f", baseline)
	clean(t, report, r)
	if r := revert("--yes", "--prune", "-f", baseline); r.code != 0 || strings.TrimSpace(r.stdout) != "nothing to undo" {
		t.Errorf("a second time: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestQuarantineByHand previews what is kept apart, keeps it so, and finds nothing more to do.
func TestQuarantineByHand(t *testing.T) {
	t.Parallel()
	const namespace = "kept-apart"
	dir := deployed(t, namespace, map[string]string{"web.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"})
	baseline := filepath.Join(write(t, map[string]string{
		"baseline.yaml": "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nspec:\n  scope: {namespaces: [" + namespace + "]}\n",
	}), "baseline.yaml")
	person := env.User(t, "mallory", masters)
	person.KubectlIn(t, strings.ReplaceAll(webDeployment, "name: web\n", "name: miner\n"), "-n", namespace, "apply", "-f", "-")
	person.Kubectl(t, "-n", namespace, "run", "miner", "--image=evil.example/miner:1", "--labels=app=web")
	if !testenv.Poll(time.Minute, func() bool {
		return strings.Count(person.Kubectl(t, "-n", namespace, "get", "pods", "-o", "name"), "miner") == 2
	}) {
		t.Fatal("there are no Pods")
	}
	revert := func(more ...string) result {
		return run(t, admin(t).Kubeconfig, append([]string{"revert", dir, "-n", namespace, "-f", baseline, "--quarantine"}, more...)...)
	}
	const quarantined = "plumbline.dev/quarantined"
	for how, want := range map[string][]string{
		"--dry-run=client": {"rogue/object", "1 created, 3 quarantined"},
		"--dry-run=server": {"NetworkPolicy.networking.k8s.io kept-apart/plumbline-quarantine created (server dry run)", "Pod kept-apart/miner quarantined (server dry run)"},
	} {
		r := revert(how)
		for _, text := range want {
			if !strings.Contains(r.stdout, text) {
				t.Errorf("%s: %q is missing in\n%s%s", how, text, r.stdout, r.stderr)
			}
		}
		if got := person.Kubectl(t, "-n", namespace, "get", "networkpolicies,pods,deployments", "-l", quarantined, "-o", "name"); r.code != 0 || got != "" {
			t.Errorf("%s: exit %d, and written is %s", how, r.code, got)
		}
	}
	for range 5 { // while the Deployment's Pods are replaced
		if r := revert("--yes"); r.code == 0 && strings.TrimSpace(r.stdout) == "nothing to undo" {
			break
		}
	}
	if got := person.Kubectl(t, "-n", namespace, "get", "pods", "-l", "!"+quarantined, "-o", "name"); got != "" {
		t.Errorf("not kept apart are %s", got)
	}
	if got := person.Kubectl(t, "-n", namespace, "get", "pod", "miner", "-o", "jsonpath={.metadata.labels}"); got != `{"`+quarantined+`":"true"}` {
		t.Errorf("the Service still chooses a Pod by %s", got)
	}
	report, r := diff(t, admin(t).Kubeconfig, dir, "-n", namespace, "-f", baseline)
	if len(report.Findings) != 2 || strings.Count(r.stdout, "it is in quarantine") != 2 || r.code != 1 {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	person.Kubectl(t, "-n", namespace, "patch", "networkpolicy", "plumbline-quarantine", "--type=merge", "-p", `{"spec":{"egress":[{}]}}`)
	if report, r := diff(t, admin(t).Kubeconfig, dir, "-n", namespace, "-f", baseline); len(report.Findings) != 3 || strings.Contains(r.stdout, "it is in quarantine") || !strings.Contains(r.stdout, "says something else") {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := revert("--yes"); r.code != 0 || !strings.Contains(r.stdout, "plumbline-quarantine restored") {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestRevertOnce wants a workload whose Pods are to be replaced to be changed once, whatever
// is to be undone of it, and all of it to be the deployer's own afterwards.
func TestRevertOnce(t *testing.T) {
	t.Parallel()
	const namespace = "once"
	dir := deployed(t, namespace, map[string]string{"web.yaml": webDeployment})
	person := env.User(t, "mallory", masters)
	person.Kubectl(t, "-n", namespace, "set", "env", "deployment/web", "DEBUG=1", "LEVEL=debug", "MODE-")
	person.Kubectl(t, "-n", namespace, "set", "image", "deployment/web", "web=evil.example/web:1")
	said := func(path string) string {
		return person.Kubectl(t, "-n", namespace, "get", "deployment", "web", "--show-managed-fields", "-o", "jsonpath="+path)
	}
	before, err := strconv.Atoi(said("{.metadata.generation}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"--dry-run=server", "--yes"} {
		if r := run(t, admin(t).Kubeconfig, "revert", dir, "-n", namespace, how); r.code != 0 || !strings.Contains(r.stdout, "Deployment.apps once/web restored") {
			t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	}
	if got := said("{.metadata.generation}"); got != strconv.Itoa(before+1) {
		t.Errorf("the generation is %s, and it was %d", got, before)
	}
	report, r := diff(t, admin(t).Kubeconfig, dir, "-n", namespace)
	clean(t, report, r)
	if got := said(`{range .metadata.managedFields[?(@.manager=="ci-deploy")]}{.operation} {end}`); got != "Apply " {
		t.Errorf("the deployer's records are of %s", got)
	}
	without := strings.NewReplacer("        - {name: MODE, value: production}\n", "", "        - {name: LEVEL, value: info}\n", "", "        env:\n", "").Replace(webDeployment)
	deploy(t, namespace, write(t, map[string]string{"web.yaml": without}))
	if got := said("{..env}{..image}"); got != "registry.example.com/web:1.0" {
		t.Errorf("what the deployer leaves out stays: %s", got)
	}
}

// TestRevertAsks wants a terminal to be asked, and no answer but yes to be taken for one.
func TestRevertAsks(t *testing.T) {
	t.Parallel()
	dir := deployed(t, "asked", map[string]string{"a.yaml": configMap("", "a", "1")})
	person := env.User(t, "mallory", masters)
	person.Kubectl(t, "-n", "asked", "patch", "configmap", "a", "-p", `{"data":{"key":"2"}}`)
	for _, c := range []struct{ answer, said, value string }{
		{"n\n", "nothing was written", "2"}, {"\n", "nothing was written", "2"}, {"maybe\n", "nothing was written", "2"}, {"y\n", "ConfigMap asked/a restored", "1"},
	} {
		shown := onTerminal(t, command{args: []string{"revert", dir, "-n", "asked"}, kubeconfig: admin(t).Kubeconfig, stdin: c.answer})
		fits(t, shown)
		if !strings.Contains(shown, "Undo this in the cluster at") || !strings.Contains(shown, c.said) {
			t.Errorf("after %q:\n%s", c.answer, shown)
		}
		if got := person.Kubectl(t, "-n", "asked", "get", "configmap", "a", "-o", "jsonpath={.data.key}"); got != c.value {
			t.Errorf("after %q it is %s", c.answer, got)
		}
	}
}

// TestRevertOfRepository wants nothing written by a commit that is not the newest any
// more, and a commit that nobody has rolled out left alone.
func TestRevertOfRepository(t *testing.T) {
	t.Parallel()
	const namespace = "by-commit"
	admin(t).Kubectl(t, "create", "namespace", namespace)
	l := newLagging(t, time.Now())
	l.deploy(t, namespace, "server-side", 0)
	flags := append([]string{"revert"}, l.flags(namespace, "--yes")...)
	r := run(t, admin(t).Kubeconfig, flags...)
	if r.code != 0 || strings.TrimSpace(r.stdout) != "nothing to undo" {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	r = run(t, admin(t).Kubeconfig, append(flags, "--roll-out")...)
	report, d := diff(t, admin(t).Kubeconfig, l.flags(namespace)...)
	if clean(t, report, d); r.code != 0 {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
