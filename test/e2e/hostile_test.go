package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// maxMemory bounds what any repository may make plumbline take.
const maxMemory = 300 << 20

// hostile is a repository that is out for harm, and a part of the one line that
// is said about it: file, line and what is wrong.
type hostile struct {
	name  string
	files map[string]string
	links map[string]string
	want  string
}

const kustomization = "kustomization.yaml"

// bomb expands to a hundred million values.
const bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
	"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n" +
	"e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n" +
	"g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]\nh: [*g, *g, *g, *g, *g, *g, *g, *g, *g, *g]\n"

func hostiles(server string) []hostile {
	good := configMap("", "a", "1")
	return []hostile{
		{"path escape", map[string]string{kustomization: "resources:\n- ../../../../etc/passwd\n"}, nil,
			kustomization + ":2: resources: ../../../../etc/passwd leads out of the repository"},
		{"absolute path", map[string]string{kustomization: "resources:\n- /etc/passwd\n"}, nil, kustomization + ":2: "},
		{"generator escape", map[string]string{kustomization: "configMapGenerator:\n- name: x\n  files: [../../../etc/passwd]\n"}, nil,
			kustomization + ":3: configMapGenerator: ../../../etc/passwd leads out of the repository"},
		{"symlink out", map[string]string{kustomization: "resources:\n- link.yaml\n"}, map[string]string{"link.yaml": "../../../../../../../etc/passwd"},
			kustomization + ":2: resources: reading link.yaml: "},
		{"plain symlink out", map[string]string{"a.yaml": good}, map[string]string{"link.yaml": "/etc/passwd"}, "link.yaml: "},
		{"symlink to a directory out", map[string]string{kustomization: "resources:\n- link\n"}, map[string]string{"link": "../.."}, kustomization + ":2: "},
		{"symlink to itself", map[string]string{kustomization: "resources:\n- link.yaml\n"}, map[string]string{"link.yaml": "link.yaml"}, kustomization + ":2: "},
		{"remote base", map[string]string{kustomization: "resources:\n- " + server + "/repo.git//base?ref=main\n"}, nil, kustomization + ":2: "},
		{"remote file", map[string]string{kustomization: "resources:\n- " + server + "/a.yaml\n"}, nil, kustomization + ":2: "},
		{"helm chart", map[string]string{kustomization: "helmCharts:\n- name: x\n  repo: " + server + "\n"}, nil, kustomization + ":"},
		{"exec plugin", map[string]string{kustomization: "generators: [g.yaml]\n", "g.yaml": "apiVersion: x/v1\nkind: G\n" +
			"metadata: {name: g, annotations: {config.kubernetes.io/function: 'exec: {path: ./run.sh}'}}\n", "run.sh": "#!/bin/sh\ntouch executed\n"}, nil,
			"g.yaml:1: x/v1 G is not a builtin plugin"},
		{"YAML bomb", map[string]string{kustomization: "resources: [a.yaml]\n", "a.yaml": good + bomb}, nil, "a.yaml:"},
		{"plain YAML bomb", map[string]string{"a.yaml": good + bomb}, nil, "a.yaml:"},
		{"bomb as kustomization", map[string]string{kustomization: bomb}, nil, kustomization + ":"},
		{"large file", map[string]string{kustomization: "resources:\n- a.yaml\n", "a.yaml": good + "# " + strings.Repeat("x", 10<<20)}, nil, "a.yaml"},
		{"invalid UTF-8", map[string]string{kustomization: "resources: [a.yaml]\n", "a.yaml": good + "x: \xff\n"}, nil, "a.yaml:6: not valid UTF-8"},
		{"duplicate keys", map[string]string{kustomization: "resources: [a.yaml]\n", "a.yaml": good + "kind: Secret\n"}, nil, `a.yaml:6: the key "kind" stands twice`},
		{"cyclic bases", map[string]string{kustomization: "resources: [a]\n", "a/" + kustomization: "resources:\n- ../b\n", "b/" + kustomization: "resources:\n- ../a\n"}, nil,
			"b/" + kustomization + ":2: a cycle: a → b → a"},
		{"deep nesting", map[string]string{"a.yaml": strings.Repeat("[", 1_000_000)}, nil, "a.yaml"},
		{"terminal commands", map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n\"\\e]0;owned\\a\": 1\n\"\\e]0;owned\\a\": 2\n"}, nil, "a.yaml:5: "},
	}
}

// TestHostile gives hostile repositories, as directories and as git
// repositories, to plumbline: each is refused with one line, soon, and without
// any request, program or much memory.
func TestHostile(t *testing.T) {
	witness := gitsourcetest.Serve(t, gitsourcetest.NewRepo(t), gitsourcetest.ServerOptions{})
	for _, h := range hostiles(witness.URL) {
		t.Run(strings.ReplaceAll(h.name, " ", "-"), func(t *testing.T) {
			dir := write(t, h.files)
			for name, target := range h.links {
				if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			withstands(t, h.want, dir)
			repo := gitsourcetest.NewRepo(t)
			repo.Commit(gitsourcetest.Commit{Files: h.files, Links: h.links})
			// A file or a link that is refused is refused when it is fetched, where
			// nothing refers to it yet.
			withstands(t, h.want[strings.LastIndex(h.want, "reading ")+1:], "--git", "file://"+repo.Dir)
			if _, err := os.Stat(filepath.Join(dir, "executed")); err == nil {
				t.Error("a program of the repository was run")
			}
		})
	}
	if requests := witness.Requests(); len(requests) > 0 {
		t.Errorf("a repository made plumbline ask for %v", requests)
	}
}

// withstands runs the comparison and wants one line of error.
func withstands(t *testing.T, want string, args ...string) {
	t.Helper()
	r := command{args: append([]string{"diff"}, args...), kubeconfig: admin(t).Kubeconfig, within: 30 * time.Second}.run(t)
	var said []string
	for line := range strings.Lines(r.stdout + r.stderr) {
		if strings.HasPrefix(line, "error: ") {
			said = append(said, line)
		}
	}
	if r.code != 2 || len(said) != 1 || !strings.Contains(said[0], want) {
		t.Errorf("%v: exit %d, want one line with %q:\n%.2000s%.2000s", args, r.code, want, r.stdout, r.stderr)
	}
	if r.memory > maxMemory || r.memory == 0 && runtime.GOOS == "linux" {
		t.Errorf("%v: it took %d MiB", args, r.memory>>20)
	}
	if strings.Contains(r.stdout+r.stderr, "root:x:0") || strings.ContainsRune(r.stdout+r.stderr, '\x1b') {
		t.Errorf("%v: it printed what it must not:\n%.2000s%.2000s", args, r.stdout, r.stderr)
	}
}

// TestHostileFiles gives more files than a repository may have.
func TestHostileFiles(t *testing.T) {
	const files = 100_000
	repo := gitsourcetest.NewRepo(t)
	blob := repo.Blob(configMap("", "a", "1"))
	entries := make([]gitsourcetest.TreeEntry, 0, files)
	for i := range files {
		entries = append(entries, gitsourcetest.TreeEntry{Mode: "100644", Name: fmt.Sprintf("f%06d.yaml", i), Hash: blob})
	}
	repo.Commit(gitsourcetest.Commit{Tree: repo.Tree(entries)})
	withstands(t, "more than 50000 files", "--git", "file://"+repo.Dir)

	dir := t.TempDir()
	first := filepath.Join(dir, "f000000.yaml")
	if err := os.WriteFile(first, []byte(configMap("", "a", "1")), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < files; i++ {
		if err := os.Link(first, filepath.Join(dir, fmt.Sprintf("f%06d.yaml", i))); err != nil {
			if i < 60_000 {
				t.Skipf("the file system allows %d links: %v", i, err)
			}
			break
		}
	}
	withstands(t, "50000 entries", dir)
}
