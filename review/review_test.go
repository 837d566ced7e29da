package review_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
	"plumbline.dev/plumbline/review"
)

var update = flag.Bool("update", false, "write what is told into testdata as what is wanted")

// TestReview compares what is told of each case with its want.txt: before.yaml and
// after.yaml are what is declared, and live.yaml is what the cluster has.
func TestReview(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]*txtar.File{}
			for i := range archive.Files {
				parts[archive.Files[i].Name] = &archive.Files[i]
			}
			got := told(t, parts)
			want := parts["want.txt"]
			if *update {
				if want == nil {
					archive.Files = append(archive.Files, txtar.File{Name: "want.txt"})
					want = &archive.Files[len(archive.Files)-1]
				}
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(string(want.Data), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// told is the text about one case, and the findings that are left, by rule and object.
func told(t *testing.T, parts map[string]*txtar.File) string {
	t.Helper()
	types := differ.NewSchemas()
	components, err := differ.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if err := types.Add(components); err != nil {
		t.Fatal(err)
	}
	c := review.Change{Before: decoded(t, parts["before.yaml"]), After: decoded(t, parts["after.yaml"]), Types: types}
	result := report.Review{Base: "0123456789abcdef0123456789abcdef01234567", Revision: "main"}
	r := report.Report{Review: &result}
	result.Objects = review.Rendered(c)
	if live := parts["live.yaml"]; live == nil {
		result.Offline = true
	} else {
		var stands review.Live
		dump := dumped(t, live)
		options := assess.Options{Compare: differ.Options{Deployers: []string{"robot"}}}
		for _, a := range assessed(t, c.After, dump, options) {
			stands.After = append(stands.After, a.Findings...)
		}
		for _, a := range assessed(t, c.Before, dump, options) {
			stands.Before = append(stands.Before, review.Stand{Object: a.Declared.ID, Verdict: a.Verdict, Findings: a.Findings})
		}
		stands.Deploys = options.Compare.Deploys
		result.Objects, r.Findings = review.Deployed(c, result.Objects, stands)
	}
	var b bytes.Buffer
	if err := report.Text(&b, r, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		b.WriteString(string(f.Rule) + " " + f.Object.String())
		for _, change := range f.Changes {
			b.WriteString(" " + change.Path.String())
		}
		b.WriteString("\n")
	}
	return b.String()
}

func decoded(t *testing.T, file *txtar.File) []object.Object {
	t.Helper()
	objects, err := object.Decode(file.Name, file.Data)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func dumped(t *testing.T, file *txtar.File) *assess.Dump {
	t.Helper()
	raw, err := object.DecodeRaw(file.Name, bytes.NewReader(file.Data))
	if err != nil {
		t.Fatal(err)
	}
	return assess.NewDump(raw)
}

func assessed(t *testing.T, objects []object.Object, live assess.Source, options assess.Options) []assess.Assessment {
	t.Helper()
	all, err := assess.All(t.Context(), object.LooseAll(objects), live, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.Verdict == finding.Unknown {
			t.Fatalf("%s: %v", a.Declared.ID, a.Err)
		}
	}
	return all
}
