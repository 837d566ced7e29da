package differ

import "encoding/json"

// undeclared judges a live value that git does not declare, by who owns it, and
// reports it at the highest place at which it belongs to one side alone: a
// sidecar is one change, not twenty.
func (w *walker) undeclared(live any, n *node, p place) {
	if fields, ok := live.(map[string]any); ok && w.atLabels() {
		w.fields(nil, fields, n, p, w.skipWithin())
		return
	}
	var byController, byDeployer, byForeign bool
	for i, fields := range p {
		if fields == nil {
			continue
		}
		switch o := w.owners[i]; {
		case o.legitimate():
			byController = true
		case o.role == deployer:
			byDeployer = true
		default:
			byForeign = true
		}
	}
	switch {
	case !byController && !byDeployer && !byForeign:
		w.ownerless(live)
	case (w.ignoresWithin() || !byController && w.partly(live, n, p)) && w.divide(live, n, p):
	case !byController && !byDeployer:
		last, _ := w.lastWriter(p)
		w.change(Added, nil, live, last.writer)
	case !byDeployer && !byForeign:
		last, _ := w.lastWriter(p)
		w.controlled(live, last)
	case !byController && !byForeign && w.byApply(p):
		last, _ := w.lastWriter(p)
		w.change(Released, nil, live, last.writer)
	case !byController && w.madeItem(live, p):
	case w.divide(live, n, p): // several sides: judged one level down
	case byController:
		last, _ := w.lastWriter(p)
		w.controlled(live, last)
	default:
		w.released(live, p)
	}
}

// ownerless judges an undeclared value that nobody owns: a default of the
// server's, but for what the server never fills in.
func (w *walker) ownerless(live any) {
	if len(w.owners) == 0 && !w.fromServer(live) {
		w.unowned++
	}
	if w.inData() {
		w.change(Added, nil, live, Writer{}) // the record of who did it was removed
	}
}

// inData tells whether the walk stands on or in the data of a ConfigMap or a
// Secret, in which the server puts nothing of its own.
func (w *walker) inData() bool {
	id := w.live.ID
	return id.Group == "" && (id.Kind == "ConfigMap" || id.Kind == "Secret") &&
		(w.path[0].field == "data" || w.path[0].field == "binaryData")
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
		w.change(Added, nil, live, maker.writer)
		return true
	case made && maker.role == deployer && maker.writer.Operation == "Apply":
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
// parts, so that the others are the server's defaults. Who made the place itself
// has a record of it, ".", and owns all that came with it.
func (w *walker) partly(live any, n *node, p place) bool {
	for _, fields := range p {
		if _, made := fields["."]; made {
			return false
		}
	}
	mark := len(w.stack)
	defer func() { w.stack = w.stack[:mark] }()
	switch l := live.(type) {
	case map[string]any:
		for name := range l {
			if !w.ownedField(p, name).owned() {
				return true
			}
		}
	case []any:
		for _, item := range l {
			if n != nil && n.list != nil && !w.ownedItem(p, n.list, item).owned() {
				return true
			}
		}
	}
	return false
}

// atLabels tells whether the walk stands on the object's labels or annotations.
// They are told one by one, whoever owns them: each means something of its own.
func (w *walker) atLabels() bool {
	return w.inMetadata() && (w.path[1].field == "labels" || w.path[1].field == "annotations")
}

// inMetadata tells whether the walk stands on a field of the object's metadata.
func (w *walker) inMetadata() bool {
	return len(w.path) == 2 && w.path[0].field == "metadata"
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
// with others, and git does not declare. An applied one was in git before. With
// an update the deployer owns the server's defaults as well, and only client-side
// apply's own record of what it sent tells them apart.
func (w *walker) released(live any, p place) {
	last, _ := w.lastWriter(p)
	switch {
	case last.role == foreign:
		w.change(Added, nil, live, last.writer)
	case w.byApply(p) || w.wasApplied():
		w.change(Released, nil, live, last.writer)
	}
}

// wasApplied tells whether the current path stands in the last-applied
// configuration.
func (w *walker) wasApplied() bool {
	at := w.lastApplied()
	for _, s := range w.path {
		switch v := at.(type) {
		case map[string]any:
			if s.list != nil {
				return false
			}
			next, ok := v[s.field]
			if !ok {
				return false
			}
			at = next
		case []any:
			if s.list == nil {
				return false
			}
			m := matcher{list: s.list, live: v, matched: make([]bool, len(v))}
			i := m.scan(s.item)
			if i < 0 {
				return false
			}
			at = v[i]
		default:
			return false
		}
	}
	return true
}

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
