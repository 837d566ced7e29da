package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/test/testenv"
)

// everyWay runs the comparison in every format, with and without what
// controllers own, and returns the JSON report. Each run is searched for the
// values of Secrets.
func everyWay(t *testing.T, code int, args ...string) jsonReport {
	t.Helper()
	ways := [][]string{{"-o", "text", "--show", "controllers"}, {"-o", "json", "--show", "controllers"}}
	for _, format := range allFormats {
		ways = append(ways, []string{"-o", format})
	}
	for _, flags := range ways {
		if r := run(t, admin(t).Kubeconfig, append(append([]string{"diff"}, flags...), args...)...); r.code != code {
			t.Errorf("%v: exit %d, want %d:\n%s%s", flags, r.code, code, r.stdout, r.stderr)
		}
	}
	report, r := diff(t, admin(t).Kubeconfig, args...)
	if r.code != code {
		t.Errorf("exit %d, want %d:\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	return report
}

// masked wants exactly the given changes ("path op"), each of them to be told
// and its values to be masked.
func masked(t *testing.T, report jsonReport, want ...string) {
	t.Helper()
	var got []string
	for _, f := range report.Findings {
		for _, c := range f.Changes {
			got = append(got, c.Path+" "+c.Op)
			for _, v := range []any{c.Declared, c.Live} {
				if text := fmt.Sprint(v); v != nil && !strings.Contains(text, "***") {
					t.Errorf("%s of %s %s is shown as %s", c.Path, f.Object.Kind, f.Object.Name, text)
				}
			}
		}
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("the changes are %q, want %q", got, want)
	}
}

func secretManifest(name, field string, values ...string) string {
	text := "apiVersion: v1\nkind: Secret\nmetadata: {name: " + name + "}\n" + field + ":\n"
	for i := 0; i+1 < len(values); i += 2 {
		text += "  " + values[i] + ": " + values[i+1] + "\n"
	}
	return text
}

func patchSecret(t *testing.T, namespace, name, patch string) {
	t.Helper()
	admin(t).Kubectl(t, "-n", namespace, "patch", "secret", name, "--type=merge", "-p", patch)
}

// TestSecretsEdited has a person change Secrets in every way there is: all of it
// is told, and no value is.
func TestSecretsEdited(t *testing.T) {
	const ns = "secrets-edited"
	declared := encoded(keepSecret("declared-password-1"))
	dir := deployed(t, ns, map[string]string{
		"data.yaml":  secretManifest("data", "data", "password", declared, "user", encoded(keepSecret("declared-user-1"))),
		"plain.yaml": secretManifest("plain", "stringData", "password", keepSecret("declared-plain-1")),
		"empty.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: empty, labels: {app: x}}\n",
		"gone.yaml":  secretManifest("gone", "stringData", "password", keepSecret("declared-gone-1")),
	})
	report, r := diff(t, admin(t).Kubeconfig, dir, "-n", ns)
	clean(t, report, r)

	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"edited", func() {
			patchSecret(t, ns, "data", `{"data":{"password":"`+encoded(keepSecret("live-password-1"))+`"}}`)
		}, []string{"data.password modified"}},
		{"added key", func() {
			patchSecret(t, ns, "data", `{"stringData":{"extra":"`+keepSecret("live-extra-1")+`"}}`)
		}, []string{"data.extra added", "data.password modified"}},
		{"removed key", func() { patchSecret(t, ns, "data", `{"data":{"user":null}}`) },
			[]string{"data.extra added", "data.password modified", "data.user removed"}},
		{"plain edited", func() {
			patchSecret(t, ns, "plain", `{"stringData":{"password":"`+keepSecret("live-plain-1")+`"}}`)
		}, []string{"data.extra added", "data.password modified", "data.user removed", "data.password modified"}},
		{"all data added", func() {
			patchSecret(t, ns, "empty", `{"stringData":{"one":"`+keepSecret("live-one-1")+`","two":"`+keepSecret("live-two-1")+`"}}`)
		}, []string{"data.extra added", "data.password modified", "data.user removed", "data added", "data.password modified"}},
	} {
		t.Run(strings.ReplaceAll(step.name, " ", "-"), func(t *testing.T) {
			step.do()
			masked(t, everyWay(t, 1, dir, "-n", ns), step.want...)
		})
	}
	t.Run("missing", func(t *testing.T) {
		admin(t).Kubectl(t, "-n", ns, "delete", "secret", "gone")
		if report := everyWay(t, 1, dir, "-n", ns); report.Summary.Verdicts["Missing"] != 1 {
			t.Errorf("the verdicts are %v", report.Summary.Verdicts)
		}
	})
}

// TestSecretsLastApplied has the values stand in the annotation that client-side
// apply leaves: put there by the deployer, and by a person who applied over a
// server-side deployment.
func TestSecretsLastApplied(t *testing.T) {
	const ns = "secrets-applied"
	dir := deployed(t, ns, map[string]string{"s.yaml": secretManifest("s", "stringData", "password", keepSecret("applied-declared-1"))})
	other := write(t, map[string]string{"s.yaml": secretManifest("s", "stringData", "password", keepSecret("applied-live-1"), "more", keepSecret("applied-live-2"))})
	admin(t).Kubectl(t, "-n", ns, "apply", "--field-manager=mallory", "-f", other)
	live := admin(t).Kubectl(t, "-n", ns, "get", "secret", "s", "-o", "yaml", "--show-managed-fields")
	if !strings.Contains(live, "last-applied-configuration") || !strings.Contains(live, "applied-live-2") {
		t.Fatalf("the annotation is not there:\n%s", live)
	}
	report := everyWay(t, 1, dir, "-n", ns)
	if len(report.Findings) == 0 || len(report.Findings[0].Changes) == 0 {
		t.Errorf("nothing was found: %+v", report)
	}
	t.Run("dump", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "live.yaml")
		if err := os.WriteFile(file, []byte(live), 0o644); err != nil {
			t.Fatal(err)
		}
		everyWay(t, 1, dir, "-n", ns, "--live", file)
	})
	t.Run("by the deployer", func(t *testing.T) {
		admin(t).Kubectl(t, "-n", ns, "delete", "secret", "s")
		admin(t).Kubectl(t, "-n", ns, "apply", "--field-manager=ci-deploy", "-f", dir)
		everyWay(t, 0, dir, "-n", ns)
		patchSecret(t, ns, "s", `{"stringData":{"password":"`+keepSecret("applied-live-3")+`"}}`)
		masked(t, everyWay(t, 1, dir, "-n", ns), "data.password modified")
	})
	t.Run("annotation edited", func(t *testing.T) {
		text := `{"apiVersion":"v1","kind":"Secret","stringData":{"password":"` + keepSecret("applied-live-4") + `"}}`
		admin(t).Kubectl(t, "-n", ns, "annotate", "--overwrite", "secret", "s", "kubectl.kubernetes.io/last-applied-configuration="+text)
		everyWay(t, 1, dir, "-n", ns)
	})
}

// TestSecretsGenerated has kustomize make the Secrets.
func TestSecretsGenerated(t *testing.T) {
	const ns = "secrets-generated"
	dir := deployed(t, ns, map[string]string{
		"kustomization.yaml": "secretGenerator:\n- name: literals\n  literals:\n  - password=" + keepSecret("generated-literal-1") + "\n" +
			"- name: files\n  files: [key.txt]\n  envs: [all.env]\n",
		"key.txt": keepSecret("generated-file-1"),
		"all.env": "TOKEN=" + keepSecret("generated-env-1") + "\n",
	})
	names := strings.Fields(admin(t).Kubectl(t, "-n", ns, "get", "secrets", "-o", "name"))
	if len(names) != 2 {
		t.Fatalf("the Secrets are %v", names)
	}
	everyWay(t, 0, dir, "-n", ns)
	for _, name := range names { // the one has the key, the other gets it
		patchSecret(t, ns, strings.TrimPrefix(name, "secret/"), `{"data":{"TOKEN":"`+encoded(keepSecret("generated-live-1"))+`","password":"`+encoded(keepSecret("generated-live-2"))+`"}}`)
	}
	masked(t, everyWay(t, 1, dir, "-n", ns), "data.password added", "data.TOKEN modified", "data.TOKEN added", "data.password modified")
}

// TestSecretsInErrors has the values stand where something goes wrong.
func TestSecretsInErrors(t *testing.T) {
	value := keepSecret("broken-and-not-told-1")
	patchOf := func(patch string) map[string]string {
		return map[string]string{
			"kustomization.yaml": "resources: [s.yaml]\npatches:\n" + patch,
			"s.yaml":             secretManifest("s", "stringData", "password", value),
		}
	}
	for _, test := range []struct {
		name  string
		files map[string]string
	}{
		{"syntax error", map[string]string{"s.yaml": secretManifest("s", "stringData", "password", value) + "  " + value + "\n bad: {" + value + "\n"}},
		{"bad quote", map[string]string{"s.yaml": secretManifest("s", "stringData", "password", `"`+value)}},
		{"value as alias", map[string]string{"s.yaml": secretManifest("s", "stringData", "password", "*"+value)}},
		{"value as tag", map[string]string{"s.yaml": secretManifest("s", "stringData", "password", "!!int "+value)}},
		{"value as timestamp", map[string]string{"s.yaml": secretManifest("s", "data", "password", "!!float "+value)}},
		{"value as kind", map[string]string{"s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: " + value + "\n"}},
		{"list of values", map[string]string{"s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: [" + value + "]\n"}},
		{"duplicate", map[string]string{"s.yaml": secretManifest("s", "stringData", "password", value), "t.yaml": secretManifest("s", "stringData", "password", value)}},
		{"literal without key", map[string]string{"kustomization.yaml": "secretGenerator:\n- name: s\n  literals: [" + value + "]\n"}},
		{"literal of no key", map[string]string{"kustomization.yaml": "secretGenerator:\n- name: s\n  literals: [\"=" + value + "\"]\n"}},
		{"bad env file", map[string]string{"kustomization.yaml": "secretGenerator:\n- name: s\n  envs: [s.env]\n", "s.env": "a b=" + value + "\n"}},
		{"unknown generator field", map[string]string{"kustomization.yaml": "secretGenerator:\n- name: s\n  literal: [password=" + value + "]\n"}},
		{"same key twice", map[string]string{"kustomization.yaml": "secretGenerator:\n- name: s\n  literals: [a=" + value + ", a=" + value + "]\n"}},
		{"bad type of values", patchOf("- patch: |-\n    apiVersion: v1\n    kind: Secret\n    metadata: {name: s}\n    stringData: [" + value + "]\n")},
		{"patch of nothing", patchOf("- patch: |-\n    apiVersion: v1\n    kind: Secret\n    metadata: {name: t}\n    stringData: {password: " + value + "}\n")},
		{"bad operation", patchOf("- target: {kind: Secret}\n  patch: |-\n    - {op: test, path: /stringData/password, value: " + value + "}\n    - {op: remove, path: /none}\n")},
		{"failing test operation", patchOf("- target: {kind: Secret}\n  patch: |-\n    - {op: test, path: /stringData/other, value: " + value + "}\n")},
		{"syntax error in a patch", patchOf("- target: {kind: Secret}\n  patch: |-\n    stringData: {password: " + value + "\n")},
		{"replacement", map[string]string{
			"kustomization.yaml": "resources: [s.yaml]\nreplacements:\n- source: {kind: Secret, name: s, fieldPath: stringData.password}\n  targets: [{select: {kind: Secret}, fieldPaths: [stringData.password.x.y]}]\n",
			"s.yaml":             secretManifest("s", "stringData", "password", value),
		}},
		{"literals as a text", map[string]string{"kustomization.yaml": "secretGenerator:\n- name: s\n  literals: password=" + value + "\n"}},
		{"literal as a mapping", map[string]string{"kustomization.yaml": "secretGenerator:\n- name: s\n  literals: [{password: " + value + "}]\n"}},
		{"literal as alias", map[string]string{"kustomization.yaml": "secretGenerator:\n- name: s\n  literals: [*" + value + "]\n"}},
		{"alias in a patch", patchOf("- target: {kind: Secret}\n  patch: |-\n    stringData: {password: *" + value + "}\n")},
		{"list item", map[string]string{"s.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  stringData: {password: " + value + "}\n"}},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			dir := write(t, test.files)
			for _, output := range []string{"text", "json"} {
				r := run(t, admin(t).Kubeconfig, "diff", dir, "-n", "default", "-o", output)
				if r.code != 2 && r.code != 1 {
					t.Errorf("exit %d, want an error or a finding:\n%s%s", r.code, r.stdout, r.stderr)
				}
				if strings.Contains(r.stdout+r.stderr, value[:12]) {
					t.Errorf("a part of the value is printed:\n%s%s", r.stdout, r.stderr)
				}
			}
		})
	}
}

// TestSecretsInvalidBase64 has git declare data that is no base64: it is drift
// or unknown, and not shown.
func TestSecretsInvalidBase64(t *testing.T) {
	const ns = "secrets-base64"
	dir := deployed(t, ns, map[string]string{"s.yaml": secretManifest("s", "stringData", "password", keepSecret("base64-live-1"))})
	if err := os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(secretManifest("s", "data", "password", "'"+keepSecret("no-base64-at-all!!")+"'")), 0o644); err != nil {
		t.Fatal(err)
	}
	masked(t, everyWay(t, 1, dir, "-n", ns), "data.password modified")
}

// TestGitCredentials gives credentials to git servers that refuse, repeat or
// redirect them: they are in no output.
func TestGitCredentials(t *testing.T) {
	user, password, token := keepSecret("git-user-name-1"), keepSecret("git-password-1"), keepSecret("git-token-1")
	for _, s := range []string{user + ":" + password, "git:" + password} {
		keepSecret(s)
	}
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(gitsourcetest.Commit{Files: map[string]string{"a.yaml": configMap("default", "a", "1")}})
	refusing := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Username: "u", Password: "p"})
	failing := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Intercept: func(w http.ResponseWriter, req *http.Request) bool {
		http.Error(w, "failed for "+req.Header.Get("Authorization"), http.StatusInternalServerError)
		return true
	}})
	cutting := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Intercept: func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }})
	redirecting := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Intercept: func(w http.ResponseWriter, req *http.Request) bool {
		http.Redirect(w, req, "http://"+user+":"+password+"@127.0.0.1:1"+req.URL.Path, http.StatusFound)
		return true
	}})
	web := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Intercept: func(w http.ResponseWriter, req *http.Request) bool {
		w.Header().Set("Content-Type", "text/html; who="+base64.StdEncoding.EncodeToString([]byte(req.Header.Get("Authorization"))))
		_, _ = w.Write([]byte("<html>" + req.Header.Get("Authorization")))
		return true
	}})
	for name, url := range map[string]string{
		"refused": refusing.Repo(), "failing": failing.Repo(), "cut": cutting.Repo(), "redirected": redirecting.Repo(), "web": web.Repo(),
		"closed": "http://" + testenv.FreeAddress(t) + "/repo.git", "not found": refusing.URL + "/other.git", "no port": "http://127.0.0.1:port/x",
	} {
		withUser := strings.Replace(url, "://", "://"+user+":"+password+"@", 1)
		withToken := strings.Replace(url, "://", "://"+token+"@", 1)
		for how, c := range map[string]command{
			"in the URL":       {args: []string{"diff", "--git", withUser}},
			"token in the URL": {args: []string{"diff", "--git", withToken, "-o", "json"}},
			"password":         {args: []string{"diff", "--git", url}, env: []string{"PLUMBLINE_GIT_PASSWORD=" + password}},
			"token":            {args: []string{"diff", "--git", url}, env: []string{"PLUMBLINE_GIT_TOKEN=" + token}},
		} {
			t.Run(strings.ReplaceAll(name+"/"+how, " ", "-"), func(t *testing.T) {
				c.within = 20 * time.Second
				refused(t, c.run(t))
			})
		}
	}
	t.Run("accepted", func(t *testing.T) {
		open := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Username: user, Password: password})
		url := strings.Replace(open.Repo(), "://", "://"+user+":"+password+"@", 1)
		for _, output := range []string{"text", "json", "yaml"} {
			if r := run(t, admin(t).Kubeconfig, "diff", "--git", url, "-o", output); r.code != 1 {
				t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
			}
		}
	})
}
