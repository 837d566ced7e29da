package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// edit returns operations that change one thing in o, at random. Whether the API
// server takes them is for it to say. It returns none if it found nothing to do.
func (g values) edit(r *rand.Rand, o *unstructured.Unstructured, root shape) []Operation {
	switch n := r.IntN(100); {
	case n < 10:
		return g.label(r, o)
	case n < 22:
		if known := additionsTo[o.GetKind()]; len(known) > 0 {
			return known[r.IntN(len(known))](o.Object)
		}
		return g.addField(r, o, root)
	case n < 42:
		return g.addField(r, o, root)
	case n < 50 && !g.off["empty"]:
		return g.addEmpty(r, o, root)
	case n < 58 && !g.off["respell"]:
		return g.respell(r, g.shapes.present(o.Object, root, nil))
	default:
		return g.change(r, g.shapes.present(o.Object, root, nil))
	}
}

// label sets or deletes a label or an annotation.
func (g values) label(r *rand.Rand, o *unstructured.Unstructured) []Operation {
	field := pick(r, "labels", "annotations")
	values, found, err := unstructured.NestedStringMap(o.Object, "metadata", field)
	if err != nil {
		return nil
	}
	if len(values) > 0 && r.IntN(4) == 0 {
		keys := sortedKeys(values)
		return []Operation{{Op: "remove", Path: pointer([]string{"metadata", field, keys[r.IntN(len(keys))]})}}
	}
	key := pick(r, "edit-0", "edit-1", "example.com/edit")
	value := any(strconv.Itoa(r.IntN(100)))
	if !found {
		return []Operation{{Op: "add", Path: pointer([]string{"metadata", field}), Value: map[string]any{key: value}}}
	}
	return []Operation{{Op: "add", Path: pointer([]string{"metadata", field, key}), Value: value}}
}

// addField adds a field that the object does not have.
func (g values) addField(r *rand.Rand, o *unstructured.Unstructured, root shape) []Operation {
	spots := g.shapes.absent(o.Object, root, nil)
	if len(spots) == 0 {
		return nil
	}
	s := spots[r.IntN(len(spots))]
	return []Operation{{Op: "add", Path: pointer(s.path), Value: g.of(r, s.in, 2)}}
}

// addEmpty adds a field with a value that says nothing.
func (g values) addEmpty(r *rand.Rand, o *unstructured.Unstructured, root shape) []Operation {
	spots := g.shapes.absent(o.Object, root, nil)
	if len(spots) == 0 {
		return nil
	}
	s := spots[r.IntN(len(spots))]
	return []Operation{{Op: "add", Path: pointer(s.path), Value: emptyOf(r, s.in)}}
}

func emptyOf(r *rand.Rand, in shape) any {
	switch {
	case r.IntN(3) == 0:
		return nil
	case in.is("array"):
		return []any{}
	case in.is("string"):
		return ""
	case in.is("integer"), in.is("number"):
		return int64(0)
	case in.is("boolean"):
		return false
	default:
		return map[string]any{}
	}
}

// change sets, deletes or moves something that the object has.
func (g values) change(r *rand.Rand, spots []spot) []Operation {
	if len(spots) == 0 {
		return nil
	}
	s := spots[r.IntN(len(spots))]
	at := pointer(s.path)
	if r.IntN(4) == 0 {
		return []Operation{{Op: "remove", Path: at}}
	}
	switch v := s.value.(type) {
	case []any:
		return g.changeList(r, s, v)
	case map[string]any:
		return g.changeMapping(r, s, v)
	case string:
		if r.IntN(2) == 0 {
			return []Operation{{Op: "replace", Path: at, Value: v + "x"}}
		}
	case int64:
		if r.IntN(2) == 0 {
			return []Operation{{Op: "replace", Path: at, Value: v + 1 + r.Int64N(3)}}
		}
	case bool:
		return []Operation{{Op: "replace", Path: at, Value: !v}}
	}
	return []Operation{{Op: "replace", Path: at, Value: g.of(r, s.in, 1)}}
}

// changeList adds an item, or moves one.
func (g values) changeList(r *rand.Rand, s spot, list []any) []Operation {
	at := pointer(s.path)
	if len(list) > 1 && r.IntN(2) == 0 {
		from := r.IntN(len(list))
		to := (from + 1 + r.IntN(len(list)-1)) % len(list)
		return []Operation{{Op: "move", From: at + "/" + strconv.Itoa(from), Path: at + "/" + strconv.Itoa(to)}}
	}
	item := g.of(r, g.shapes.items(s.in), 2)
	for _, key := range s.in.mergeKeys() {
		if fields, ok := item.(map[string]any); ok && fields[key] != nil && r.IntN(2) == 0 {
			fields[key] = g.of(r, g.shapes.property(g.shapes.items(s.in), key), 0)
			if name, ok := fields[key].(string); ok && key == "name" {
				fields[key] = fmt.Sprintf("%s-%d", name, r.IntN(10))
			}
		}
	}
	if r.IntN(4) == 0 {
		return []Operation{{Op: "add", Path: at + "/0", Value: item}}
	}
	return []Operation{{Op: "add", Path: at + "/-", Value: item}}
}

// changeMapping adds a free key where there can be one, and otherwise puts
// another value in the mapping's place.
func (g values) changeMapping(r *rand.Rand, s spot, fields map[string]any) []Operation {
	if len(s.in.Properties) == 0 {
		key := fmt.Sprintf("key%d", r.IntN(4))
		return []Operation{{Op: "add", Path: pointer(append(slices.Clip(s.path), key)), Value: g.of(r, g.shapes.property(s.in, key), 1)}}
	}
	if missing := g.shapes.absent(fields, s.in, s.path); len(missing) > 0 && r.IntN(4) > 0 {
		m := missing[r.IntN(len(missing))]
		return []Operation{{Op: "add", Path: pointer(m.path), Value: g.of(r, m.in, 2)}}
	}
	return []Operation{{Op: "replace", Path: pointer(s.path), Value: g.of(r, s.in, 2)}}
}

// respell writes a value in another way that perhaps means the same.
func (g values) respell(r *rand.Rand, spots []spot) []Operation {
	var candidates []Operation
	for _, s := range spots {
		for _, v := range spellings(s) {
			candidates = append(candidates, Operation{Op: "replace", Path: pointer(s.path), Value: v})
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	return []Operation{candidates[r.IntN(len(candidates))]}
}

func spellings(s spot) []any {
	text, isText := s.value.(string)
	n, isNumber := s.value.(int64)
	switch {
	case s.in.Format == "int-or-string" || s.in.extension("x-kubernetes-int-or-string") == "true":
		if isNumber {
			return []any{strconv.FormatInt(n, 10)}
		}
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return []any{i}
		}
	case s.in.Format == "date-time" && isText:
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			zone := time.FixedZone("", 2*60*60)
			return []any{t.In(zone).Format(time.RFC3339), t.UTC().Format("2006-01-02T15:04:05.000Z07:00")}
		}
	case isText:
		if q, err := resource.ParseQuantity(text); err == nil {
			return quantities(q)
		}
	}
	return nil
}

func quantities(q resource.Quantity) []any {
	all := []any{resource.NewMilliQuantity(q.MilliValue(), resource.DecimalSI).String(), fmt.Sprintf("%dm", q.MilliValue())}
	if whole := q.Value(); whole*1000 == q.MilliValue() {
		all = append(all, whole, fmt.Sprintf("%d.0", whole))
		if whole%(1<<20) == 0 {
			all = append(all, fmt.Sprintf("%dMi", whole>>20), fmt.Sprintf("%gGi", float64(whole)/(1<<30)))
		}
	}
	return all
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
