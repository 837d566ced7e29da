package rogue

import (
	"slices"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// judge is one look at a World.
type judge struct {
	policy        *Policy
	world         World
	items         []*item // in the order of their IDs
	byUID         map[string]*item
	byID          object.Index[*item]
	declared      object.Index[object.Origin]
	made          *made
	claims        map[key][]*item // StatefulSets by what their claims' names begin with
	distributions map[distribution]bool
	unjudged      []Unjudged
	// fits is what the last Pod has that does not differ from its owner's template.
	fits *comparison
}

func newJudge(p *Policy, w World) *judge {
	j := &judge{
		policy: p, world: w,
		items: make([]*item, 0, len(w.Live)), byUID: make(map[string]*item, len(w.Live)),
	}
	for n := range w.Declared {
		j.declared.Put(w.Declared[n].ID, w.Declared[n].Origin)
	}
	items := make([]*item, len(w.Live))
	memory, looked := make([]item, len(w.Live)), &looks{}
	for n := range w.Live {
		i := &memory[n]
		i.looks = looked
		i.read(&w.Live[n])
		if n > 0 && i.ID.Kind == items[n-1].ID.Kind && i.ID.Group == items[n-1].ID.Group {
			i.kind, i.passing = items[n-1].kind, items[n-1].passing
		} else {
			i.kind, i.passing = kindOf(i.ID), Passing(i.ID)
		}
		i.declared = j.declared.Has(i.ID)
		items[n] = i
	}
	slices.SortFunc(items, func(a, b *item) int { return a.ID.Compare(b.ID) })
	j.index(items)
	j.made = p.makes(w.Declared)
	return j
}

// index takes the items in. A server may serve an object as of two groups: it is one
// all the same, and the declared one of the two if either is.
func (j *judge) index(items []*item) {
	for _, i := range items {
		if i.declared && i.uid != "" {
			j.byUID[i.uid] = i
		}
	}
	for _, i := range items {
		other, ok := j.byUID[i.uid]
		if ok && i.uid != "" && other != i {
			j.byID.Put(i.ID, other)
			continue
		}
		if other != i {
			j.byUID[i.uid] = i
		}
		j.byID.Put(i.ID, i)
		j.items = append(j.items, i)
	}
}

// stand tells what an object stands or falls with: nil for what is declared, made by
// the cluster, or checked to belong to such; else the rogue at its root.
func (j *judge) stand(i *item) *item {
	switch i.state {
	case seen:
		return i.root
	case seeing:
		i.doubt = doubt{text: "it belongs to itself, by way of its owners", evidence: finding.Checked}
		return i
	}
	i.state = seeing
	i.root = j.rootOf(i)
	i.state = seen
	return i.root
}

func (j *judge) rootOf(i *item) *item {
	switch {
	case i.declared, j.made.covers(j, i):
		return nil
	case j.isBuiltIn(i):
		if d, ok := j.tampered(i); ok {
			i.doubt = d
			return i
		}
		return nil
	}
	owner, d := j.ownerOf(i)
	if owner == nil {
		i.doubt = d
		return i
	}
	root := j.stand(owner)
	if root == i { // owners that own each other
		return i
	}
	if i.owner = owner; root == nil || j.policy.governs(root.ID) {
		return root
	}
	i.doubt = doubt{text: "it belongs to " + owner.ID.String() + ", which nobody declared either", evidence: finding.Checked}
	return i
}

// rogues are the findings about the objects at the roots, each with what belongs to
// it.
func (j *judge) rogues() []finding.Finding {
	children := map[*item][]object.ID{}
	for _, i := range j.items {
		if i.state == seen && i.root != nil && i.root != i {
			children[i.root] = append(children[i.root], i.ID)
		}
	}
	var result []finding.Finding
	for _, i := range j.items {
		if i.state == seen && i.root == i && !i.doubt.unjudged && j.policy.governs(i.ID) {
			result = append(result, j.tell(i, children[i]))
		}
	}
	return result
}

// unsure records that an object cannot be judged.
func (j *judge) unsure(i *item, reason string) {
	if j.policy.governs(i.ID) {
		j.unjudged = append(j.unjudged, Unjudged{Object: i.ID, Reason: reason})
	}
}

func (j *judge) listed(id object.ID) bool { return j.world.Listed == nil || j.world.Listed(id) }

func (j *judge) mutated(id object.ID) bool { return j.world.Mutated != nil && j.world.Mutated(id) }
