package differ

import (
	"slices"
	"sync"

	"plumbline.dev/plumbline/object"
)

// walker goes through a declared and a live object side by side and keeps, for
// the place where it stands, the path to it and each owner's records of it.
type walker struct {
	live    object.Object
	git     map[string]any // what is declared
	root    *node
	options Options
	owners  []owner
	secret  bool // the object is a Secret
	pod     bool // the object is a Pod
	builtin bool // the object is of one of Kubernetes' own kinds

	*room
	changes []Change
	ignore  []Ignore  // the rules, once they count
	sides   sides     // where they look
	ignored []Ignored // by them

	presumed                    bool // see Diff.PresumesNoMutation
	attributed, ownerlessLeaves int  // leaves that git declares and the live object has

	rewrites []Rewritten // see Diff.Rewritten

	spellings map[recordsOf]map[string]string // see respelled

	stored Stored // what the server makes of the declared object, once it was asked
	unsure []Path // what was kept quiet and the server could tell more of

	known map[string]any // the live object as far as our Go types know it; see isNewer

	applied     any // the last-applied configuration, once it was wanted
	appliedRead bool
}

func newWalker(live object.Object, t Type, o Options) *walker {
	return &walker{
		live: live, root: t.root, options: o, owners: owners(live, o),
		secret:  live.ID.Group == "" && live.ID.Kind == "Secret",
		pod:     live.ID.Group == "" && live.ID.Kind == "Pod",
		builtin: kinds().Recognizes(gvk(live.ID)),
		room:    rooms.Get().(*room),
	}
}

// room is what a walk writes its way down in.
type room struct {
	path  []step
	stack []map[string]any // places; see owning
}

// rooms are those of walks that have ended: nothing of them is in what they found.
var rooms = sync.Pool{New: func() any { return &room{make([]step, 0, usualPath), make([]map[string]any, 0, usualStack)} }}

// Most objects need no more room.
const usualPath, usualStack = 16, 64

// leave gives the room to the next walk, unless an unusual object has made it large.
func (w *walker) leave() {
	if cap(w.path) > usualPath || cap(w.stack) > usualStack {
		return
	}
	clear(w.path[:cap(w.path)])
	clear(w.stack[:cap(w.stack)])
	rooms.Put(w.room)
	w.room = nil
}

// compare walks declared and the live object and returns what differs.
func (w *walker) compare(declared map[string]any) Diff {
	w.git = declared
	w.changes, w.ignored, w.presumed, w.attributed, w.ownerlessLeaves = nil, nil, false, 0, 0
	w.stack, w.unsure, w.rewrites = w.stack[:0], nil, nil
	for _, o := range w.owners {
		w.stack = append(w.stack, o.fields)
	}
	root := place(w.stack[:len(w.stack):len(w.stack)])
	w.fields(declared, w.live.Content, w.root, root, skipAtRoot)
	slices.SortStableFunc(w.changes, func(a, b Change) int { return a.Path.Compare(b.Path) })
	slices.SortStableFunc(w.ignored, func(a, b Ignored) int { return a.Path.Compare(b.Path) })
	diff := Diff{
		Changes: w.changes, Ignored: w.ignored,
		Unattributed: w.unattributed() && !w.options.Unrecorded, PresumesNoMutation: w.presumed,
		Unconfirmed: w.unconfirmed(),
	}
	if w.options.Rewritten {
		slices.SortStableFunc(w.rewrites, func(a, b Rewritten) int { return a.Path.Compare(b.Path) })
		diff.Rewritten, diff.Disguised = w.rewrites, w.disguised()
	}
	return diff
}

// doubt notes that the current place is kept quiet and that the server could tell
// more of it.
func (w *walker) doubt() { w.unsure = append(w.unsure, pathOf(w.path)) }

func (w *walker) unconfirmed() []Path {
	slices.SortFunc(w.unsure, Path.Compare)
	return slices.CompactFunc(w.unsure, func(a, b Path) bool { return a.Compare(b) == 0 })
}

// unattributed tells whether the records of who wrote what are gone. Of an
// object that declares nothing but its name there may never have been any.
func (w *walker) unattributed() bool { return w.ownerlessLeaves > 0 && w.attributed == 0 }

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

// generationAnnotation is what the server keeps in each DaemonSet, whoever writes
// it.
const generationAnnotation = "deprecated.daemonset.template.generation"

func skipAnnotation(name string) bool {
	return name == lastAppliedAnnotation || name == generationAnnotation
}

func skipNothing(string) bool { return false }

// fields compares two mappings key by key.
func (w *walker) fields(declared, live map[string]any, n *node, p place, skip func(string) bool) {
	for name, l := range live {
		if skip(name) {
			continue
		}
		mark := w.push(fieldStep(name))
		owned := w.ownedField(p, name)
		d, ok := declared[name]
		switch {
		case ok && w.unsaid(name, d) && !n.nullable(name) && w.isDefault(w.parent(), name, l, live, n):
		case ok && d == nil && n.nullable(name):
			w.leaf(nil, l, n.field(name), owned)
		case ok:
			w.value(d, l, n.field(name), owned)
		case (w.isTaken(declared, name, n, owned) || !w.isDefault(w.parent(), name, l, live, n)) && !w.followsFrom(declared, name, l):
			w.undeclared(l, n.field(name), owned)
		}
		w.pop(mark)
	}
	for name, d := range declared {
		if _, ok := live[name]; ok || skip(name) {
			continue
		}
		mark := w.push(fieldStep(name))
		if d == nil && n.nullable(name) && !w.updates() {
			w.change(Removed, nil, nil, Writer{})
		} else {
			w.absent(d, n.field(name))
		}
		w.pop(mark)
	}
}

// parent names the field that holds the mapping of which the walk stands on a
// key: for an item of a list, the list.
func (w *walker) parent() string {
	for i := len(w.path) - 2; i >= 0; i-- {
		if w.path[i].list == nil {
			return w.path[i].field
		}
	}
	return ""
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
		if w.leftToServer(declared, p) {
			return
		}
	}
	if live == nil && (declared == nil || w.builtin && blank(declared)) {
		return // the server writes an empty list as null where its kind has no other way
	}
	switch d := declared.(type) {
	case nil:
		w.unset(live, n, p)
		return
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
	w.leaf(declared, live, n, p)
}

// unset judges a live value where git says null: that is as good as not to
// declare it, but that the deployer who applies null owns what the server puts
// there.
func (w *walker) unset(live any, n *node, p place) {
	if w.onlyDeployers(p) && !w.divided(p) && (w.isAssigned() || w.isOutlived(live) || w.isNewer()) {
		return
	}
	w.undeclared(live, n, p)
}

// leftToServer tells whether a declared value that the server does not store,
// such as an empty clusterIP, has been replaced by one of the server's choice. A
// boolean is none of these: false and absent are the same, and true is not.
func (w *walker) leftToServer(declared any, p place) bool {
	switch declared.(type) {
	case string, int64, float64:
		return empty(declared) && (!p.owned() || w.onlyDeployers(p) && (!w.byApply(p) || w.pod || w.isAssigned() || w.isAdmitted()))
	}
	return false
}

// leaf compares values that stand or fall as a whole.
func (w *walker) leaf(declared, live any, n *node, p place) {
	if p.owned() {
		w.attributed++
	} else if !blank(live) && !w.wasApplied() { // an update leaves no record of what is empty
		w.ownerlessLeaves++
	}
	same := equal(declared, live)
	if same && w.options.Rewritten {
		w.rewritten(p)
	}
	if same || n.sameQuantity(declared, live) || w.completed(w.withoutAdmitted(declared), w.withoutAdmitted(live), n, p) {
		return
	}
	last, known := w.lastWriter(p), p.owned()
	switch {
	case empty(declared) && w.isKept() && (!known || w.onlyDeployers(p)):
		// git leaves it to the server
	case empty(declared) && w.isKept() && last.role == foreign:
		w.change(Added, nil, live, last.writer) // and somebody else has not
	case known && w.atLeader() && !last.writer.Person:
		w.change(Contested, declared, live, last.writer)
	case known && last.role == controller && blank(declared):
		w.controlled(live, last) // git leaves a place for the controller to fill in
	case known && last.role == controller:
		w.change(Contested, declared, live, last.writer)
	case known:
		w.change(Modified, declared, live, last.writer)
	default:
		w.change(Modified, declared, live, w.writerAbove())
	}
}

// absent reports a declared value that the live object does not have. Null and
// what the server would not store are the same as nothing.
func (w *walker) absent(declared any, n *node) {
	switch d := declared.(type) {
	case nil, omitted:
		return
	case map[string]any:
		if w.atLabels() || w.ignoresWithin() && len(d) > 0 && (n == nil || !n.atomic) {
			w.fields(d, nil, n, nil, w.skipWithin())
			return
		}
	case []any:
		switch keyed := n != nil && n.list != nil; {
		case keyed && len(d) == 0:
			return // an apply merges no items into none
		case keyed && w.ignoresWithin():
			w.items(d, nil, n, nil)
			return
		}
	}
	if w.stored.Content != nil && at(w.stored.Content, w.path) == nil {
		return // the server drops it
	}
	if w.inMetadata() && empty(declared) {
		return // the server keeps no empty ones, of whatever kind
	}
	w.change(Removed, declared, nil, Writer{})
}

func (w *walker) push(s step) int {
	w.path = append(w.path, s)
	return len(w.stack)
}

func (w *walker) pop(mark int) {
	w.path = w.path[:len(w.path)-1]
	w.stack = w.stack[:mark]
}
