package v1alpha1_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
)

var update = flag.Bool("update", false, "write what is said into testdata")

const (
	invalid = "testdata/invalid.txtar"
	head    = "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: x}\nspec:\n  "
)

// full is a Baseline that says everything that it can.
func full(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// split parts what is said of an invalid spec from the spec.
func split(text []byte) (said []string, why, spec string) {
	for line := range strings.Lines(string(text)) {
		if s, ok := strings.CutPrefix(line, "#> "); ok {
			said = append(said, strings.TrimSpace(s))
		} else if s, ok := strings.CutPrefix(line, "#~ "); ok {
			why = s
		} else {
			spec += line
		}
	}
	return said, why, spec
}

// TestInvalid holds what is said of each spec that is not valid, and that the schema
// refuses it as well, unless there is a reason.
func TestInvalid(t *testing.T) {
	archive, err := txtar.ParseFile(invalid)
	if err != nil {
		t.Fatal(err)
	}
	schema := compiled(t)
	for i, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			want, why, spec := split(f.Data)
			_, err := v1alpha1.Parse("b", []byte(head+spec))
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("tells a secret: %v", err)
			}
			got := strings.Split(strings.ReplaceAll("\n"+err.Error(), "\nb:", "\n")[1:], "\n")
			if *update {
				text := "#> " + strings.Join(got, "\n#> ") + "\n"
				if why != "" {
					text += "#~ " + why
				}
				archive.Files[i].Data = []byte(text + spec)
			} else if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if err := check(t, schema, []byte(head+spec)); (err == nil) != (why != "") {
				t.Errorf("the schema says %v", err)
			}
		})
	}
	if *update {
		if err := os.WriteFile(invalid, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestValid accepts what says everything, and what is in the documents, by Parse and
// by the schema.
func TestValid(t *testing.T) {
	texts := map[string][]byte{"whole": []byte(whole), "full": full(t), "least": []byte("apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\n")}
	for name, text := range documented(t) {
		texts[name] = text
	}
	schema := compiled(t)
	for name, text := range texts {
		if _, err := v1alpha1.Parse(name, text); err != nil {
			t.Error(err)
		}
		if err := check(t, schema, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var fence = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// documented are the Baselines in the documents and the examples.
func documented(t *testing.T) map[string][]byte {
	texts := map[string][]byte{}
	var files []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../examples/*/*.md", "../../examples/*.yaml", "../../examples/*/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := [][]byte{text}
		if filepath.Ext(file) == ".md" {
			blocks = nil
			for _, m := range fence.FindAllSubmatch(text, -1) {
				blocks = append(blocks, m[1])
			}
		}
		for i, block := range blocks {
			if bytes.Contains(block, []byte("kind: Baseline\n")) {
				texts[file+strings.Repeat("'", i)] = block
			}
		}
	}
	if len(texts) == 0 {
		t.Error("no document has a Baseline")
	}
	return texts
}

// compiled is the published schema.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/baseline.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// check asks the schema about a file, as kubectl reads it.
func check(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	plain, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// TestSameAsKubectl reads a file as Parse does and as kubectl and the API server do:
// both must be the same.
func TestSameAsKubectl(t *testing.T) {
	ours, err := v1alpha1.Parse("full.yaml", full(t))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := yaml.YAMLToJSONStrict(full(t))
	if err != nil {
		t.Fatal(err)
	}
	var theirs v1alpha1.Baseline
	if err := json.Unmarshal(plain, &theirs); err != nil {
		t.Fatal(err)
	}
	for i := range theirs.Spec.Ignore {
		theirs.Spec.Ignore[i].Line = ours.Spec.Ignore[i].Line
	}
	for i := range theirs.Spec.Scope.Exempt {
		if ours.Spec.Scope.Exempt[i].Line == 0 {
			t.Error("an exemption has no line")
		}
		theirs.Spec.Scope.Exempt[i].Line = ours.Spec.Scope.Exempt[i].Line
	}
	if d := cmp.Diff(theirs, ours); d != "" {
		t.Errorf("-kubectl's +ours:\n%s", d)
	}
}

func TestDefault(t *testing.T) {
	var b v1alpha1.Baseline
	b.Spec.Scope.Exempt = []v1alpha1.Exemption{{Kind: "Job"}, {Rules: []string{"posture"}}}
	b.Spec.Scope.Generators = []v1alpha1.Generator{{}, {Name: "x"}}
	b.Spec.Verify = &v1alpha1.Verify{}
	b.Spec.Posture.PodSecurity = "baseline"
	got := v1alpha1.Default(b).Spec
	want := v1alpha1.BaselineSpec{
		Git:             v1alpha1.Git{Interval: metav1.Duration{Duration: time.Minute}},
		Mode:            "Report",
		WritesPerMinute: 60,
		Confirm:         "None",
		Scope: v1alpha1.Scope{
			Exempt:     []v1alpha1.Exemption{{Kind: "Job", Rules: []string{"rogue/object"}}, {Rules: []string{"posture"}}},
			Generators: []v1alpha1.Generator{{Name: "{name}"}, {Name: "x"}},
		},
		Verify:  &v1alpha1.Verify{Commits: "Head"},
		Sources: v1alpha1.Sources{Tags: "Any", Digests: "Optional", Releases: "Ignore"},
		Posture: v1alpha1.Posture{PodSecurity: "baseline", PodSecurityVersion: "latest"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if len(b.Spec.Scope.Exempt[0].Rules) > 0 || b.Spec.Verify.Commits != "" {
		t.Error("the argument was changed")
	}
	b.Spec.Sources.Registries = []string{"a.example.com"}
	if got := v1alpha1.Default(b).Spec.Sources.Tags; got != "Fixed" {
		t.Errorf("tags are %s where registries are given", got)
	}
}

func TestCheckRules(t *testing.T) {
	var b v1alpha1.Baseline
	b.Spec.Scope.Exempt = []v1alpha1.Exemption{{Rules: []string{"posture", "source/image", "source/images"}}}
	b.Spec.Rules = map[string]v1alpha1.Level{"source": "Off", "sorce": "Off", "weather": "Fail"}
	want := `spec.scope.exempt[0].rules[2] names the rule "source/images", which there is not: did you mean source/image?
spec.rules[sorce] names the rule "sorce", which there is not: did you mean source?
spec.rules[weather] names the rule "weather", which there is not: write one such as source/tag, or a group such as posture`
	if err := b.CheckRules([]string{"source/image", "posture/network"}); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := (v1alpha1.Baseline{}).CheckRules(nil); err != nil {
		t.Error(err)
	}
}
