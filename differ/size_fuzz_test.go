package differ_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// TestGrowth compares objects of which some part is twice as large: that may not
// take four times the memory.
func TestGrowth(t *testing.T) {
	id := object.ID{Group: "example.com", Version: "v1", Kind: "Widget", Name: "w"}
	typ := typeOf(t, id)
	label, err := differ.ParsePattern("/metadata/labels/l1")
	if err != nil {
		t.Fatal(err)
	}
	ignored := differ.Options{Ignore: always(differ.Ignore{Paths: []differ.Pattern{label}}, by("l7"))}
	for name, c := range map[string]struct {
		n       int
		sides   func(n int) (declared, live map[string]any)
		options differ.Options
	}{
		"managers":              {1000, manyManagers, differ.Options{}},
		"managers, and ignored": {1000, manyManagers, ignored},
		"depth":                 {1000, deep, differ.Options{}},
		"annotation":            {1 << 20, longAnnotation, differ.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			compare := func(n int) uint64 {
				declared, live := c.sides(n)
				return allocated(func() {
					d := differ.Compare(object.Object{ID: id, Content: declared}, object.Object{ID: id, Content: live}, typ, c.options)
					if len(d.Changes) == 0 {
						t.Error("nothing differs")
					}
				})
			}
			compare(c.n) // what is made once
			if once, twice := compare(c.n), compare(2*c.n); twice > 3*once+1<<16 {
				t.Errorf("%d bytes, and %d of what is twice as large", once, twice)
			}
		})
	}
}

// allocated is how many bytes f allocates, with what else runs.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func named(metadata map[string]any) map[string]any {
	metadata["name"] = "w"
	return map[string]any{"metadata": metadata}
}

// manyManagers has n appliers, whose number the API server does not bound, each of
// one label.
func manyManagers(n int) (declared, live map[string]any) {
	labels, records := map[string]any{}, []any{}
	for i := range n {
		name := fmt.Sprintf("l%d", i)
		labels[name] = "x"
		records = append(records, map[string]any{"manager": name, "operation": "Apply", "fieldsV1": map[string]any{
			"f:metadata": map[string]any{"f:labels": map[string]any{"f:" + name: map[string]any{}}},
		}})
	}
	return named(map[string]any{}), named(map[string]any{"labels": labels, "managedFields": records})
}

// deep differs n levels down.
func deep(n int) (declared, live map[string]any) {
	side := func(leaf any) map[string]any {
		fields := map[string]any{}
		for range n {
			leaf, fields = map[string]any{"a": leaf}, map[string]any{"f:a": fields}
		}
		content := named(map[string]any{"managedFields": []any{map[string]any{"manager": "mallory", "operation": "Update", "fieldsV1": map[string]any{
			"f:spec": map[string]any{"f:free": fields},
		}}}})
		content["spec"] = map[string]any{"free": leaf}
		return content
	}
	return side("a"), side("b")
}

// longAnnotation has one of n bytes, twice: client-side apply keeps a copy.
func longAnnotation(n int) (declared, live map[string]any) {
	side := func(value string) map[string]any {
		return named(map[string]any{"annotations": map[string]any{
			"a": value, "kubectl.kubernetes.io/last-applied-configuration": `{"metadata":{"annotations":{"a":"` + value + `"}}}`,
		}})
	}
	text := strings.Repeat("x", n)
	return side(text + "a"), side(text + "b")
}
