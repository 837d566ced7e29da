package object

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecodeSimple wants DecodeSimple to make what the YAML library makes, of all
// that it does not refuse.
func FuzzDecodeSimple(f *testing.F) {
	for _, text := range simpleFiles {
		f.Add(text)
		f.Add("a: {b: 1}\nspec:\n  c:\n  - d\n" + text)
	}
	for _, text := range refusedFiles {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkSimple(t, "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n"+text)
		checkSimple(t, text)
	})
}

// checkSimple says whether the text is simple YAML.
func checkSimple(t *testing.T, text string) bool {
	t.Helper()
	got, ok := DecodeSimple("f.yaml", []byte(text))
	if !ok {
		return false
	}
	want, err := decodeYAML("f.yaml", []byte(text))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("not what the library makes of it: %v (-want +got):\n%s\n%s", err, diff, text)
	}
	return true
}

const header = "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n"

// simpleFiles are continued after a header.
var simpleFiles = []string{
	"", "\n\n# nothing\n---\n---\n# nothing", "---\n" + header,
	"a:\n- b\n-   c: 1\n    d:\n    - e\n-\n- \n  f: g\n- - h\n  - i\n- {}\n- []\nj:\n  - k\nl:",
	"a: 1\nb: -1\nc: 1.5\nd: 1e3\ne: true\nf: False\ng: ~\nh: null\ni: 0x1f\nj: 010\nk: 1_000\nl: .5\nm: 9223372036854775807\nn: 18446744073709551615\no: 99999999999999999999\np: 0\nq: -0\nr: 0o7\ns: 1.0\nt: yes\nu: N",
	"a: b c # d\ne: f#g\nh: '#i'   # j\nk: # l\n  # m\n  n: o\n# p\nq: http://r:80/s?t#u\nv: --w",
	"a: 'b''c'\nd: \"e \\\"f\\\" \\\\ \\n\\t\"\n'g': \"\"\n\"h\": ''\n\"i: j\": k\n'l''m': n\no: a 'b' \"c\"",
	"a: |\n  b\n    c\n\n  # d\n  e: f\n\n\ng: |-\n    h\n\ni:\n- |\n  j\n- k: |\n    l\n# m\nn: o",
	"a: [b, 'c', \"d\", 1, true, null, [e], {f: g, \"h\": {}}] # i\nj: {k: [], l: m/n-o.p}\nq: [ r , s ]\nt: { u: v }",
	"data:\n  a.yaml: |\n    - b: \"c\"\n      d: {e: f}\n    ---\n    %g\n",
	"f:metadata:\n  f:labels:\n    .: {}\n    f:a.b/c: {}\n  k:{\"type\":\"A\"}:\n    .: {}\n  v:\"a\": {}\n",
}

// refusedFiles are left to the library, which may refuse them too.
var refusedFiles = []string{
	"a: &b c", "a: *b", "a: !!str b", "<<: {}", "a: 2026-01-02", "a: .inf", "1: a", "true: a", "a: b\na: c", "a: {b: c, b: d}",
	"a: b: c", "a: b\n  c", "a: 'b\n  c'", "a: \"b\n  c\"", "a: \"\\x41\"", "a:\n    b: c\n  d: e", "- a", "a\n", "a: |2\n   b", "a: >\n  b", "a: |\n\n  b", "a: |\n  b",
	"a: |\nb: c", "a: 'b' c", "a: 'b'#c", "a: [b", "a: [b,]", "a: [b, , c]", "a: {b}", "a: {b:c}", "a: {\"b\":1}", "a: - b", "? a\n: b", "a: b\t", "\ta: b", "a: ä", "a: b\r\n", "...", "%YAML 1.1\n---\na: b", "--- a",
	"kind: List", "a:\n  - b\n - c", "a: @b", "a: `b", "a :b", "a : b", "!a: b", "a: % b", "a: ? b",
}

// TestDecodeSimple wants the simple files to be read quickly, and the others not.
func TestDecodeSimple(t *testing.T) {
	t.Parallel()
	for _, text := range simpleFiles {
		if !checkSimple(t, header+text) {
			t.Errorf("refused:\n%s", text)
		}
	}
	for _, text := range refusedFiles {
		if checkSimple(t, header+text) {
			t.Errorf("not refused:\n%s", text)
		}
	}
}

// TestDecodeSimpleDeep wants what is nested deeply to be left to the library.
func TestDecodeSimpleDeep(t *testing.T) {
	t.Parallel()
	const n = 200_000
	for _, text := range []string{"a: " + strings.Repeat("[", n), "a:\n" + strings.Repeat("- ", n), "a: " + strings.Repeat("{b: ", n), strings.Repeat("b", n) + ": c"} {
		if _, ok := DecodeSimple("f.yaml", []byte(header+text)); ok {
			t.Errorf("not refused: %.20s", text)
		}
	}
}

// TestSharedMappings wants what is spelled alike to be held once, and what only looks
// alike, or was refused halfway, to be read for itself.
func TestSharedMappings(t *testing.T) {
	const ports = "spec:\n  ports:\n  - name: http\n    port: 80\n"
	shared := memories.make()
	a, _ := decodeSimple("a.yaml", []byte(header+ports+"  x: 1\n"), shared)
	b, _ := decodeSimple("b.yaml", []byte(strings.Replace(header, "name: a", "name: b", 1)+ports+"  x: 2\n"), shared)
	first := List(Map(a[0].Content, "spec"), "ports")[0].(map[string]any)
	second := List(Map(b[0].Content, "spec"), "ports")[0].(map[string]any)
	first["shared"] = true
	if second["shared"] != true {
		t.Error("ports that are spelled alike are held twice")
	}
	delete(first, "shared")
	for _, text := range []string{
		"a:\n  b:\n    c: 1\n", "a:\n    c: 1\n", "  c: 1\n", "a:\n- b:\n    c: 1\n", "a:\n- - b: 1\n", "a:\n  - b: 1\n", "a:\n  b: |\n    c: 1\n",
		"a:\n  b:\n    c: 1\n   d: 2\n", "a:\n  b:\n    c: 1\n  d: 2\n", "a:\n  b:\n    c: 1\n    c: 2\n", "a:\n  b:\n    c: 1\n---\n" + header,
	} {
		checkSimple(t, header+text)
		checkSimple(t, header+text+"z: 1\n")
	}
}
