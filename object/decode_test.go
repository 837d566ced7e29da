package object_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/object"
)

const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"

func configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"
}

// found spells objects as "name:line".
func found(objects []object.Object) string {
	var all []string
	for _, o := range objects {
		all = append(all, fmt.Sprintf("%s:%d", o.ID.Name, o.Origin.Line))
	}
	return strings.Join(all, " ")
}

func TestDecodeDocuments(t *testing.T) {
	item := func(name string) string {
		return `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "` + name + `"}}`
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":               {"", ""},
		"only comments":         {"# a\n---\n# b\n", ""},
		"empty documents":       {"---\n---\n" + configMap("a") + "---\n# nothing\n---\nnull\n---\n", "a:3"},
		"several":               {configMap("a") + "---\n" + configMap("b") + "...\n---\n" + configMap("c"), "a:1 b:5 c:10"},
		"windows":               {strings.ReplaceAll(configMap("a")+"---\n"+configMap("b"), "\n", "\r\n"), "a:1 b:5"},
		"byte order mark":       {"\ufeff" + configMap("a"), "a:1"},
		"list":                  {"apiVersion: v1\nkind: List\nitems:\n- " + item("a") + "\n- " + item("b") + "\n", "a:4 b:5"},
		"empty list":            {"apiVersion: v1\nkind: List\nitems: []\n", ""},
		"object called list":    {"apiVersion: e/v1\nkind: BlockList\nmetadata: {name: a}\nitems: [x]\n", "a:1"},
		"items of another kind": {head + "items: [1]\n", "a:1"},
		"json":                  {item("a"), "a:1"},
		"json documents":        {item("a") + "\n\n" + item("b") + item("c"), "a:1 b:3 c:3"},
		"json list":             {"{\n\"kind\": \"List\", \"apiVersion\": \"v1\", \"items\": [\n" + item("a") + ",\n" + item("b") + "]}", "a:3 b:4"},
		"json, separated":       {item("a") + "\n---\n" + item("b"), "a:1 b:3"},
		"flow mapping":          {"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", "a:1"},
		"json with comments":    {"# a\n" + item("a") + " # b\n", "a:2"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := object.Decode("f.yaml", []byte(c.text))
			if err != nil || found(objects) != c.want {
				t.Errorf("got %q and error %v, want %q", found(objects), err, c.want)
			}
		})
	}
}

func TestDecodeValues(t *testing.T) {
	for text, want := range map[string]any{
		`1`:                            int64(1),
		`-1`:                           int64(-1),
		`9223372036854775807`:          int64(math.MaxInt64),
		`9223372036854775808`:          float64(1 << 63), // as the API machinery reads what does not fit
		`1e400000`:                     "1e400000",
		`1.5`:                          1.5,
		`1e3`:                          float64(1000),
		`0644`:                         int64(0o644),
		`0o644`:                        int64(0o644),
		`0x1F`:                         int64(31),
		`"0644"`:                       "0644",
		`08`:                           float64(8),
		`yes`:                          "yes", // YAML 1.2; package render knows what kubectl makes of it
		`"on"`:                         "on",
		`true`:                         true,
		`True`:                         true,
		`~`:                            nil,
		``:                             nil,
		`null`:                         nil,
		`2026-01-01`:                   "2026-01-01",
		`12:30:45`:                     "12:30:45",
		`!!str 1`:                      "1",
		`!!int "7"`:                    int64(7),
		`!!binary aGk=`:                "aGk=",
		`!mine x`:                      "x",
		`[1, [a], {b: c}]`:             []any{int64(1), []any{"a"}, map[string]any{"b": "c"}},
		`{1: a, true: b}`:              map[string]any{"1": "a", "true": "b"},
		`"\ud83d\ude00"`:               nil, // only JSON has it; see TestDecodeJSONValues
		"|\n   a\n   b\n":              "a\nb\n",
		`{<<: {a: 1}, b: 2}`:           map[string]any{"a": int64(1), "b": int64(2)},
		`{a: 0, <<: {a: 1}}`:           map[string]any{"a": int64(0)},
		`{<<: [{a: 1}, {a: 2, b: 3}]}`: map[string]any{"a": int64(1), "b": int64(3)},
		`[&x {a: 1}, *x]`:              []any{map[string]any{"a": int64(1)}, map[string]any{"a": int64(1)}},
	} {
		if text == `"\ud83d\ude00"` {
			continue
		}
		objects, err := object.Decode("f.yaml", []byte(head+"v: "+text+"\n"))
		if err != nil || len(objects) != 1 {
			t.Errorf("%s: %d objects, error %v", text, len(objects), err)
			continue
		}
		if d := cmp.Diff(want, objects[0].Content["v"]); d != "" {
			t.Errorf("%s: -want +got:\n%s", text, d)
		}
	}
}

func TestDecodeJSONValues(t *testing.T) {
	for text, want := range map[string]any{
		`"\ud83d\ude00"`:      "😀",
		`"\u003c\/"`:          "</",
		`"a\tb"`:              "a\tb",
		`1`:                   int64(1),
		`-0`:                  int64(0),
		`1.0`:                 1.0,
		`1E3`:                 1000.0,
		`9223372036854775808`: float64(1 << 63),
		`"yes"`:               "yes",
		`{"<<": {"a": 1}}`:    map[string]any{"<<": map[string]any{"a": int64(1)}},
		`[true, false, null]`: []any{true, false, nil},
	} {
		objects, err := object.Decode("f.json", []byte(`{"apiVersion":"v1","kind":"X","metadata":{"name":"a"},"v":`+text+`}`))
		if err != nil || len(objects) != 1 {
			t.Errorf("%s: %d objects, error %v", text, len(objects), err)
			continue
		}
		if d := cmp.Diff(want, objects[0].Content["v"]); d != "" {
			t.Errorf("%s: -want +got:\n%s", text, d)
		}
	}
}

// bomb is a document whose aliases expand tenfold with every line.
func bomb(link string) string {
	var b strings.Builder
	b.WriteString(head + "x0: &x0 {k: v}\n")
	for i := range 9 {
		fmt.Fprintf(&b, "x%d: &x%d ", i+1, i+1)
		fmt.Fprintf(&b, link+"\n", strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i), 10), ", "))
	}
	return b.String()
}

func TestDecodeErrors(t *testing.T) {
	const secret = "hunter2"
	for name, c := range map[string]struct {
		text, want string
		objects    string // that are returned all the same
	}{
		"not a mapping":        {"- a\n", "f.yaml:1: not a Kubernetes object: the document is not a mapping", ""},
		"a text":               {"\n\n" + secret, "f.yaml:3: not a Kubernetes object: the document is not a mapping", ""},
		"neither":              {"a: " + secret, "f.yaml:1: not a Kubernetes object: it has neither apiVersion nor kind", ""},
		"no apiVersion":        {"kind: X", "f.yaml:1: X has no apiVersion", ""},
		"no version":           {"apiVersion: apps/\nkind: X\nmetadata: {name: a}", "f.yaml:1: X has apiVersion \"apps/\", which names no version", ""},
		"no kind":              {"apiVersion: v1", "f.yaml:1: an object of v1 has no kind", ""},
		"no name":              {"apiVersion: v1\nkind: X", "f.yaml:1: X has no metadata.name", ""},
		"generated name":       {"apiVersion: v1\nkind: X\nmetadata: {generateName: a-}", "generateName \"a-\" and no name", ""},
		"does not hide others": {configMap("a") + "---\nx: 1\n---\n" + configMap("b"), "f.yaml:5: not a Kubernetes object", "a:1 b:7"},
		"syntax":               {configMap("a") + "---\na: [" + secret + "\n", "f.yaml:", "a:1"},
		"tab":                  {head + "a:\n\tb: " + secret, "f.yaml:", ""},
		"unknown anchor":       {head + "a: *" + secret, "f.yaml:4: an alias names an anchor that is not there", ""},
		"duplicate key":        {head + "a: 1\nb: 2\na: " + secret, `f.yaml:6: the key "a" stands twice in one mapping`, ""},
		"duplicate in JSON":    {"{\"apiVersion\": \"v1\",\n\"a\": 1,\n\"a\": \"" + secret + "\"}", `f.yaml:3: the key "a" stands twice in one mapping`, ""},
		"truncated JSON":       {`{"apiVersion": "v1", "kind": "` + secret, "f.yaml:", ""},
		"truncated JSON list":  {`{"apiVersion": "v1", "kind": [1,`, "f.yaml:", ""},
		"key not a scalar":     {head + "[" + secret + "]: 1", "f.yaml:4: a mapping's key is not a scalar", ""},
		"junk integer":         {head + "a: !!int " + secret, "f.yaml:4: the value is not a !!int, which its tag says", ""},
		"junk float":           {head + "a: !!float " + secret, "f.yaml:4: the value is not a !!float, which its tag says", ""},
		"junk boolean":         {head + "a: !!bool " + secret, "f.yaml:4: the value is not a !!bool, which its tag says", ""},
		"infinite":             {head + "a: .inf", "f.yaml:4: the number is infinite", ""},
		"no number":            {head + "a: .nan", "f.yaml:4: the number is infinite or none at all", ""},
		"merge of a text":      {head + "<<: " + secret, "f.yaml:4: a merge key's value is not a mapping", ""},
		"merge of texts":       {head + "<<: [" + secret + "]", "f.yaml:4: a merge key's value is not a mapping", ""},
		"item not a mapping":   {"apiVersion: v1\nkind: List\nitems:\n- " + secret, "f.yaml:4: item 0 of the List is not a mapping", ""},
		"item without kind":    {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: X, metadata: {name: a}}\n- {a: 1}", "f.yaml:5: not a Kubernetes object", "a:4"},
		"invalid UTF-8":        {head + "a: \xff" + secret, "f.yaml:4: not valid UTF-8", ""},
		"refers to itself":     {head + "a: &a [*a]", "f.yaml:4: an alias refers to itself", ""},
		"refers in a circle":   {head + "a: &a {b: &b [*a, *b]}", "f.yaml:4: an alias refers to itself", ""},
		"merges itself":        {head + "a: &a {<<: *a}", "f.yaml:4: an alias refers to itself", ""},
		"bomb of lists":        {bomb("[%s]"), "aliases expand to more than 1000000 values", ""},
		"bomb of merges":       {bomb("{<<: [%s]}"), "aliases expand to more than 1000000 values", ""},
		"bomb of text":         {head + "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a, ", 65) + "]", "64 MiB", ""},
		"deep":                 {head + "a: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "f.yaml:", ""},
		"deep in JSON":         {`{"a": ` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", "f.yaml:", ""},
		"deep by aliases":      {head + deepAliases(), "nested deeper than 10000 levels", ""},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := object.Decode("f.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) || found(objects) != c.objects {
				t.Fatalf("got %q and error %v, want %q and %q", found(objects), err, c.objects, c.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error quotes the document: %v", err)
			}
			var positioned *object.Error
			if !errors.As(err, &positioned) || positioned.File != "f.yaml" {
				t.Errorf("the error has no position: %v", err)
			}
		})
	}
}

// deepAliases is nested no deeper than the YAML library permits, but for what its
// aliases add.
func deepAliases() string {
	var b strings.Builder
	b.WriteString("x0: &x0 a\n")
	for i := range 30 {
		fmt.Fprintf(&b, "x%d: &x%d %s*x%d%s\n", i+1, i+1, strings.Repeat("[", 900), i, strings.Repeat("]", 900))
	}
	return b.String()
}

// TestDecodeLarge holds the bounds to aliases: a dump of a cluster is larger than
// what they may add.
func TestDecodeLarge(t *testing.T) {
	text := `{"apiVersion":"v1","kind":"X","metadata":{"name":"a"},"v":[` + strings.Repeat("1,", 1_100_000) + "1]}"
	if _, err := object.Decode("f.json", []byte(text)); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		head, configMap("a") + "---\n" + configMap("b"), "a: &a [*a]", "a: &a {<<: *a}", "{\"a\":1}{", `{"a":"\ud83d"}`,
		"apiVersion: v1\nkind: List\nitems: [null, 1, {}]", "? [a]\n: b", "a: !!int x", "a: !!float .inf", "\xff", "- - - -", "<<: [[]]", "{[: ]", "...", "%YAML 1.1\n---\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := object.Decode("f.yaml", data)
		for _, o := range objects {
			if o.ID.Name == "" || o.ID.Kind == "" || o.ID.Version == "" || o.Origin.Line < 1 {
				t.Errorf("an object without identity or line: %+v", o)
			}
			if _, err := json.Marshal(o.Content); err != nil {
				t.Errorf("the content is not JSON: %v", err)
			}
		}
		var positioned *object.Error
		if err != nil && !errors.As(err, &positioned) {
			t.Errorf("an error without position: %v", err)
		}
	})
}
