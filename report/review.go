package report

import (
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// Review is what a change of the configuration does, to what is declared and to the
// cluster.
type Review struct {
	// Base is the commit before the change, and Revision what named it.
	Base, Revision string
	// Offline says that no cluster was asked, so that nothing is known of what the change
	// does there.
	Offline bool
	// Objects are those that the change concerns, sorted.
	Objects []Reviewed
	// LeftOut counts the findings about other objects, which are left out.
	LeftOut int
}

// Action is what a change does to the declaration of an object.
type Action string

const (
	// Created: the change declares it.
	Created Action = "created"
	// Changed: the change declares something else of it.
	Changed Action = "changed"
	// Deleted: the change declares it no longer.
	Deleted Action = "deleted"
	// Kept: it is declared as before.
	Kept Action = "kept"
)

// Reviewed is an object that a change concerns.
type Reviewed struct {
	Object object.ID
	// Origin is where it is declared; of a deleted one, where it was.
	Origin object.Origin
	Action Action
	// Changes are those of the declaration: Declared is the value before, Live the one
	// after.
	Changes []differ.Change
	// Effects are what deploying the change does to the live object, sorted by path.
	Effects []Effect
}

// Effect is what deploying does to a live object: Declared is the value that it has now,
// and Live the one that it will have. Without a path it is about the object as a whole,
// which is Added or, by a deployer that prunes, Removed.
type Effect struct {
	differ.Change
	// Overwrites says that the value is neither what was declared before the change nor
	// the deployer's: somebody made it so, whom the change's Writer names as far as there
	// is a record.
	Overwrites bool
}

// Overwrites is the number of live changes of the object that deploying would overwrite.
func (r Reviewed) Overwrites() int {
	n := 0
	for _, e := range r.Effects {
		if e.Overwrites {
			n++
		}
	}
	return n
}

// Overwritten is the number of live changes that deploying would overwrite.
func (r Review) Overwritten() int {
	n := 0
	for _, o := range r.Objects {
		n += o.Overwrites()
	}
	return n
}
