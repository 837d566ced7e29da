package differ

import (
	"slices"

	"plumbline.dev/plumbline/object"
)

// Between returns what differs between two declarations of one object, of the type t,
// sorted by path: Declared is the value before, and Live the one after. Where the two are
// of different versions, that is a change of apiVersion. It edits neither.
func Between(before, after object.Object, t Type) []Change {
	var changes []Change
	if was, is := before.ID.APIVersion(), after.ID.APIVersion(); was != is {
		changes = append(changes, Change{Path: Path{"apiVersion"}, Op: Modified, Declared: was, Live: is})
	}
	before.Content, after.Content = spelled(before, t), spelled(after, t)
	o := Options{Unrecorded: true} // by which nothing is said of what only the second has
	for _, c := range Compare(before, after, t, o).Changes {
		if c.Op == Modified || c.Op == Removed || c.Op == Reordered {
			changes = append(changes, c.unattributed())
		}
	}
	for _, c := range Compare(after, before, t, o).Changes {
		if c.Op == Removed {
			changes = append(changes, c.unattributed().Reversed())
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return a.Path.Compare(b.Path) })
	return changes
}

// spelled returns the content in the spelling of the object's type.
func spelled(o object.Object, t Type) map[string]any {
	if canonical, ok := canonicalise(o, t); ok {
		return plain(canonical).(map[string]any)
	}
	return o.Content
}

// unattributed returns the change without anything about who made it.
func (c Change) unattributed() Change {
	c.Writer, c.Others = Writer{}, nil
	return c
}

// Reversed returns the change the other way: what undoing it does. The writers are those
// of the change, and so is what it says of the past.
func (c Change) Reversed() Change {
	c.Declared, c.Live = remasked(c.Live), remasked(c.Declared)
	switch c.Op {
	case Removed:
		c.Op = Added
	case Added, Released, Controlled:
		c.Op = Removed
	}
	return c
}

// remasked returns what stands for a Secret's value on the other side.
func remasked(v any) any {
	switch v {
	case any(maskedDeclared):
		return maskedLive
	case any(maskedLive):
		return maskedDeclared
	}
	return v
}

// Deploys tells whether a writer is the deployer, as far as its name tells: a tool that
// people use by hand is only where somebody has named it.
func (o Options) Deploys(w Writer) bool { return o.role(w, w.Person) == deployer }

// Overlaps tells whether one of the paths leads into, or to, what the other leads to.
func (p Path) Overlaps(other Path) bool {
	n := min(len(p), len(other))
	return p[:n].Compare(other[:n]) == 0
}
