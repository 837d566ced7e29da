package ci

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// review is a run of manifests/ci/diff.sh.
type review struct {
	log, markdown, sarif, junit string
	summary, output             string // what GitHub is told
	code                        int
}

// runScript reviews app in a checkout, by the given variables.
func runScript(t *testing.T, dir string, vars map[string]string) review {
	t.Helper()
	place := t.TempDir()
	reports := filepath.Join(place, "reports of $(touch pwned)")
	env := map[string]string{
		"PLUMBLINE": plumbline, "PLUMBLINE_DIRECTORY": "app", "PLUMBLINE_REPORTS": reports, "GITHUB_ACTIONS": "true",
		"GITHUB_STEP_SUMMARY": filepath.Join(place, "summary"), "GITHUB_OUTPUT": filepath.Join(place, "output"),
	}
	maps.Copy(env, vars)
	gitsourcetest.WriteFiles(t, reports, map[string]string{"plumbline.sarif": "stale", "plumbline.junit.xml": "stale", "plumbline.md": "stale"})
	r := review{}
	r.log, r.code = execute(t, dir, env, filepath.Join(root, "manifests/ci/diff.sh"))
	r.markdown, r.sarif, r.junit = read(t, reports, "plumbline.md"), read(t, reports, "plumbline.sarif"), read(t, reports, "plumbline.junit.xml")
	r.summary, r.output = read(t, place, "summary"), read(t, place, "output")
	for _, in := range []string{dir, place, reports} {
		if _, err := os.Lstat(filepath.Join(in, "pwned")); err == nil {
			t.Errorf("a value was run as code:\n%s", r.log)
		}
	}
	return r
}

// wantReports fails unless all reports are there, well-formed and of this run.
func (r review) wantReports(t *testing.T) {
	t.Helper()
	var sarif struct{ Version string }
	if err := json.Unmarshal([]byte(r.sarif), &sarif); err != nil || sarif.Version != "2.1.0" {
		t.Errorf("no SARIF: %v\n%s", err, r.sarif)
	}
	var junit struct {
		XMLName xml.Name `xml:"testsuites"`
	}
	if err := xml.Unmarshal([]byte(r.junit), &junit); err != nil {
		t.Errorf("no JUnit: %v\n%s", err, r.junit)
	}
	wantParts(t, "the summary", r.summary, "<!-- plumbline:")
	if r.summary != r.markdown {
		t.Errorf("the summary is not the report:\n%s\n%s", r.summary, r.markdown)
	}
	wantParts(t, "the step's output", r.output, "/plumbline.md\n", "/plumbline.sarif\n", "/plumbline.junit.xml\n")
}

// wantNothing fails unless the run says that it compared nothing, and fails.
func (r review) wantNothing(t *testing.T) {
	t.Helper()
	if r.code == 0 || r.sarif != "" || r.junit != "" {
		t.Errorf("exit %d, sarif %q, junit %q after nothing was compared:\n%s", r.code, r.sarif, r.junit, r.log)
	}
	wantParts(t, "the summary", r.summary, "nothing was compared")
	if strings.Contains(r.output, "sarif=") || strings.Contains(r.output, "junit=") {
		t.Errorf("the step's output names reports that do not exist:\n%s", r.output)
	}
}

// TestExitCodes wants the script to end as plumbline does.
func TestExitCodes(t *testing.T) {
	before := map[string]string{"app/web.yaml": configMap("web", "1"), "app/back.yaml": configMap("back", "1")}
	dump := filepath.Join(t.TempDir(), "live.yaml")
	gitsourcetest.WriteFiles(t, filepath.Dir(dump), map[string]string{"live.yaml": live})
	unknown := strings.NewReplacer("v1", "example.com/v1", "ConfigMap", "Unheard").Replace(configMap("web", "1"))
	for _, test := range []struct {
		name  string
		after map[string]string
		vars  map[string]string
		code  int
		want  []string // in the summary
	}{
		{"declarations alone", map[string]string{"app/web.yaml": configMap("web", "2")}, map[string]string{"PLUMBLINE_OFFLINE": "true"}, 0, []string{"this change changes 1 object", `"1"`, `"2"`}},
		{"nothing overwritten", map[string]string{"app/back.yaml": configMap("back", "2")}, map[string]string{"PLUMBLINE_LIVE": dump, "PLUMBLINE_FAIL_ON": "critical"}, 0, []string{"ConfigMap shop/back"}},
		{"overwritten", map[string]string{"app/web.yaml": configMap("web", "2")}, map[string]string{"PLUMBLINE_LIVE": dump}, 1, []string{"overwrites 1 live change", "kubectl-edit"}},
		{"cannot be rendered", map[string]string{"app/web.yaml": "a: ["}, map[string]string{"PLUMBLINE_OFFLINE": "true"}, 2, []string{"app/web.yaml:1", "Errors"}},
		{"not compared", map[string]string{"app/new.yaml": unknown, "app/web.yaml": configMap("web", "edited")}, map[string]string{"PLUMBLINE_LIVE": dump}, 3, []string{"not compared", "Unheard"}},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			r := runScript(t, checkout(t, before, test.after), test.vars)
			if r.code != test.code {
				t.Errorf("exit %d, want %d:\n%s", r.code, test.code, r.log)
			}
			r.wantReports(t)
			wantParts(t, "the summary", r.summary, test.want...)
			wantParts(t, "the step's output", r.output, fmt.Sprintf("exit-code=%d\n", test.code))
		})
	}
}

// TestFailureIsNotGreen has plumbline fail in every way before it has a report.
func TestFailureIsNotGreen(t *testing.T) {
	dir := checkout(t, map[string]string{"app/web.yaml": configMap("web", "1")}, map[string]string{"app/web.yaml": configMap("web", "2")})
	bin := t.TempDir()
	gitsourcetest.WriteFiles(t, bin, map[string]string{
		"silent":   "#!/bin/sh\n",
		"killed":   "#!/bin/sh\nkill -9 $$\n",
		"half":     "#!/bin/sh\nfor a; do case $a in --write=markdown=*) echo x >\"${a#--write=markdown=}\" ;; esac; done\n",
		"no-shell": "#!/nonexistent\n",
	})
	for _, name := range []string{"silent", "killed", "half", "no-shell"} {
		if err := os.Chmod(filepath.Join(bin, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, vars := range map[string]map[string]string{
		"no program":               {"PLUMBLINE": filepath.Join(bin, "none")},
		"a program without shell":  {"PLUMBLINE": filepath.Join(bin, "no-shell")},
		"says and does nothing":    {"PLUMBLINE": filepath.Join(bin, "silent")},
		"killed":                   {"PLUMBLINE": filepath.Join(bin, "killed")},
		"ends after one report":    {"PLUMBLINE": filepath.Join(bin, "half")},
		"no such directory":        {"PLUMBLINE_DIRECTORY": "none"},
		"no such base":             {"PLUMBLINE_BASE": "none"},
		"no such baseline":         {"PLUMBLINE_BASELINE": "none.yaml"},
		"no such kubeconfig":       {"PLUMBLINE_KUBECONFIG": "none"},
		"kubeconfig of the job":    {"KUBECONFIG": "/nonexistent"},
		"offline with a dump":      {"PLUMBLINE_OFFLINE": "true", "PLUMBLINE_LIVE": "none"},
		"no such severity":         {"PLUMBLINE_FAIL_ON": "never"},
		"the base is a command":    {"PLUMBLINE_BASE": "$(touch pwned)"},
		"the base is a flag":       {"PLUMBLINE_BASE": "--offline"},
		"the severity is a flag":   {"PLUMBLINE_FAIL_ON": "--help"},
		"the baseline is a flag":   {"PLUMBLINE_BASELINE": "--help"},
		"the baseline is commands": {"PLUMBLINE_BASELINE": "a'; touch pwned; `touch pwned`\n$(touch pwned)"},
		"the directory is a flag":  {"PLUMBLINE_DIRECTORY": "--help"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) { runScript(t, dir, vars).wantNothing(t) })
	}
	for name, vars := range map[string]map[string]string{
		"no directory":             {"PLUMBLINE_DIRECTORY": ""},
		"no place for the reports": {"PLUMBLINE_REPORTS": ""},
		"neither true nor false":   {"PLUMBLINE_OFFLINE": "yes; touch pwned"},
	} {
		if r := runScript(t, dir, vars); r.code != 2 || !strings.HasPrefix(r.log, "plumbline: ") {
			t.Errorf("%s: exit %d, want a refusal:\n%s", name, r.code, r.log)
		}
	}
}

// TestHostileNames reviews directories whose names are code to somebody.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"two words", `it's "quoted"`, "$(touch pwned)", "`touch pwned`", "a; touch pwned", "-rf", "--help", "line\nbreak", "${{ github.token }}", "*", "ünï"} {
		dir := checkout(t, map[string]string{name + "/web.yaml": configMap("web", "1")}, map[string]string{name + "/web.yaml": configMap("web", "2")})
		r := runScript(t, dir, map[string]string{"PLUMBLINE_DIRECTORY": name, "PLUMBLINE_OFFLINE": "true"})
		if r.code != 0 {
			t.Errorf("%q: exit %d:\n%s", name, r.code, r.log)
		}
		r.wantReports(t)
		wantParts(t, "the summary", r.summary, "this change changes 1 object")
	}
}

// TestLogCommandsNobody has a change say what GitHub's runner takes for commands: it must
// be between the two lines with a token that is another each time.
func TestLogCommandsNobody(t *testing.T) {
	const command = "::add-mask::x\n##[error]x\n::stop-commands::y\n::y::\n"
	dir := checkout(t, map[string]string{"app/web.yaml": configMap("web", "1")}, map[string]string{"app/web.yaml": configMap("web", command)})
	whole := regexp.MustCompile(`(?s)^::stop-commands::([0-9a-f]{32})\n(.*)\n::([0-9a-f]{32})::\n$`)
	seen := map[string]bool{}
	for range 2 {
		r := runScript(t, dir, map[string]string{"PLUMBLINE_OFFLINE": "true"})
		m := whole.FindStringSubmatch(r.log)
		if m == nil || m[1] != m[3] || seen[m[1]] || strings.Contains(m[2], m[1]) {
			t.Fatalf("commands are not stopped:\n%s", r.log)
		}
		wantParts(t, "the log", m[2], "add-mask")
		seen[m[1]] = true
	}
	if r := runScript(t, dir, map[string]string{"PLUMBLINE_OFFLINE": "true", "GITHUB_ACTIONS": ""}); strings.HasPrefix(r.log, "::") {
		t.Errorf("elsewhere nothing is to be stopped:\n%s", r.log)
	}
}

// TestWriteIsOutput wants --write to say what --output does: a list of what is as it should
// be is JUnit's alone.
func TestWriteIsOutput(t *testing.T) {
	dir := checkout(t, map[string]string{"app/web.yaml": configMap("web", "1"), "app/back.yaml": configMap("back", "1")}, map[string]string{"app/web.yaml": configMap("web", "2")})
	gitsourcetest.WriteFiles(t, dir, map[string]string{"live.yaml": live})
	args := []string{"diff", "app", "--base", "origin/main", "--live", "live.yaml"}
	formats := []string{"text", "json", "yaml", "markdown", "sarif", "junit", "html"}
	all := args
	for _, format := range formats {
		all = append(all, "--write", format+"="+format+".out")
	}
	toldAll, code := execute(t, dir, nil, plumbline, all...)
	timed := regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?| \d+[smhd] ago`)
	same := func(text string) string { return timed.ReplaceAllString(text, "TIME") }
	for _, format := range formats {
		told, alone := execute(t, dir, nil, plumbline, append(args, "-o", format)...)
		if written := read(t, dir, format+".out"); same(written) != same(told) || code != alone || code != 1 {
			t.Errorf("%s: exit %d and %d, written:\n%s\nand told alone:\n%s", format, code, alone, written, told)
		}
		if format == "text" && same(told) != same(toldAll) {
			t.Errorf("with --write it tells:\n%s\nand without:\n%s", toldAll, told)
		}
	}
	wantParts(t, "JUnit", read(t, dir, "junit.out"), "ConfigMap shop/back")
}
