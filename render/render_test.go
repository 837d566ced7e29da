package render

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"plumbline.dev/plumbline/object"
)

var update = flag.Bool("update", false, "rewrite what the tests want")

// TestRender renders the repositories of testdata. The comment of an archive
// names the directory ("dir: overlay"). "want" lists the objects with their
// origins, the errors, what was read, and the positions of the fields that
// "fields" asks for. Where there are no errors, the objects must be kustomize's.
func TestRender(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { testArchive(t, name) })
	}
}

func testArchive(t *testing.T, name string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir, _, _ := strings.Cut(strings.TrimPrefix(string(archive.Comment), "dir: "), "\n")
	fsys := fstest.MapFS{}
	var want, fields string
	wantAt := -1
	for i, f := range archive.Files {
		switch f.Name {
		case "want":
			want, wantAt = string(f.Data), i
		case "fields":
			fields = string(f.Data)
		default:
			fsys[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	result, err := Render(context.Background(), fsys, dir, Options{})
	got := describe(result, err) + locateAll(t, fsys, result, fields)
	checkError(t, err)
	if err == nil && isKustomization(fsys, dir) {
		checkAgainstKustomize(t, fsys, dir, "")
	}
	if *update && wantAt >= 0 {
		archive.Files[wantAt].Data = []byte(got)
		if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-) and got (+) differ:\n%s", diff)
	}
}

func isKustomization(fsys fs.FS, dir string) bool {
	entries, err := fs.ReadDir(fsys, dir)
	return err == nil && len(kustomizationFiles(entries)) > 0
}

// describe prints a result for comparison.
func describe(result Result, err error) string {
	var b strings.Builder
	for _, o := range result.Objects {
		fmt.Fprintf(&b, "%s < %s\n", o.ID, o.Origin.Position)
		for _, p := range o.Origin.ChangedBy {
			fmt.Fprintf(&b, "\t< %s\n", p)
		}
	}
	for _, err := range flatten([]error{err}) {
		fmt.Fprintf(&b, "error: %s\n", err)
	}
	fmt.Fprintf(&b, "read: %s\ndirect: %t\n", strings.Join(result.Read, " "), result.Direct)
	return b.String()
}

// locateAll answers questions of the form "Kind ns/name: [path as JSON]" with
// the value and the position of a field.
func locateAll(t *testing.T, fsys fs.FS, result Result, questions string) string {
	t.Helper()
	var b strings.Builder
	for question := range strings.Lines(questions) {
		question = strings.TrimSpace(question)
		id, text, _ := strings.Cut(question, ": ")
		var field []any
		if err := json.Unmarshal([]byte(text), &field); err != nil {
			t.Fatalf("%s: %v", question, err)
		}
		for i, s := range field {
			if index, ok := s.(float64); ok {
				field[i] = int(index)
			}
		}
		var found *object.Object
		for _, o := range result.Objects {
			if o.ID.String() == id {
				found = &o
			}
		}
		if found == nil {
			t.Errorf("there is no %s", id)
			continue
		}
		value, _ := json.Marshal(valueAt(found.Content, field))
		fmt.Fprintf(&b, "%s = %s at %s\n", question, value, Position(fsys, *found, field))
	}
	return b.String()
}
