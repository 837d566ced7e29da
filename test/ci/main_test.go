// Package ci tests what manifests/ci and .pre-commit-hooks.yaml have a continuous
// integration run, by running it: the script with the real program, and the steps and
// scripts of the definitions as a runner would.
package ci

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/test/testenv"
)

var (
	root      string // of this repository
	plumbline string // path of the program
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "plumbline-ci-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if root, err = testenv.Root(); err == nil {
		plumbline, err = testenv.Plumbline(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// configMap declares a ConfigMap with one value.
func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {key: %q}\n", name, value)
}

// live is a dump in which somebody has edited the ConfigMap web, and nobody back.
const live = `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: web
    namespace: shop
    managedFields:
    - {manager: kubectl-edit, operation: Update, apiVersion: v1, time: "2026-11-20T10:00:00Z", fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:key": {}}}}
  data: {key: edited}
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: back
    namespace: shop
    managedFields:
    - {manager: kustomize-controller, operation: Apply, apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:key": {}}}}
  data: {key: "1"}
`

// checkout is a clone of a repository, on a branch that has the files after where its
// origin's main has those before.
func checkout(t *testing.T, before, after map[string]string) string {
	t.Helper()
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(gitsourcetest.Commit{Files: before})
	dir := repo.Clone()
	gitsourcetest.Git(t, dir, "switch", "-qc", "change")
	gitsourcetest.WriteFiles(t, dir, after)
	gitsourcetest.Git(t, dir, "add", "-A")
	gitsourcetest.Git(t, dir, "commit", "-qm", "change")
	return dir
}

// environment is that of a runner which sets nothing but what it is given.
func environment(vars map[string]string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "KUBECONFIG="}
	for _, inherited := range []string{"HOME", "GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN", "GONOSUMDB", "GOSUMDB"} {
		if value, ok := os.LookupEnv(inherited); ok {
			env = append(env, inherited+"="+value)
		}
	}
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}

// execute runs a program in a directory and returns what it printed, and its exit code.
func execute(t *testing.T, dir string, vars map[string]string, program string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, environment(vars)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// read returns what a file holds, and nothing if there is none.
func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// wantParts fails unless a text has all parts.
func wantParts(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not have %q:\n%s", what, part, text)
		}
	}
}
