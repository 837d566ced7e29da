package object

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func newTextDecoder(t *testing.T) func(text string) map[string]any {
	t.Helper()
	d := textDecoders.make()
	return func(text string) map[string]any {
		d.text = []byte(text)
		content, err := d.object()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return content
	}
}

// TestSharedJSON wants what is spelled alike to be held once, of one object and of
// several.
func TestSharedJSON(t *testing.T) {
	t.Parallel()
	decode := newTextDecoder(t)
	a := decode(`{"n": 1, "ports": [{"port": 80}, {"port": 80}], "fieldsV1": {"f:a": {` + strings.Repeat(" ", 2*maxOne) + `}}}`)
	b := decode(`{"n": 2, "fieldsV1": {"f:a": {` + strings.Repeat(" ", 2*maxOne) + `}}, "ports": [{"port": 81}, {"port": 80}]}`)
	ports := List(a, "ports")
	ports[0].(map[string]any)["shared"] = true
	for _, port := range []any{ports[1], List(b, "ports")[1]} {
		if port.(map[string]any)["shared"] != true {
			t.Error("ports that are spelled alike are held twice")
		}
	}
	Map(a, "fieldsV1")["shared"] = true
	if Map(b, "fieldsV1")["shared"] != true {
		t.Error("records that are spelled alike are held twice")
	}
}

// TestSharedLong wants what is too long to be remembered to be held once where it comes
// again at once, and nothing of it to be known any more two texts later.
func TestSharedLong(t *testing.T) {
	t.Parallel()
	decode := newTextDecoder(t)
	text := func(n int, port string) string {
		return fmt.Sprintf(`{"n": %d, "spec": {"pad": "%0*d", "port": "%s"}}`, n, 2*maxOne, 0, port)
	}
	a, b, other := decode(text(1, "80")), decode(text(2, "80")), decode(text(3, "81"))
	again, last := decode(text(4, "81")), decode(text(5, "80"))
	if !IsOne(a["spec"], b["spec"]) || !IsOne(other["spec"], again["spec"]) {
		t.Error("what is spelled alike is held twice")
	}
	if !reflect.DeepEqual(last["spec"], a["spec"]) || reflect.DeepEqual(other["spec"], a["spec"]) {
		t.Errorf("read as %v and %v", other, last)
	}
	// The same through the decoder's own rooms, which are written to again.
	for i, port := range []string{"80", "80", "81", "80", "80", "81", "81", "82", "80"} {
		content, err := DecodeJSON([]byte(text(i, port)))
		if err != nil || Map(content, "spec")["port"] != port {
			t.Fatalf("%d is read as %v, %v", i, content, err)
		}
	}
}

// FuzzAgain wants what is read not to depend on what was read before.
func FuzzAgain(f *testing.F) {
	for _, texts := range [][2]string{
		{"  b: 1\n", "  b: 1\n  c: 2\n"}, {"  b: 1\n", "  b: 1\n# c\n  d: 2\n"}, {"  b: 1\n", "  b: 1\n\n"}, {"  b: 1", "  b: 12\n"}, {"  b: 1\n", "  b: 1\n---\n" + header},
		{"  b: |\n    c\n", "  b: |\n    c\n    # d\n"}, {"  b: |\n    c\n", "  b: |\n    c\n\n    d\n"}, {"  b: |\n    c\n# d\n", "  b: |\n    c\n# d\n    e\n"},
		{"  b:\n  - c\n", "  b:\n  - c\n  - d\n"}, {"- b: 1\n", "- b: 1\n  c: 2\n- b: 1\n"}, {"- - b: 1\n", "- b: 1\n- - b: 1\n"}, {"  b:\n    c: 1\n", "  b:\n    c: 1\n   d: 2\n"},
		{"  b: 1\n", "  b: 1\n- c"}, {"- b:\n  - c: 1\n", "- b:\n  - c: 1\n  d: 1\n"}, {"  b:\n    c: 1\n", "    c: 1\n"}, {"  b: 1\na: 2\n", "  b: 1\n"},
		{`{"a":{"b":[1]},"c":["a"]}`, `{"c":["a","b"],"a":{"b":[1],"c":"\""},"b":[1]}`}, {`{"a":["",{}]}`, `{"a":["",{},"\\",{"a":""}]}`},
	} {
		f.Add(texts[0], texts[1])
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		yaml := memories.make()
		var got, want []Object
		var ok, alone bool
		for _, text := range []string{first, second, first + second} {
			text = header + "a:\n" + text
			got, ok = decodeSimple("f.yaml", []byte(text), yaml)
			want, alone = decodeSimple("f.yaml", []byte(text), memories.make())
			if ok != alone || !reflect.DeepEqual(got, want) {
				t.Errorf("%v, and alone %v: %v, and alone %v\n%s", ok, alone, got, want, text)
			}
		}
		json := textDecoders.make()
		for _, text := range []string{first, second} {
			if !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
				return
			}
			other := textDecoders.make()
			json.text, other.text = []byte(text), []byte(text)
			got, err := json.object()
			want, alone := other.object()
			if (err != nil) != (alone != nil) || !reflect.DeepEqual(got, want) {
				t.Errorf("%v, and alone %v: %v, and alone %v\n%s", err, alone, got, want, text)
			}
		}
	})
}

// TestUnlikeJSON wants what only begins alike to be read for itself.
func TestUnlikeJSON(t *testing.T) {
	t.Parallel()
	decode := newTextDecoder(t)
	for range 2 {
		for text, want := range map[string]any{
			`""`: "", `"a"`: "a", `"a\""`: `a"`, `"a\\"`: `a\`, `"a\\\""`: `a\"`, `"ab"`: "ab", `1`: int64(1), `12`: int64(12), `null`: nil,
			`{}`: map[string]any{}, `{"v":1}`: map[string]any{"v": int64(1)}, `{"v":12}`: map[string]any{"v": int64(12)}, `{"v":{}}`: map[string]any{"v": map[string]any{}},
			`[]`: []any{}, `[[]]`: []any{[]any{}}, `[[],[]]`: []any{[]any{}, []any{}}, `["a"]`: []any{"a"}, `["a","ab"]`: []any{"a", "ab"},
		} {
			if got := decode(`{"v":` + text + `}`)["v"]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s is read as %#v", text, got)
			}
		}
	}
}

// TestRememberedJSON wants no more to be remembered than may be, whatever comes.
func TestRememberedJSON(t *testing.T) {
	t.Parallel()
	d := textDecoders.make()
	for i := range 20_000 {
		d.text = fmt.Appendf(nil, `{"a%d": "%0*d", "b": ["%0400d"], "fieldsV1": {"%01000d": {}}, "c": "%01000d"}`, i, i%200, i, i, i, i)
		if _, err := d.object(); err != nil {
			t.Fatal(err)
		}
		if i%1000 > 0 {
			continue
		}
		kept := 0
		for _, m := range d.members {
			if len(m.again) > maxAgain {
				t.Errorf("%d values of %s", len(m.again), m.name)
			}
			for _, known := range m.again {
				kept += cap(known.text)
			}
		}
		if kept != d.kept || kept > maxKept+len(d.text) || len(d.members) > maxNames+4 {
			t.Errorf("after %d objects %d names and %d bytes are remembered, counted as %d", i+1, len(d.members), kept, d.kept)
		}
	}
}
