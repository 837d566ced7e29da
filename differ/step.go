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

func pathOf(steps []step) Path {
	p := make(Path, len(steps))
	for i, s := range steps {
		p[i] = s.value()
	}
	return p
}
