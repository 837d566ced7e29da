package e2e

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"plumbline.dev/plumbline/test/testenv"
)

var theAdmin struct {
	sync.Once
	testenv.User
}

// admin is who deploys, and who reads where rights are not the point.
func admin(t testing.TB) testenv.User {
	t.Helper()
	theAdmin.Do(func() { theAdmin.User = env.User(t, "ci", masters) })
	return theAdmin.User
}

// configMap is a declared ConfigMap; an empty namespace is left out.
func configMap(namespace, name, value string) string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\n"
	if namespace != "" {
		text += "  namespace: " + namespace + "\n"
	}
	return text + "data: {key: \"" + value + "\"}\n"
}

// deployed writes files and deploys them as CI does, into a new namespace.
func deployed(t testing.TB, namespace string, files map[string]string) string {
	t.Helper()
	dir := write(t, files)
	admin(t).Kubectl(t, "create", "namespace", namespace)
	deploy(t, namespace, dir)
	return dir
}

func deploy(t testing.TB, namespace, dir string) {
	t.Helper()
	flag := "-f"
	if _, err := os.Stat(filepath.Join(dir, "kustomization.yaml")); err == nil {
		flag = "-k"
	}
	admin(t).Kubectl(t, "-n", namespace, "apply", "--server-side", "--field-manager=ci-deploy", flag, dir)
}

// verdicts wants the exit code and the number of objects of each verdict.
func verdicts(t testing.TB, report jsonReport, r result, code int, want map[string]int) {
	t.Helper()
	if r.code != code || fmt.Sprint(report.Summary.Verdicts) != fmt.Sprint(want) {
		t.Errorf("exit %d and %v, want %d and %v:\n%s%s", r.code, report.Summary.Verdicts, code, want, r.stdout, r.stderr)
	}
}

// reasons wants each object that could not be compared to say all the parts.
func reasons(t testing.TB, report jsonReport, parts ...string) {
	t.Helper()
	if len(report.Unknown) == 0 {
		t.Error("nothing is unknown")
	}
	for _, u := range report.Unknown {
		for _, part := range parts {
			if !strings.Contains(u.Reason, part) {
				t.Errorf("%+v: the reason %q does not say %q", u.Object, u.Reason, part)
			}
		}
	}
}

// TestMissing wants an object that was deleted, and one whose kind the server
// does not have, to be missing, each with its own reason.
func TestMissing(t *testing.T) {
	dir := deployed(t, "missing", map[string]string{
		"a.yaml": configMap("", "a", "1"), "b.yaml": configMap("", "b", "1"), "c.yaml": configMap("", "c", "1"),
		"web.yaml": webDeployment,
	})
	report, r := diff(t, admin(t).Kubeconfig, dir, "-n", "missing")
	clean(t, report, r)

	admin(t).Kubectl(t, "-n", "missing", "delete", "configmap/b", "deployment/web")
	widget := "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n"
	if err := os.WriteFile(filepath.Join(dir, "widget.yaml"), []byte(widget), 0o644); err != nil {
		t.Fatal(err)
	}
	report, r = diff(t, admin(t).Kubeconfig, dir, "-n", "missing")
	verdicts(t, report, r, 1, map[string]int{"InSync": 2, "Missing": 3})
	for _, f := range report.Findings {
		absent := strings.Contains(f.Message, "CustomResourceDefinition is not installed")
		if f.Rule != "drift/missing" || f.Severity != "warning" || absent != (f.Object.Kind == "Widget") || f.Origin.File == "" {
			t.Errorf("the finding is %+v", f)
		}
	}
	text := run(t, admin(t).Kubeconfig, "diff", dir, "-n", "missing")
	if text.code != 1 || !strings.Contains(text.stdout, "3 missing") || !strings.Contains(text.stdout, "ConfigMap missing/b") {
		t.Errorf("exit %d, the text does not tell what is missing:\n%s", text.code, text.stdout)
	}
}

// TestMissingNamespace wants objects in a namespace that is gone to be missing.
func TestMissingNamespace(t *testing.T) {
	dir := write(t, map[string]string{"a.yaml": configMap("nowhere", "a", "1"), "b.yaml": configMap("nowhere", "b", "1"), "web.yaml": webDeployment})
	report, r := diff(t, admin(t).Kubeconfig, dir, "-n", "nowhere")
	verdicts(t, report, r, 1, map[string]int{"Missing": 3})
}

// rights gives a user rights in one namespace.
func rights(t testing.TB, user testenv.User, namespace string, flags ...string) {
	t.Helper()
	name := user.Name + "-" + fmt.Sprint(len(flags)) + strings.Trim(strings.Join(flags, "-"), "-=")
	name = strings.Map(func(r rune) rune {
		if r == '=' || r == ',' || r == '.' {
			return '-'
		}
		return r
	}, name)
	admin(t).Kubectl(t, append([]string{"-n", namespace, "create", "role", name}, flags...)...)
	admin(t).Kubectl(t, "-n", namespace, "create", "rolebinding", name, "--role="+name, "--user="+user.Name)
}

// TestForbidden wants what a user may not read to be unknown, whatever else
// there is, and the reason to say who lacks which right.
func TestForbidden(t *testing.T) {
	dir := deployed(t, "forbidden", map[string]string{
		"maps.yaml": configMap("", "a", "1") + "---\n" + configMap("", "b", "1"),
		"web.yaml":  webDeployment,
		"rest.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: x}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: z}\n",
	})
	limited := env.User(t, "limited")
	rights(t, limited, "forbidden", "--verb=get,list", "--resource=configmaps")
	args := []string{dir, "-n", "forbidden"}

	report, r := diff(t, limited.Kubeconfig, args...)
	verdicts(t, report, r, 3, map[string]int{"InSync": 2, "Unknown": 3})
	reasons(t, report, `"limited" cannot get resource`, `in the namespace "forbidden"`)
	for _, u := range report.Unknown {
		if !strings.Contains(u.Reason, `"`+u.Object.Name+`"`) || !strings.Contains(u.Reason, strings.ToLower(u.Object.Kind)+"s") {
			t.Errorf("the reason for %s %s speaks of something else: %s", u.Object.Kind, u.Object.Name, u.Reason)
		}
	}
	text := run(t, limited.Kubeconfig, append([]string{"diff"}, args...)...)
	if text.code != 3 || !strings.Contains(text.stdout, "3 not compared") || !strings.Contains(text.stdout, "limited") {
		t.Errorf("exit %d, the text does not tell what was not compared:\n%s", text.code, text.stdout)
	}

	admin(t).Kubectl(t, "-n", "forbidden", "patch", "configmap", "a", "-p", `{"data":{"key":"2"}}`)
	report, r = diff(t, limited.Kubeconfig, args...)
	verdicts(t, report, r, 1, map[string]int{"InSync": 1, "Drifted": 1, "Unknown": 3})
}

// TestForbiddenToList wants a user who may get and not list to see what he may,
// and a right to one object only to be enough for that one.
func TestForbiddenToList(t *testing.T) {
	dir := deployed(t, "getonly", map[string]string{
		"maps.yaml": configMap("", "a", "1") + "---\n" + configMap("", "b", "1") + "---\n" + configMap("", "c", "1"),
	})
	getter, one := env.User(t, "getter"), env.User(t, "one")
	rights(t, getter, "getonly", "--verb=get", "--resource=configmaps")
	rights(t, one, "getonly", "--verb=get", "--resource=configmaps", "--resource-name=b")

	report, r := diff(t, getter.Kubeconfig, dir, "-n", "getonly")
	clean(t, report, r)
	report, r = diff(t, one.Kubeconfig, dir, "-n", "getonly")
	verdicts(t, report, r, 3, map[string]int{"InSync": 1, "Unknown": 2})
	admin(t).Kubectl(t, "-n", "getonly", "delete", "configmap", "b")
	report, r = diff(t, one.Kubeconfig, dir, "-n", "getonly")
	verdicts(t, report, r, 1, map[string]int{"Missing": 1, "Unknown": 2})
}

// TestUnreachable wants every way in which no comparison can begin to be one
// line that names the server and what to do, soon.
func TestUnreachable(t *testing.T) {
	dir := write(t, map[string]string{"a.yaml": configMap("default", "a", "1")})
	config := configOf(t, admin(t))
	host := strings.TrimPrefix(config.Host, "https://")
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()
	foreignCA := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.Certificate().Raw})
	foreignCert, foreignKey := selfSigned(t)
	closed := testenv.FreeAddress(t)
	for _, test := range []struct {
		name, server string
		ca           []byte
		auth         clientcmdapi.AuthInfo
		want         []string
	}{
		{"closed-port", "https://" + closed, config.CAData, clientcmdapi.AuthInfo{}, []string{closed, "connection refused", "kubeconfig"}},
		{"unknown-host", "https://nowhere.invalid:6443", config.CAData, clientcmdapi.AuthInfo{}, []string{"nowhere.invalid", "kubeconfig"}},
		{"unknown-authority", config.Host, foreignCA, clientcmdapi.AuthInfo{}, []string{host, "certificate", "certificate-authority"}},
		{"plain-http", "http://" + host, nil, clientcmdapi.AuthInfo{}, []string{host, "kubeconfig"}},
		{"foreign-certificate", config.Host, config.CAData, clientcmdapi.AuthInfo{ClientCertificateData: foreignCert, ClientKeyData: foreignKey}, []string{host, "credentials"}},
		{"wrong-token", config.Host, config.CAData, clientcmdapi.AuthInfo{Token: keepSecret("not-a-token-of-this-server")}, []string{host, "credentials"}},
		{"no-credentials", config.Host, config.CAData, clientcmdapi.AuthInfo{}, []string{host, "credentials", "system:discovery"}},
		{"not-an-api-server", stranger.URL, foreignCA, clientcmdapi.AuthInfo{}, []string{strings.TrimPrefix(stranger.URL, "https://"), "kubeconfig"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := command{args: []string{"diff", dir, "-o", "json"}, kubeconfig: kubeconfigFor(t, test.server, test.ca, test.auth), within: 10 * time.Second}.run(t)
			refused(t, r, test.want...)
		})
	}
}

const brokenService = `apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.broken.example.com}
spec:
  group: broken.example.com
  version: v1
  groupPriorityMinimum: 1000
  versionPriority: 10
  insecureSkipTLSVerify: true
  service: {name: nobody, namespace: default, port: 443}
`

// TestBrokenAPIService wants the kinds of an API service that is down to be
// unknown, and the others to be compared. It runs alone: while the service is down, rules
// that list every kind cannot be done by anybody.
func TestBrokenAPIService(t *testing.T) {
	dir := deployed(t, "broken-service", map[string]string{"maps.yaml": configMap("", "a", "1") + "---\n" + configMap("", "b", "1")})
	admin(t).KubectlIn(t, brokenService, "apply", "-f", "-")
	defer func() {
		admin(t).Kubectl(t, "delete", "apiservice", "v1.broken.example.com")
		testenv.Poll(30*time.Second, func() bool {
			return !strings.Contains(admin(t).Kubectl(t, "get", "--raw", "/apis"), "broken.example.com")
		})
	}()
	gadget := "apiVersion: broken.example.com/v1\nkind: Gadget\nmetadata: {name: g}\n"
	if err := os.WriteFile(filepath.Join(dir, "gadget.yaml"), []byte(gadget), 0o644); err != nil {
		t.Fatal(err)
	}
	var report jsonReport
	var r result
	testenv.Poll(30*time.Second, func() bool { // until the server knows of it
		report, r = diff(t, admin(t).Kubeconfig, dir, "-n", "broken-service")
		return r.code != 1
	})
	verdicts(t, report, r, 3, map[string]int{"InSync": 2, "Unknown": 1})
	reasons(t, report, "broken.example.com/v1", "does not answer")
}

// TestUnparsable wants a document that cannot be read to be an error with its
// place, and the findings about the others to be there all the same.
func TestUnparsable(t *testing.T) {
	dir := deployed(t, "unparsable", map[string]string{"a.yaml": configMap("", "a", "1"), "b.yaml": configMap("", "b", "1")})
	admin(t).Kubectl(t, "-n", "unparsable", "patch", "configmap", "a", "-p", `{"data":{"key":"2"}}`)
	for _, test := range []struct{ name, content, want string }{
		{"syntax", configMap("", "c", "1") + "---\na: {\nb: [\n", "bad.yaml:8: "},
		{"tab", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: c\n", "bad.yaml:4: "},
		{"no name", "# first\napiVersion: v1\nkind: ConfigMap\n", "bad.yaml:2: "},
		{"no kind", configMap("", "b2", "1") + "---\napiVersion: v1\nmetadata: {name: c}\n", "bad.yaml:7: "},
		{"not an object", "- a\n- b\n", "bad.yaml:1: "},
		{"name of a number", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 7}\n", "bad.yaml:1: "},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			bad := filepath.Join(dir, "bad.yaml")
			if err := os.WriteFile(bad, []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
			report, r := diff(t, admin(t).Kubeconfig, dir, "-n", "unparsable")
			if r.code != 2 || len(report.Errors) != 1 || !strings.HasPrefix(report.Errors[0], test.want) {
				t.Errorf("exit %d, want an error at %s:\n%s%s", r.code, test.want, r.stdout, r.stderr)
			}
			if report.Summary.Verdicts["Drifted"] != 1 || report.Summary.Verdicts["InSync"] != 1 || report.Findings[0].Object.Name != "a" {
				t.Errorf("the others are hidden:\n%s", r.stdout)
			}
			text := run(t, admin(t).Kubeconfig, "diff", dir, "-n", "unparsable")
			if text.code != 2 || !strings.Contains(text.stdout, "error: "+test.want) || !strings.Contains(text.stdout, "ConfigMap unparsable/a") {
				t.Errorf("exit %d, the text does not tell both:\n%s", text.code, text.stdout)
			}
		})
	}
}

// TestDuplicates wants an object that is declared twice to be said so with both
// places, and never to be compared with one of the two by chance.
func TestDuplicates(t *testing.T) {
	dir := deployed(t, "duplicates", map[string]string{"a.yaml": configMap("", "a", "1"), "b.yaml": configMap("", "b", "1")})
	path := filepath.Join(dir, "c.yaml")
	for _, test := range []struct {
		name, content string
		code          int
	}{
		{"same document", configMap("", "a", "2"), 2},
		{"other spelling", configMap("duplicates", "a", "2"), 3},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
			report, r := diff(t, admin(t).Kubeconfig, dir, "-n", "duplicates")
			said := strings.Join(report.Errors, "\n")
			for _, u := range report.Unknown {
				said += u.Reason
			}
			if r.code != test.code || !strings.Contains(said, "a.yaml:1") || !strings.Contains(said, "c.yaml:1") || report.Summary.Verdicts["InSync"] == 0 {
				t.Errorf("exit %d, want both places:\n%s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
}

// TestServerFails puts every fault that a server, or what stands before it, can
// have between discovery and the objects: what was not answered is unknown,
// never missing and never clean.
func TestServerFails(t *testing.T) {
	dir := deployed(t, "server-fails", map[string]string{
		"maps.yaml": configMap("", "a", "1") + "---\n" + configMap("", "b", "1"), // a LIST
		"web.yaml":  webDeployment,                                               // a GET
	})
	t.Parallel()
	const status = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"etcdserver: request timed out","code":500}`
	for _, test := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
	}{
		{"cut", func(_ http.ResponseWriter, req *http.Request) bool {
			if readsObjects(req) {
				panic(http.ErrAbortHandler)
			}
			return false
		}},
		{"cut in the body", func(w http.ResponseWriter, req *http.Request) bool {
			if !readsObjects(req) {
				return false
			}
			w.Header().Set("Content-Length", "4000")
			_, _ = w.Write([]byte(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[`))
			panic(http.ErrAbortHandler)
		}},
		{"internal error", answering(500, "application/json", status)},
		{"page not found", answering(404, "text/html", "<html>404</html>")},
		{"plain not found", answering(404, "text/plain", "404 page not found\n")},
		{"login page", answering(200, "text/html", "<html>log in</html>")},
		{"other JSON", answering(200, "application/json", `{"message":"log in"}`)},
		{"empty", answering(200, "application/json", "")},
		{"empty object", answering(200, "application/json", "{}")},
		{"null", answering(200, "application/json", "null")},
		{"list without items", answering(200, "application/json", `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{}}`)},
		{"other list", answering(200, "application/json", `{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[]}`)},
		{"other object", answering(200, "application/json", `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"server-fails"},"spec":{}}`)},
		{"status of success", answering(200, "application/json", `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}`)},
		{"no longer served", answering(404, "application/json", `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}`)},
		{"too many requests", answering(429, "text/plain", "slow down")},
		{"service unavailable", answering(503, "text/plain", "draining")},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			kubeconfig := middleman(t, admin(t), test.fault)
			report, r := diff(t, kubeconfig, dir, "-n", "server-fails")
			verdicts(t, report, r, 3, map[string]int{"Unknown": 3})
			for _, u := range report.Unknown {
				if u.Reason == "" || strings.Contains(u.Reason, "\n") || strings.Contains(u.Reason, "<html>") {
					t.Errorf("the reason is %q", u.Reason)
				}
			}
			if r.took > time.Minute {
				t.Errorf("it took %s", r.took)
			}
		})
	}
}

// TestServerFailsOnce wants a fault that passes to be no more than a delay.
func TestServerFailsOnce(t *testing.T) {
	t.Parallel()
	dir := deployed(t, "fails-once", map[string]string{"maps.yaml": configMap("", "a", "1") + "---\n" + configMap("", "b", "1")})
	var once sync.Once
	kubeconfig := middleman(t, admin(t), func(_ http.ResponseWriter, req *http.Request) bool {
		if readsObjects(req) {
			once.Do(func() { panic(http.ErrAbortHandler) })
		}
		return false
	})
	report, r := diff(t, kubeconfig, dir, "-n", "fails-once")
	clean(t, report, r)
}

// TestServerFailsEarly wants schemas that cannot be read to be a warning, and a
// server that dies before it has said what it serves to be an error.
func TestServerFailsEarly(t *testing.T) {
	t.Parallel()
	dir := deployed(t, "fails-early", map[string]string{"web.yaml": webDeployment})
	noSchemas := middleman(t, admin(t), func(w http.ResponseWriter, req *http.Request) bool {
		if strings.HasPrefix(req.URL.Path, "/openapi") {
			http.Error(w, "no", http.StatusInternalServerError)
			return true
		}
		return false
	})
	report, r := diff(t, noSchemas, dir, "-n", "fails-early")
	if r.code != 0 || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "schemas") {
		t.Errorf("exit %d, want a warning about schemas:\n%s%s", r.code, r.stdout, r.stderr)
	}
	for _, path := range []string{"/api", "/apis"} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			dying := middleman(t, admin(t), func(_ http.ResponseWriter, req *http.Request) bool {
				if req.URL.Path == path {
					panic(http.ErrAbortHandler)
				}
				return false
			})
			refused(t, command{args: []string{"diff", dir}, kubeconfig: dying, within: 20 * time.Second}.run(t), "127.0.0.1:", "kubeconfig")
		})
	}
}

// TestDump compares with a file: what it cannot tell is unknown.
func TestDump(t *testing.T) {
	dir := deployed(t, "dump", map[string]string{"maps.yaml": configMap("", "a", "1") + "---\n" + configMap("", "b", "1"), "web.yaml": webDeployment})
	dump := func(args ...string) string {
		file := filepath.Join(t.TempDir(), "live.yaml")
		out := admin(t).Kubectl(t, append([]string{"-n", "dump", "get", "-o", "yaml"}, args...)...)
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	all := dump("configmaps,deployments", "--show-managed-fields")
	compare := func(live string) (jsonReport, result) {
		t.Helper()
		return diff(t, "/nonexistent", dir, "-n", "dump", "--live", live)
	}
	report, r := compare(all)
	clean(t, report, r)

	report, r = compare(dump("configmaps,deployments")) // without managedFields
	verdicts(t, report, r, 3, map[string]int{"Unknown": 3})
	reasons(t, report, "--show-managed-fields")

	report, r = compare(dump("configmaps", "--show-managed-fields"))
	verdicts(t, report, r, 3, map[string]int{"InSync": 2, "Unknown": 1})
	reasons(t, report, "no object of this kind")

	report, r = compare(dump("configmap/a", "deployment/web", "--show-managed-fields"))
	verdicts(t, report, r, 1, map[string]int{"InSync": 2, "Missing": 1})

	report, r = compare(dump("configmap/a", "--show-managed-fields"))
	verdicts(t, report, r, 3, map[string]int{"InSync": 1, "Unknown": 2})
	reasons(t, report, "the dump")

	report, r = diff(t, "/nonexistent", dir, "-n", "elsewhere", "--live", all)
	verdicts(t, report, r, 3, map[string]int{"Unknown": 3})
	reasons(t, report, "elsewhere")

	admin(t).Kubectl(t, "-n", "dump", "set", "image", "deployment/web", "web=nginx:latest")
	for _, file := range []string{dump("configmaps,deployments"), dump("configmaps,deployments", "--show-managed-fields")} {
		report, r = compare(file)
		if r.code != 1 || report.Summary.Verdicts["Drifted"] != 1 || len(report.Findings) != 1 || len(report.Findings[0].Changes) != 1 {
			t.Errorf("exit %d, want the image's change:\n%s", r.code, r.stdout)
		}
	}
	for content, want := range map[string]string{"": "holds none", "a: [\n": "live.yaml:", "- 1\n": "live.yaml:1"} {
		file := filepath.Join(t.TempDir(), "live.yaml")
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		refused(t, run(t, "", "diff", dir, "--live", file), want)
	}
	refused(t, run(t, "", "diff", dir, "--live", "nowhere.yaml"), "nowhere.yaml", "no such file")
}
