package rewrite_test

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/object"
)

// TestTo wants each edit to touch the lines concerned and no others.
func TestTo(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
		edit             func(any) any
	}{
		{"plain scalar with a comment", "a: 1 # one\nb: 2\n", "a: 3 # one\nb: 2\n", set(3, "a")},
		{"double quotes stay", `a: "x" # c` + "\n", `a: "y\nz" # c` + "\n", set("y\nz", "a")},
		{"single quotes stay", "a: 'it''s'\n", "a: 'isn''t'\n", set("isn't", "a")},
		{"quotes where they are needed", "a: x\n", "a: \"8080\"\n", set("8080", "a")},
		{"a word of YAML 1.1", "a: x\n", "a: \"on\"\n", set("on", "a")},
		{"from nothing", "a:\nb: 1\n", "a: x\nb: 1\n", set("x", "a")},
		{"from nothing to a mapping", "a:\nb: 1\n", "a:\n  c: 2\nb: 1\n", set(2, "a", "c")},
		{"from empty to a mapping", "a: {} # c\nb: 1\n", "a:\n  c: 2 # c\nb: 1\n", set(2, "a", "c")},
		{"to empty", "a:\n  b: 1\nc: 2\n", "a: {}\nc: 2\n", set(map[string]any{}, "a")},
		{"a new entry", "a:\n  # first\n  b: 1\n\n# next\nc: 2\n", "a:\n  # first\n  b: 1\n  d: 3\n\n# next\nc: 2\n", set(3, "a", "d")},
		{"wide indentation", "a:\n    b:\n        c: 1\n", "a:\n    b:\n        c: 1\n    d:\n        e: 2\n", set(2, "a", "d", "e")},
		{"a removed entry", "a:\n  b: 1 # gone\n  c: 2 # stays\n", "a:\n  c: 2 # stays\n", unset("a", "b")},
		{"a removed last entry", "a:\n  b: 1\nc: 2", "a:\n  b: 1", unset("c")},
		{"a removed entry with a block", "a: |\n  x\n\n  y\nb: 1\n", "b: 1\n", unset("a")},
		{"the entry behind a dash", "a:\n- b: 1\n  c: 2\n", "a:\n- c: 2\n", unset("a", 0, "b")},
		{"an item, compact", "a:\n- name: x\n  v: 1\nb: 1\n", "a:\n- name: x\n  v: 1\n- name: w\nb: 1\n", appended(map[string]any{"name": "w"}, "a")},
		{"an item, indented", "a:\n  - x # c\n  # after\nb: 1\n", "a:\n  - x # c\n  - w\n  # after\nb: 1\n", appended("w", "a")},
		{"an item taken out", "a:\n- x\n# about y\n- y\n- z\n", "a:\n- x\n# about y\n- z\n", set([]any{"x", "z"}, "a")},
		{"the last item taken out", "a:\n- x\nb: 1\n", "a: []\nb: 1\n", set([]any{}, "a")},
		{"an argument replaced", "a: [\"x\", y, z]\n", "a: [\"x\", w, z]\n", set("w", "a", 1)},
		{"an argument in block style", "a:\n  - --one=1\n  - --two=2 # c\n", "a:\n  - --one=1\n  - --two=3 # c\n", set("--two=3", "a", 1)},
		{"items in another order", "a:\n# the first\n- name: x\n  v: 1\n# the second\n- name: y\nb: 2\n", "a:\n# the second\n- name: y\n# the first\n- name: x\n  v: 1\nb: 2\n", set([]any{map[string]any{"name": "y"}, map[string]any{"name": "x", "v": int64(1)}}, "a")},
		{"flow mapping", "a: {b: 1, c: 2} # c\n", "a: {b: 1, c: 2, d: [x, \"y,\"]} # c\n", set([]any{"x", "y,"}, "a", "d")},
		{"flow entries taken out", "a: {b: 1, c: 2, d: 3}\n", "a: {c: 2}\n", func(v any) any { return unset("a", "b")(unset("a", "d")(v)) }},
		{"a block of text", "a: |\n  one\n  two\n\n  three\nb: 1\n", "a: |\n  one\n  2\n\n  three\nb: 1\n", set("one\n2\n\nthree\n", "a")},
		{"a block without an end of line", "a:\n  b: |-\n    x\n", "a:\n  b: |\n    x\n    y\n", set("x\ny\n", "a", "b")},
		{"a folded block", "a: >\n  x\n  y\n", "a: |\n  x\n  z\n", set("x\nz\n", "a")},
		{"a block that begins with a space", "a: |2\n    x\n  y\n", "a: |2\n    x\n  z\n", set("  x\nz\n", "a")},
		{"text becomes a block", "a: x\nb: 1\n", "a: |\n  x\n  y\nb: 1\n", set("x\ny\n", "a")},
		{"text of two lines before a comment", "a: x # c\n", "a: \"x\\ny\" # c\n", set("x\ny", "a")},
		{"a plain text over two lines", "a: x\n  y # c\nb: 1\n", "a: z # c\nb: 1\n", set("z", "a")},
		{"an anchor stays", "a: &v 1\nb: 2\n", "a: &v 3\nb: 2\n", set(3, "a")},
		{"an alias is written out", "a: &v 1\nb: *v # c\n", "a: &v 1\nb: 3 # c\n", set(3, "b")},
		{"an aliased mapping is written out", "a: &v\n  x: 1\n  z: 2\nb: *v\n", "a: &v\n  x: 1\n  z: 2\nb:\n  x: 3\n  z: 2\n", set(3, "b", "x")},
		{"a merge key is overruled", "a: &v\n  x: 1\nb:\n  <<: *v\n  y: 2\n", "a: &v\n  x: 1\nb:\n  <<: *v\n  y: 2\n  x: 3\n", set(3, "b", "x")},
		{"line ends of Windows", "a: 1\r\nb:\r\n  c: 2\r\n", "a: 1\r\nb:\r\n  c: 2\r\n  d:\r\n    e: 3\r\n", set(3, "b", "d", "e")},
		{"a key in quotes", "\"é\": ü # c\n", "\"é\": x # c\n", set("x", "é")},
		{"JSON", "{\n  \"a\": {\n    \"b\": 1\n  },\n  \"c\": [\"x\"]\n}\n", "{\n  \"a\": {\n    \"b\": 1,\n    \"d\": {\n      \"e\": \"y\"\n    }\n  },\n  \"c\": [\"x\", \"z\"]\n}\n", func(v any) any { return appended("z", "c")(set("y", "a", "d", "e")(v)) }},
		{"JSON with tabs", "{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t]\n}\n", "{\n\t\"a\": [\n\t\t1,\n\t\t3\n\t]\n}\n", set(3, "a", 1)},
		{"JSON taken out", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "{\n  \"a\": 1\n}\n", unset("b")},
		{"no line feed at the end", "a:\n  b: 1", "a:\n  b: 1\n  c: 2", set(2, "a", "c")},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := rewrite.To([]byte(test.text), 0, test.edit(decode(t, test.text, 0)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestToRefuses wants what cannot be said by an edit to be refused, and not done badly.
func TestToRefuses(t *testing.T) {
	for _, test := range []struct {
		name, text string
		edit       func(any) any
	}{
		{"a value that another place takes over", "a: &v 1\nb: *v\n", set(3, "a")},
		{"a field that comes in by a merge key", "a: &v\n  x: 1\nb:\n  <<: *v\n  y: 2\n", unset("b", "x")},
	} {
		if got, err := rewrite.To([]byte(test.text), 0, test.edit(decode(t, test.text, 0))); err == nil {
			t.Errorf("%s: got\n%s", test.name, got)
		}
	}
}

// TestToLeavesOtherDocuments edits the second of three documents.
func TestToLeavesOtherDocuments(t *testing.T) {
	text := "# head\na: 1\n---\na: 1\n...\n---\n# tail\na: 1\n"
	got, err := rewrite.To([]byte(text), 1, map[string]any{"a": int64(1), "b": "x"})
	if want := "# head\na: 1\n---\na: 1\nb: x\n...\n---\n# tail\na: 1\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestToOfLongLists wants the time not to grow with the square of a list's length.
func TestToOfLongLists(t *testing.T) {
	var text strings.Builder
	text.WriteString("a:\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, "- name: n%d\n  value: a long\n    text\n", i)
	}
	want := decode(t, text.String(), 0).(map[string]any)
	items := slices.Clone(want["a"].([]any))
	items[100], items[19_900] = map[string]any{"name": "n100", "value": "x"}, map[string]any{"name": "n19900", "value": "y"}
	got, err := rewrite.To([]byte(text.String()), 0, map[string]any{"a": items})
	if err != nil {
		t.Fatal(err)
	}
	if n := touched(text.String(), string(got)); n > 8 {
		t.Errorf("the edit of two items touches %d lines", n)
	}
}

// TestToAtRandom edits real files at random: each edit must come out as it was meant,
// and change no more lines than it says something new.
func TestToAtRandom(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	edits, refused := 0, 0
	for _, name := range files(t) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		roots, err := rewrite.Documents(data)
		if err != nil || len(roots) == 0 {
			continue
		}
		for range 12 {
			n := random.IntN(len(roots))
			have, err := object.Value("", roots[n])
			if err != nil || have == nil || len(data) > 200_000 {
				continue
			}
			m := mutator{random: random}
			want := m.mutate(have)
			if m.done == "" {
				continue
			}
			edits++
			got, err := rewrite.To(data, n, want)
			if err != nil {
				refused++
				t.Logf("seed %d: %s, document %d: %s: %v", seed, name, n, m.done, err)
				continue
			}
			if touched := touched(string(data), string(got)); touched > m.lines {
				t.Errorf("seed %d: %s, document %d: %s touches %d lines, want at most %d:\n%s", seed, name, n, m.done, touched, m.lines, cmp.Diff(strings.Split(string(data), "\n"), strings.Split(string(got), "\n")))
			}
		}
	}
	if refused*100 > edits {
		t.Errorf("seed %d: %d of %d edits were refused", seed, refused, edits)
	}
	t.Logf("%d edits, %d refused", edits, refused)
}

// files returns real YAML files: those of this repository, and the corpora if they are
// there.
func files(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, root := range []string{"../../examples", "../../manifests", "../../test/demo", os.Getenv("PLUMBLINE_CORPORA"), "../../../shared/corpora"} {
		if root == "" {
			continue
		}
		_ = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, "features.json") {
				names = append(names, name)
			}
			return nil
		})
	}
	if len(names) == 0 {
		t.Fatal("there are no files to edit")
	}
	return names
}

// mutator makes one edit of a value, and says which.
type mutator struct {
	random *rand.Rand
	done   string
	lines  int // that may be touched
}

func (m *mutator) mutate(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 || m.random.IntN(12) == 0 {
			m.say("add a field", 10)
			return with(v, "added", []any{map[string]any{"name": "x", "text": "a\nb\n"}, int64(1)})
		}
		name := slices.Sorted(maps.Keys(v))[m.random.IntN(len(v))]
		if m.random.IntN(12) == 0 {
			m.say("remove "+name, size(v[name])*5/4+4)
			v = maps.Clone(v)
			delete(v, name)
			return v
		}
		return with(v, name, m.mutate(v[name]))
	case []any:
		if len(v) == 0 || m.random.IntN(8) == 0 {
			m.say("append", 6)
			return append(slices.Clone(v), map[string]any{"name": "appended", "value": "on"})
		}
		i := m.random.IntN(len(v))
		if m.random.IntN(8) == 0 {
			m.say(fmt.Sprintf("delete item %d", i), size(v[i])*5/4+4)
			return slices.Delete(slices.Clone(v), i, i+1)
		}
		v = slices.Clone(v)
		v[i] = m.mutate(v[i])
		return v
	case string:
		other := []string{"other", "8080", "a: b", "line\nline\n", "", "'\"#", v + "x"}[m.random.IntN(7)]
		m.say(fmt.Sprintf("text %q becomes %q", v, other), 2*size(v)+6)
		return other
	}
	m.say("a scalar", 2)
	return []any{int64(7), true, "text", 1.5}[m.random.IntN(4)]
}

func (m *mutator) say(what string, lines int) { m.done, m.lines = what, lines }

// size is about how many lines a value takes.
func size(v any) int {
	text := string(rewrite.Encode(v))
	return strings.Count(text, "\n") + strings.Count(text, `\n`) + 1
}

// touched counts the lines that are only in one of two texts.
func touched(a, b string) int {
	count := map[string]int{}
	for line := range strings.SplitSeq(a, "\n") {
		count[line]++
	}
	for line := range strings.SplitSeq(b, "\n") {
		count[line]--
	}
	n := 0
	for _, c := range count {
		n += max(c, -c)
	}
	return n
}

func with(m map[string]any, name string, v any) map[string]any {
	m = maps.Clone(m)
	m[name] = v
	return m
}

// set returns an edit that puts a value at a path.
func set(v any, path ...any) func(any) any {
	if i, ok := v.(int); ok {
		v = int64(i)
	}
	return func(at any) any {
		if len(path) == 0 {
			return v
		}
		next := set(v, path[1:]...)
		if i, ok := path[0].(int); ok {
			list := slices.Clone(at.([]any))
			list[i] = next(list[i])
			return list
		}
		m, _ := at.(map[string]any)
		if m == nil {
			m = map[string]any{}
		}
		name := path[0].(string)
		return with(m, name, next(m[name]))
	}
}

func unset(path ...any) func(any) any {
	return func(at any) any {
		if len(path) == 1 {
			m := maps.Clone(at.(map[string]any))
			delete(m, path[0].(string))
			return m
		}
		if i, ok := path[0].(int); ok {
			list := slices.Clone(at.([]any))
			list[i] = unset(path[1:]...)(list[i])
			return list
		}
		m := at.(map[string]any)
		return with(m, path[0].(string), unset(path[1:]...)(m[path[0].(string)]))
	}
}

func appended(v any, path ...any) func(any) any {
	return func(at any) any {
		if len(path) == 0 {
			return append(slices.Clone(at.([]any)), v)
		}
		m := at.(map[string]any)
		return with(m, path[0].(string), appended(v, path[1:]...)(m[path[0].(string)]))
	}
}

func decode(t *testing.T, text string, n int) any {
	t.Helper()
	roots, err := rewrite.Documents([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := object.Value("", roots[n])
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzTo holds that a text that can be read can be edited, or is refused: never edited
// into something else.
func FuzzTo(f *testing.F) {
	for _, text := range []string{"a: 1\n", "a:\n- b: |\n    x\n", "{a: [1, {b: 'c'}]}", "? a\n: b\n", "a: &x {b: *x}\n", "- - a\n  - b\n"} {
		f.Add(text, "b", "v")
	}
	f.Fuzz(func(t *testing.T, text, key, value string) {
		roots, err := rewrite.Documents([]byte(text))
		if err != nil || len(roots) == 0 {
			return
		}
		have, err := object.Value("", roots[0])
		m, ok := have.(map[string]any)
		if err != nil || !ok {
			return
		}
		want := with(m, key, value)
		got, err := rewrite.To([]byte(text), 0, want)
		if err != nil {
			return
		}
		if after := decode(t, string(got), 0); !rewrite.Same(after, any(want)) {
			t.Errorf("got %q, which says %v", got, after)
		}
	})
}
