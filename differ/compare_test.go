package differ_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

var update = flag.Bool("update", false, "write what the tests found into their want.txt")

// schemas are those of Kubernetes' own kinds and of the tests' Widget.
var schemas = sync.OnceValues(func() (*differ.Schemas, error) {
	components, err := differ.Builtin()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile("testdata/widget.json")
	if err != nil {
		return nil, err
	}
	var widget map[string]*spec.Schema
	if err := json.Unmarshal(text, &widget); err != nil {
		return nil, err
	}
	s := differ.NewSchemas()
	for _, c := range []map[string]*spec.Schema{components, widget} {
		if err := s.Add(c); err != nil {
			return nil, err
		}
	}
	return s, nil
})

func typeOf(t testing.TB, id object.ID) differ.Type {
	t.Helper()
	s, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	return s.Type(id.Group, id.Version, id.Kind)
}

// testOptions are a case's options.yaml.
type testOptions struct {
	Deployers, Controllers, Ignore []string
	ShowControllers                bool
}

func (o testOptions) options(t *testing.T) differ.Options {
	t.Helper()
	var rules []differ.Ignore
	options := differ.Options{Deployers: o.Deployers, Controllers: o.Controllers, ShowControllers: o.ShowControllers}
	for _, text := range o.Ignore {
		p, err := differ.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, differ.Ignore{Paths: []differ.Pattern{p}})
	}
	options.Ignore = always(rules...)
	return options
}

// TestCompare holds the comparison to the cases under testdata/compare: what git
// declares, what the server returns, and all that is to be said about it.
func TestCompare(t *testing.T) {
	files, err := filepath.Glob("testdata/compare/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			declared, live := parse(t, part(archive, "declared.yaml")), parse(t, part(archive, "live.yaml"))
			var o testOptions
			if err := yaml.UnmarshalStrict(part(archive, "options.yaml"), &o); err != nil {
				t.Fatal(err)
			}
			got := describe(differ.Compare(declared, live, typeOf(t, live.ID), o.options(t)))
			if *update {
				setPart(archive, "want.txt", got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(string(part(archive, "want.txt")), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func part(a *txtar.Archive, name string) []byte {
	if i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name }); i >= 0 {
		return a.Files[i].Data
	}
	return nil
}

func setPart(a *txtar.Archive, name, text string) {
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		i = len(a.Files)
		a.Files = append(a.Files, txtar.File{Name: name})
	}
	a.Files[i].Data = []byte(text)
}

func parse(t testing.TB, text []byte) object.Object {
	t.Helper()
	objects, err := object.Decode("test.yaml", text)
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, error %v in:\n%s", len(objects), err, text)
	}
	return objects[0]
}

// describe spells a Diff, one line for each change.
func describe(d differ.Diff) string {
	var b strings.Builder
	for _, c := range d.Changes {
		fmt.Fprintf(&b, "%s %s: %s → %s, %s\n", c.Op, c.Path, toJSON(c.Declared), toJSON(c.Live), writer(c.Writer))
	}
	if d.Unattributed {
		b.WriteString("unattributed\n")
	}
	return b.String()
}

func toJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func writer(w differ.Writer) string {
	text := "by nobody known"
	if w.Manager != "" {
		text = "by " + strings.Join([]string{w.Manager, w.Operation, w.Subresource}, "/")
	}
	if !w.Time.IsZero() {
		text += " at " + w.Time.Format(time.TimeOnly)
	}
	if !w.NotBefore.IsZero() {
		text += " after " + w.NotBefore.Format(time.TimeOnly)
	}
	if w.Person {
		text += ", a person"
	}
	return text
}
