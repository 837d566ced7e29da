// Package deployers tests that what well-known deployers leave in a cluster is
// told from what people do to it: each deploys the same shop, with the real tool
// where there is one, into a namespace of its own.
package deployers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/test/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// editor is what people run in "kubectl edit".
const editor = `#!/bin/sh
sed -i 's/CHF/USD/; s/host: shop/host: evil/' "$1"
`

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "plumbline-deployers-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "editor")
	if err := errors.Join(os.WriteFile(path, []byte(editor), 0o755), os.Setenv("KUBE_EDITOR", path)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return testenv.Main(m, 1, &env)
}

// shop is a namespace with the objects of the two charts: the custom kind, and
// everything else. It has three releases; see values.yaml.
type shop struct {
	namespace string
	admin     testenv.User
	config    *rest.Config
	options   differ.Options
	noJob     bool // the shop has no Job
}

var theAdmin struct {
	sync.Once
	user   testenv.User
	config *rest.Config
}

// newShop makes the namespace. What is deployed into it, and what people do to
// it, is done with every right: rights are not the point.
func newShop(t *testing.T) shop {
	t.Helper()
	theAdmin.Do(func() {
		var err error
		theAdmin.user = env.User(t, "admin", "system:masters")
		if theAdmin.config, err = env.Config("admin", "system:masters"); err != nil {
			t.Fatal(err)
		}
		theAdmin.config.QPS = -1
	})
	s := shop{namespace: strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())), admin: theAdmin.user, config: theAdmin.config}
	s.admin.Kubectl(t, "create", "namespace", s.namespace)
	return s
}

// binary returns the path of one of the built deployers.
func binary(t *testing.T, name string) string {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("there is no %s to deploy with: run \"make deployers\" first", name)
	}
	return path
}

// run runs a built deployer under the name by which users start it: that is
// what becomes its field manager.
func (s shop) run(t *testing.T, stdin, built, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary(t, built), args...)
	c.Args[0] = name
	c.Env = append(os.Environ(), "KUBECONFIG="+s.admin.Kubeconfig)
	c.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, stderr.String())
	}
	return out.String()
}

// charts are those of the shop, in the order in which they are deployed.
var charts = []string{"kinds", "shop"}

var manifests sync.Map // what rendered returns, by its arguments

// rendered returns a chart's manifests, which are git's side.
func (s shop) rendered(t *testing.T, chart string, version int) string {
	t.Helper()
	args := []string{"template", chart, "testdata/" + chart, "--namespace", s.namespace, "--set", s.values(version)}
	key := strings.Join(args, " ")
	if text, ok := manifests.Load(key); ok {
		return text.(string) //nolint:forcetypeassert // nothing else is stored
	}
	text := s.run(t, "", "helm-v4", "helm", args...)
	manifests.Store(key, text)
	return text
}

// declared are the chart's objects in a release.
func (s shop) declared(t *testing.T, chart string, version int) []object.Object {
	t.Helper()
	objects, err := object.Decode(chart+".yaml", []byte(s.rendered(t, chart, version)))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// values are the charts' values for a release.
func (s shop) values(version int) string {
	return fmt.Sprintf("version=%d,job=%t", version, !s.noJob)
}

// kubectl deploys the way that the given kubectl arguments say.
func (s shop) kubectl(t *testing.T, version int, args ...string) {
	t.Helper()
	args = append(args, "-f", "-", "-n", s.namespace)
	s.admin.KubectlIn(t, s.rendered(t, "kinds", version), args...)
	s.admin.Kubectl(t, "wait", "--for=condition=Established", "crd/widgets."+s.namespace+".example.com")
	s.admin.KubectlIn(t, s.rendered(t, "shop", version), args...)
}

// edit lets a person edit the shop with kubectl.
func (s shop) edit(t *testing.T, e edit) {
	t.Helper()
	args := []string{"-n", s.namespace}
	for _, a := range e.args {
		args = append(args, strings.NewReplacer("NAMESPACE", s.namespace, "widget/", "widgets."+s.namespace+".example.com/").Replace(a))
	}
	s.admin.Kubectl(t, args...)
}

// assess compares a release, as git has it, with the cluster.
func (s shop) assess(t *testing.T, version int) []assess.Assessment {
	t.Helper()
	var declared []object.Object
	for _, chart := range charts {
		declared = append(declared, s.declared(t, chart, version)...)
	}
	c, err := cluster.Connect(t.Context(), s.config, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	assessments, err := assess.All(t.Context(), object.LooseAll(declared), c, assess.Options{Namespace: s.namespace, Compare: s.options})
	if err != nil {
		t.Fatal(err)
	}
	return assessments
}

// said returns what is found of warning or more in a comparison with a release,
// one line for each change: the rule, the object, the field, and who wrote it.
func (s shop) said(t *testing.T, version int) []string {
	t.Helper()
	var lines []string
	for _, a := range s.assess(t, version) {
		if a.Verdict == finding.Unknown {
			t.Errorf("%s could not be compared: %v", a.Declared.ID, a.Err)
		}
		for _, f := range a.Findings {
			if f.Severity < finding.Warning {
				continue
			}
			if len(f.Changes) == 0 {
				lines = append(lines, fmt.Sprintf("%s %s/%s", f.Rule, f.Object.Kind, f.Object.Name))
			}
			for _, c := range f.Changes {
				line := fmt.Sprintf("%s %s/%s %s", f.Rule, f.Object.Kind, f.Object.Name, c.Path)
				if c.Writer.Manager != "" {
					line += " by " + c.Writer.Manager
				}
				lines = append(lines, line)
			}
		}
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], s.namespace, "NAMESPACE")
	}
	slices.Sort(lines)
	return lines
}

// want fails the test unless exactly the given lines are said. Controllers may
// still be at work for a moment after a deployment.
func (s shop) want(t *testing.T, what string, version int, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	if !testenv.Poll(10*time.Second, func() bool { got = s.said(t, version); return slices.Equal(want, got) }) {
		t.Errorf("%s (-want +got):\n%s", what, cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")))
	}
}
