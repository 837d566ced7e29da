package differ_test

import (
	"fmt"
	"slices"
	"testing"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// TestLarge compares objects near the size limit whose parts are all in another
// order, changed, or owned under another spelling. To compare each with each would
// take longer than a test may.
func TestLarge(t *testing.T) {
	const n = 20_000
	id := object.ID{Group: "example.com", Version: "v1", Kind: "Widget", Name: "w"}
	items := func(value string) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = map[string]any{"name": fmt.Sprintf("item-%d", i), "value": value}
		}
		return list
	}
	records := func(format string) map[string]any {
		m := map[string]any{}
		for i := range n {
			m[fmt.Sprintf(format, i)] = map[string]any{".": map[string]any{}, "f:value": map[string]any{}}
		}
		return map[string]any{"f:spec": map[string]any{"f:parts": m}}
	}
	widget := func(spec, fields map[string]any) object.Object {
		return object.Object{ID: id, Content: map[string]any{"spec": spec, "metadata": map[string]any{"name": "w", "managedFields": []any{
			map[string]any{"manager": "mallory", "operation": "Update", "fieldsV1": fields},
		}}}}
	}
	reversed := items("a")
	slices.Reverse(reversed)
	text := map[string]any{}
	for i := range n {
		text[fmt.Sprintf("key-%d", i)] = "x"
	}
	for name, c := range map[string]struct {
		declared, live, records map[string]any
		want                    int
	}{
		"reversed":        {map[string]any{"parts": items("a")}, map[string]any{"parts": reversed}, records(`k:{"name":"item-%d","protocol":"TCP"}`), 1},
		"all changed":     {map[string]any{"parts": items("a")}, map[string]any{"parts": items("b")}, records(`k:{"name":"item-%d","protocol":"TCP"}`), n},
		"all added":       {map[string]any{"parts": items("a")[:1]}, map[string]any{"parts": items("a")}, records(`k:{"name":"item-%d","protocol":"TCP"}`), n - 1},
		"other spelling":  {map[string]any{"parts": items("a")[:1]}, map[string]any{"parts": items("a")}, records(`k:{"protocol":"TCP", "name":"item-%d"}`), n - 1},
		"unowned":         {map[string]any{"parts": items("a")[:1]}, map[string]any{"parts": items("a")}, records(`k:{"name":"other-%d"}`), n - 1},
		"mapping changed": {map[string]any{"free": text}, map[string]any{"free": map[string]any{}}, nil, n},
	} {
		t.Run(name, func(t *testing.T) {
			declared, live := widget(c.declared, nil), widget(c.live, c.records)
			d := differ.Compare(declared, live, typeOf(t, id), differ.Options{})
			if len(d.Changes) != c.want {
				t.Errorf("%d changes, want %d; the first: %v", len(d.Changes), c.want, d.Changes[:min(3, len(d.Changes))])
			}
		})
	}
}
