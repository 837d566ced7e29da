package differ

import "slices"

// completed tells whether a whole value differs only in what the server filled
// in. Records do not reach into a whole value, but whoever changes any part of
// it owns all of it: what only the deployer owns it sent, or the cluster put in on
// the way if there is anything that does so.
func (w *walker) completed(declared, live any, n *node, p place) bool {
	in := whole{field: w.path[len(w.path)-1].field}
	if w.within(declared, live, n, in) || w.isStored(live) {
		return true
	}
	if p.owned() && !w.onlyDeployers(p) {
		return false
	}
	// A server that is newer than this program has fields of which it knows no
	// default.
	if w.builtin && !w.stored.Alone && w.within(declared, w.asKnown(w.path), n, in) {
		w.doubt()
		return true
	}
	in.open = true
	switch {
	case !w.within(declared, live, n, in):
		return false
	case w.pod:
		return true
	case w.stored.Alone:
		return false
	case w.root == nil:
		w.doubt()
		return true
	case w.byApply(p) || !p.owned():
		return false
	}
	if !w.options.Mutated {
		w.presume()
		return false
	}
	w.doubt()
	return true
}

// onlyDeployers tells whether the place has owners and each is the deployer.
func (w *walker) onlyDeployers(p place) bool {
	for i, fields := range p {
		if fields != nil && w.owners[i].role != deployer {
			return false
		}
	}
	return p.owned()
}

// whole is where a walk within a whole value stands.
type whole struct {
	field string
	open  bool // whatever else stands there may have been put in on the way
}

// within tells whether live has everything that declared has, in the same order,
// and perhaps more of the type's named fields. A mapping of free keys, such as a
// selector, has no defaults: what stands there was put there.
func (w *walker) within(declared, live any, n *node, in whole) bool {
	switch d := declared.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		return ok && w.fieldsWithin(d, l, n, in)
	case []any:
		l, ok := live.([]any)
		if !ok || len(d) != len(l) {
			return false
		}
		for i := range d {
			if !w.within(d[i], l[i], n.item(), in) {
				return false
			}
		}
		return true
	case omitted:
		return w.within(d.value, live, n, in)
	default:
		return equal(declared, live) || n.sameQuantity(declared, live)
	}
}

func (w *walker) fieldsWithin(declared, live map[string]any, n *node, in whole) bool {
	for name, v := range declared {
		l, ok := live[name]
		null := v == nil && n.nullable(name) // a value of its own
		switch {
		case !ok && (!w.mayLack(v) || null && !w.updates()):
			return false
		case ok && w.unsaid(name, v) && !null && w.isDefault(in.field, name, l, live, n):
		case ok && w.isDictated(in.field, name, l, n.field(name)):
		case ok && !w.within(v, l, n.field(name), whole{name, in.open}):
			return false
		}
	}
	for name, v := range live {
		if _, ok := declared[name]; ok {
			continue
		}
		if (!in.open || !n.completes(name)) && !w.isDefault(in.field, name, v, live, n) {
			return false
		}
	}
	return true
}

// unsaid tells whether what is declared of a field is as good as absent, so that the
// server fills in its default.
func (w *walker) unsaid(name string, declared any) bool {
	return declared == nil || w.builtin && (blank(declared) || empty(declared) && declared != false && slices.Contains(zeroIsUnset, name) && w.live.ID.Group == flowControl)
}

// zeroIsUnset are the numbers of the group for which zero is as good as absent though
// the API writes it out. Source: k8s.io/kubernetes/pkg/apis/flowcontrol/v1/defaults.go.
var zeroIsUnset = []string{"matchingPrecedence", "queues", "handSize", "queueLengthLimit"}

const flowControl = "flowcontrol.apiserver.k8s.io"

// mayLack tells whether the server may have dropped a declared value. What it is
// known to drop is marked; of a kind without a schema it is a guess.
func (w *walker) mayLack(declared any) bool {
	_, dropped := declared.(omitted)
	return declared == nil || dropped || w.root == nil && empty(declared)
}

// completes tells whether the server may fill in the field of a whole value.
func (n *node) completes(name string) bool {
	if n == nil {
		return true
	}
	_, named := n.fields[name]
	return named || !n.open || n.element == nil
}

// withoutAdmitted returns v, but a bare Pod's tolerations without those that admission
// adds to every Pod, so that nodes may fail for five minutes. The list is whole,
// and so no record tells them from the declared.
func (w *walker) withoutAdmitted(v any) any {
	if !w.pod || len(w.path) != 2 || w.path[0].field != "spec" || w.path[1].field != "tolerations" {
		return v
	}
	list, ok := v.([]any)
	if !ok {
		return v
	}
	kept := make([]any, 0, len(list))
	for _, item := range list {
		t, _ := item.(map[string]any)
		key := t["key"]
		if (key == "node.kubernetes.io/not-ready" || key == "node.kubernetes.io/unreachable") &&
			t["operator"] == "Exists" && t["effect"] == "NoExecute" {
			continue
		}
		kept = append(kept, item)
	}
	return kept
}

// isEveryPods tells whether the value is the tolerations that every Pod gets, and
// for as long as it gets them by default.
func (w *walker) isEveryPods(v any) bool {
	list, ok := v.([]any)
	rest, _ := w.withoutAdmitted(v).([]any)
	return ok && w.pod && len(list) > 0 && len(rest) == 0 && !slices.ContainsFunc(list, func(item any) bool {
		t, _ := item.(map[string]any)
		return !equal(t["tolerationSeconds"], int64(300))
	})
}
