package report_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

var update = flag.Bool("update", false, "write what the tests found into testdata")

var at = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// hostile is a value that a person put into the cluster to deceive who reads of
// it: it clears the screen, goes back over the line and turns its direction.
const hostile = "\x1b[2J\x1b[1;1H0 changes\r\n\u202egnp.exe\u200b\x07\x9b31m"

// sample has every kind of change and of finding.
func sample() report.Report {
	web := object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	config := object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "settings"}
	secret := object.ID{Version: "v1", Kind: "Secret", Namespace: "shop", Name: "token"}
	role := object.ID{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole", Name: "reader"}
	gone := object.ID{Version: "v1", Kind: "Service", Namespace: "shop", Name: "web"}
	person := differ.Writer{Manager: "kubectl-edit", Operation: "Update", Time: at.Add(-5 * time.Minute), Person: true}
	origin := func(line int) object.Origin {
		return object.Origin{Position: object.Position{File: "overlays/production/web.yaml", Line: line}}
	}
	c := func(op differ.Op, declared, live any, w differ.Writer, path ...any) differ.Change {
		return differ.Change{Path: path, Op: op, Declared: declared, Live: live, Writer: w}
	}
	container := func(path ...any) []any {
		return append([]any{"spec", "template", "spec", "containers", map[string]any{"name": "web"}}, path...)
	}
	image := c(differ.Modified, "registry.example.com/shop/web:1.0", "docker.io/evil/web:latest", person, container("image")...)
	image.Origin = object.Position{File: "overlays/production/web.yaml", Line: 14}
	find := func(rule finding.Rule, severity finding.Severity, id object.ID, line int, message string, changes ...differ.Change) finding.Finding {
		return finding.Finding{Rule: rule, Severity: severity, Object: id, Origin: origin(line), Changes: changes, Message: message, Advice: "do " + message}
	}
	long := strings.Repeat("long ", 200)
	r := report.Report{
		At:     at,
		Source: report.Source{Repository: "https://git.example.com/config.git", Ref: "main", Commit: "0123456789abcdef0123456789abcdef01234567", Path: "overlays/production", File: "overlays/production/kustomization.yaml"},
		Findings: []finding.Finding{
			find(finding.DriftModified, finding.Warning, web, 1, "declared fields have other values",
				image,
				c(differ.Modified, int64(2), int64(5), differ.Writer{Manager: "kubectl", Operation: "Update", Subresource: "scale", NotBefore: at.Add(-time.Hour)}, "spec", "replicas"),
				c(differ.Reordered, []any{"a", "b"}, []any{"b", "a"}, differ.Writer{NotBefore: at.Add(-48 * time.Hour)}, "spec", "template", "spec", "initContainers"),
			),
			find(finding.DriftRemoved, finding.Warning, web, 1, "declared fields are gone",
				c(differ.Removed, map[string]any{"name": "LEVEL", "value": "info"}, nil, differ.Writer{}, container("env", map[string]any{"name": "LEVEL"})...)),
			find(finding.DriftAdded, finding.Warning, web, 1, "fields were added",
				c(differ.Added, nil, "x", person, "metadata", "labels", "example.com/tier"),
				c(differ.Added, nil, map[string]any{"name": "miner", "image": "evil.example/miner", "args": []any{"--fast", "true", "1", ""}, "on": true, "none": nil}, person, "spec", "template", "spec", "containers", map[string]any{"name": "miner"}),
				c(differ.Added, nil, hostile, differ.Writer{Manager: hostile, Operation: "Update", Time: at.Add(-time.Second)}, "metadata", "annotations", hostile),
				c(differ.Added, nil, long, person, "metadata", "annotations", "long"),
				c(differ.Added, nil, "x", person, "metadata", "annotations", strings.Repeat("k", 100)),
			),
			find(finding.DriftReleased, finding.Warning, web, 1, "still there", c(differ.Released, nil, true, differ.Writer{Manager: "ci-deploy", Operation: "Apply", Time: at.Add(-24 * time.Hour)}, "spec", "paused")),
			find(finding.DriftPending, finding.Info, web, 1, "as an earlier commit has them",
				pendingChange(c(differ.Modified, int64(3), int64(2), differ.Writer{Manager: "ci-deploy", Operation: "Apply", Time: at.Add(-time.Hour)}, "spec", "minReadySeconds"), 3),
				pendingChange(c(differ.Removed, "info", nil, differ.Writer{NotBefore: at.Add(-time.Hour)}, container("env", map[string]any{"name": "NEW"})...), 1),
				pendingChange(c(differ.Modified, "new", "old", differ.Writer{Manager: "ci-deploy", Operation: "Apply", Time: at.Add(-time.Hour)}, "spec", "strategy"), 0)),
			find(finding.DriftRestarted, finding.Info, web, 1, "the pods were restarted by hand", c(differ.Added, nil, "2026-01-02T11:58:00Z", differ.Writer{Manager: "kubectl-rollout", Operation: "Update", Time: at.Add(-2 * time.Minute), Person: true}, "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")),
			find(finding.DriftContested, finding.Info, web, 1, "contested", c(differ.Contested, int64(1), 2.5, differ.Writer{Manager: "vpa-updater", Operation: "Update", Time: at.Add(time.Hour)}, "spec", "x")),
			find(finding.DriftControlled, finding.Info, role, 0, "controlled", c(differ.Controlled, nil, []any{}, differ.Writer{Manager: "clusterrole-aggregation-controller", Operation: "Apply", Time: at}, "rules")),
			find(finding.DriftModified, finding.Warning, config, 30, "declared fields have other values",
				c(differ.Modified, "server {\n  listen 80;\n  debug off;\n}\n", "server {\n  listen 80;\n  debug on; "+hostile+"\n  "+long+"\n}\n", person, "data", "nginx.conf"),
				c(differ.Modified, "one\n"+strings.Repeat("old\n", 20), "one\ntwo\n", person, "data", "many"),
				c(differ.Modified, long+"before", long+"after", person, "data", "end"),
				c(differ.Modified, "with newline\n", "without", person, "data", "short")),
			find(finding.DriftModified, finding.Warning, secret, 44, "declared fields have other values",
				c(differ.Modified, "*** (before)", "*** (after)", person, "data", "password")),
			{Rule: finding.RogueObject, Severity: finding.Critical, Object: object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "miner"}, Evidence: finding.Checked, Message: "nobody declared it", Advice: "delete it",
				Children: []object.ID{{Version: "v1", Kind: "Pod", Namespace: "shop", Name: "miner-1"}}},
			find(finding.DriftMissing, finding.Critical, gone, 51, "the object is declared and does not exist"),
			find(finding.DriftUnattributed, finding.Warning, secret, 44, "the records of who wrote which field (metadata.managedFields) are gone, so additions cannot be told from defaults"),
		},
		Ignored: []finding.Silenced{
			{Finding: find(finding.DriftModified, finding.Warning, web, 1, "declared fields have other values",
				c(differ.Modified, false, true, person, "spec", "paused")), Rules: []int{0}, Reason: "paused for the migration " + hostile},
			{Finding: find(finding.DriftMissing, finding.Warning, object.ID{Version: "v1", Kind: "Service", Namespace: "shop", Name: "later"}, 70, "the object is declared and does not exist"), Rules: []int{1, 2}, Reason: "made by hand"},
		},
		IgnoredCount: 2,
		Unknown: []report.Unknown{
			{Object: object.ID{Version: "v1", Kind: "Node", Name: "n"}, Origin: origin(60), Reason: "reading Node n: nodes \"n\" is forbidden: User \"reader\" cannot get resource \"nodes\" in API group \"\" at the cluster scope " + hostile},
			{Reason: "no object could be told"},
			{Object: object.ID{Version: "v1", Kind: "Node", Name: "m"}, Origin: origin(61), Reason: "no object could be told"},
			{Object: object.ID{Version: "v1", Kind: "Node", Name: "o"}, Origin: origin(62), Reason: "no object could be told"},
		},
		Unconfirmed: []report.Unconfirmed{{
			Object: object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "api"}, Origin: origin(80),
			Paths: []differ.Path{{"metadata", "annotations", hostile}, container("image")},
		}},
		ShowUnconfirmed: true,
		Compared:        []report.Compared{{Object: web, Origin: origin(1)}, {Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "fine"}, Origin: origin(90)}},
		Errors:          []string{"overlays/production/broken.yaml:3: " + hostile},
		Warnings:        []string{"an ignore rule ended on 2026-01-01 and is without effect: " + strings.Repeat("reason ", 20)},
		Verdicts:        map[finding.Verdict]int{finding.InSync: 20, finding.Drifted: 3, finding.Missing: 1, finding.Unknown: 3, finding.Finished: 1, finding.Ignored: 1, finding.Pending: 2},
	}
	r.Sort()
	return r
}

// suggesting has nothing but proposed rules.
func suggesting() report.Report {
	apps, core := "apps", ""
	return report.Report{At: at, Suggested: []v1alpha1.Ignore{
		{Group: &apps, Kind: "Deployment", Namespace: "shop", Name: "web", Paths: []string{"spec.template.spec.containers[name=web].image"}, Managers: []string{"kubectl-edit/Update", "a\u202eb\x1b"}, Reason: "TODO: say why", Until: "2026-04-02"},
		{Group: &core, Kind: "Service", Namespace: "shop", Name: "web", When: `change.op == "missing"`, Reason: "TODO: say why", Until: "2026-04-02"},
	}}
}

// reviewing is about a change that does everything that one can.
func reviewing() report.Report {
	r := sample()
	id := func(kind, name string) object.ID {
		return object.ID{Version: "v1", Kind: kind, Namespace: "shop", Name: name}
	}
	at := func(line int) object.Position {
		return object.Position{File: "overlays/production/web.yaml", Line: line}
	}
	person := differ.Writer{Manager: hostile, Operation: "Update", Time: r.At.Add(-time.Hour), Person: true}
	c := func(op differ.Op, before, after any, path ...any) differ.Change {
		return differ.Change{Path: path, Op: op, Declared: before, Live: after}
	}
	live := func(overwrites bool, change differ.Change) report.Effect {
		if overwrites {
			change.Writer = person
		}
		return report.Effect{Change: change, Overwrites: overwrites}
	}
	placed := c(differ.Modified, int64(2), int64(4), "spec", "replicas")
	placed.Origin = at(5)
	r.Review = &report.Review{Base: "89abcdef0123456789abcdef0123456789abcdef", Revision: "origin/main", LeftOut: 3, Objects: []report.Reviewed{
		{Object: id("ConfigMap", "kept"), Origin: object.Origin{Position: at(3)}, Action: report.Kept, Effects: []report.Effect{live(true, c(differ.Modified, "a\n"+hostile, "a\nb", "data", hostile))}},
		{Object: id("ConfigMap", "new"), Origin: object.Origin{Position: at(13)}, Action: report.Created, Effects: []report.Effect{live(false, differ.Change{Op: differ.Added})}},
		{Object: id("ConfigMap", "old"), Origin: object.Origin{Position: at(23)}, Action: report.Deleted, Effects: []report.Effect{live(false, differ.Change{Op: differ.Removed}), live(true, c(differ.Removed, "hot", nil, "data", "x"))}},
		{Object: id("Secret", "token"), Origin: object.Origin{Position: at(44)}, Action: report.Changed,
			Changes: []differ.Change{c(differ.Modified, "*** (before)", "*** (after)", "data", "password")},
			Effects: []report.Effect{live(true, c(differ.Modified, "*** (before)", "*** (after)", "data", "password"))}},
		{Object: id("Service", "again"), Action: report.Kept, Effects: []report.Effect{{Change: differ.Change{Op: differ.Added}, Overwrites: true}}},
		{Object: id("Service", "web"), Action: report.Changed, Changes: []differ.Change{placed, c(differ.Added, nil, true, "spec", "paused")}, Effects: []report.Effect{
			live(false, c(differ.Modified, int64(2), int64(4), "spec", "replicas")), live(false, pendingChange(c(differ.Removed, "x", nil, "spec", "old"), 2))}},
	}}
	return r
}

// offline is about a change of which no cluster was asked.
func offline() report.Report {
	r := report.Report{At: at, Source: reviewing().Source, Review: &report.Review{Base: "89abcdef0123456789abcdef0123456789abcdef", Offline: true}}
	for _, o := range reviewing().Review.Objects {
		if o.Effects = nil; o.Action != report.Kept {
			r.Review.Objects = append(r.Review.Objects, o)
		}
	}
	return r
}

// pendingChange returns a change as of a commit so many behind.
func pendingChange(c differ.Change, behind int) differ.Change {
	c.Pending = differ.Pending{Commit: "fedcba9876543210fedcba9876543210fedcba98", Behind: behind}
	return c
}

func TestGolden(t *testing.T) {
	for name, write := range map[string]func(*bytes.Buffer, report.Report) error{
		"report.txt":    func(b *bytes.Buffer, r report.Report) error { return report.Text(b, r, report.TextOptions{}) },
		"report-80.txt": func(b *bytes.Buffer, r report.Report) error { return report.Text(b, r, report.TextOptions{Width: 80}) },
		"report-color.txt": func(b *bytes.Buffer, r report.Report) error {
			return report.Text(b, r, report.TextOptions{Width: 80, Color: true})
		},
		"suggest.txt": func(b *bytes.Buffer, _ report.Report) error {
			return report.Text(b, suggesting(), report.TextOptions{Width: 80, Color: true})
		},
		"suggest.json": func(b *bytes.Buffer, _ report.Report) error { return report.JSON(b, suggesting()) },
		"report.json":  func(b *bytes.Buffer, r report.Report) error { return report.JSON(b, r) },
		"report.sarif": func(b *bytes.Buffer, r report.Report) error { return report.SARIF(b, r, "v1.2.3") },
		"report.md":    func(b *bytes.Buffer, r report.Report) error { return report.Markdown(b, r, report.GitHubComment) },
		"suggest.md": func(b *bytes.Buffer, _ report.Report) error {
			return report.Markdown(b, suggesting(), report.GitHubComment)
		},
		"report.html":      func(b *bytes.Buffer, r report.Report) error { return report.HTML(b, r) },
		"review-80.txt":    func(b *bytes.Buffer, r report.Report) error { return report.Text(b, r, report.TextOptions{Width: 80}) },
		"review.md":        func(b *bytes.Buffer, r report.Report) error { return report.Markdown(b, r, report.GitHubComment) },
		"review.json":      func(b *bytes.Buffer, r report.Report) error { return report.JSON(b, r) },
		"offline-80.txt":   func(b *bytes.Buffer, r report.Report) error { return report.Text(b, r, report.TextOptions{Width: 80}) },
		"offline.md":       func(b *bytes.Buffer, r report.Report) error { return report.Markdown(b, r, report.GitHubComment) },
		"offline.json":     func(b *bytes.Buffer, r report.Report) error { return report.JSON(b, r) },
		"review.txt":       func(b *bytes.Buffer, r report.Report) error { return report.Text(b, r, report.TextOptions{}) },
		"review.junit.xml": func(b *bytes.Buffer, r report.Report) error { return report.JUnit(b, r, finding.Warning) },
		"review.html":      func(b *bytes.Buffer, r report.Report) error { return report.HTML(b, r) },
		"review.sarif":     func(b *bytes.Buffer, r report.Report) error { return report.SARIF(b, r, "v1.2.3") },
		"report.junit.xml": func(b *bytes.Buffer, r report.Report) error { return report.JUnit(b, r, finding.Warning) },
		"report.yaml":      func(b *bytes.Buffer, r report.Report) error { return report.YAML(b, r) },
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			r := sample()
			switch {
			case strings.HasPrefix(name, "review"):
				r = reviewing()
			case strings.HasPrefix(name, "offline"):
				r = offline()
			}
			if err := write(&got, r); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

var color = regexp.MustCompile("\x1b\\[[0-9]+m")

// TestTerminal writes to terminals of every width: no line is longer, and nothing
// reaches the terminal that could command it.
func TestTerminal(t *testing.T) {
	for width := 40; width <= 200; width += 7 {
		var out bytes.Buffer
		if err := report.Text(&out, reviewing(), report.TextOptions{Width: width, Color: true}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(color.ReplaceAllString(out.String(), "")) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("%d columns at width %d: %s", n, width, line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsGraphic(r) }) {
				t.Errorf("width %d: uncontrolled: %q", width, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("width %d: trailing blanks: %q", width, line)
			}
		}
	}
}

// TestOneLinePerChange is what lets grep work on what is no terminal.
func TestOneLinePerChange(t *testing.T) {
	var out bytes.Buffer
	if err := report.Text(&out, sample(), report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	changes := sample().IgnoredCount
	for _, f := range sample().Findings {
		changes += max(1, len(f.Changes))
	}
	if got := len(regexp.MustCompile(`  (drift|rogue)/[a-z]+( |\n)`).FindAllString(out.String(), -1)); got != changes {
		t.Errorf("%d lines with a rule, want %d:\n%s", got, changes, out.String())
	}
}

func TestEmpty(t *testing.T) {
	var text, json bytes.Buffer
	if err := errors.Join(report.Text(&text, report.Report{At: at}, report.TextOptions{}), report.JSON(&json, report.Report{At: at})); err != nil {
		t.Fatal(err)
	}
	if text.String() != "0 objects\n" {
		t.Errorf("got %q", text.String())
	}
	for _, list := range []string{`"findings": []`, `"unknown": []`, `"errors": []`, `"warnings": []`} {
		if !strings.Contains(json.String(), list) {
			t.Errorf("want %s, not null, in:\n%s", list, json.String())
		}
	}
}

func TestWriteError(t *testing.T) {
	for name, err := range map[string]error{
		"text":     report.Text(full{}, sample(), report.TextOptions{}),
		"json":     report.JSON(full{}, sample()),
		"yaml":     report.YAML(full{}, sample()),
		"markdown": report.Markdown(full{}, sample(), report.GitHubComment),
		"html":     report.HTML(full{}, sample()),
		"sarif":    report.SARIF(full{}, sample(), ""),
		"junit":    report.JUnit(full{}, sample(), finding.Warning),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: error %v, want %v", name, err, errFull)
		}
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestExitCode(t *testing.T) {
	findings := func(s ...finding.Severity) (all []finding.Finding) {
		for _, severity := range s {
			all = append(all, finding.Finding{Severity: severity})
		}
		return all
	}
	unknown := []report.Unknown{{Reason: "x"}}
	for name, c := range map[string]struct {
		r      report.Report
		failOn finding.Severity
		want   int
	}{
		"nothing":               {report.Report{}, finding.Info, report.ExitClean},
		"warnings":              {report.Report{Warnings: []string{"x"}}, finding.Info, report.ExitClean},
		"below":                 {report.Report{Findings: findings(finding.Info)}, finding.Warning, report.ExitClean},
		"at":                    {report.Report{Findings: findings(finding.Info, finding.Warning)}, finding.Warning, report.ExitFindings},
		"above":                 {report.Report{Findings: findings(finding.Critical, finding.Info)}, finding.Warning, report.ExitFindings},
		"unknown":               {report.Report{Unknown: unknown}, finding.Critical, report.ExitUnknown},
		"unknown and below":     {report.Report{Unknown: unknown, Findings: findings(finding.Info)}, finding.Warning, report.ExitUnknown},
		"unknown and findings":  {report.Report{Unknown: unknown, Findings: findings(finding.Warning)}, finding.Warning, report.ExitFindings},
		"error":                 {report.Report{Errors: []string{"x"}}, finding.Warning, report.ExitError},
		"error and all besides": {report.Report{Errors: []string{"x"}, Unknown: unknown, Findings: findings(finding.Critical)}, finding.Warning, report.ExitError},
	} {
		if got := c.r.ExitCode(c.failOn); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}

// TestYAMLOfControlCharacters wants a report of what anybody may have put into a
// name or a value.
func TestYAMLOfControlCharacters(t *testing.T) {
	text := "a\x7f\u0085\ufeffé\u2028z"
	r := report.Report{Findings: []finding.Finding{{Rule: finding.DriftAdded, Changes: []differ.Change{{
		Path: differ.Path{"data", "x"}, Op: differ.Added, Live: text, Writer: differ.Writer{Manager: text},
	}}}}}
	var b bytes.Buffer
	if err := report.YAML(&b, r); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Findings []struct {
			Changes []struct{ Live, Manager string }
		}
	}
	if err := yaml.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatalf("%v in %q", err, b.String())
	}
	if c := read.Findings[0].Changes[0]; c.Live != text || c.Manager != text {
		t.Errorf("%q and %q are read back, want %q", c.Live, c.Manager, text)
	}
}
