package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// lagging is a repository of five commits, the newest of which is 4.
type lagging struct {
	repo    *gitsourcetest.Repo
	commits []string
	trees   []map[string]string
}

// newLagging makes the commits, the first of which is of the given time and each
// other an hour after the one before. Commit 2 changes nothing that is rendered.
func newLagging(t *testing.T, first time.Time) *lagging {
	t.Helper()
	l := &lagging{repo: gitsourcetest.NewRepo(t)}
	web := webDeployment
	data := func(name, data string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {" + data + "}\n"
	}
	tree := map[string]string{}
	edit := func(old, new string) string {
		web = strings.Replace(web, old, new, 1)
		return web
	}
	for i, files := range []map[string]string{
		{"app/web.yaml": web, "app/settings.yaml": data("settings", `a: "1", dropped: x`), "app/only.yaml": data("only", `k: "1"`), "app/same.yaml": data("same", `k: "1"`)},
		{"app/web.yaml": edit("web:1.0", "web:2.0")},
		{"README.md": "about it"},
		{
			"app/web.yaml":      edit("{name: LEVEL, value: info}", "{name: NEW, value: fresh}"),
			"app/settings.yaml": data("settings", `a: "1"`),
			"app/only.yaml":     data("only", `k: "1", new: "1"`),
		},
		{"app/settings.yaml": data("settings", `a: "2"`)},
	} {
		maps.Copy(tree, files)
		l.trees = append(l.trees, maps.Clone(tree))
		l.commits = append(l.commits, l.repo.Commit(gitsourcetest.Commit{Files: tree, Time: first.Add(time.Duration(i) * time.Hour)}))
	}
	return l
}

// add makes one more commit.
func (l *lagging) add(files map[string]string, at time.Time) {
	tree := maps.Clone(l.trees[len(l.trees)-1])
	maps.Copy(tree, files)
	l.trees = append(l.trees, tree)
	l.commits = append(l.commits, l.repo.Commit(gitsourcetest.Commit{Files: tree, Time: at}))
}

// deployers are the ways to deploy a directory.
var deployers = map[string][]string{
	"server-side": {"apply", "--server-side", "--field-manager=ci-deploy", "-f"},
	"client-side": {"apply", "-f"},
}

// deploy deploys a commit into a namespace.
func (l *lagging) deploy(t *testing.T, namespace, how string, commit int) {
	t.Helper()
	dir := write(t, l.trees[commit])
	admin(t).Kubectl(t, slices.Concat([]string{"-n", namespace}, deployers[how], []string{filepath.Join(dir, "app")})...)
}

// told spells a report's changes: "web modified spec.replicas: drift/pending 4".
func (l *lagging) told(t *testing.T, report jsonReport) []string {
	t.Helper()
	var all []string
	for _, f := range report.Findings {
		if len(f.Changes) == 0 {
			all = append(all, fmt.Sprintf("%s: %s: %s", f.Object.Name, f.Rule, f.Message))
		}
		for _, c := range f.Changes {
			path := strings.TrimPrefix(c.Path, container+".")
			text := fmt.Sprintf("%s %s %s: %s", f.Object.Name, c.Op, path, f.Rule)
			if c.Pending != nil {
				text += fmt.Sprint(" ", c.Pending.Behind)
				if want := l.commits[len(l.commits)-1-c.Pending.Behind]; c.Pending.Commit != want {
					t.Errorf("%s: as of %s, want %s", text, c.Pending.Commit, want)
				}
			}
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

func (l *lagging) flags(namespace string, more ...string) []string {
	return append([]string{"--git", "file://" + filepath.ToSlash(l.repo.Dir), "--path", "app", "-n", namespace}, more...)
}

// pending is what must be said where commit 0 is deployed and git has moved on.
func pending() []string {
	return []string{
		"only removed data.new: drift/pending 2",
		"settings modified data.a: drift/pending 1",
		"settings released data.dropped: drift/pending 2",
		"web modified image: drift/pending 4",
		"web released env[name=LEVEL]: drift/pending 2",
		"web removed env[name=NEW]: drift/pending 2",
	}
}

// TestLag deploys a commit and lets git move on: each difference must be told as
// of the newest commit that has it, whatever the way of deploying and of reading
// the repository.
func TestLag(t *testing.T) {
	t.Parallel()
	for how := range deployers {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			namespace := "lag-" + how
			admin(t).Kubectl(t, "create", "namespace", namespace)
			begin := time.Now()
			l := newLagging(t, begin)
			l.deploy(t, namespace, how, 0)

			report, r := diff(t, admin(t).Kubeconfig, l.flags(namespace)...)
			if d := cmp.Diff(pending(), l.told(t, report)); d != "" || len(report.Warnings) > 0 {
				t.Errorf("warnings %q (-want +got):\n%s", report.Warnings, d)
			}
			verdicts(t, report, r, 0, map[string]int{"InSync": 1, "Pending": 3})

			text := run(t, admin(t).Kubeconfig, append([]string{"diff"}, l.flags(namespace)...)...)
			if text.code != 0 || !strings.Contains(text.stdout, "3 pending") || !strings.Contains(text.stdout, "as of "+l.commits[0][:12]+", 4 commits behind") {
				t.Errorf("exit %d, the text does not tell:\n%s", text.code, text.stdout)
			}
			if r := run(t, admin(t).Kubeconfig, append([]string{"diff", "--fail-on", "info"}, l.flags(namespace)...)...); r.code != 1 {
				t.Errorf("with --fail-on info: exit %d, want 1", r.code)
			}

			baseline := strings.Replace(baselineText("file://"+filepath.ToSlash(l.repo.Dir), ""), "path: apps", "path: app", 1)
			for source, args := range map[string][]string{
				"a work tree": {filepath.Join(l.repo.Clone(), "app")},
				"a Baseline":  {"-f", filepath.Join(write(t, map[string]string{"b.yaml": baseline}), "b.yaml")},
				"blame":       l.flags(namespace, "--blame"),
			} {
				report, r = diff(t, admin(t).Kubeconfig, append(args, "-n", namespace)...)
				if d := cmp.Diff(pending(), l.told(t, report)); d != "" || r.code != 0 {
					t.Errorf("of %s: exit %d (-want +got):\n%s%s", source, r.code, d, r.stderr)
				}
			}

			report, r = diff(t, admin(t).Kubeconfig, l.flags(namespace, "--lag", "0")...)
			for _, text := range l.told(t, report) {
				if strings.Contains(text, "drift/pending") {
					t.Errorf("with --lag 0: %s", text)
				}
			}
			verdicts(t, report, r, 1, map[string]int{"InSync": 1, "Drifted": 3})

			report, r = diff(t, admin(t).Kubeconfig, l.flags(namespace, "--lag", "2")...)
			if !slices.Contains(l.told(t, report), "web modified image: drift/modified") || r.code != 1 {
				t.Errorf("with --lag 2, exit %d: %v", r.code, l.told(t, report))
			}

			l.deploy(t, namespace, how, 4)
			report, r = diff(t, admin(t).Kubeconfig, l.flags(namespace)...)
			clean(t, report, r)
		})
	}
}

// TestTamperingIsNoLag deploys the newest commit and lets a person bring back
// what earlier commits had. None of it is lag.
func TestTamperingIsNoLag(t *testing.T) {
	t.Parallel()
	for how := range deployers {
		for i, c := range []struct {
			name string
			do   []string
			want string
		}{
			{"an old image", []string{"set", "image", "deployment/web", "web=registry.example.com/web:1.0"}, "web modified image: drift/modified"},
			{"an old value", []string{"patch", "configmap", "settings", "-p", `{"data":{"a":"1"}}`}, "settings modified data.a: drift/modified"},
			{"without what is new", []string{"set", "env", "deployment/web", "NEW-"}, "web removed env[name=NEW]: drift/removed"},
			{"without a new key", []string{"patch", "configmap", "only", "-p", `{"data":{"new":null}}`}, "only removed data.new: drift/removed"},
			{"with what was dropped", []string{"set", "env", "deployment/web", "LEVEL=info"}, "web added env[name=LEVEL]: drift/added"},
			{"with a dropped key", []string{"patch", "configmap", "settings", "-p", `{"data":{"dropped":"x"}}`}, "settings added data.dropped: drift/added"},
			{"without a new object", []string{"delete", "configmap", "late"}, "late: drift/missing"},
		} {
			t.Run(how+" "+c.name, func(t *testing.T) {
				t.Parallel()
				namespace := fmt.Sprintf("no-lag-%s-%d", how, i)
				admin(t).Kubectl(t, "create", "namespace", namespace)
				l := newLagging(t, time.Now().Add(-10*time.Hour))
				l.add(map[string]string{"app/late.yaml": configMap("", "late", "1")}, time.Now().Add(-time.Hour))
				l.add(map[string]string{"README.md": "more"}, time.Now().Add(-time.Hour))
				l.deploy(t, namespace, how, 0)
				l.deploy(t, namespace, how, len(l.trees)-1)
				report, r := diff(t, admin(t).Kubeconfig, l.flags(namespace)...)
				clean(t, report, r)
				person := env.User(t, "mallory", masters)
				person.Kubectl(t, append([]string{"-n", namespace}, c.do...)...)
				report, r = diff(t, admin(t).Kubeconfig, l.flags(namespace)...)
				want := c.want
				if strings.Contains(want, "missing") {
					want += ": the object is declared and does not exist: declared since " + l.commits[5][:12] + ", 1 commit ago"
				}
				if d := cmp.Diff([]string{want}, l.told(t, report)); d != "" || r.code != 1 || len(report.Warnings) > 0 {
					t.Errorf("exit %d, warnings %q (-want +got):\n%s", r.code, report.Warnings, d)
				}
			})
		}
	}
}

// TestOldManifestIsNoLag lets a person apply an old manifest by hand where a
// deployer deploys, in either way that kubectl has.
func TestOldManifestIsNoLag(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"server-side", "client-side"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			namespace := "old-manifest-" + how
			admin(t).Kubectl(t, "create", "namespace", namespace)
			l := newLagging(t, time.Now().Add(-10*time.Hour))
			l.deploy(t, namespace, "server-side", 0)
			l.deploy(t, namespace, "server-side", 4)
			args := []string{"apply", "-n", namespace, "-f", filepath.Join(write(t, l.trees[0]), "app", "web.yaml")}
			if how == "server-side" {
				args = append(args, "--server-side", "--force-conflicts")
			}
			env.User(t, "mallory", masters).Kubectl(t, args...)
			report, r := diff(t, admin(t).Kubeconfig, l.flags(namespace)...)
			want := []string{"web added env[name=LEVEL]: drift/added", "web modified image: drift/modified"}
			if d := cmp.Diff(want, l.told(t, report)); d != "" || r.code != 1 {
				t.Errorf("exit %d (-want +got):\n%s", r.code, d)
			}
		})
	}
}

// TestLagOfWhatIsKnown wants a commit that cannot be rendered, and a history that
// ends too early, to be warned of, and nothing to be lag for want of knowledge.
func TestLagOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	var commits []string
	for _, text := range []string{configMap("shop", "a", "1"), "kind: [", configMap("shop", "a", "2")} {
		commits = append(commits, repo.Commit(gitsourcetest.Commit{Files: map[string]string{"a.yaml": text}}))
	}
	live := dumpOfFirst(t)
	for _, c := range []struct {
		name    string
		source  []string
		code    int
		rule    string
		warning string
	}{
		{"a repository", []string{"--git", repo.Dir}, 0, "drift/pending", "commit " + commits[1][:12] + " cannot be rendered"},
		{"a clone", []string{repo.Clone()}, 0, "drift/pending", "commit " + commits[1][:12] + " cannot be rendered"},
		{"a commit", []string{"--git", repo.Dir, "--ref", commits[2]}, 0, "drift/pending", "commit " + commits[1][:12] + " cannot be rendered"},
		{"a shallow clone", []string{repo.Clone("--depth=1")}, 1, "drift/modified", "may be told as drift"},
		{"a clone of a shallow clone", []string{"--git", repo.Clone("--depth=1")}, 1, "drift/modified", "may be told as drift"},
	} {
		report, r := diff(t, "", append(c.source, "--live", live)...)
		if r.code != c.code || len(report.Findings) != 1 || report.Findings[0].Rule != c.rule ||
			len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], c.warning) {
			t.Errorf("of %s: exit %d:\n%s%s", c.name, r.code, r.stdout, r.stderr)
		}
	}
}

// dumpOfFirst is a dump in which the deployer left a ConfigMap with the value 1.
func dumpOfFirst(t *testing.T) string {
	t.Helper()
	text := strings.Replace(configMap("shop", "a", "1"), "  name: a",
		`  managedFields: [{manager: ci-deploy, operation: Apply, time: "2026-03-04T10:30:00Z", fieldsV1: {"f:data": {"f:key": {}}}}]
  name: a`, 1)
	return filepath.Join(write(t, map[string]string{"live.yaml": text}), "live.yaml")
}

// TestLagOfFifty wants the deployer to lag behind fifty commits and no more, unless
// somebody says otherwise.
func TestLagOfFifty(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	commit := func(value int) {
		repo.Commit(gitsourcetest.Commit{Files: map[string]string{"a.yaml": configMap("shop", "a", fmt.Sprint(value))}})
	}
	live := dumpOfFirst(t)
	told := func(want string, flags ...string) {
		t.Helper()
		report, r := diff(t, "", append(flags, "--git", repo.Dir, "--live", live)...)
		if len(report.Findings) != 1 || report.Findings[0].Rule != want {
			t.Errorf("%v: want %s:\n%s%s", flags, want, r.stdout, r.stderr)
		}
	}
	for value := range 51 {
		commit(value + 1)
	}
	told("drift/pending")
	told("drift/modified", "--lag=49")
	told("drift/modified", "--lag=0")
	commit(52)
	told("drift/modified")
	told("drift/pending", "--lag=51")
}

// TestTamperingBesideLag lets a person change what lags behind: what the person
// did is told as ever, and the rest is lag all the same.
func TestTamperingBesideLag(t *testing.T) {
	t.Parallel()
	const namespace = "lag-and-tampering"
	admin(t).Kubectl(t, "create", "namespace", namespace)
	l := newLagging(t, time.Now())
	l.add(map[string]string{"app/settings.yaml": strings.Replace(l.trees[4]["app/settings.yaml"], `a: "2"`, `a: "3"`, 1)}, time.Now().Add(9*time.Hour))
	l.deploy(t, namespace, "server-side", 0)
	person := env.User(t, "mallory", masters)
	for _, args := range [][]string{
		{"set", "env", "deployment/web", "MODE-", "DEBUG=1"},
		{"set", "image", "deployment/web", "web=registry.example.com/web:2.0"},
		{"patch", "configmap", "settings", "-p", `{"data":{"a":"2"}}`}, // the value of an earlier commit
		{"delete", "configmap", "same"},
	} {
		person.Kubectl(t, append([]string{"-n", namespace}, args...)...)
	}
	report, r := diff(t, admin(t).Kubeconfig, l.flags(namespace)...)
	want := []string{
		"only removed data.new: drift/pending 3",
		"same: drift/missing: the object is declared and does not exist",
		"settings modified data.a: drift/modified",
		"settings released data.dropped: drift/pending 3",
		"web added env[name=DEBUG]: drift/added",
		"web released env[name=LEVEL]: drift/pending 3",
		"web removed env[name=MODE]: drift/removed",
		"web removed env[name=NEW]: drift/pending 3",
	}
	if d := cmp.Diff(want, l.told(t, report)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	verdicts(t, report, r, 1, map[string]int{"Drifted": 2, "Missing": 1, "Pending": 1})
}
