package differ

import (
	"slices"

	"plumbline.dev/plumbline/object"
)

// walker goes through a declared and a live object side by side and keeps, for
// the place where it stands, the path to it and each owner's records of it.
type walker struct {
	live    object.Object
	root    *node
	options Options
	owners  []owner
	secret  bool // the object is a Secret

	path    []step
	stack   []map[string]any // places; see owning
	changes []Change

	declared, attributed int // leaves that git declares; those with an owner

	applied     any // the last-applied configuration, once it was wanted
	appliedRead bool
}

func newWalker(live object.Object, t Type, o Options) *walker {
	return &walker{
		live: live, root: t.root, options: o, owners: owners(live, o),
		secret: live.ID.Group == "" && live.ID.Kind == "Secret",
		path:   make([]step, 0, 16), stack: make([]map[string]any, 0, 256),
	}
}

// compare walks declared and the live object and returns what differs.
func (w *walker) compare(declared map[string]any) Diff {
	w.changes, w.declared, w.attributed = nil, 0, 0
	w.stack = w.stack[:0]
	for _, o := range w.owners {
		w.stack = append(w.stack, o.fields)
	}
	root := place(w.stack[:len(w.stack):len(w.stack)])
	w.fields(declared, w.live.Content, w.root, root, skipAtRoot)
	slices.SortFunc(w.changes, func(a, b Change) int { return a.Path.Compare(b.Path) })
	return Diff{Changes: w.changes, Unattributed: w.declared > 0 && w.attributed == 0}
}

// skipAtRoot names the fields that are not compared: identity, which is equal,
// and what only the server writes.
func skipAtRoot(name string) bool {
	return name == "apiVersion" || name == "kind" || name == "status"
}

func skipInMetadata(name string) bool {
	switch name {
	case "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
		"managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds":
		return true
	}
	return false
}

// lastAppliedAnnotation is client-side apply's own record. It is not compared:
// it repeats the object, with the values of a Secret.
const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration"

func skipAnnotation(name string) bool { return name == lastAppliedAnnotation }

func skipNothing(string) bool { return false }

// fields compares two mappings key by key.
func (w *walker) fields(declared, live map[string]any, n *node, p place, skip func(string) bool) {
	for name, l := range live {
		if skip(name) {
			continue
		}
		mark := w.push(fieldStep(name))
		owned := w.ownedField(p, name)
		if d, ok := declared[name]; ok && d != nil {
			w.value(d, l, n.field(name), owned)
		} else if !n.isDefault(name, l) {
			w.undeclared(l, n.field(name), owned)
		}
		w.pop(mark)
	}
	for name, d := range declared {
		if _, ok := live[name]; ok || skip(name) {
			continue
		}
		mark := w.push(fieldStep(name))
		w.absent(d)
		w.pop(mark)
	}
}

// skipWithin returns which of a mapping's keys are not compared.
func (w *walker) skipWithin() func(string) bool {
	switch {
	case len(w.path) == 1 && w.path[0].field == "metadata":
		return skipInMetadata
	case len(w.path) == 2 && w.path[0].field == "metadata" && w.path[1].field == "annotations":
		return skipAnnotation
	default:
		return skipNothing
	}
}

// value compares a declared value with the live one at the same place.
func (w *walker) value(declared, live any, n *node, p place) {
	if o, ok := declared.(omitted); ok {
		declared = o.value
	}
	switch d := declared.(type) {
	case map[string]any:
		if l, ok := live.(map[string]any); ok && (n == nil || !n.atomic) {
			w.fields(d, l, n, p, w.skipWithin())
			return
		}
	case []any:
		if l, ok := live.([]any); ok && n != nil && n.list != nil {
			w.items(d, l, n, p)
			return
		}
	}
	w.leaf(declared, live, p)
}

// leaf compares values that stand or fall as a whole.
func (w *walker) leaf(declared, live any, p place) {
	w.declared++
	if p.owned() {
		w.attributed++
	}
	if equal(declared, live) || w.completed(declared, live, p) {
		return
	}
	last, known := w.lastWriter(p)
	switch {
	case known && last.role == controller && empty(declared):
		w.controlled(live, last) // git leaves a place for the controller to fill in
	case known && last.role == controller:
		w.change(Contested, declared, live, last.writer)
	case known:
		w.change(Modified, declared, live, last.writer)
	default:
		w.change(Modified, declared, live, Writer{})
	}
}

// completed tells whether a whole value differs only in what the server filled
// in. Records do not reach into a whole value, but whoever changes any part of
// it owns all of it: as long as only the deployer does, what stands there beside
// the declared is a default.
func (w *walker) completed(declared, live any, p place) bool {
	for i, fields := range p {
		if fields != nil && w.owners[i].role != deployer {
			return false
		}
	}
	return p.owned() && within(declared, live)
}

// within tells whether live has everything that declared has, in the same order,
// and perhaps more keys.
func within(declared, live any) bool {
	switch d := declared.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return false
		}
		for name, v := range d {
			other, ok := l[name]
			if !ok && !empty(v) || ok && !within(v, other) {
				return false
			}
		}
		return true
	case []any:
		l, ok := live.([]any)
		if !ok || len(d) != len(l) {
			return false
		}
		for i := range d {
			if !within(d[i], l[i]) {
				return false
			}
		}
		return true
	case omitted:
		return within(d.value, live)
	default:
		return equal(declared, live)
	}
}

// items compares two lists whose items have keys, or two sets.
func (w *walker) items(declared, live []any, n *node, p place) {
	var short [64]bool // on the stack, for the lists that nearly all are
	matched := short[:min(len(live), len(short))]
	if len(live) > len(short) {
		matched = make([]bool, len(live))
	}
	for i, d := range declared {
		at := findItem(n.list, d, live, matched, i)
		if at < 0 {
			mark := w.push(itemStep(n.list, d))
			w.absent(d)
			w.pop(mark)
			continue
		}
		matched[at] = true
		mark := w.push(itemStep(n.list, live[at]))
		w.value(d, live[at], n.element, w.ownedItem(p, n.list, live[at]))
		w.pop(mark)
	}
	for i, l := range live {
		if matched[i] {
			continue
		}
		mark := w.push(itemStep(n.list, l))
		w.undeclared(l, n.element, w.ownedItem(p, n.list, l))
		w.pop(mark)
	}
}

// findItem returns the index of the live item that is the declared one, trying
// the same index first, where it nearly always is. Items with equal keys are
// paired in their order.
func findItem(list *keyedList, declared any, live []any, matched []bool, guess int) int {
	if guess < len(live) && !matched[guess] && sameItem(list, declared, live[guess]) {
		return guess
	}
	for i, l := range live {
		if !matched[i] && sameItem(list, declared, l) {
			return i
		}
	}
	return -1
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

// absent reports a declared value that the live object does not have. Null and
// what the server would not store are the same as nothing.
func (w *walker) absent(declared any) {
	switch d := declared.(type) {
	case nil, omitted:
		return
	case map[string]any:
		if len(d) > 0 && allOmitted(d) {
			return
		}
	}
	w.declared++
	w.change(Removed, declared, nil, Writer{})
}

func allOmitted(fields map[string]any) bool {
	for _, v := range fields {
		switch v := v.(type) {
		case nil, omitted:
		case map[string]any:
			if !allOmitted(v) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func (w *walker) push(s step) int {
	w.path = append(w.path, s)
	return len(w.stack)
}

func (w *walker) pop(mark int) {
	w.path = w.path[:len(w.path)-1]
	w.stack = w.stack[:mark]
}
