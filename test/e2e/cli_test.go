package e2e

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// TestUsage wants every wrong use to be one line that says what to do.
func TestUsage(t *testing.T) {
	dir := write(t, map[string]string{"a.yaml": configMap("", "a", "1"), "sub/README.md": "nothing\n"})
	file := filepath.Join(dir, "a.yaml")
	baseline := filepath.Join(write(t, map[string]string{"b.yaml": baselineText("https://127.0.0.1:1/x.git", "")}), "b.yaml")
	for _, test := range []struct {
		name string
		args []string
		want []string
	}{
		{"unknown flag", []string{dir, "--colour"}, []string{"--colour", `"plumbline diff --help"`}},
		{"unknown short flag", []string{dir, "-z"}, []string{"-z", `"plumbline diff --help"`}},
		{"flag without value", []string{dir, "--ref"}, []string{"--ref", `"plumbline diff --help"`}},
		{"bad fail-on", []string{dir, "--fail-on", "error"}, []string{"--fail-on", `"error"`, "info, warning or critical"}},
		{"bad output", []string{dir, "-o", "xml"}, []string{"--output", `"xml"`, "text, json, yaml", "sarif"}},
		{"bad format of a file", []string{dir, "--write", "xml=x"}, []string{"--write", `"xml"`, "text, json, yaml", "sarif"}},
		{"file without a name", []string{dir, "--write", "sarif"}, []string{"--write", "sarif=FILE"}},
		{"too small a comment", []string{dir, "-o", "markdown", "--markdown-limit", "100"}, []string{"--markdown-limit", "4096"}},
		{"bad show", []string{dir, "--show", "everything"}, []string{"--show", `"everything"`, "controllers", "ignored"}},
		{"bad lag", []string{dir, "--lag", "-1"}, []string{"--lag", "-1", "0 or more"}},
		{"directory and git", []string{dir, "--git", "https://example.com/x.git"}, []string{"not both"}},
		{"directory and ref", []string{dir, "--ref", "main"}, []string{"not both"}},
		{"directory, baseline and git", []string{dir, "-f", baseline, "--git", "https://example.com/x.git"}, []string{"-f", "--git"}},
		{"baseline and git", []string{"-f", baseline, "--git", "https://example.com/x.git"}, []string{"-f", "--git"}},
		{"nothing named", nil, []string{"directory", "--git", "-f"}},
		{"ref alone", []string{"--ref", "main"}, []string{"--git"}},
		{"two directories", []string{dir, dir}, []string{`"plumbline diff --help"`}},
		{"no such directory", []string{filepath.Join(dir, "none")}, []string{"none", "no such file or directory"}},
		{"empty directory", []string{t.TempDir()}, []string{"declares no objects"}},
		{"directory without objects", []string{filepath.Join(dir, "sub")}, []string{"declares no objects"}},
		{"not a directory", []string{file}, []string{"a.yaml", "not a directory"}},
		{"no such baseline", []string{"-f", "none.yaml"}, []string{"none.yaml", "no such file"}},
		{"no such live file", []string{dir, "--live", "none.yaml"}, []string{"none.yaml", "no such file"}},
		{"no such context", []string{dir, "--context", "none"}, []string{"none", "--context"}},
		{"no such key", []string{"--git", "ssh://git@127.0.0.1:1/x.git", "--git-ssh-key", "none"}, []string{"none", "no such file"}},
		{"bad URL", []string{"--git", "ftp://example.com/x"}, []string{"ftp"}},
		{"path out of the repository", []string{"--git", "file://" + dir, "--path", "../.."}, nil},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			refused(t, run(t, admin(t).Kubeconfig, append([]string{"diff"}, test.args...)...), test.want...)
		})
	}
	t.Run("unknown-command", func(t *testing.T) {
		refused(t, run(t, "", "dif"), `"dif"`, `"plumbline --help"`)
	})
	t.Run("no-kubeconfig", func(t *testing.T) {
		refused(t, run(t, "/nonexistent", "diff", dir), "kubeconfig", "--live")
	})
	t.Run("broken-kubeconfig", func(t *testing.T) {
		refused(t, run(t, file, "diff", dir), "kubeconfig")
	})
}

// TestFailOn wants the exit code to follow the severity, and the findings to be
// told all the same.
func TestFailOn(t *testing.T) {
	dir := deployed(t, "fail-on", map[string]string{"web.yaml": webDeployment})
	args := []string{"diff", dir, "-n", "fail-on"}
	if r := run(t, admin(t).Kubeconfig, append(args, "--fail-on", "info")...); r.code != 0 {
		t.Errorf("exit %d, want 0:\n%s", r.code, r.stdout)
	}
	t.Run("show-controllers", func(t *testing.T) { // what controllers own is information
		for failOn, code := range map[string]int{"info": 1, "warning": 0, "critical": 0} {
			r := run(t, admin(t).Kubeconfig, append(args, "--show", "controllers", "--fail-on", failOn)...)
			if r.code != code || !strings.Contains(r.stdout, "deployment.kubernetes.io/revision") {
				t.Errorf("%s: exit %d, want %d:\n%s", failOn, r.code, code, r.stdout)
			}
		}
		if r := run(t, admin(t).Kubeconfig, args...); strings.Contains(r.stdout, "revision") {
			t.Errorf("it is shown unasked:\n%s", r.stdout)
		}
	})
	admin(t).Kubectl(t, "-n", "fail-on", "scale", "deployment/web", "--replicas=2")
	for failOn, code := range map[string]int{"info": 1, "warning": 1, "critical": 0, "Critical": 0} {
		r := run(t, admin(t).Kubeconfig, append(args, "--fail-on", failOn)...)
		if r.code != code || !strings.Contains(r.stdout, "spec.replicas") {
			t.Errorf("%s: exit %d, want %d:\n%s", failOn, r.code, code, r.stdout)
		}
	}
}

func baselineText(url, spec string) string {
	return "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: shop}\nspec:\n  git: {url: " + url + ", path: apps}\n" + spec
}

// served serves a repository with two objects in two namespaces, of which one is
// in a subdirectory, and deploys them.
func served(t *testing.T, namespace string) (*gitsourcetest.Repo, string) {
	t.Helper()
	files := map[string]string{
		"apps/web.yaml":   strings.Replace(webDeployment, "  name: web\n", "  name: web\n  namespace: "+namespace+"\n", 1),
		"apps/maps.yaml":  configMap(namespace, "a", "1") + "---\n" + configMap(namespace+"-2", "b", "1"),
		"other/more.yaml": configMap(namespace, "not-deployed", "1"),
	}
	dir := write(t, files)
	admin(t).Kubectl(t, "create", "namespace", namespace)
	admin(t).Kubectl(t, "create", "namespace", namespace+"-2")
	admin(t).Kubectl(t, "apply", "--server-side", "--field-manager=shop-robot", "-f", filepath.Join(dir, "apps"))
	repo := gitsourcetest.NewRepo(t)
	return repo, repo.Commit(gitsourcetest.Commit{Files: files})
}

// TestBaseline reads repository and rules from a Baseline.
func TestBaseline(t *testing.T) {
	const ns = "baseline"
	repo, commit := served(t, ns)
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
	compare := func(t *testing.T, spec string, flags ...string) (jsonReport, result) {
		t.Helper()
		file := filepath.Join(write(t, map[string]string{"b.yaml": baselineText(server.Repo(), spec)}), "b.yaml")
		return diff(t, admin(t).Kubeconfig, append([]string{"-f", file}, flags...)...)
	}
	const deployer = "  deployer: {managers: [shop-robot]}\n"
	report, r := compare(t, deployer)
	clean(t, report, r)
	if report.Source.Commit != commit || report.Summary.Objects != 3 {
		t.Errorf("commit %s and %d objects", report.Source.Commit, report.Summary.Objects)
	}
	// Someone who is neither deployer nor controller, unless the Baseline says so; and
	// what is put there under the deployer's name, and git does not declare.
	admin(t).Kubectl(t, "-n", ns, "annotate", "--field-manager=shop-robot", "configmap/a", "by=robot")
	admin(t).Kubectl(t, "-n", ns, "annotate", "--field-manager=my-injector", "configmap/a", "injected=yes")
	admin(t).Kubectl(t, "-n", ns, "scale", "deployment/web", "--replicas=2")
	admin(t).Kubectl(t, "-n", ns+"-2", "patch", "configmap/b", "-p", `{"data":{"key":"2"}}`)
	const by = "metadata.annotations.by"
	ignore := func(until string) string {
		return "  ignore: [{kind: Deployment, name: web, paths: [/spec/replicas], reason: scaled by hand" + until + "}]\n"
	}
	for _, test := range []struct {
		name, spec string
		code       int
		want       []string // the changes
		warnings   int
	}{
		{"all", deployer, 1, []string{"metadata.annotations.injected", by, "spec.replicas", "data.key"}, 0},
		{"no deployer", "", 1, []string{"metadata.annotations.by", "metadata.annotations.injected", "spec.replicas", "data.key"}, 0},
		{"controllers", deployer + "  controllers: [my-*]\n", 1, []string{by, "spec.replicas", "data.key"}, 0},
		{"ignore", deployer + "  controllers: [my-injector]\n" + ignore(""), 1, []string{by, "data.key"}, 0},
		{"ignore until later", deployer + "  controllers: [my-injector]\n" + ignore(", until: 2999-01-31"), 1, []string{by, "data.key"}, 0},
		{"ignore until past", deployer + "  controllers: [my-injector]\n" + ignore(", until: 2020-01-31"), 1, []string{by, "spec.replicas", "data.key"}, 1},
		{"scope", deployer + "  controllers: [my-injector]\n  scope: {namespaces: [baseline]}\n", 1, []string{by, "spec.replicas"}, 0},
		{"scope and ignore", deployer + "  controllers: [my-injector]\n  scope: {namespaces: [baseline]}\n" + strings.Replace(ignore(""), "[{", "[{kind: ConfigMap, paths: [/metadata/annotations/by], reason: the robot's mark}, {", 1), 0, nil, 0},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			report, r := compare(t, test.spec)
			var got []string
			for _, f := range report.Findings {
				for _, c := range f.Changes {
					got = append(got, c.Path)
				}
			}
			if r.code != test.code || !slices.Equal(got, test.want) || len(report.Warnings) != test.warnings {
				t.Errorf("exit %d, changes %q, warnings %q, want %d, %q and %d", r.code, got, report.Warnings, test.code, test.want, test.warnings)
			}
			for _, warning := range report.Warnings {
				if !strings.Contains(warning, "2020-01-31") || !strings.Contains(warning, "scaled by hand") {
					t.Errorf("the warning is %q", warning)
				}
			}
		})
	}
	for name, test := range map[string]struct {
		spec string
		want []string
	}{
		"empty scope":     {"  scope: {namespaces: [nowhere]}\n", []string{"none of the", "spec.scope.namespaces (nowhere)"}},
		"unknown field":   {"  depoyer: {managers: [x]}\n", []string{"b.yaml:6:3: unknown field spec.depoyer (did you mean deployer?)"}},
		"no reason":       {"  ignore: [{paths: [/spec]}]\n", []string{"b.yaml", "reason"}},
		"bad day":         {"  ignore: [{paths: [/spec], reason: x, until: soon}]\n", []string{"b.yaml", "soon", "2027-01-31"}},
		"bad path":        {"  ignore: [{paths: ['spec['], reason: x}]\n", []string{"spec["}},
		"two things":      {"  ignore: [{}]\n", []string{"paths", "reason"}},
		"wrong type":      {"  controllers: yes\n", []string{"b.yaml:6:16: spec.controllers is text: write a list"}},
		"second document": {"---\na: 1\n", []string{"b.yaml", "more than one document"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			file := filepath.Join(write(t, map[string]string{"b.yaml": baselineText(server.Repo(), test.spec)}), "b.yaml")
			refused(t, run(t, admin(t).Kubeconfig, "diff", "-f", file), test.want...)
		})
	}
}

// TestGit compares with a branch, a tag and a commit of a server that asks for
// credentials.
func TestGit(t *testing.T) {
	const ns = "git"
	repo, commit := served(t, ns)
	repo.Tag("v1.2.3", commit)
	next := repo.Commit(gitsourcetest.Commit{Files: map[string]string{"apps/maps.yaml": configMap(ns, "a", "2")}, Branch: "next"})
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Username: "ci", Password: keepSecret("git-test-password")})
	password := []string{"PLUMBLINE_GIT_PASSWORD=git-test-password"}
	for _, test := range []struct {
		ref, commit string
		code        int
	}{
		{"", commit, 0}, {"main", commit, 0}, {"v1.2.3", commit, 0}, {">=1.0.0 <2.0.0", commit, 0}, {commit, commit, 0}, {"next", next, 1},
	} {
		t.Run("ref="+strings.Trim(test.ref, "<>="), func(t *testing.T) {
			args := []string{"diff", "--git", server.Repo(), "--path", "apps", "--git-username", "ci", "--deployer", "shop-robot", "-o", "json"}
			if test.ref != "" {
				args = append(args, "--ref", test.ref)
			}
			r := command{args: args, kubeconfig: admin(t).Kubeconfig, env: password}.run(t)
			if r.code != test.code || !strings.Contains(r.stdout, `"commit": "`+test.commit+`"`) {
				t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
	t.Run("unknown-ref", func(t *testing.T) {
		args := []string{"diff", "--git", server.Repo(), "--git-username", "ci", "--ref", "nowhere"}
		refused(t, command{args: args, env: password}.run(t), "nowhere")
	})
	t.Run("unknown-path", func(t *testing.T) {
		args := []string{"diff", "--git", server.Repo(), "--git-username", "ci", "--path", "nowhere"}
		r := command{args: args, env: password, kubeconfig: admin(t).Kubeconfig}.run(t)
		if r.code != 2 || !strings.Contains(r.stdout+r.stderr, "nowhere") {
			t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
}

// TestInterrupt sends SIGINT while a server keeps plumbline waiting.
func TestInterrupt(t *testing.T) {
	dir := write(t, map[string]string{"a.yaml": configMap("default", "a", "1") + "---\n" + configMap("default", "b", "1")})
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(gitsourcetest.Commit{Files: map[string]string{"a.yaml": configMap("default", "a", "1")}})
	for name, hangs := range map[string]func(*http.Request) bool{
		"discovery": func(req *http.Request) bool { return req.URL.Path == "/apis" },
		"schemas":   func(req *http.Request) bool { return strings.HasPrefix(req.URL.Path, "/openapi") },
		"objects":   readsObjects,
		"git":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			waiting := make(chan struct{})
			var once sync.Once
			hang := func(req *http.Request) {
				once.Do(func() { close(waiting) })
				<-req.Context().Done()
			}
			c := command{args: []string{"diff", dir}, within: 20 * time.Second, interrupt: waiting}
			if hangs == nil {
				server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Intercept: func(_ http.ResponseWriter, req *http.Request) bool {
					hang(req)
					return true
				}})
				c.args = []string{"diff", "--git", server.Repo()}
			} else {
				c.kubeconfig = middleman(t, admin(t), func(_ http.ResponseWriter, req *http.Request) bool {
					if hangs(req) {
						hang(req)
						return true
					}
					return false
				})
			}
			r := c.run(t)
			if r.code != 130 || r.stdout != "" || r.stderr != "interrupted\n" || r.took > 5*time.Second {
				t.Errorf("exit %d after %s:\n%s%s", r.code, r.took, r.stdout, r.stderr)
			}
		})
	}
}

// TestHelp wants help to fit 80 columns and to be what a mistake points to.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"diff", "--help"}, {"version", "--help"}} {
		r := run(t, "", args...)
		if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "Usage:") {
			t.Errorf("%v: exit %d:\n%s%s", args, r.code, r.stdout, r.stderr)
		}
		fits(t, r.stdout)
	}
}

// TestPlugin runs plumbline under the name of a kubectl plugin.
func TestPlugin(t *testing.T) {
	bin := t.TempDir()
	if err := os.Symlink(plumbline, filepath.Join(bin, "kubectl-plumbline")); err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{"a.yaml": configMap("plugin-nowhere", "a", "1")})
	direct := command{binary: filepath.Join(bin, "kubectl-plumbline"), args: []string{"diff", "--help"}}.run(t)
	if direct.code != 0 || !strings.Contains(direct.stdout, "kubectl plumbline diff [DIR]") {
		t.Errorf("exit %d:\n%s%s", direct.code, direct.stdout, direct.stderr)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := admin(t).Try("", "plumbline", "diff", dir)
	if err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(out, "drift/missing") {
		t.Errorf("kubectl plumbline: %v\n%s", err, out)
	}
	_, err = admin(t).Try("", "plumbline", "diff", dir, "--colour")
	if err == nil || !strings.Contains(err.Error(), `see "kubectl plumbline diff --help"`) {
		t.Errorf("kubectl plumbline: %v", err)
	}
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

// fits wants no line to be wider than 80 columns.
func fits(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		shown := strings.TrimRight(ansi.ReplaceAllString(line, ""), "\r\n")
		if i := strings.LastIndex(shown, "\r"); i >= 0 { // progress that was written over
			shown = shown[i+1:]
		}
		if n := utf8.RuneCountInString(shown); n > 80 {
			t.Errorf("%d columns: %s", n, shown)
		}
	}
}

// TestTerminal runs plumbline on a terminal of 80 columns, and away from one.
func TestTerminal(t *testing.T) {
	const ns = "terminal-with-a-rather-long-name-for-a-namespace"
	dir := deployed(t, ns, map[string]string{
		"a/directory/with/a/long/name/maps-of-the-shop.yaml": configMap("", "a-config-map-with-a-name-of-some-length", strings.Repeat("long ", 40)),
		"web.yaml":    webDeployment,
		"gone.yaml":   configMap("", "gone", "1"),
		kustomization: "resources: [web.yaml, gone.yaml, a/directory/with/a/long/name/maps-of-the-shop.yaml]\n",
	})
	person := env.User(t, "a-person-with-quite-a-long-name", masters)
	person.Kubectl(t, "-n", ns, "set", "image", "deployment/web", "web=registry.example.com/a/long/path/to/an/image@sha256:"+strings.Repeat("0", 64))
	person.Kubectl(t, "-n", ns, "patch", "deployment/web", "--field-manager=a-manager-with-a-name-that-is-long-enough-for-two-lines-of-text", "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"miner","image":"evil.example/miner"}]}}}}`)
	person.Kubectl(t, "-n", ns, "patch", "configmap/a-config-map-with-a-name-of-some-length", "-p", `{"data":{"key":"`+strings.Repeat("short ", 40)+`","script":"one\n`+strings.Repeat("long ", 40)+`\nthree\n"}}`)
	person.Kubectl(t, "-n", ns, "delete", "configmap/gone")
	limited := env.User(t, "limited-on-a-terminal")

	for name, c := range map[string]command{
		"findings": {args: []string{"diff", dir, "-n", ns}, kubeconfig: person.Kubeconfig},
		"unknown":  {args: []string{"diff", dir, "-n", ns}, kubeconfig: limited.Kubeconfig},
		"error":    {args: []string{"diff", dir + "/none"}},
		"broken":   {args: []string{"diff", write(t, map[string]string{"a/directory/with/a/long/name/broken.yaml": "kind: A\n\"" + strings.Repeat("k", 60) + "\": 1\n\"" + strings.Repeat("k", 60) + "\": 1\n"})}, kubeconfig: person.Kubeconfig},
	} {
		t.Run(name, func(t *testing.T) {
			shown := onTerminal(t, c)
			if name != "error" { // the shell's terminal folds that
				fits(t, shown)
			}
			if strings.Contains(shown, "\x1b[3") == (name == "error") {
				t.Errorf("colours are wrong:\n%q", shown)
			}
			c.env = []string{"NO_COLOR=1"}
			if plain := onTerminal(t, c); strings.Contains(plain, "\x1b[3") || strings.Contains(plain, "\x1b[1m") {
				t.Errorf("NO_COLOR is not respected:\n%q", plain)
			}
			c.env = nil
			if r := c.run(t); strings.ContainsRune(r.stdout+r.stderr, '\x1b') || strings.ContainsRune(r.stdout+r.stderr, '\r') {
				t.Errorf("away from a terminal:\n%q\n%q", r.stdout, r.stderr)
			}
		})
	}
	t.Run("help", func(t *testing.T) { fits(t, onTerminal(t, command{args: []string{"diff", "--help"}})) })
}

// onTerminal runs plumbline on a terminal of 80 columns and returns all that was
// sent to it.
func onTerminal(t *testing.T, c command) string {
	t.Helper()
	process := exec.CommandContext(t.Context(), plumbline, c.args...)
	process.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig, "TERM=xterm-256color", "XDG_CACHE_HOME="+filepath.Join(env.Dir, "cache"), "HOME="+env.Dir)
	process.Env = append(process.Env, c.env...)
	terminal, err := pty.StartWithSize(process, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if _, err := io.WriteString(terminal, c.stdin); err != nil {
		t.Fatal(err)
	}
	shown, _ := io.ReadAll(terminal) // it ends with an error of the closed terminal
	var exit *exec.ExitError
	if err := process.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	check(t, strings.Join(c.args, " "), string(shown))
	return string(shown)
}
