package reverter

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"plumbline.dev/plumbline/differ"
)

// errAbsent says that a path leads nowhere.
var errAbsent = errors.New("is not there")

// pointer is a JSON pointer (RFC 6901), step by step.
type pointer []string

func (p pointer) String() string {
	var b strings.Builder
	for _, step := range p {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	return b.String()
}

// locate returns where a path leads to in a document, and what is there.
func locate(doc any, path differ.Path) (pointer, any, error) {
	var at pointer
	for i, step := range path {
		key, isKey := step.(string)
		fields, isMap := doc.(map[string]any)
		list, isList := doc.([]any)
		switch {
		case isKey && isMap:
			v, ok := fields[key]
			if !ok {
				return at, nil, errAbsent
			}
			at, doc = append(at, key), v
		case !isKey && isList:
			n, err := index(list, step)
			if err != nil {
				return at, nil, fmt.Errorf("%s: %w", path[:i+1], err)
			}
			at, doc = append(at, strconv.Itoa(n)), list[n]
		case doc == nil:
			return at, nil, errAbsent
		default:
			return at, nil, fmt.Errorf("%s is of another structure than what was compared", path[:i+1])
		}
	}
	return at, doc, nil
}

// index finds the item of a list that a step of a path names.
func index(list []any, step any) (int, error) {
	for _, is := range []func(item, step any) bool{isItem, mayBeItem} {
		found := -1
		for i, item := range list {
			if !is(item, step) {
				continue
			}
			if found >= 0 {
				return 0, errors.New("there are two of it")
			}
			found = i
		}
		if found >= 0 {
			return found, nil
		}
	}
	return 0, errAbsent
}

// isItem tells whether a step names an item: a set's by its value, another's by its keys.
func isItem(item, step any) bool {
	if s, ok := step.(differ.Item); ok {
		return reflect.DeepEqual(item, s.Value)
	}
	keys, _ := step.(map[string]any)
	fields, ok := item.(map[string]any)
	for name, want := range keys {
		ok = ok && reflect.DeepEqual(fields[name], want)
	}
	return ok
}

// mayBeItem tells whether it does if keys that the item does not have stand for their
// default. An item that has none of them is only the one whose keys are all empty, as
// {} of imagePullSecrets is [name=].
func mayBeItem(item, step any) bool {
	keys, _ := step.(map[string]any)
	fields, isMap := item.(map[string]any)
	said, empty := map[string]any{}, true
	for name, want := range keys {
		if fields[name] != nil {
			said[name] = want
		}
		empty = empty && want == ""
	}
	return isMap && (len(said) > 0 || len(keys) > 0 && empty) && isItem(item, said)
}

// insertAt is where an item that is declared belongs into a list: behind the nearest of
// those before it that the list has.
func insertAt(list []any, step any, declared []any) int {
	own, err := index(declared, step)
	if err != nil {
		return len(list)
	}
	for i := own - 1; i >= 0; i-- {
		if at := slices.IndexFunc(list, func(item any) bool { return alike(item, declared[i], step) }); at >= 0 {
			return at + 1
		}
	}
	return 0
}

// alike tells whether two items have the same keys, which are those of a step.
func alike(a, b, step any) bool {
	keys, ok := step.(map[string]any)
	if !ok {
		return reflect.DeepEqual(a, b)
	}
	return mayBeItem(a, keysOf(b, keys))
}

// keysOf is the step that names an item, whose keys are those of another step.
func keysOf(item any, like map[string]any) map[string]any {
	fields, _ := item.(map[string]any)
	keys := make(map[string]any, len(like))
	for name := range like {
		if v, ok := fields[name]; ok {
			keys[name] = v
		}
	}
	return keys
}

// ordered returns the items of a list, whose keys are given, in the order of the declared
// keys; an item that is not declared stays behind the one that it is behind now.
func ordered(list, keys, declared []any) []any {
	type ranked struct {
		item any
		rank int
	}
	all, last := make([]ranked, len(list)), -1
	for i, item := range list {
		own := slices.IndexFunc(declared, func(d any) bool { return reflect.DeepEqual(keys[i], d) })
		if own >= 0 {
			last = own
		}
		all[i] = ranked{item, last}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return a.rank - b.rank })
	result := make([]any, len(list))
	for i, r := range all {
		result[i] = r.item
	}
	return result
}
