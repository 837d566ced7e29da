package differ

import (
	"encoding/json"
	"slices"
)

// undeclared judges a live value that git does not declare, by who owns it, and
// reports it at the highest place at which it belongs to one side alone: a
// sidecar is one change, not twenty.
func (w *walker) undeclared(live any, n *node, p place) {
	fields, isMap := live.(map[string]any)
	by := w.claims(p)
	switch {
	case isMap && (w.atLabels() || w.atMetadata()):
		w.fields(nil, fields, n, p, w.skipWithin())
	case !by.controller && w.stored.Alone && w.isStored(live): // the server puts it there
	case by == claims{}:
		w.ownerless(live, n)
	case w.isVoid(live), w.isDerived(live) && !w.declaresLabels(), w.isEveryPods(live):
	case by == claims{deployer: true} && w.atMark(p):
	case w.atLeader() && !by.deployer && !w.lastWriter(p).writer.Person:
		w.controlled(live, w.lastWriter(p))
	case (w.ignoresWithin() || w.partly(live, n, p, by)) && w.divide(live, n, p):
	case by == claims{foreign: true}, by.foreign && w.overwrites(p):
		w.change(Added, nil, live, w.lastWriter(p).writer)
	case by == claims{controller: true}:
		w.controlled(live, w.lastWriter(p))
	case by == claims{deployer: true} && w.byApply(p):
		w.dropped(live, n, p)
	case by == claims{deployer: true} && isMap && len(fields) > 0 && w.isHollow(n, p):
		w.fields(nil, fields, n, p, w.skipWithin())
	case !by.controller && w.madeItem(live, p):
	case w.divide(live, n, p): // several sides: judged one level down
	case by.controller:
		w.controlled(live, w.lastWriter(p))
	default:
		w.released(live, p)
	}
}

// overwrites tells whether somebody else than those who may has written a Secret's value
// by its stringData: unlike of other values with several owners, nothing says that
// they all wrote the same.
func (w *walker) overwrites(p place) bool {
	return w.secret && w.inData() && len(w.path) == 2 && w.lastWriter(p).role == foreign
}

// claims are the sides to which a place belongs.
type claims struct{ controller, deployer, foreign bool }

func (w *walker) claims(p place) claims {
	var by claims
	for i, fields := range p {
		if fields == nil {
			continue
		}
		switch o := w.owners[i]; {
		case o.legitimate():
			by.controller = true
		case o.role == deployer:
			by.deployer = true
		default:
			by.foreign = true
		}
	}
	return by
}

// dropped reports what the deployer applied and git no longer declares. Of a
// structure that it applied empty only the place is the deployer's.
func (w *walker) dropped(live any, n *node, p place) {
	fields, ok := live.(map[string]any)
	switch {
	case ok && w.isHollow(n, p):
		w.fields(nil, fields, n, p, w.skipWithin())
	case !w.isKept() && !w.isVoid(live) && (!w.pod || !blank(w.withoutAdmitted(live))):
		w.change(Released, nil, live, w.lastWriter(p).writer)
	}
}

// isHollow tells whether the owners of a structure own the place alone, as of one that
// they wrote empty, and so nothing of what is in it. Of an item it says that there are
// two with one key, which are owned as a whole.
func (w *walker) isHollow(n *node, p place) bool {
	return n != nil && !n.atomic && len(n.fields) > 0 && !w.divided(p) && w.path[len(w.path)-1].list == nil
}

// ownerless judges an undeclared value that nobody owns and that is no default
// of the server's. Nobody can write a field without a record of it, so that the
// record was removed, or replaced.
func (w *walker) ownerless(live any, n *node) {
	switch {
	case w.inData():
		w.change(Added, nil, live, Writer{}) // the server puts nothing there, whatever the records say
	case w.options.Unrecorded || w.explained(live) || w.isNewer():
	case w.splits(live, n):
	case w.doubtful():
	default:
		w.unrecorded(live)
	}
}

// explained tells whether a value that is no default came from the cluster all the
// same: from what it assigns, or from what is known to mark objects on their way,
// perhaps each time with another value.
func (w *walker) explained(live any) bool {
	return w.isServers(live) || w.stored.Alone && w.isLabel() && at(w.stored.Content, w.path) != nil
}

// doubtful tells whether a value that nothing explains may have come from the
// cluster: from a version that this program does not know, or from what changes
// objects on their way.
func (w *walker) doubtful() bool {
	switch {
	case w.stored.Alone:
		return false
	case w.root == nil || w.options.Mutated:
		w.doubt()
		return true
	}
	return w.isNewer()
}

// presume notes that a value is told because nothing changes objects of the kind on
// their way, unless the server itself has said so.
func (w *walker) presume() { w.presumed = w.presumed || !w.stored.Alone }

// isServers tells whether the current place is filled in by the server or was, with
// values that another object would not get. Much is put into a Pod on its way in
// every cluster, some of it under names made up for that Pod.
func (w *walker) isServers(live any) bool {
	inPod := w.pod && w.path[0].field == "spec"
	return inPod || w.isVoid(live) || w.isAssigned() || w.isAdmitted() || w.isDerived(live) || w.isOutlived(live)
}

// isStored tells whether the server is known to store this very value at the
// current place.
func (w *walker) isStored(live any) bool {
	return w.stored.Content != nil && live != nil && equal(at(w.stored.Content, w.path), live)
}

// unapplied tells whether a value that the deployer owns by an update did not come
// from the cluster: it deployed something that git does not have, or what it deployed
// before was kept when it left that out.
func (w *walker) unapplied(live any) bool {
	if w.explained(live) || w.doubtful() {
		return false
	}
	w.presume()
	return true
}

// unrecorded reports an ownerless value as an addition by nobody known. Whoever
// wrote a custom resource in another version may have put it there under another
// name, and a controller may.
func (w *walker) unrecorded(live any) {
	other, ok := w.inAnotherVersion()
	if !ok || w.builtin && other.role != foreign {
		other = owner{}
	} else if other.role != foreign {
		return
	}
	w.presume()
	w.change(Added, nil, live, other.writer)
}

// splits judges the parts of an ownerless list, or of a structure that the server
// makes itself, one by one, for it may have filled in some.
func (w *walker) splits(live any, n *node) bool {
	if last := w.path[len(w.path)-1]; n == nil || n.atomic || last.list != nil {
		return false
	}
	switch l := live.(type) {
	case map[string]any:
		if len(n.fields) > 0 && len(l) > 0 && w.isMade() {
			w.fields(nil, l, n, nil, w.skipWithin())
			return true
		}
	case []any:
		if n.list != nil {
			w.items(nil, l, n, nil)
			return true
		}
	}
	return false
}

// madeItem reports an item of a list that the deployer and others own parts of, as
// the API server takes it when git is applied: it stays if somebody else made it
// too, and goes as a whole if only the deployer did.
func (w *walker) madeItem(live any, p place) bool {
	if w.path[len(w.path)-1].list == nil {
		return false
	}
	var maker owner
	made := false
	for i, fields := range p {
		if _, ok := fields["."]; ok && (!made || w.owners[i].role < maker.role) {
			maker, made = w.owners[i], true
		}
	}
	switch {
	case made && maker.role == foreign:
		if last := w.lastWriter(p); last.role == foreign { // somebody may have changed parts of it since
			maker = last
		}
		w.change(Added, nil, live, maker.writer)
		return true
	case made && maker.role == deployer && (maker.writer.Operation == "Apply" || w.wasApplied() || w.unapplied(live)):
		w.change(Released, nil, live, maker.writer)
		return true
	}
	return false
}

// byApply tells whether the deployer applied the place: what it applied was in
// git, and is no default.
func (w *walker) byApply(p place) bool {
	for i, fields := range p {
		if fields != nil && w.owners[i].role == deployer && w.owners[i].writer.Operation == "Apply" {
			return true
		}
	}
	return false
}

// partly tells whether the owners of an undeclared value own only some of its
// parts, so that the others are the server's defaults: of a structure that the
// server makes itself, or of a list. Beside a controller's parts each is looked at
// for itself, so that they hide nothing. Who made the place itself has a record of it,
// ".", and owns all that came with it.
func (w *walker) partly(live any, n *node, p place, by claims) bool {
	if _, ok := live.(map[string]any); ok && n != nil && len(n.fields) > 0 && !by.controller && !w.isMade() && w.path[len(w.path)-1].list == nil {
		return false
	}
	for _, fields := range p {
		if _, made := fields["."]; made && !by.controller {
			return false
		}
	}
	if !w.divided(p) {
		return false // it is one side's as a whole
	}
	mark := len(w.stack)
	defer func() { w.stack = w.stack[:mark] }()
	switch l := live.(type) {
	case map[string]any:
		for name, v := range l {
			if sub := w.ownedField(p, name); !sub.owned() || by.controller && w.partly(v, n.field(name), sub, by) {
				return true
			}
		}
	case []any:
		if n == nil || n.list == nil {
			return false
		}
		for _, item := range l {
			if sub := w.ownedItem(p, n.list, item); !sub.owned() || by.controller && w.partly(item, n.element, sub, by) {
				return true
			}
		}
	}
	return false
}

// isVoid tells whether a value is null, or a structure of nothing else, as the
// server writes what some kinds have no other way to leave out.
func (w *walker) isVoid(v any) bool {
	fields, _ := v.(map[string]any)
	for _, inner := range fields {
		if !w.builtin || !w.isVoid(inner) {
			return false
		}
	}
	return v == nil || len(fields) > 0
}

// isMade tells whether the server makes the structure at the current place where
// it is absent.
func (w *walker) isMade() bool {
	_, ok := w.defaultHere().(map[string]any)
	return ok
}

// divide judges the parts of an undeclared value of several owners one by one.
// It returns false for a value that has no parts of its own.
func (w *walker) divide(live any, n *node, p place) bool {
	switch l := live.(type) {
	case map[string]any:
		if n != nil && n.atomic || len(l) == 0 || !w.divided(p) {
			return false
		}
		w.fields(nil, l, n, p, w.skipWithin())
		return true
	case []any:
		if n == nil || n.list == nil || len(l) == 0 || !w.divided(p) {
			return false
		}
		w.items(nil, l, n, p)
		return true
	}
	return false
}

// divided tells whether the records go deeper than the place itself.
func (w *walker) divided(p place) bool {
	for _, fields := range p {
		if len(fields) > 0 {
			return true
		}
	}
	return false
}

// released judges a value without parts that the deployer owns, perhaps together
// with others, and git does not declare. It is no default, and so was in git
// before, or the cluster put it in when the deployer wrote. An apply, and
// client-side apply's own record of what it sent, tell these apart.
func (w *walker) released(live any, p place) {
	last := w.lastWriter(p)
	switch {
	case last.role == foreign:
		w.change(Added, nil, live, last.writer)
	case w.byApply(p) || w.wasApplied() || w.inData() || !w.isUnset(live) && w.unapplied(live):
		w.change(Released, nil, live, last.writer)
	}
}

// isUnset tells whether the value is what those write who send every field that
// they know, and is as good as none to the server.
func (w *walker) isUnset(v any) bool {
	return w.builtin && len(w.path) == 1 && w.path[0].field == "immutable" && v == false
}

// updates tells whether the deployer writes with updates alone.
func (w *walker) updates() bool {
	return !w.applies() && slices.ContainsFunc(w.owners, func(o owner) bool { return o.role == deployer })
}

// applies tells whether the deployer uses server-side apply.
func (w *walker) applies() bool {
	return slices.ContainsFunc(w.owners, func(o owner) bool {
		return o.role == deployer && o.writer.Operation == "Apply"
	})
}

// wasApplied tells whether the current path stands in the last-applied
// configuration.
func (w *walker) wasApplied() bool { return at(w.lastApplied(), w.path) != nil }

func (w *walker) lastApplied() any {
	if w.appliedRead {
		return w.applied
	}
	w.appliedRead = true
	metadata, _ := w.live.Content["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	if text, ok := annotations[lastAppliedAnnotation].(string); ok {
		// A damaged annotation is as good as none.
		_ = json.Unmarshal([]byte(text), &w.applied)
	}
	return w.applied
}
