package ci

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// decode reads the YAML documents of a file of the repository, each into its value, and
// wants no field that the value does not have.
func decode(t *testing.T, text string, into ...any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	for _, v := range into {
		if err := d.Decode(v); err != nil {
			t.Fatal(err)
		}
	}
}

// change is the checkout that the definitions review: one value, in a directory that
// a shell would take apart.
func change(t *testing.T) (dir, app string) {
	t.Helper()
	const name = "it's $(touch pwned) two"
	return checkout(t, map[string]string{name + "/web.yaml": configMap("web", "1")}, map[string]string{name + "/web.yaml": configMap("web", "2")}), name
}

// action is action.yml, as far as GitHub's documentation of the syntax of a composite
// action's metadata goes.
type action struct {
	Name, Description string
	Inputs            map[string]struct {
		Description, Default string
		Required             bool
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []step
	}
}

type step struct {
	Name, ID, Shell, Run string
	Env                  map[string]string
}

var expression = regexp.MustCompile(`\$\{\{ *([a-z.-]+) *\}\}`)

// TestAction runs the action's steps in a row as GitHub's runner does.
func TestAction(t *testing.T) {
	var a action
	decode(t, read(t, root, "manifests/ci/github/action.yml"), &a)
	dir, app := change(t)
	temp := filepath.Join(t.TempDir(), "runner temp")
	gitsourcetest.WriteFiles(t, temp, map[string]string{"summary": ""})
	known := map[string]string{"inputs.directory": app, "inputs.offline": "true"}
	for name, input := range a.Inputs {
		if input.Required == (input.Default != "") && input.Required || input.Description == "" {
			t.Errorf("input %s: required %v, default %q, described as %q", name, input.Required, input.Default, input.Description)
		}
		if _, given := known["inputs."+name]; !given {
			known["inputs."+name] = input.Default
		}
	}
	used := map[string]bool{}
	evaluate := func(text string) string {
		return expression.ReplaceAllStringFunc(text, func(e string) string {
			name := expression.FindStringSubmatch(e)[1]
			value, ok := known[name]
			if !ok {
				t.Errorf("%s is nothing that the action has", e)
			}
			used[name] = true
			return value
		})
	}
	log := ""
	for i, s := range a.Runs.Steps {
		if s.Shell != "bash" || strings.Contains(s.Run, "${{") {
			t.Errorf("step %s: its shell is %q, and an input may reach it:\n%s", s.Name, s.Shell, s.Run)
		}
		vars := map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": filepath.Join(root, "manifests/ci/github"), "RUNNER_TEMP": temp, "GITHUB_BASE_REF": "main",
			"GITHUB_STEP_SUMMARY": filepath.Join(temp, "summary"), "GITHUB_OUTPUT": filepath.Join(temp, fmt.Sprint("output-", i)),
		}
		for name, value := range s.Env {
			vars[name] = evaluate(value)
		}
		out, code := execute(t, dir, vars, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
		log += out
		if code != 0 {
			t.Fatalf("step %s: exit %d:\n%s", s.Name, code, out)
		}
		for line := range strings.Lines(read(t, vars["GITHUB_OUTPUT"])) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			known["steps."+s.ID+".outputs."+name] = value
		}
	}
	wantParts(t, "the log", log, "this change changes 1 object")
	wantParts(t, "the summary", read(t, temp, "summary"), "this change changes 1 object")
	for name, o := range a.Outputs {
		if value := evaluate(o.Value); value == "" || name != "exit-code" && read(t, value) == "" {
			t.Errorf("the output %s is %q", name, value)
		}
	}
	for name := range a.Inputs {
		if !used["inputs."+name] {
			t.Errorf("the input %s does nothing", name)
		}
	}
	if a.Runs.Using != "composite" || a.Name == "" || a.Description == "" {
		t.Errorf("%q, %q, using %q: no composite action", a.Name, a.Description, a.Runs.Using)
	}
	wantNotPwned(t, dir, temp)
}

func wantNotPwned(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range append(dirs, root) {
		if _, err := os.Lstat(filepath.Join(dir, "pwned")); err == nil {
			t.Errorf("a value was run as code in %s", dir)
		}
	}
}

// header and job are the two documents of a GitLab CI component, as far as its
// documentation of CI/CD inputs and of the YAML syntax goes.
type header struct {
	Spec struct {
		Inputs map[string]struct {
			Description, Type, Regex string
			Options                  []string
			Default                  *string
		}
	}
}

type job struct {
	Stage, Image string
	Rules        []struct{ If string }
	Variables    map[string]variable
	Script       []string
	Artifacts    struct {
		When    string
		Paths   []string
		Reports map[string]string
	}
}

type variable struct {
	Value  string
	Expand bool
}

// UnmarshalYAML reads a variable in its short form as well.
func (v *variable) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		v.Value, v.Expand = n.Value, true
		return nil
	}
	type long variable
	return n.Decode((*long)(v))
}

var interpolation = regexp.MustCompile(`\$\[\[ *inputs\.([a-z_]+) *\]\]`)

// TestComponent runs the component's job as GitLab's runner does. It is built from a copy
// of this tree.
func TestComponent(t *testing.T) {
	text := read(t, root, "manifests/ci/gitlab/templates/plumbline.yml")
	var h header
	var before map[string]job
	decode(t, text, &h, &before)
	dir, app := change(t)
	source, version := published(t)
	inputs := map[string]string{"source": source, "version": version, "directory": app, "offline": "true"}
	for name, input := range h.Spec.Inputs {
		value, given := inputs[name]
		if !given && input.Default == nil {
			t.Errorf("the input %s is mandatory", name)
		}
		if !given && input.Default != nil {
			value = *input.Default
		}
		inputs[name] = value
		if input.Regex != "" && !regexp.MustCompile(input.Regex).MatchString(value) || input.Options != nil && !slices.Contains(input.Options, value) || input.Description == "" {
			t.Errorf("the input %s, %q, does not take %q", name, input.Description, value)
		}
		if !strings.Contains(text, "$[[ inputs."+name+" ]]") {
			t.Errorf("the input %s does nothing", name)
		}
	}
	if len(before) != 1 || strings.Contains(strings.Join(before["plumbline"].Script, ""), "$[[") {
		t.Errorf("%d jobs, and an input may reach the script", len(before))
	}
	var jobs map[string]job
	decode(t, interpolation.ReplaceAllStringFunc(text, func(block string) string {
		value, ok := inputs[interpolation.FindStringSubmatch(block)[1]]
		if !ok {
			t.Errorf("%s is no input", block)
		}
		return value
	}), new(any), &jobs)
	j := jobs["plumbline"]
	vars := map[string]string{"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
	for name, v := range j.Variables {
		if v.Expand && strings.Contains(before["plumbline"].Variables[name].Value, "inputs") {
			t.Errorf("%s has an input, and is expanded", name)
		}
		vars[name] = v.Value
	}
	log, code := execute(t, dir, vars, "sh", "-c", strings.Join(j.Script, "\n"))
	if code != 0 {
		t.Fatalf("exit %d:\n%s", code, log)
	}
	wantParts(t, "the log", log, "this change changes 1 object")
	wantParts(t, "the artifact", read(t, dir, j.Artifacts.Paths[0], "plumbline.md"), "this change changes 1 object")
	wantParts(t, "the test report", read(t, dir, j.Artifacts.Reports["junit"]), "<testsuites tests=\"1\"")
	if j.Artifacts.When != "always" || j.Variables["GIT_DEPTH"].Value != "0" || len(j.Rules) != 1 || j.Stage == "" || j.Image == "" {
		t.Errorf("the job is not for merge requests with their history and reports: %+v", j)
	}
	wantNotPwned(t, dir)

	vars["PLUMBLINE_VERSION"] = strings.Repeat("0", 40)
	if log, code := execute(t, dir, vars, "sh", "-c", strings.Join(j.Script, "\n")); code == 0 {
		t.Errorf("without a plumbline the job is green:\n%s", log)
	}
}

// published is a repository that has a copy of this tree, and its commit.
func published(t *testing.T) (url, commit string) {
	t.Helper()
	dir := t.TempDir()
	copied := exec.CommandContext(t.Context(), "tar", "-cf", filepath.Join(dir, "tree.tar"), "--exclude=./bin", "--exclude=./.git", "--exclude=./dist", ".")
	copied.Dir = root
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("copying the tree: %v\n%s", err, out)
	}
	gitsourcetest.Git(t, dir, "init", "-q", "repo")
	repo := filepath.Join(dir, "repo")
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", filepath.Join(dir, "tree.tar"), "-C", repo).CombinedOutput(); err != nil {
		t.Fatalf("copying the tree: %v\n%s", err, out)
	}
	gitsourcetest.Git(t, repo, "add", "-A")
	gitsourcetest.Git(t, repo, "commit", "-qm", "all")
	return "file://" + repo, gitsourcetest.Git(t, repo, "rev-parse", "HEAD")
}

// hook is one of .pre-commit-hooks.yaml, as far as pre-commit's documentation of a new
// hook goes.
type hook struct {
	ID, Name, Description, Entry, Language string
	Args                                   []string
	PassFilenames                          *bool `yaml:"pass_filenames"`
	AlwaysRun                              bool  `yaml:"always_run"`
	Verbose                                bool
}

// TestHook runs the hook's command line on what is staged.
func TestHook(t *testing.T) {
	var hooks []hook
	decode(t, read(t, root, ".pre-commit-hooks.yaml"), &hooks)
	if len(hooks) != 1 {
		t.Fatalf("%d hooks, want one", len(hooks))
	}
	h := hooks[0]
	if h.ID != "plumbline" || h.Name == "" || h.Description == "" || h.Language != "golang" || h.PassFilenames == nil || *h.PassFilenames || !h.AlwaysRun || !h.Verbose {
		t.Errorf("%+v is no hook that looks at a directory, and tells what it saw", h)
	}
	line := strings.Fields(h.Entry)
	program, err := exec.LookPath(plumbline)
	if err != nil || line[0] != filepath.Base(program) {
		t.Fatalf("%s is not %s: %v", line[0], program, err)
	}
	kustomization := map[string]string{"kustomization.yaml": "resources: [web.yaml]\n", "web.yaml": configMap("web", "1")}
	for _, test := range []struct {
		name   string
		staged map[string]string
		gone   string
		code   int
		want   string
	}{
		{"nothing", nil, "", 0, "changes nothing"},
		{"a value", map[string]string{"web.yaml": configMap("web", "2")}, "", 0, `"1" → "2"`},
		{"no YAML", map[string]string{"web.yaml": "a: ["}, "", 2, "web.yaml:1"},
		{"a file too few", nil, "web.yaml", 2, "web.yaml"},
	} {
		dir := checkout(t, kustomization, map[string]string{"README.md": "else\n"})
		gitsourcetest.WriteFiles(t, dir, test.staged)
		gitsourcetest.Git(t, dir, "add", "-A")
		if test.gone != "" {
			gitsourcetest.Git(t, dir, "rm", "-q", test.gone)
		}
		vars := map[string]string{"PATH": filepath.Dir(program) + ":" + os.Getenv("PATH"), "GIT_INDEX_FILE": ".git/index", "PRE_COMMIT": "1"}
		out, code := execute(t, dir, maps.Clone(vars), program, append(line[1:], h.Args...)...)
		if code != test.code || !strings.Contains(out, test.want) {
			t.Errorf("%s is staged: exit %d, want %d and %q:\n%s", test.name, code, test.code, test.want, out)
		}
	}
}
