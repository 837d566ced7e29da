package object_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/object"
)

// TestPacked wants what was packed to come out as it was, whatever it is, and to be called
// the same only where it is.
func TestPacked(t *testing.T) {
	t.Parallel()
	var packer object.Packer
	packer.Pack(object.Object{Content: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": int64(1)}}})
	for name, data := range map[string]any{
		"values":       map[string]any{"a": int64(1), "b": 0.5, "c": true, "d": nil, "e": []any{"x", map[string]any{}}, "<&>": "\u2028 \x00 \"\\"},
		"nothing":      nil,
		"long":         strings.Repeat("value ", 100_000),
		"no UTF-8":     "\xff",
		"no UTF-8 key": map[string]any{"\xff": "x"},
		"replacement":  "\ufffd and \\ufffd",
		"no number":    math.Inf(1),
	} {
		o := object.Object{ID: object.ID{Version: "v1", Kind: "ConfigMap", Name: name}, Origin: object.Origin{Position: object.Position{File: "a.yaml", Line: 3}}}
		o.Content = map[string]any{"data": data}
		packed := packer.Pack(o)
		if d := cmp.Diff(o, packed.Object()); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
		if d := cmp.Diff(o, object.Loose(o).Object()); d != "" {
			t.Errorf("%s, loose: -want +got:\n%s", name, d)
		}
		if d := cmp.Diff(o, new(object.Packer).Pack(o).Object()); d != "" {
			t.Errorf("%s, alone: -want +got:\n%s", name, d)
		}
		other := packer.Pack(object.Object{ID: o.ID, Content: map[string]any{"data": "another"}})
		if !packed.Same(packer.Pack(o)) || packed.Same(other) || packed.Same(object.Packed{}) || (object.Packed{}).Same(object.Packed{}) {
			t.Errorf("%s: what is the same is not, or is what is not", name)
		}
		if !packed.Equal(new(object.Packer).Pack(o)) || !packed.Equal(object.Loose(o)) || packed.Equal(other) || packed.Equal(object.Loose(other.Object())) {
			t.Errorf("%s: what is equal is not, or is what is not", name)
		}
		if again := packer.Repacked(o.ID, packed.Text()); len(packed.Text()) > 0 && !cmp.Equal(o.Content, again.Object().Content) {
			t.Errorf("%s: of its text came %v", name, again.Object())
		}
	}
}

// TestPackedSmall wants of what is alike little more to be kept than in what it differs.
func TestPackedSmall(t *testing.T) {
	t.Parallel()
	var text string
	for i := range 100 {
		text += fmt.Sprintf("%x ", i*7919)
	}
	var objects []object.Object
	for i := range 10 {
		objects = append(objects, object.Object{Content: map[string]any{"same": text, "other": fmt.Sprintf("value %d", i)}})
	}
	for _, p := range object.PackAll(objects) {
		if n := len(p.Text()); n == 0 || n > 60 {
			t.Errorf("a word in %d bytes takes %d", len(text), n)
		}
	}
}
