package rogue

import "plumbline.dev/plumbline/object"

// same compares two JSON values. Null, an empty list and an empty mapping are as
// good as nothing.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		if b == nil {
			return blank(a)
		}
		b, ok := b.(map[string]any)
		return ok && (object.IsOne(a, b) || sameFields(a, b))
	case []any:
		if b == nil {
			return len(a) == 0
		}
		b, ok := b.([]any)
		return ok && (object.IsOne(a, b) || sameItems(a, b))
	case nil:
		return blank(b)
	case int64, float64, int:
		switch b.(type) {
		case int64, float64, int:
			return a == b || asFloat(a) == asFloat(b)
		}
		return false
	default:
		return a == b
	}
}

func sameFields(a, b map[string]any) bool {
	shared := 0
	for name, v := range a {
		other, ok := b[name]
		if !ok && !blank(v) || ok && !same(v, other) {
			return false
		}
		if ok {
			shared++
		}
	}
	if shared == len(b) {
		return true
	}
	for name, v := range b {
		if _, ok := a[name]; !ok && !blank(v) {
			return false
		}
	}
	return true
}

func sameItems(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !same(a[i], b[i]) {
			return false
		}
	}
	return true
}

func asFloat(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case int:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// blank tells whether a value is as good as none.
func blank(v any) bool {
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

// names finds the items of a list by their names. Most lists are so short that going
// through them is the fastest way.
type names struct {
	list  []any
	index map[string]any
}

const longList = 16

func byName(list []any) *names {
	n := &names{list: list}
	if len(list) > longList {
		n.index = make(map[string]any, len(list))
		for _, v := range list {
			n.index[text(v, "name")] = v
		}
	}
	return n
}

// find returns the item of a name, which is likely the nth; nil if there is none.
func (n *names) find(name string, nth int) any {
	if nth < len(n.list) && text(n.list[nth], "name") == name {
		return n.list[nth]
	}
	if n.index != nil {
		return n.index[name]
	}
	for _, v := range n.list {
		if text(v, "name") == name {
			return v
		}
	}
	return nil
}

// kept returns the items of a list that are to be kept.
func kept(v any, keep func(item any) bool) any {
	list, _ := v.([]any)
	var result []any
	for _, i := range list {
		if keep(i) {
			result = append(result, i)
		}
	}
	return result
}
