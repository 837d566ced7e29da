package object_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/object"
)

const (
	jsonItem = `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n", "managedFields": [{"manager": "ci"}]},
		"data": {"text": "line\n\"quoted\" \u00e9 \ud83d\ude00", "": "", "a/b": "c"}, "n": [1, -2, 1.5, 9223372036854775808, 1e3, true, null, {}, []]}`
	yamlItems = `apiVersion: v1
items:
- apiVersion: v1
  data:
    block: |
      - not an item

      kind: List
    "quoted": "- two\n- lines"
    time: 2026-01-02T03:04:05Z
  kind: ConfigMap
  metadata:
    managedFields:
    - manager: ci
    name: a
    namespace: n
  numbers: [1, -2, 1.5, 9223372036854775808, 0x10, true, ~]
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: b}
`
	yamlEnd = "kind: List\nmetadata:\n  resourceVersion: \"\"\n"
)

// TestDecodeRaw holds the reading of large files to Decode: the same objects and
// the same errors, whatever the form.
func TestDecodeRaw(t *testing.T) {
	list := func(items ...string) string {
		return `{"apiVersion": "v1", "items": [` + strings.Join(items, ",") + `], "kind": "List", "metadata": {"resourceVersion": ""}}`
	}
	other := strings.Replace(jsonItem, `"a"`, `"b"`, 1)
	for name, text := range map[string]string{
		"JSON":                    list(jsonItem, other),
		"JSON, two lists":         list(jsonItem) + "\n" + list(other),
		"JSON, no items":          list(),
		"JSON, typed":             strings.Replace(list(jsonItem), `"List"`, `"ConfigMapList"`, 1),
		"JSON, one object":        jsonItem,
		"YAML, one object":        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
		"JSON, object with items": strings.Replace(list(jsonItem), `{"resourceVersion": ""}`, `{"name": "x"}`, 1),
		"JSON, key twice":         list(jsonItem, strings.Replace(other, `"n":`, `"data":`, 1)),
		"JSON, no name":           list(jsonItem, `{"apiVersion": "v1", "kind": "ConfigMap"}`),
		"JSON, item is a text":    list(jsonItem, `"x"`),
		"JSON, cut off":           list(jsonItem)[:200],
		"JSON, lone surrogate":    list(strings.Replace(jsonItem, `\ud83d\ude00`, `\ud83d`, 1)),
		"YAML":                    yamlItems + yamlEnd,
		"YAML, cut off":           yamlItems,
		"YAML, another document":  yamlItems + yamlEnd + "---\n" + jsonItem + "\n",
		"YAML, more of the list":  yamlItems + yamlEnd + "items: []\n",
		"YAML, key twice":         yamlItems + "  kind: Deployment\n" + yamlEnd,
		"YAML, alias":             strings.Replace(yamlItems, "name: b", "name: &x b", 1) + "- *x\n" + yamlEnd,
		"YAML, broken text":       strings.Replace(yamlItems, `"- two\n- lines"`, "\"- two\n- lines\"", 1) + yamlEnd,
		"YAML, infinite":          strings.Replace(yamlItems, "0x10", ".inf", 1) + yamlEnd,
		"YAML, not UTF-8":         strings.Replace(yamlItems, "quoted", "\xff", 1) + yamlEnd,
		"nothing":                 "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, wantErr := object.Decode("live", []byte(text))
			got, err := object.DecodeRaw("live", strings.NewReader(text))
			if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Fatalf("error %v, Decode says %v", err, wantErr)
			}
			if len(got) != len(want) {
				t.Fatalf("%d objects, Decode finds %d", len(got), len(want))
			}
			for i, r := range got {
				o, err := r.Object()
				if err != nil {
					t.Fatal(err)
				}
				want[i].Origin = object.Origin{}
				if diff := cmp.Diff(want[i], o); diff != "" {
					t.Errorf("object %d (-Decode +DecodeRaw):\n%s", i, diff)
				}
				if alone := strings.HasSuffix(name, "one object"); r.Alone != alone && (alone || len(want) > 1) {
					t.Errorf("%s: alone is %t", r.ID, r.Alone)
				}
				if recorded := want[i].ID.Name == "a" || strings.HasPrefix(name, "JSON") && want[i].ID.Name == "b"; r.Recorded != recorded {
					t.Errorf("%s: recorded is %t", r.ID, r.Recorded)
				}
			}
		})
	}
}

// TestRawChanged wants a file that is written while it is read to be an error, and
// never another object.
func TestRawChanged(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"JSON": `{"items": [` + jsonItem + `], "kind": "List"}`, "YAML": yamlItems + yamlEnd} {
		file := &fileOf{*strings.NewReader(text)}
		objects, err := object.DecodeRaw("live", file)
		if err != nil {
			t.Fatal(err)
		}
		last := objects[len(objects)-1]
		for change, changed := range map[string]string{
			"another name": strings.NewReplacer(`"a"`, `"z"`, "name: b", "name: z").Replace(text),
			"cut off":      text[:len(text)/2],
			"moved":        " " + text,
		} {
			file.Reset(changed)
			if o, err := last.Object(); err == nil {
				t.Errorf("%s, %s: got %v", name, change, o)
			}
		}
	}
}

// fileOf can be written anew.
type fileOf struct{ strings.Reader }
