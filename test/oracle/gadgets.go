package oracle

import (
	"fmt"
	"math/rand/v2"
)

// gadget returns a random CustomResourceDefinition with two versions, of which
// the one that is not stored may have other defaults.
func gadget(r *rand.Rand, group string, number int) map[string]any {
	kind := fmt.Sprintf("Gadget%d", number)
	plural := fmt.Sprintf("gadget%ds", number)
	first := gadgetSpec(r, 2)
	second, _ := deepCopy(first).(map[string]any)
	if r.IntN(2) == 0 {
		redefault(r, second)
	}
	stored := r.IntN(2)
	version := func(name string, spec map[string]any, storage bool) map[string]any {
		schema := map[string]any{"type": "object", "properties": map[string]any{
			"spec":   spec,
			"status": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
		}}
		v := map[string]any{"name": name, "served": true, "storage": storage, "schema": map[string]any{"openAPIV3Schema": schema}}
		if number%2 == 0 {
			v["subresources"] = map[string]any{"status": map[string]any{}}
		}
		return v
	}
	return map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + "." + group},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names":    map[string]any{"kind": kind, "plural": plural},
			"versions": []any{version("v1", first, stored == 0), version("v2", second, stored == 1)},
		},
	}
}

// gadgetSpec returns the schema of an object with random fields.
func gadgetSpec(r *rand.Rand, depth int) map[string]any {
	properties := map[string]any{}
	for i := range 5 + r.IntN(4) {
		properties[fmt.Sprintf("f%d", i)] = gadgetField(r, depth)
	}
	return map[string]any{"type": "object", "properties": properties}
}

func gadgetField(r *rand.Rand, depth int) map[string]any {
	n := r.IntN(17)
	if depth <= 0 {
		n = r.IntN(7)
	}
	switch n {
	case 0:
		return perhaps(r, map[string]any{"type": "string"}, "blue")
	case 1:
		return perhaps(r, map[string]any{"type": "string", "enum": []any{"a", "b", "c"}}, "a")
	case 2:
		return perhaps(r, map[string]any{"type": "integer"}, int64(3))
	case 3:
		return perhaps(r, map[string]any{"type": "boolean"}, true)
	case 4:
		return perhaps(r, map[string]any{"x-kubernetes-int-or-string": true}, pick[any](r, int64(80), "50%"))
	case 5:
		return perhaps(r, map[string]any{"type": "string", "nullable": true}, "note")
	case 6:
		return map[string]any{"type": "string", "format": "date-time"}
	case 7, 8:
		return perhaps(r, gadgetSpec(r, depth-1), map[string]any{})
	case 9:
		atomic := gadgetSpec(r, 0)
		atomic["x-kubernetes-map-type"] = "atomic"
		return perhaps(r, atomic, map[string]any{})
	case 10:
		return perhaps(r, map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}, map[string]any{"key": "value"})
	case 11:
		return map[string]any{"type": "object", "additionalProperties": gadgetSpec(r, depth-1)}
	case 12:
		return perhaps(r, map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "x-kubernetes-list-type": pick[any](r, "atomic", "set")}, []any{"one"})
	case 13:
		return map[string]any{"type": "array", "items": gadgetSpec(r, depth-1)}
	case 14:
		return gadgetList(r, depth)
	case 15:
		return map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	default:
		return map[string]any{"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}
	}
}

// gadgetList is a list whose items have one key or two, of which the second has
// a default.
func gadgetList(r *rand.Rand, depth int) map[string]any {
	item := gadgetSpec(r, depth-1)
	properties, _ := item["properties"].(map[string]any)
	properties["name"] = map[string]any{"type": "string"}
	item["required"] = []any{"name"}
	keys := []any{"name"}
	if r.IntN(2) == 0 {
		properties["port"] = map[string]any{"type": "integer", "default": int64(80)}
		keys = append(keys, "port")
	}
	return map[string]any{"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
}

// perhaps gives a schema a default, one time in two.
func perhaps(r *rand.Rand, schema map[string]any, value any) map[string]any {
	if r.IntN(2) == 0 {
		schema["default"] = value
	}
	return schema
}

// redefault gives other defaults to some numbers of a schema.
func redefault(r *rand.Rand, schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range sortedKeys(properties) {
		field, _ := properties[name].(map[string]any)
		if field["default"] == int64(3) && r.IntN(2) == 0 {
			field["default"] = int64(4)
		}
		redefault(r, field)
	}
}
