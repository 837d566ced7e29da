package differ

// step is one step of the path on which a walk stands: a Path's step without
// the allocations, for walks that find nothing build no Path.
type step struct {
	field string     // a mapping's key, where list is nil
	list  *keyedList // the list of which item is an item
	item  any
}

func fieldStep(name string) step              { return step{field: name} }
func itemStep(list *keyedList, item any) step { return step{list: list, item: item} }

func (s step) value() any {
	switch {
	case s.list == nil:
		return s.field
	case s.list.set:
		return Item{Value: s.item}
	}
	keys := make(map[string]any, len(s.list.keys))
	for _, k := range s.list.keys {
		if v := k.of(s.item); v != nil {
			keys[k.name] = v
		}
	}
	return keys
}

// text is how a pattern names the step.
func (s step) text() string {
	switch v := s.value().(type) {
	case string:
		return v
	case map[string]any:
		return keysText(v)
	default:
		return "=" + scalarText(s.item)
	}
}

func pathOf(steps []step) Path {
	p := make(Path, len(steps))
	for i, s := range steps {
		p[i] = s.value()
	}
	return p
}

// matches tells whether the pattern names the path or something above it.
func (p Pattern) matches(path []step) bool {
	return len(p.parts) <= len(path) && matchParts(p.parts, path)
}

// reachesInto tells whether the pattern names something beneath the path.
func (p Pattern) reachesInto(path []step) bool {
	return len(p.parts) > len(path) && matchParts(p.parts[:len(path)], path)
}

// matchParts matches parts against as many steps.
func matchParts(parts []string, path []step) bool {
	for i, part := range parts {
		if part != "*" && part != path[i].text() {
			return false
		}
	}
	return true
}
