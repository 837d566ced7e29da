package source

import (
	"slices"

	"plumbline.dev/plumbline/object"
)

// owners finds the objects that made others. An owner counts only where it is
// among the live objects by its UID and is called the controller. That is no proof:
// who forges an owner's name changes under which object a finding stands, and not
// whether there is one.
type owners struct {
	live []object.Packed
	// uids are made once somebody asks: where nothing is found, nobody does.
	uids map[string]int
}

func newOwners(live []object.Packed) *owners { return &owners{live: live} }

// byUID returns the index of a live object.
func (w *owners) byUID(uid string) (int, bool) {
	if w.uids == nil {
		w.uids = make(map[string]int, len(w.live))
		for i, l := range w.live {
			if uid := l.Object().Metadata("uid"); uid != "" {
				w.uids[uid] = i
			}
		}
	}
	i, ok := w.uids[uid]
	return i, ok
}

// above returns the indices of an object's owners, the nearest first. Objects that own
// each other have none, or each would be told at the other and nowhere.
func (w *owners) above(o object.Object) []int {
	var chain []int
	self := o.Metadata("uid")
	for {
		i, ok := w.byUID(object.Text(o.Controller(), "uid"))
		if !ok {
			return chain
		}
		o = w.live[i].Object()
		if o.Metadata("uid") == self || slices.Contains(chain, i) {
			return nil
		}
		chain = append(chain, i)
	}
}

// root returns the topmost owner of an object, or the object.
func (w *owners) root(o object.Object) object.ID {
	if chain := w.above(o); len(chain) > 0 {
		return w.live[chain[len(chain)-1]].ID
	}
	return o.ID
}

// idle says whether an object is a ReplicaSet that its Deployment keeps at no
// replicas.
func (w *owners) idle(o object.Object) bool {
	if o.ID.Kind != "ReplicaSet" || o.ID.Group != "apps" {
		return false
	}
	spec, _ := o.Content["spec"].(map[string]any)
	if none := spec["replicas"] == int64(0) || spec["replicas"] == float64(0); !none {
		return false
	}
	_, owned := w.byUID(object.Text(o.Controller(), "uid"))
	return owned
}
