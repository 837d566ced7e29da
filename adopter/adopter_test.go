package adopter_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/adopter"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

var update = flag.Bool("update", false, "write the expected patches anew")

// TestAdopt runs the programs of testdata: each file holds a repository, what is live
// there, and the patch that takes it over.
//
//	dir DIR                               what is rendered
//	set KIND NAME PATH = VALUE            it is live like this
//	unset KIND NAME PATH                  it is gone
//	order KIND NAME PATH = NAMES          the items are in this order
//	declare YAML, withdraw KIND NAME      as a whole
func TestAdopt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no programs", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := program(t, archive)
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "patch" || f.Name == "refused" })
				archive.Files = append(archive.Files, got...)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, want := range got {
				i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == want.Name })
				if i < 0 {
					t.Fatalf("%s has no %s", file, want.Name)
				}
				if diff := cmp.Diff(string(archive.Files[i].Data), string(want.Data)); diff != "" {
					t.Errorf("%s: %s", want.Name, diff)
				}
			}
		})
	}
}

// program runs a program and returns the patch and what was refused.
func program(t *testing.T, archive *txtar.Archive) []txtar.File {
	t.Helper()
	repo := fstest.MapFS{}
	for _, f := range archive.Files {
		if f.Name != "patch" && f.Name != "refused" {
			repo[f.Name] = &fstest.MapFile{Data: bytes.ReplaceAll(f.Data, []byte("␍"), []byte("\r"))}
		}
	}
	dir, wants := "", []adopter.Want(nil)
	var objects []object.Object
	for line := range strings.SplitSeq(strings.TrimSpace(string(archive.Comment)), "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case verb == "dir":
			dir = rest
			result, err := render.Render(t.Context(), repo, dir, render.Options{})
			if err != nil {
				t.Fatal(err)
			}
			objects = result.Objects
		default:
			wants = append(wants, want(t, objects, verb, rest))
		}
	}
	result, err := adopter.Adopt(t.Context(), repo, dir, wants)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, repo, dir, result)
	patch, err := gitsource.Patch(repo, result.Files)
	if err != nil {
		t.Fatal(err)
	}
	patch = regexp.MustCompile(`(?m)^index .*\n`).ReplaceAll(patch, nil)
	var refused bytes.Buffer
	for i, reason := range result.Refused {
		if reason != nil {
			fmt.Fprintf(&refused, "%s: %s\n", wants[i].Change.Path, strings.ReplaceAll(reason.Error(), "\n", "; "))
		}
	}
	for _, k := range result.Dependents {
		fmt.Fprintf(&refused, "%s builds on it\n", k)
	}
	return []txtar.File{{Name: "patch", Data: bytes.ReplaceAll(patch, []byte("\r"), []byte("␍"))}, {Name: "refused", Data: refused.Bytes()}}
}

// holds wants the files to declare what the result says.
func holds(t *testing.T, repo fs.FS, dir string, result adopter.Result) {
	t.Helper()
	after := fstest.MapFS{}
	err := fs.WalkDir(repo, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(repo, name)
		after[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range result.Files {
		if after[name] = (&fstest.MapFile{Data: data}); data == nil {
			delete(after, name)
		}
	}
	rendered, err := render.Render(t.Context(), after, dir, render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	content := func(objects []object.Object) []map[string]any {
		var all []map[string]any
		for _, o := range objects {
			all = append(all, o.Content)
		}
		return all
	}
	if diff := cmp.Diff(content(result.Objects), content(rendered.Objects)); diff != "" {
		t.Errorf("the files declare something else than the result says: %s", diff)
	}
}

// want reads a line of a program.
func want(t *testing.T, objects []object.Object, verb, rest string) adopter.Want {
	t.Helper()
	if verb == "declare" {
		found, err := object.Decode("live", []byte(rest))
		if err != nil {
			t.Fatal(err)
		}
		return adopter.Want{What: adopter.Declare, Object: adopter.Clean(found[0])}
	}
	target, value, _ := strings.Cut(rest, " = ")
	words := strings.SplitN(target, " ", 3)
	i := slices.IndexFunc(objects, func(o object.Object) bool {
		return o.ID.Kind == words[0] && (o.ID.Name == words[1] || strings.HasPrefix(o.ID.Name, words[1]+"-"))
	})
	if i < 0 {
		t.Fatalf("nothing declares %s", target)
	}
	if verb == "withdraw" {
		return adopter.Want{What: adopter.Withdraw, Object: objects[i]}
	}
	w := adopter.Want{Object: objects[i], Live: objects[i].Content, Change: differ.Change{Path: path(t, words[2])}}
	have := at(objects[i].Content, w.Change.Path)
	var v any
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(value), &node); err != nil {
		t.Fatal(err)
	}
	if len(node.Content) > 0 {
		var err error
		if v, err = object.Value("", node.Content[0]); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case verb == "unset":
		w.Change.Op, w.Change.Declared = differ.Removed, have
	case verb == "order":
		w.Change.Op = differ.Reordered
		var items []any
		for _, name := range v.([]any) {
			items = append(items, at(have, differ.Path{map[string]any{"name": name}}))
		}
		w.Live = live(w.Change.Path, items)
	case have == nil:
		w.Change.Op, w.Change.Live = differ.Added, v
	default:
		w.Change.Op, w.Change.Declared, w.Change.Live = differ.Modified, have, v
	}
	return w
}

// live returns an object with nothing but a value at a path of keys.
func live(p differ.Path, v any) map[string]any {
	for _, step := range slices.Backward(p) {
		switch step := step.(type) {
		case string:
			v = map[string]any{step: v}
		case map[string]any:
			item := maps.Clone(step)
			maps.Copy(item, v.(map[string]any))
			v = []any{item}
		}
	}
	return v.(map[string]any)
}

var step = regexp.MustCompile(`\.?([A-Za-z0-9_-]+)|\["([^"]+)"\]|\[=([^\]]*)\]|\[([^\]]+)\]`)

// path reads a path as differ.Path prints it.
func path(t *testing.T, text string) differ.Path {
	t.Helper()
	var p differ.Path
	for _, m := range step.FindAllStringSubmatch(text, -1) {
		switch {
		case m[1] != "":
			p = append(p, m[1])
		case m[2] != "":
			p = append(p, m[2])
		case m[3] != "":
			p = append(p, differ.Item{Value: m[3]})
		default:
			keys := map[string]any{}
			for pair := range strings.SplitSeq(m[4], ",") {
				name, value, _ := strings.Cut(pair, "=")
				keys[name] = value
				if n := strings.Trim(value, "0123456789"); n == "" {
					var number int64
					_, _ = fmt.Sscan(value, &number)
					keys[name] = number
				}
			}
			p = append(p, keys)
		}
	}
	return p
}

// at returns what a path leads to; nil for nothing.
func at(v any, p differ.Path) any {
	for _, step := range p {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case map[string]any:
			list, _ := v.([]any)
			i := slices.IndexFunc(list, func(item any) bool {
				m, _ := item.(map[string]any)
				for k, v := range step {
					if m[k] != nil && fmt.Sprint(m[k]) != fmt.Sprint(v) || k == "name" && m[k] == nil {
						return false
					}
				}
				return m != nil
			})
			if i < 0 {
				return nil
			}
			v = list[i]
		case differ.Item:
			return nil
		}
	}
	return v
}
