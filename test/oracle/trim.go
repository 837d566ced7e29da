package oracle

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// nonEmpty is an object without the fields that say nothing.
func nonEmpty(o *unstructured.Unstructured) *unstructured.Unstructured {
	content, _ := withoutEmpty(o.Object).(map[string]any)
	return &unstructured.Unstructured{Object: content}
}

// without is an object without the fields that have such a value.
func without(o *unstructured.Unstructured, drop func(any) bool) *unstructured.Unstructured {
	content, _ := leftOutOf(o.Object, drop).(map[string]any)
	return &unstructured.Unstructured{Object: content}
}

func leftOutOf(v any, drop func(any) bool) any {
	switch v := v.(type) {
	case map[string]any:
		result := map[string]any{}
		for key, field := range v {
			if !drop(field) {
				result[key] = leftOutOf(field, drop)
			}
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i := range v {
			result[i] = leftOutOf(v[i], drop)
		}
		return result
	}
	return v
}

func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		result := map[string]any{}
		for key, field := range v {
			switch field := withoutEmpty(field).(type) {
			case nil:
			case map[string]any:
				if len(field) > 0 {
					result[key] = field
				}
			case []any:
				if len(field) > 0 {
					result[key] = field
				}
			default:
				if field != "" {
					result[key] = field
				}
			}
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i := range v {
			result[i] = withoutEmpty(v[i])
		}
		return result
	}
	return v
}

// withoutTimes is an object without the times of taints for which git has none: the
// server sets these anew at each apply.
func withoutTimes(o, git *unstructured.Unstructured) *unstructured.Unstructured {
	if o.GetKind() != "ResourceSlice" {
		return o
	}
	o = o.DeepCopy()
	declared := taintsOf(git)
	for i, taint := range taintsOf(o) {
		if i >= len(declared) || declared[i]["timeAdded"] == nil {
			delete(taint, "timeAdded")
		}
	}
	return o
}

// taintsOf are the taints of all of a slice's devices.
func taintsOf(slice *unstructured.Unstructured) []map[string]any {
	var taints []map[string]any
	devices, _, _ := unstructured.NestedFieldNoCopy(slice.Object, "spec", "devices")
	list, _ := devices.([]any)
	for _, device := range list {
		device, _ := device.(map[string]any)
		own, _ := device["taints"].([]any)
		for _, taint := range own {
			taint, _ := taint.(map[string]any)
			taints = append(taints, taint)
		}
	}
	return taints
}

// stored is an object as the server keeps it, as far as fields move.
func stored(o *unstructured.Unstructured) *unstructured.Unstructured {
	written, ok := o.Object["stringData"].(map[string]any)
	if !ok || o.GetKind() != "Secret" {
		return o
	}
	o = o.DeepCopy()
	delete(o.Object, "stringData")
	data, _ := o.Object["data"].(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	for key := range written {
		data[key] = "" // where, not what
	}
	o.Object["data"] = data
	return o
}
