package differ

import (
	"slices"

	"plumbline.dev/plumbline/object"
)

// Ignore is a rule that leaves changes out of what differs: those that fit
// everything that it says.
type Ignore struct {
	// Paths are the fields, with all beneath them; none means any.
	Paths []Pattern
	// Writer tells of whom changes are ignored; nil means of everyone, known or
	// not. A change by several is ignored only if it says yes to each.
	Writer func(Writer) bool
	// When is a further condition; nil means none.
	When func(Change) bool
}

// Ignored is a change that rules leave out.
type Ignored struct {
	Change
	// Rules are the indices in Options.Ignore of all rules that do.
	Rules []int
}

// These are no operations on a field, and no Diff has such a change: they say of
// the object as a whole what rules may ignore.
const (
	// Missing: the object does not exist. The change has no path.
	Missing Op = "missing"
	// Unattributed: metadata.managedFields, which is its path, is gone.
	Unattributed Op = "unattributed"
)

// Covers tells whether the rule ignores a change of the object as a whole.
func (i Ignore) Covers(c Change) bool {
	var path []step
	for _, s := range c.Path {
		name, _ := s.(string)
		path = append(path, fieldStep(name))
	}
	return i.covers(c, path, sides{})
}

func (i Ignore) covers(c Change, path []step, of sides) bool {
	if !i.at(path, of) {
		return false
	}
	if i.Writer != nil {
		if c.Writer.Manager == "" || !i.Writer(c.Writer) {
			return false
		}
		if slices.ContainsFunc(c.Others, func(w Writer) bool { return !i.Writer(w) }) {
			return false
		}
	}
	return i.When == nil || i.When(c)
}

// at tells whether the rule is about the path.
func (i Ignore) at(path []step, of sides) bool {
	return len(i.Paths) == 0 || slices.ContainsFunc(i.Paths, func(p Pattern) bool { return p.matches(path, of) })
}

// locate makes the rules those for a declared object and the live one: each
// JSONPath becomes what it selects in them.
func (w *walker) locate(declared object.Object) {
	w.sides = sides{declared: declared.Content, live: w.live.Content}
	w.ignore = slices.Clone(w.ignore)
	for i := range w.ignore {
		w.ignore[i].Paths = located(w.ignore[i].Paths, w.sides)
	}
}

// rules returns what ignores the change, which is at the current path.
func (w *walker) rules(c Change) []int {
	var rules []int
	for i, rule := range w.ignore {
		if rule.covers(c, w.path, w.sides) {
			rules = append(rules, i)
		}
	}
	return rules
}

// ignoresWithin tells whether a rule ignores a part of the current place but not
// all of it, so that its parts have to be told one by one.
func (w *walker) ignoresWithin() bool {
	for _, rule := range w.ignore {
		if slices.ContainsFunc(rule.Paths, func(p Pattern) bool { return p.reachesInto(w.path, w.sides) }) {
			return true
		}
		if rule.Writer != nil && rule.at(w.path, w.sides) && w.mixed(rule.Writer) {
			return true
		}
	}
	return false
}

// mixed tells whether some of those who own the current place or parts of it fit
// and others do not. The deployer counts for neither.
func (w *walker) mixed(fits func(Writer) bool) bool {
	var yes, no bool
	for _, by := range w.writers() {
		if fits(by) {
			yes = true
		} else {
			no = true
		}
	}
	return yes && no
}

// writers are those who own the current place or parts of it, but the deployer.
func (w *walker) writers() []Writer {
	var writers []Writer
	root := make(place, 1)
	for _, o := range w.owners { // one by one, for most own nothing here
		root[0] = o.fields
		if o.role != deployer && w.reach(root) {
			writers = append(writers, o.writer)
		}
	}
	return writers
}

// reach tells whether the records at the root go as far as the current place.
func (w *walker) reach(p place) bool {
	mark := len(w.stack)
	defer func() { w.stack = w.stack[:mark] }()
	for _, s := range w.path {
		switch {
		case !p.owned():
			return false
		case s.list == nil:
			p = w.ownedField(p, s.field)
		default:
			p = w.ownedItem(p, s.list, s.item)
		}
	}
	return p.owned()
}

// others are those who wrote the current place beside the writer.
func (w *walker) others(writer Writer) []Writer {
	if writer.Manager == "" {
		return nil
	}
	return slices.DeleteFunc(w.writers(), func(other Writer) bool {
		return other.Manager == writer.Manager && other.Operation == writer.Operation && other.Subresource == writer.Subresource
	})
}
