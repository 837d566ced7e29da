package oracle

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
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

// spelledAsGit is an object of which amounts are spelled as git spells them, if they are
// the same: the server leaves those of custom resources as they are written.
func (r *run) spelledAsGit(o *unstructured.Unstructured) *unstructured.Unstructured {
	content, _ := r.shapes.likeAmounts(o.Object, r.git.Object, r.roots[r.git.GroupVersionKind()]).(map[string]any)
	return &unstructured.Unstructured{Object: content}
}

func (s shapes) likeAmounts(v, git any, in shape) any {
	switch v := v.(type) {
	case map[string]any:
		declared, _ := git.(map[string]any)
		result := make(map[string]any, len(v))
		for name, field := range v {
			result[name] = s.likeAmounts(field, declared[name], s.property(in, name))
		}
		return result
	case []any:
		declared, _ := git.([]any)
		result := make([]any, len(v))
		for i := range v {
			result[i] = v[i]
			if i < len(declared) {
				result[i] = s.likeAmounts(v[i], declared[i], s.items(in))
			}
		}
		return result
	}
	if in.extension("x-kubernetes-int-or-string") == "true" && in.Pattern != "" && sameAmount(v, git) {
		return git
	}
	return v
}

func sameAmount(a, b any) bool {
	first, err := resource.ParseQuantity(fmt.Sprint(a))
	second, also := resource.ParseQuantity(fmt.Sprint(b))
	return err == nil && also == nil && first.Cmp(second) == 0
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
