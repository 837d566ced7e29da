package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/posture"
	"plumbline.dev/plumbline/reverter"
	"plumbline.dev/plumbline/rogue"
	"plumbline.dev/plumbline/running"
	"plumbline.dev/plumbline/source"
	"plumbline.dev/plumbline/test/testenv"
)

func reference(t *testing.T) []finding.Help {
	t.Helper()
	all, err := finding.Reference()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPage wants docs/rules.md to be what is generated.
func TestPage(t *testing.T) {
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	want, err := page()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "rules.md"))
	if err != nil || string(got) != want {
		t.Errorf("docs/rules.md is not what finding/rules says; run: go generate ./finding (%v)", err)
	}
}

// TestEveryRuleHasHelp wants one entry for each constant of type Rule, with all its
// parts, of which those of a Baseline must be good in one.
func TestEveryRuleHasHelp(t *testing.T) {
	helps := map[finding.Rule]int{}
	for _, h := range reference(t) {
		helps[h.Rule]++
		if h.Title == "" || h.Finds == "" || h.Why == "" || h.Fix == "" || h.Exempt == "" || len(h.Sources) == 0 || h.Example == (finding.Example{}) {
			t.Errorf("%s: parts are missing: %+v", h.Rule, h)
		}
		baseline(t, h.Rule, h.Exempt)
		baseline(t, h.Rule, h.Example.Baseline)
		objects(t, h.Rule, h.Example.Before)
		objects(t, h.Rule, h.Example.Git)
		objects(t, h.Rule, h.Example.Live)
	}
	rules := constants(t)
	for _, r := range rules {
		if helps[r] != 1 {
			t.Errorf("%s has %d entries in finding/rules", r, helps[r])
		}
	}
	if len(rules) != len(helps) {
		t.Errorf("%d rules and %d entries", len(rules), len(helps))
	}
}

// constants reads the rules out of the source: nothing else lists them.
func constants(t *testing.T) []finding.Rule {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "finding", "finding.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var rules []finding.Rule
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		name, _ := spec.Type.(*ast.Ident)
		if value, ok := spec.Values[0].(*ast.BasicLit); ok && name != nil && name.Name == "Rule" {
			rule, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, finding.Rule(rule))
		}
		return true
	})
	if len(rules) < 20 {
		t.Fatalf("only %d rules were found", len(rules))
	}
	return rules
}

// baseline reads a part of a Baseline's spec.
func baseline(t *testing.T, rule finding.Rule, spec string) v1alpha1.BaselineSpec {
	t.Helper()
	b, err := v1alpha1.Parse("baseline.yaml", []byte(baselineText("https://git.example.com/platform/config.git", spec)))
	if err != nil {
		t.Errorf("%s: %v\n%s", rule, err, spec)
	}
	return b.Spec
}

// baselineText is a Baseline with a part of its spec.
func baselineText(url, spec string) string {
	text := "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {name: shop}\nspec:\n  git: {url: \"" + url + "\"}\n"
	for line := range strings.Lines(spec) {
		text += "  " + line
	}
	return text
}

func objects(t *testing.T, rule finding.Rule, text string) []object.Object {
	t.Helper()
	all, err := object.Decode("example.yaml", []byte(text))
	if err != nil {
		t.Errorf("%s: %v", rule, err)
	}
	return all
}

// example is one that was read.
type example struct {
	finding.Help
	spec      v1alpha1.BaselineSpec
	git, live []object.Packed
}

// plugs say how examples are put to the test, by a rule or by its group: those about
// objects by the package that decides, those about more (commits, registries, edits
// over time) by the program, in a cluster.
var plugs = map[string]func(*testing.T, example) []finding.Finding{
	"posture": func(t *testing.T, e example) []finding.Finding {
		p, err := posture.New(e.spec.Posture)
		if err != nil {
			t.Fatal(err)
		}
		found, _ := p.Find(posture.World{Declared: e.git, Live: e.live})
		return found
	},
	"runtime": func(t *testing.T, e example) []finding.Finding {
		p, err := running.New(e.spec.Runtime)
		if err != nil {
			t.Fatal(err)
		}
		found, _ := p.Find(running.World{
			Live: e.live, Now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
			Newest: map[string]running.Named{"registry.example.com/shop/web:1.4": {Digest: "sha256:" + strings.Repeat("2", 64)}},
		})
		return found
	},
	"rogue/object":     rogues,
	"rogue/container":  rogues,
	"source/image":     images,
	"source/tag":       images,
	"source/digest":    images,
	"drift/fight":      fought,
	"drift":            staged,
	"rogue/writer":     staged,
	"source/commit":    staged,
	"source/signature": unsigned,
	"source/helm": func(t *testing.T, e example) []finding.Finding {
		found, err := sources(t, e).Releases(e.live)
		if err != nil {
			t.Error(err)
		}
		return found
	},
	"source/remote": func(t *testing.T, e example) []finding.Finding {
		var found []finding.Finding
		for _, o := range e.git {
			found = append(found, sources(t, e).Sources(o)...)
		}
		return found
	},
}

// fought puts what differs back, and finds it as before each time.
func fought(_ *testing.T, e example) []finding.Finding {
	var fights reverter.Fights
	f := finding.Finding{Rule: finding.DriftModified, Object: e.git[0].ID, Changes: differ.Compare(e.git[0].Object(), e.live[0].Object(), differ.Type{}, differ.Options{}).Changes}
	for range 4 {
		fights.Undone(f.Object, fights.Left(f, time.Time{}), time.Time{})
	}
	return fights.Findings([]finding.Finding{f}, time.Time{})
}

func rogues(t *testing.T, e example) []finding.Finding {
	p, err := rogue.New(e.spec.Scope, differ.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result := p.Find(rogue.World{Declared: e.git, Live: e.live})
	if len(result.Unjudged) > 0 {
		t.Errorf("not judged: %v", result.Unjudged)
	}
	return result.Findings
}

func sources(t *testing.T, e example) *source.Policy {
	t.Helper()
	p, err := source.New(e.spec.Sources, source.Own{Repository: e.spec.Git.URL})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func images(t *testing.T, e example) []finding.Finding {
	var all []finding.Finding
	for _, o := range e.git {
		found, err := sources(t, e).Images(o)
		if err != nil {
			t.Error(err)
		}
		all = append(all, found...)
	}
	return all
}

// TestExamplesTrigger wants each example to be found by its rule.
func TestExamplesTrigger(t *testing.T) {
	for _, h := range reference(t) {
		group, _, _ := strings.Cut(string(h.Rule), "/")
		plug := plugs[string(h.Rule)]
		if plug == nil {
			plug = plugs[group]
		}
		if plug == nil {
			t.Errorf("nothing tries the example of %s", h.Rule)
			continue
		}
		t.Run(string(h.Rule), func(t *testing.T) {
			found := plug(t, example{h, baseline(t, h.Rule, h.Example.Baseline), object.LooseAll(objects(t, h.Rule, h.Example.Git)), object.LooseAll(objects(t, h.Rule, h.Example.Live))})
			if !slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Rule == h.Rule }) {
				t.Errorf("the example is not found; found is: %+v", found)
			}
		})
	}
}
