// Package demo runs the demo and holds what the README shows of it against what
// it prints.
package demo

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/test/testenv"
)

var update = flag.Bool("update", false, "write the demo's output into the README")

const (
	begin = "<!-- demo -->\n```text\n"
	end   = "```\n<!-- /demo -->"
)

func TestReadmeShowsTheDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped in short mode: it starts a control plane of its own")
	}
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	plumbline, err := testenv.Plumbline(dir)
	if err != nil {
		t.Fatal(err)
	}
	demo := exec.Command(filepath.Join(root, "test", "demo", "demo.sh"))
	demo.Env = append(os.Environ(), "COLUMNS=80", "TMPDIR="+dir, "PLUMBLINE="+plumbline, "KEEP=")
	var out, stderr bytes.Buffer
	demo.Stdout, demo.Stderr = &out, &stderr
	if err := demo.Run(); err != nil {
		t.Fatalf("the demo failed: %v\n%s%s", err, out.String(), stderr.String())
	}
	checkNothingLeft(t, dir)

	file := filepath.Join(root, "README.md")
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(readme), begin)
	shown, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatal("the README has no place for the demo's output")
	}
	got := normalise(lastPart(out.String()))
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+got+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(shown, got); d != "" {
		t.Errorf("the README (-) shows something else than the demo (+) prints; run the test with -update and look at the change:\n%s", d)
	}
}

func checkNothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "plumbline-demo.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the demo left %v behind (%v)", left, err)
	}
}

// lastPart is the demo's output from the intruder's work on.
func lastPart(out string) string {
	at := strings.Index(out, "── An intruder")
	if at < 0 {
		return out
	}
	return out[at:]
}

var (
	age    = regexp.MustCompile(`\b[0-9ms]*[0-9]s\b`)
	commit = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
	second = regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	madeUp = regexp.MustCompile(`-[bcdfghjklmnpqrstvwxz2456789]{5}\b`) // the end of a Pod's name
)

// normalise replaces what differs from run to run, without a change of width.
func normalise(out string) string {
	out = second.ReplaceAllString(out, "2026-11-21T12:00:00Z")
	out = madeUp.ReplaceAllString(out, "-x7k2p")
	return commit.ReplaceAllString(age.ReplaceAllString(out, "9s"), "1f0c9d2e7ab4")
}
