package alarms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumbline.dev/plumbline/test/testenv"
)

// player plays one fixture.
type player struct {
	user      testenv.User
	namespace string
	dir       string   // the fixture's files
	flags     []string // of kubectl apply, when the deployer applies
	// connection are plumbline's flags where it is not to ask the API server itself.
	connection []string
	confirms   bool // the API server is asked
}

type playerKey struct{}

// within is how long a controller or the API server may take to notice something.
const within = time.Minute

var commands = map[string]func(*testscript.TestScript, bool, []string){
	"deploy": command(func(p *player, _ *testscript.TestScript, args []string) error {
		_, err := p.deploy(args...)
		return err
	}),
	"kubectl": func(ts *testscript.TestScript, neg bool, args []string) {
		out, err := playerOf(ts).kubectl(args...)
		fmt.Fprint(ts.Stdout(), out)
		if neg && err == nil {
			ts.Fatalf("kubectl %s succeeded", strings.Join(args, " "))
		}
		if !neg {
			ts.Check(err)
		}
	},
	"crd":     command(installDefinitions),
	"webhook": command(installWebhook),
	"answers": command(changeAnswers),
	"confirm": command(func(p *player, _ *testscript.TestScript, _ []string) error {
		p.confirms = true
		return nil
	}),
	"git": command(func(p *player, ts *testscript.TestScript, args []string) error {
		if err := os.RemoveAll(filepath.Join(p.dir, "git")); err != nil {
			return err
		}
		return os.Rename(ts.MkAbs(args[0]), filepath.Join(p.dir, "git"))
	}),
	"repeat": command(func(_ *player, ts *testscript.TestScript, args []string) error {
		return repeat(args[0], ts.ReadFile(args[1]), ts.MkAbs(args[2]))
	}),
	"quiet":    judging(0, func(severities map[string]bool) bool { return len(severities) == 0 }),
	"presumed": judging(0, func(severities map[string]bool) bool { return len(severities) == 1 && severities["unconfirmed"] }),
	"infos":    judging(0, func(severities map[string]bool) bool { return len(severities) == 1 && severities["info"] }),
	"drift":    judging(1, func(severities map[string]bool) bool { return severities["warning"] && !severities["unknown"] }),
}

func playerOf(ts *testscript.TestScript) *player { return ts.Value(playerKey{}).(*player) }

// command is a step that must succeed.
func command(do func(*player, *testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this step cannot be negated")
		}
		ts.Check(do(playerOf(ts), ts, args))
	}
}

// judging is a step that compares, prints what was found, and wants its severities
// to be right and plumbline to end with an exit code.
func judging(code int, right func(severities map[string]bool) bool) func(*testscript.TestScript, bool, []string) {
	return command(func(p *player, ts *testscript.TestScript, _ []string) error {
		r, got, err := p.diff()
		if err != nil {
			return err
		}
		severities := map[string]bool{}
		lines := r.lines(p.namespace)
		for _, line := range lines {
			fmt.Fprintln(ts.Stdout(), line)
			severity, _, _ := strings.Cut(line, " ")
			severities[severity] = true
		}
		if got != code || !right(severities) {
			return fmt.Errorf("exit %d, found:\n%s", got, strings.Join(lines, "\n"))
		}
		return nil
	})
}

func (p *player) kubectl(args ...string) (string, error) {
	for i, arg := range args {
		if file := filepath.Join(p.dir, arg); filepath.Ext(arg) == ".yaml" && !filepath.IsAbs(arg) {
			args[i] = file
		}
	}
	return p.user.Try("", append([]string{"-n", p.namespace}, args...)...)
}

func (p *player) deploy(args ...string) (string, error) {
	flag := "-f"
	if _, err := os.Stat(filepath.Join(p.dir, "git", "kustomization.yaml")); err == nil {
		flag = "-k"
	}
	apply := append([]string{"apply", flag, filepath.Join(p.dir, "git")}, p.flags...)
	return p.kubectl(append(apply, args...)...)
}

// report is the part of plumbline's JSON that fixtures look at.
type report struct {
	Summary  struct{ Objects int }
	Findings []struct {
		Rule, Severity string
		Object         struct{ Kind, Name string }
		Changes        []struct{ Path, Manager string }
	}
	Unknown     []struct{ Reason string }
	Unconfirmed []struct {
		Object struct{ Kind, Name string }
		Paths  []string
	}
	Errors, Warnings []string
}

// diff compares git with the cluster and returns the report and the exit code.
func (p *player) diff() (report, int, error) {
	args := append([]string{"diff", "-o", "json", "-n", p.namespace, filepath.Join(p.dir, "git")}, p.connection...)
	if p.confirms {
		args = append(args, "--confirm=dry-run", "--cache-dir", filepath.Join(p.dir, "cache"))
	}
	run := exec.Command(plumbline, args...)
	run.Env = append(os.Environ(), "KUBECONFIG="+p.user.Kubeconfig, "HOME="+env.Dir)
	var out, stderr bytes.Buffer
	run.Stdout, run.Stderr = &out, &stderr
	var exit *exec.ExitError
	if err := run.Run(); err != nil && !errors.As(err, &exit) {
		return report{}, 0, fmt.Errorf("running plumbline: %w", err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, 0, fmt.Errorf("plumbline diff printed no JSON: %w: %s%s", err, out.String(), stderr.String())
	}
	if r.Summary.Objects == 0 {
		return r, 0, errors.New("plumbline compared nothing")
	}
	return r, run.ProcessState.ExitCode(), nil
}

// lines are what was found, one for each change, with $NS for the namespace.
func (r report) lines(namespace string) []string {
	var lines []string
	for _, f := range r.Findings {
		line := fmt.Sprintf("%s %s %s/%s", f.Severity, f.Rule, f.Object.Kind, f.Object.Name)
		if len(f.Changes) == 0 {
			lines = append(lines, line)
		}
		for _, c := range f.Changes {
			change := line + " " + c.Path
			if c.Manager != "" {
				change += " by " + c.Manager
			}
			lines = append(lines, change)
		}
	}
	for _, u := range r.Unknown {
		lines = append(lines, "unknown "+u.Reason)
	}
	for _, u := range r.Unconfirmed {
		for _, path := range u.Paths {
			lines = append(lines, fmt.Sprintf("unconfirmed %s/%s %s", u.Object.Kind, u.Object.Name, path))
		}
	}
	for _, e := range slices.Concat(r.Errors, r.Warnings) {
		lines = append(lines, "error "+e)
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], namespace, "$NS")
	}
	slices.Sort(lines)
	return lines
}

// groupVersions finds the group and the first version of each
// CustomResourceDefinition of a file.
var groupVersions = regexp.MustCompile(`(?ms)^  group: (\S+)$.*?^  - name: (\S+)$`)

// installDefinitions installs CustomResourceDefinitions and waits until the server
// publishes their schemas, without which no list has keys.
func installDefinitions(p *player, ts *testscript.TestScript, args []string) error {
	if _, err := p.kubectl("apply", "--server-side", "--field-manager=platform", "-f", args[0]); err != nil {
		return err
	}
	found := groupVersions.FindAllStringSubmatch(ts.ReadFile(args[0]), -1)
	if len(found) == 0 {
		return fmt.Errorf("%s defines nothing", args[0])
	}
	for _, m := range found {
		path := fmt.Sprintf("/openapi/v3/apis/%s/%s", m[1], m[2])
		if !testenv.Poll(within, func() bool {
			out, err := p.kubectl("get", "--raw", path)
			return err == nil && strings.Contains(out, "x-kubernetes-group-version-kind")
		}) {
			return fmt.Errorf("the API server publishes no schemas at %s", path)
		}
	}
	return nil
}

// repeat appends text to a file, n times.
func repeat(n, text, into string) error {
	count, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(into, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for i := range count {
		if _, err := file.WriteString(strings.ReplaceAll(text, "$I", strconv.Itoa(i))); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return file.Close()
}
