package adopter

import (
	"fmt"
	"maps"
	"slices"

	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/differ"
)

// indexOf returns the index of the item of a list to which a step leads, or -1.
func indexOf(list []any, step any) int {
	return slices.IndexFunc(list, func(item any) bool {
		switch step := step.(type) {
		case differ.Item:
			return rewrite.Same(item, step.Value)
		case map[string]any:
			return hasKeys(item, step)
		}
		return false
	})
}

// hasKeys tells whether an item has merge keys; one of several may be left to its
// default.
func hasKeys(item any, keys map[string]any) bool {
	m, ok := item.(map[string]any)
	equal := 0
	for name, v := range keys {
		if m[name] == nil {
			continue
		}
		if !rewrite.Same(m[name], v) {
			return false
		}
		equal++
	}
	return ok && equal > 0
}

// child returns what a step leads to, and whether it is there.
func child(v any, step any) (any, bool) {
	if name, ok := step.(string); ok {
		m, _ := v.(map[string]any)
		value, ok := m[name]
		return value, ok
	}
	list, _ := v.([]any)
	if i := indexOf(list, step); i >= 0 {
		return list[i], true
	}
	return nil, false
}

// valueAt returns what a path leads to.
func valueAt(v any, path differ.Path) (any, bool) {
	for _, step := range path {
		below, ok := child(v, step)
		if !ok {
			return nil, false
		}
		v = below
	}
	return v, true
}

// setter puts values into others.
type setter struct {
	// strict refuses to make up items of lists on the way.
	strict bool
}

// set returns v with a value at a path. Live is what is live at v: it tells at which
// place of a list a new item comes.
func (s setter) set(v any, path differ.Path, value, live any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	below, _ := child(live, path[0])
	if name, ok := path[0].(string); ok {
		m, ok := v.(map[string]any)
		if !ok && v != nil {
			return nil, errNotHere
		}
		changed, err := s.set(m[name], path[1:], value, below)
		if err != nil {
			return nil, err
		}
		m = maps.Clone(m)
		if m == nil {
			m = map[string]any{}
		}
		m[name] = changed
		return m, nil
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, errNotHere
	}
	i := indexOf(list, path[0])
	if i < 0 && len(path) > 1 && s.strict {
		return nil, errNotHere
	}
	if item, ok := path[0].(differ.Item); ok {
		value = item.Value
	}
	var item any
	if keys, ok := path[0].(map[string]any); ok && i < 0 {
		item = maps.Clone(keys)
	} else if i >= 0 {
		item = list[i]
	}
	item, err := s.set(item, path[1:], value, below)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		return slices.Insert(slices.Clone(list), placeIn(list, path[0], live), item), nil
	}
	list = slices.Clone(list)
	list[i] = item
	return list, nil
}

// placeIn returns the index at which a new item comes: behind the one that is before it
// in the live list.
func placeIn(list []any, step, live any) int {
	items, _ := live.([]any)
	at := indexOf(items, step)
	if at < 0 {
		return len(list)
	}
	for _, before := range slices.Backward(items[:at]) {
		for i, item := range list {
			if sameItem(item, before) {
				return i + 1
			}
		}
	}
	for _, after := range items[at+1:] {
		for i, item := range list {
			if sameItem(item, after) {
				return i
			}
		}
	}
	return len(list)
}

// sameItem tells whether two items of a list are the same one, as far as one can see
// that without knowing the list's keys.
func sameItem(a, b any) bool {
	x, ok := a.(map[string]any)
	y, also := b.(map[string]any)
	if !ok || !also {
		return rewrite.Same(a, b)
	}
	for _, name := range []string{"name", "mountPath", "devicePath", "containerPort", "port", "key", "type", "topologyKey", "ip", "uid"} {
		if x[name] != nil && y[name] != nil {
			return rewrite.Same(x[name], y[name])
		}
	}
	return rewrite.Same(a, b)
}

// unset returns v without what a path leads to.
func unset(v any, path differ.Path) (any, error) {
	if name, ok := path[0].(string); ok {
		m, _ := v.(map[string]any)
		if _, ok := m[name]; !ok {
			return nil, errNotHere
		}
		m = maps.Clone(m)
		if len(path) == 1 {
			delete(m, name)
			return m, nil
		}
		changed, err := unset(m[name], path[1:])
		m[name] = changed
		return m, err
	}
	list, _ := v.([]any)
	i := indexOf(list, path[0])
	if i < 0 {
		return nil, errNotHere
	}
	if len(path) == 1 {
		return slices.Delete(slices.Clone(list), i, i+1), nil
	}
	changed, err := unset(list[i], path[1:])
	list = slices.Clone(list)
	list[i] = changed
	return list, err
}

// pruned is unset that takes out, too, what is empty then. What is not there is no error.
func pruned(v any, path differ.Path) any {
	if len(path) == 0 {
		return nil
	}
	below, ok := child(v, path[0])
	if !ok {
		return v
	}
	if len(path) > 1 {
		changed := pruned(below, path[1:])
		if !isEmpty(changed) {
			v, _ = setter{}.set(v, path[:1], changed, nil)
			return v
		}
	}
	v, _ = unset(v, path[:1])
	return v
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// wanted is the value that is to stand at the path of a change.
func (w *want) wanted() any { return w.Change.Live }

// removes tells whether the change takes a field out of git.
func (w *want) removes() bool { return w.Change.Op == differ.Removed }

// apply makes a value of the object say what is wanted.
func (w *want) apply(v any, s setter) (any, error) {
	path := w.Change.Path
	switch w.Change.Op {
	case differ.Removed:
		return unset(v, path)
	case differ.Reordered:
		have, ok := valueAt(v, path)
		if !ok {
			return nil, errNotHere
		}
		ordered, err := w.ordered(have)
		if err != nil {
			return nil, err
		}
		return s.set(v, path, ordered, w.Live)
	}
	return s.set(v, path, w.wanted(), w.Live)
}

// met tells whether a rendered object says what is wanted.
func (w *want) met(content map[string]any) bool {
	have, ok := valueAt(content, w.Change.Path)
	switch w.Change.Op {
	case differ.Removed:
		return !ok || have == nil
	case differ.Reordered:
		ordered, err := w.ordered(have)
		return ok && err == nil && rewrite.Same(have, ordered)
	}
	if _, isItem := lastStep(w.Change.Path).(differ.Item); isItem {
		return ok
	}
	return ok && rewrite.Same(have, w.wanted())
}

func lastStep(path differ.Path) any {
	if len(path) == 0 {
		return nil
	}
	return path[len(path)-1]
}

// ordered returns the items of a list in the order in which they are live.
func (w *want) ordered(v any) ([]any, error) {
	list, _ := v.([]any)
	there, _ := valueAt(w.Live, w.Change.Path)
	live, _ := there.([]any)
	at := map[int]int{} // of list, by index in live
	for i, item := range list {
		n := slices.IndexFunc(live, func(l any) bool { return sameItem(item, l) })
		if _, taken := at[n]; n < 0 || taken {
			return nil, fmt.Errorf("which items of %s are which cannot be told", w.Change.Path)
		}
		at[n] = i
	}
	var ordered []any
	for _, n := range slices.Sorted(maps.Keys(at)) {
		ordered = append(ordered, list[at[n]])
	}
	if len(ordered) == 0 {
		return nil, errNotHere
	}
	return ordered, nil
}
