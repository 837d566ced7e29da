// Package differ compares one declared object with its live counterpart by the
// rules of server-side apply, without asking the server: what git declares must
// be there, and what git does not declare must belong to a controller, to the
// deployer or to nobody. It is pure: no I/O, no clock, no log.
package differ

import (
	"slices"
	"time"

	"plumbline.dev/plumbline/object"
)

// Op says in which way a field differs.
type Op string

const (
	// Modified is a declared field whose live value is another.
	Modified Op = "modified"
	// Removed is a declared field that the live object does not have.
	Removed Op = "removed"
	// Added is a field that git does not declare and that neither a controller,
	// the deployer nor the server's defaults put there.
	Added Op = "added"
	// Released is a field that the deployer once applied and git no longer
	// declares.
	Released Op = "released"
	// Reordered is a list whose items are all there, but in another order than
	// declared. Declared and Live are the items' merge keys.
	Reordered Op = "reordered"
	// Contested is a declared field to which a controller gave another value.
	Contested Op = "contested"
	// Controlled is an undeclared field that a controller owns: no drift. It is
	// reported only where Options.ShowControllers asks for it.
	Controlled Op = "controlled"
)

// Writer says who last wrote a field, as far as the server's records
// (metadata.managedFields) tell. They are hints: anyone who may write an object
// can choose the manager's name.
type Writer struct {
	// Manager, Operation ("Apply" or "Update") and Subresource identify the
	// record. Manager is empty where no record is left: the server keeps none of
	// a field's removal.
	Manager, Operation, Subresource string
	// Time is when the manager last wrote this object, to the second. It is zero
	// where the server recorded none: for a removal, and through the scale
	// subresource.
	Time time.Time
	// NotBefore is set where Time is not: the change came after this time, at
	// which the deployer last wrote the object.
	NotBefore time.Time
	// Person says that the manager is a tool which people use by hand.
	Person bool
}

// Change is one field's difference. Declared is what git says and Live what the
// server holds, as JSON values; each is nil where there is none. Values of
// sensitive fields are masked already.
type Change struct {
	Path           Path
	Op             Op
	Declared, Live any
	Writer         Writer
	// Others are who else wrote parts of the live value, but the deployer.
	Others []Writer
	// Origin is where the declared value stands, as far as it was looked up.
	Origin object.Position
	// Pending is the earlier commit of which the deployer left this, as far as
	// it was looked for. It is zero where it only could be a change by somebody.
	Pending Pending
}

// Pending names an earlier commit and how many commits it is behind.
type Pending struct {
	Commit string
	Behind int
}

// Diff is everything that differs between one declared and one live object.
type Diff struct {
	// Changes are sorted by path and disjoint: no change's path is within
	// another's.
	Changes []Change
	// Ignored are the changes that Options.Ignore leaves out, likewise.
	Ignored []Ignored
	// Unattributed says that the live object's ownership records are gone: what
	// stands in it beside the declared fields could not be judged.
	Unattributed bool
	// Rewritten are the declared fields whose declared value somebody else wrote, where
	// Options.Rewritten asks for them.
	Rewritten []Rewritten
	// Disguised are updates under the name of a deployer that applies, later than its
	// last apply, where Options.Rewritten asks for them.
	Disguised []Writer
	// PresumesNoMutation says that some change would not be one if Options.Mutated
	// were set.
	PresumesNoMutation bool
	// Unconfirmed are the places, sorted, whose values were left alone because the
	// cluster may have put them there, or somebody: only the server could tell.
	Unconfirmed []Path
}

// Options are the identities and rules a comparison needs.
type Options struct {
	// Deployers are the field managers whose writes are legitimate because they
	// carry out what git says. Empty means KnownDeployers.
	Deployers []string
	// Controllers are field managers that legitimately own fields, on top of
	// KnownControllers. A trailing * matches any ending.
	Controllers []string
	// Ignore returns the rules that leave changes out of the Diff's Changes. It is
	// asked once, and only where something differs; nil means no rules.
	Ignore func() []Ignore
	// Unrecorded says that live objects come without their records, as from a dump
	// that leaves them out. Nothing can then be said of undeclared fields.
	Unrecorded bool
	// Mutated says that webhooks or policies may change objects of the kind on their
	// way into the cluster, in the writer's name or nobody's: what nobody owns, and
	// what the deployer owns by an update, may then have come from them.
	Mutated bool
	// Stored asks the server what it makes of the declared object, where the
	// comparison without that finds something or is not sure that there is nothing.
	// It may be asked more than once; nil means that the server is not asked.
	Stored func() Stored
	// Rewritten also tells who wrote declared fields that have their declared value.
	Rewritten bool
	// ShowControllers also reports what controllers own, as Controlled.
	ShowControllers bool
}

// Stored is what a server would store of a declared object. The zero value says
// that this is not known.
type Stored struct {
	// Content is the object as the server would store it: spelled by the server,
	// without what it drops.
	Content map[string]any
	// Alone says that it is made of the declared object and nothing else, so that
	// all else in it is what the cluster puts in by itself. Otherwise it is made of
	// the live object too, and tells nothing of what git does not declare.
	Alone bool
}

// Compare returns what differs between declared and live, whose types are given
// by t. Both must be the same object in the same version. It edits neither.
func Compare(declared, live object.Object, t Type, o Options) Diff {
	w := newWalker(live, t, o)
	defer w.leave()
	content := declared.Content
	diff := w.compare(content)
	if hasDeclaredChange(diff) {
		// The texts differ; perhaps the values do not. This costs more than the
		// comparison itself and is needed only for the few that differ.
		if canonical, ok := canonicalise(declared, t); ok {
			content = canonical
			diff = w.compare(content)
		}
	}
	if o.Stored != nil && (len(diff.Unconfirmed) > 0 || findsAnything(diff)) {
		if w.stored = o.Stored(); w.stored.Content != nil {
			diff = w.compare(content)
		}
	}
	if len(diff.Changes) == 0 || o.Ignore == nil {
		return diff
	}
	if w.ignore = o.Ignore(); len(w.ignore) == 0 {
		return diff
	}
	w.locate(declared)
	return w.compare(content)
}

// hasDeclaredChange tells whether a declared field differs, so that its
// spelling matters.
func hasDeclaredChange(d Diff) bool {
	return slices.ContainsFunc(d.Changes, func(c Change) bool {
		return c.Op == Modified || c.Op == Removed || c.Op == Contested || c.Op == Released
	})
}

// findsAnything tells whether there is a change that is not only shown for
// information.
func findsAnything(d Diff) bool {
	return slices.ContainsFunc(d.Changes, func(c Change) bool { return c.Op != Controlled })
}
