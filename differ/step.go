package differ

// step is one step of the path on which a walk stands: a Path's step without
// the allocations, for walks that find nothing build no Path.
type step struct {
	field string     // a mapping's key, where list is nil and index negative
	index int        // a list's index, where it is not negative
	list  *keyedList // the list, where its items have keys or are a set
	item  any        // the item of list
}

func fieldStep(name string) step              { return step{field: name, index: -1} }
func indexStep(i int) step                    { return step{index: i} }
func itemStep(list *keyedList, item any) step { return step{index: -1, list: list, item: item} }

func (s step) value() any {
	switch {
	case s.list != nil && s.list.set:
		return Item{Value: s.item}
	case s.list != nil:
		keys := make(map[string]any, len(s.list.keys))
		for _, k := range s.list.keys {
			if v := k.of(s.item); v != nil {
				keys[k.name] = v
			}
		}
		return keys
	case s.index >= 0:
		return s.index
	default:
		return s.field
	}
}

// text is how a pattern names the step.
func (s step) text() string {
	switch v := s.value().(type) {
	case string:
		return v
	case map[string]any:
		return keysText(v)
	case Item:
		return "=" + scalarText(v.Value)
	default:
		return scalarText(v)
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
	if len(p.parts) > len(path) {
		return false
	}
	for i, part := range p.parts {
		if part != "*" && part != path[i].text() {
			return false
		}
	}
	return true
}
