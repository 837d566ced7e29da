package differ

import "slices"

// items compares two lists whose items have keys, or two sets.
func (w *walker) items(declared, live []any, n *node, p place) {
	before := len(w.changes)
	m := matcher{list: n.list, live: live}
	var short [64]bool // on the stack, for the lists that nearly all are
	m.matched = short[:min(len(live), len(short))]
	if len(live) > len(short) {
		m.matched = make([]bool, len(live))
	}
	last, ordered := -1, true
	for _, d := range declared {
		at := m.find(d)
		if at < 0 {
			mark := w.push(itemStep(n.list, d))
			w.absent(d, n.element)
			w.pop(mark)
			continue
		}
		last, ordered = at, ordered && at > last
		mark := w.push(itemStep(n.list, live[at]))
		w.value(d, live[at], n.element, w.ownedItem(p, n.list, live[at]))
		w.pop(mark)
	}
	for i, l := range live {
		if m.matched[i] {
			continue
		}
		mark := w.push(itemStep(n.list, l))
		owned := w.ownedItem(p, n.list, l)
		made := !owned.owned() || declared == nil && w.onlyDeployers(owned) && !w.byApply(owned) // with the object
		if !made || !w.isDefaultItem(l) {
			w.undeclared(l, n.element, owned)
		}
		w.pop(mark)
	}
	if !ordered && !n.list.set && len(w.changes) == before {
		w.change(Reordered, keysOf(n.list, declared), keysOf(n.list, live), Writer{})
	}
}

// keysOf returns what the items of a list are told apart by: the value of the
// merge key, or the values of several.
func keysOf(list *keyedList, items []any) []any {
	keys := make([]any, len(items))
	for i, item := range items {
		if len(list.keys) == 1 {
			keys[i] = list.keys[0].of(item)
		} else {
			keys[i] = itemStep(list, item).value()
		}
	}
	return keys
}

// matcher pairs declared items with live ones.
type matcher struct {
	list    *keyedList
	live    []any
	matched []bool
	next    int              // where the next declared item nearly always is
	index   map[string][]int // by key; for long lists in another order
}

// longList is the number of items from which on an index is worth its making.
const longList = 32

// find returns the index of the live item that is the declared one, and takes it;
// -1 where there is none. Items with equal keys are paired in their order.
func (m *matcher) find(declared any) int {
	var at int
	switch {
	case m.next < len(m.live) && !m.matched[m.next] && sameItem(m.list, declared, m.live[m.next]):
		at = m.next
	case len(m.live) < longList:
		at = m.scan(declared)
	default:
		at = m.lookUp(declared)
	}
	if at >= 0 {
		m.matched[at] = true
		m.next = at + 1
	}
	return at
}

func (m *matcher) scan(declared any) int {
	for i, l := range m.live {
		if !m.matched[i] && sameItem(m.list, declared, l) {
			return i
		}
	}
	return -1
}

func (m *matcher) lookUp(declared any) int {
	if m.index == nil {
		m.index = make(map[string][]int, len(m.live))
		for i, l := range m.live {
			key := itemKey(m.list, l)
			m.index[key] = append(m.index[key], i)
		}
	}
	key := itemKey(m.list, declared)
	i := slices.IndexFunc(m.index[key], func(i int) bool { return !m.matched[i] })
	if i < 0 {
		return -1
	}
	at := m.index[key][i]
	m.index[key] = m.index[key][i+1:]
	return at
}

func sameItem(list *keyedList, a, b any) bool {
	if list.set {
		return equal(a, b)
	}
	for _, k := range list.keys {
		if !equal(k.of(a), k.of(b)) {
			return false
		}
	}
	return true
}
