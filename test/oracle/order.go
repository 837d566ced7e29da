package oracle

import (
	"maps"
	"reflect"
	"slices"

	"plumbline.dev/plumbline/differ"
)

// ordering is one list of keyed items that git declares.
type ordering struct {
	path  differ.Path
	moved bool // an apply would bring its declared items into another order
}

// lists returns the orderings of an object: of the lists in git, whether the
// live object has their items in another order than an apply would give them.
func (s shapes) lists(in shape, git, live, applied any) []ordering {
	var all []ordering
	switch g := git.(type) {
	case map[string]any:
		l, _ := live.(map[string]any)
		a, _ := applied.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(g)) {
			all = append(all, beneathStep(name, s.lists(s.property(in, name), g[name], l[name], a[name]))...)
		}
	case []any:
		l, _ := live.([]any)
		a, _ := applied.([]any)
		if in.mergeKeys() == nil || len(l) == 0 {
			return nil
		}
		all = append(all, ordering{moved: moved(keyed(s, in, g), keyed(s, in, l), keyed(s, in, a))})
		for _, item := range g {
			key := s.key(in, item)
			all = append(all, beneathStep(key, s.lists(s.items(in), item, first(valuesAt(l, differ.Path{key})), first(valuesAt(a, differ.Path{key}))))...)
		}
	}
	return all
}

func first(values []any) any {
	if len(values) == 0 {
		return nil
	}
	return values[0]
}

func beneathStep(step any, of []ordering) []ordering {
	for i := range of {
		of[i].path = append(differ.Path{step}, of[i].path...)
	}
	return of
}

func (s shapes) key(in shape, item any) map[string]any {
	fields, _ := item.(map[string]any)
	key := map[string]any{}
	for _, name := range in.mergeKeys() {
		v, ok := fields[name]
		if !ok {
			v = s.property(s.items(in), name).Default
		}
		if f, ok := v.(float64); ok && f == float64(int64(f)) {
			v = int64(f)
		}
		if v != nil {
			key[name] = v
		}
	}
	return key
}

func keyed(s shapes, in shape, items []any) []map[string]any {
	keys := make([]map[string]any, len(items))
	for i := range items {
		keys[i] = s.key(in, items[i])
	}
	return keys
}

// moved tells whether the items of git stand in another order in live than in
// applied.
func moved(git, live, applied []map[string]any) bool {
	inGit := func(keys []map[string]any) []map[string]any {
		return slices.DeleteFunc(slices.Clone(keys), func(k map[string]any) bool {
			return !slices.ContainsFunc(git, func(g map[string]any) bool { return reflect.DeepEqual(g, k) })
		})
	}
	return !reflect.DeepEqual(inGit(live), inGit(applied))
}

// orders wants each list that was said to be in another order to be so, and each
// that is to be said, unless another change of the list is.
func orders(lists []ordering, said []differ.Change) []string {
	var wrong []string
	reordered, all := told(said, differ.Reordered), places{}
	for _, c := range said {
		all[spelled(c.Path)] = true
	}
	isMoved := places{}
	for _, list := range lists {
		path := spelled(list.path)
		if !list.moved {
			continue
		}
		isMoved[path] = true
		if !all.covered(path) {
			wrong = append(wrong, "order: missed "+path)
		}
	}
	for _, path := range reordered.sorted() {
		if !isMoved[path] {
			wrong = append(wrong, "order: false alarm about "+path)
		}
	}
	return wrong
}
