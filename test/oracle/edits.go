package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// spot is a place of an object where an edit can be made: a key of a mapping or
// an index of a list.
type spot struct {
	parent any
	key    string
	index  int
}

// spots returns all places within value, in a fixed order.
func spots(value any) []spot {
	var all []spot
	switch v := value.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			all = append(all, spot{parent: v, key: key, index: -1})
			all = append(all, spots(v[key])...)
		}
	case []any:
		for i := range v {
			all = append(all, spot{parent: v, index: i})
			all = append(all, spots(v[i])...)
		}
	}
	return all
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// editable are the parts of an object that edits change.
var editable = []string{"spec", "data", "rules", "subjects", "webhooks"}

// mutate changes one thing in a copy of o, at random, and says what. Whether the
// API server takes it is for it to say.
func mutate(r *rand.Rand, o *unstructured.Unstructured) (*unstructured.Unstructured, string) {
	o = o.DeepCopy()
	if r.IntN(4) == 0 {
		return o, label(r, o)
	}
	if additions := additionsTo[o.GetKind()]; len(additions) > 0 && r.IntN(2) == 0 {
		return o, additions[r.IntN(len(additions))](o.Object)
	}
	var all []spot
	for _, part := range editable {
		all = append(all, spots(o.Object[part])...)
	}
	if len(all) == 0 {
		return o, label(r, o)
	}
	return o, all[r.IntN(len(all))].change(r)
}

func label(r *rand.Rand, o *unstructured.Unstructured) string {
	key := fmt.Sprintf("edit-%d", r.IntN(3))
	kind, set := "label", o.SetLabels
	values := o.GetLabels()
	if r.IntN(2) == 0 {
		kind, set, values = "annotation", o.SetAnnotations, o.GetAnnotations()
	}
	if _, ok := values[key]; ok {
		delete(values, key)
		set(values)
		return fmt.Sprintf("delete %s %s", kind, key)
	}
	if values == nil {
		values = map[string]string{}
	}
	values[key] = fmt.Sprint(r.IntN(100))
	set(values)
	return fmt.Sprintf("set %s %s", kind, key)
}

func (s spot) get() any {
	if s.index >= 0 {
		return s.parent.([]any)[s.index] //nolint:forcetypeassert // spots made it
	}
	return s.parent.(map[string]any)[s.key] //nolint:forcetypeassert // spots made it
}

func (s spot) set(v any) {
	if s.index >= 0 {
		s.parent.([]any)[s.index] = v //nolint:forcetypeassert // spots made it
		return
	}
	s.parent.(map[string]any)[s.key] = v //nolint:forcetypeassert // spots made it
}

// change sets or deletes the value at the spot.
func (s spot) change(r *rand.Rand) string {
	name := s.key
	if s.index >= 0 {
		name = fmt.Sprintf("[%d]", s.index)
	}
	if m, ok := s.parent.(map[string]any); ok && r.IntN(4) == 0 {
		delete(m, s.key)
		return "delete " + name
	}
	switch v := s.get().(type) {
	case string:
		s.set(v + "x")
	case int64:
		s.set(v + 1 + int64(r.IntN(3)))
	case bool:
		s.set(!v)
	case []any:
		if len(v) > 1 {
			v[0], v[1] = v[1], v[0]
		}
	}
	return "change " + name
}

// additionsTo are things that people add to objects of a kind.
var additionsTo = map[string][]func(map[string]any) string{
	"Deployment":  podTemplate,
	"StatefulSet": podTemplate,
	"DaemonSet":   podTemplate,
	"ConfigMap":   {setField("new key", "yes", "data", "added")},
	"Secret":      {setField("new key", "eWVz", "data", "added")},
	"Service": {
		appendTo("port", map[string]any{"name": "extra", "port": int64(9999)}, "spec", "ports"),
		setField("session affinity", "ClientIP", "spec", "sessionAffinity"),
	},
	"NetworkPolicy": {appendTo("rule", map[string]any{"ports": []any{map[string]any{"port": int64(22)}}}, "spec", "ingress")},
	"CronJob":       {setField("suspend", true, "spec", "suspend"), setField("deadline", int64(30), "spec", "startingDeadlineSeconds")},
	"Widget": {
		setField("size", int64(9), "spec", "size"),
		setField("color", "blue", "spec", "color"),
		setField("label", "yes", "spec", "labels", "added"),
		setField("free field", "yes", "spec", "anything", "added"),
		setField("note", "yes", "spec", "note"),
		setField("point", int64(5), "spec", "point", "y"),
		appendTo("tag", "extra", "spec", "tags"),
		appendTo("step", "extra", "spec", "steps"),
		appendTo("port", map[string]any{"port": int64(99)}, "spec", "ports"),
	},
	"Role": {appendTo("rule", map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"get"}}, "rules")},
}

var podTemplate = []func(map[string]any) string{
	appendTo("sidecar", map[string]any{"name": "miner", "image": "evil.example/miner"}, "spec", "template", "spec", "containers"),
	appendTo("init container", map[string]any{"name": "setup", "image": "evil.example/setup"}, "spec", "template", "spec", "initContainers"),
	setField("hostNetwork", true, "spec", "template", "spec", "hostNetwork"),
	setField("priority class", "system-node-critical", "spec", "template", "spec", "priorityClassName"),
	setField("node selector", "ssd", "spec", "template", "spec", "nodeSelector", "disk"),
	setField("template label", "yes", "spec", "template", "metadata", "labels", "added"),
	setField("restart", "2026-01-01T00:00:00Z", "spec", "template", "metadata", "annotations", "example.com/restarted"),
	appendTo("toleration", map[string]any{"key": "gpu", "operator": "Exists"}, "spec", "template", "spec", "tolerations"),
	inContainer(setField("privileged", true, "securityContext", "privileged")),
	inContainer(appendTo("env var", map[string]any{"name": "DEBUG", "value": "1"}, "env")),
	inContainer(appendTo("arg", "--debug", "args")),
	inContainer(appendTo("port", map[string]any{"containerPort": int64(22)}, "ports")),
	inContainer(setField("limit", "0.5", "resources", "limits", "cpu")),
	inContainer(setField("probe", int64(8080), "livenessProbe", "tcpSocket", "port")),
}

func setField(what string, v any, path ...string) func(map[string]any) string {
	return func(o map[string]any) string {
		if err := unstructured.SetNestedField(o, v, path...); err != nil {
			return "nothing: " + err.Error()
		}
		return "add " + what
	}
}

func appendTo(what string, v any, path ...string) func(map[string]any) string {
	return func(o map[string]any) string {
		list, _, err := unstructured.NestedSlice(o, path...)
		if err == nil {
			err = unstructured.SetNestedSlice(o, append(list, v), path...)
		}
		if err != nil {
			return "nothing: " + err.Error()
		}
		return "add " + what
	}
}

func inContainer(edit func(map[string]any) string) func(map[string]any) string {
	return func(o map[string]any) string {
		containers, _, err := unstructured.NestedSlice(o, "spec", "template", "spec", "containers")
		if err != nil || len(containers) == 0 {
			return "nothing"
		}
		first, _ := containers[0].(map[string]any)
		said := edit(first)
		if err := unstructured.SetNestedSlice(o, containers, "spec", "template", "spec", "containers"); err != nil {
			return "nothing: " + err.Error()
		}
		return said
	}
}
