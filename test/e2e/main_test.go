// Package e2e tests the plumbline binary against a real API server.
package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline.dev/plumbline/test/testenv"
)

var (
	env       *testenv.Env
	plumbline string // path of the binary
)

// Tests that are parallel wait for timeouts, and take no processor.
func TestMain(m *testing.M) { os.Exit(testenv.MainWithProgram(m, 2, 16, &env, &plumbline)) }

// masters may do everything, so that tests need no roles where rights are not
// the point.
const masters = "system:masters"

// jsonReport is the part of the JSON contract that the tests look at.
type jsonReport struct {
	Source  struct{ Commit string }
	Summary struct {
		Objects  int
		Verdicts map[string]int
	}
	Findings []jsonFinding
	Unknown  []struct {
		Object *struct{ Kind, Namespace, Name string }
		Reason string
	}
	Errors, Warnings []string
}

type jsonFinding struct {
	Rule, Severity, Subject, Message string
	Object                           struct{ APIVersion, Kind, Namespace, Name string }
	Origin                           jsonOrigin
	Changes                          []jsonChange
}

type jsonOrigin struct {
	File           string
	Line           int
	Commit, Author string
}

type jsonChange struct {
	Path, Op                        string
	Declared, Live                  any
	Manager, Operation, Subresource string
	Time, NotBefore                 string
	Pending                         *struct {
		Commit string
		Behind int
	}
	Origin jsonOrigin
}

// diff runs "plumbline diff -o json" and reads its report.
func diff(t testing.TB, kubeconfig string, args ...string) (jsonReport, result) {
	t.Helper()
	r := run(t, kubeconfig, append([]string{"diff", "-o", "json"}, args...)...)
	var report jsonReport
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatalf("plumbline diff %s (exit %d) printed no JSON: %v\n%s%s", strings.Join(args, " "), r.code, err, r.stdout, r.stderr)
	}
	return report, r
}

// clean fails the test unless a comparison found nothing and could compare
// everything.
func clean(t testing.TB, report jsonReport, r result) {
	t.Helper()
	if r.code != 0 || len(report.Findings)+len(report.Unknown)+len(report.Errors)+len(report.Warnings) > 0 || report.Summary.Objects == 0 {
		t.Errorf("exit %d, want a clean comparison of some objects:\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// write writes files into a new directory and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
