// Package alarms holds Plumbline against the changes that are no drift: what the
// API server, its admission and the cluster's controllers do to objects, and the
// ways in which git spells what the server stores otherwise.
//
// A fixture is a script of testdata (see testscript) about one class of false
// alarms. It deploys the objects under git/, has happen what is no drift, and
// wants silence; then it makes one real edit, its twin, and wants exactly that
// edit told. Besides testscript's own commands there are
//
//	deploy [FLAG...]       apply git/ as the deployer
//	kubectl ARG...         as anybody else, in the fixture's namespace
//	crd FILE               install CustomResourceDefinitions and wait for their schemas
//	webhook FILE PATCH     install webhook configurations that answer with a JSON patch
//	answers FILE           let plumbline see other answers of the API server
//	confirm                from here on, the API server is asked to confirm
//	git DIR                from here on, git has what DIR has
//	repeat N FILE INTO     append FILE to INTO N times, $I being the number
//	quiet                  nothing is found, and nothing left that only the API server could tell
//	presumed               nothing is found, and some is left; prints what
//	infos                  nothing above info is found; prints what is
//	drift                  something is found; prints it
//
// What is printed is a line for each change: severity, rule, object, path and the
// manager who made it. "go test ./test/alarms -update" writes it into the
// fixtures; read what changes before you keep it.
package alarms

import (
	"encoding/base64"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what plumbline says into the fixtures")

// deployments are the two ways in which kubectl carries out what git says.
var deployments = map[string][]string{
	"server-side": {"--server-side", "--field-manager=ci-deploy", "--force-conflicts"},
	"client-side": {"--server-side=false"},
}

// TestFixtures plays every fixture of testdata, once for each way to deploy. The
// package comment says what a fixture is.
func TestFixtures(t *testing.T) {
	mallory := env.User(t, "mallory", "system:masters")
	for name, flags := range deployments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir: "testdata",
				Setup: func(e *testscript.Env) error {
					return prepare(e, &player{user: mallory, flags: flags}, name)
				},
				Condition:           func(condition string) (bool, error) { return condition == name, nil },
				Cmds:                commands,
				UpdateScripts:       *update,
				RequireUniqueNames:  true,
				RequireExplicitExec: true,
			})
		})
	}
}

// prepare gives a fixture a namespace of its own, whose name is $NS in all its
// YAML files.
func prepare(e *testscript.Env, p *player, way string) error {
	fixture := strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")
	p.namespace = fixture + "-" + way[:6]
	p.dir = e.WorkDir
	e.Values[playerKey{}] = p
	e.Setenv("NS", p.namespace)
	if _, err := p.kubectl("create", "namespace", p.namespace); err != nil {
		return err
	}
	replacer := strings.NewReplacer(
		"$NS", p.namespace,
		"$WEBHOOK", hooks.URL+"/"+p.namespace,
		"$CABUNDLE", base64.StdEncoding.EncodeToString(hooks.CA()),
	)
	return filepath.WalkDir(e.WorkDir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(replacer.Replace(string(text))), 0o600)
	})
}

var (
	quietStep = regexp.MustCompile(`(?m)^(\[.*\] )?(quiet|presumed|infos)$`)
	twinStep  = regexp.MustCompile(`(?m)^(\[.*\] )?drift\n(\[.*\] )?cmp stdout `)
)

// TestEveryFixtureHasATwin wants each fixture to be quiet first and to tell a real
// edit afterwards, or it would prove nothing.
func TestEveryFixtureHasATwin(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no fixtures: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		quiet, twin := quietStep.FindIndex(text), twinStep.FindIndex(text)
		if quiet == nil || twin == nil || quiet[0] > twin[0] {
			t.Errorf("%s: wants a step that is quiet, and a twin after it: \"drift\" and \"cmp stdout\"", file)
		}
	}
}
