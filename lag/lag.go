// Package lag tells what only lags behind git from what somebody changed. What
// the deployer left as an earlier commit has it is pending; whatever else differs
// stays drift, and so does everything of which that cannot be shown. It is pure:
// no I/O, no clock, no log.
//
// # Evidence
//
// That a value is an old one does not make it lag: somebody may have set it back,
// or taken away what git has since added. What shows that it was the deployer:
//
//   - It is the last recorded writer of the value, and an earlier commit has that
//     value (or, of a field that git dropped, has the field with it).
//   - Where the API server records no writer, as of a field that is not there and
//     of a list's order: another value in the same object shows by its writer
//     which commit the deployer applied last, for it applies an object as a whole;
//     and that commit has it as the cluster does.
//   - Else the times: when the deployer last wrote the object, the commit of the
//     day has it as the cluster does, and nothing that the deployer wrote is of a
//     later one.
//
// Times are those of the API server and of the committers.
package lag

import (
	"slices"
	"time"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// Commit is one commit of the history, and what it declares.
type Commit struct {
	Hash string
	// Behind is the number of commits since, by first parents; 0 is the newest.
	Behind int
	// Time is when it was committed.
	Time time.Time
	// Declares returns what the commit declares of a name, in whatever namespace and version.
	Declares func(Name) []object.Packed
	// Err says why that is not known. Nothing is then said to be as in this commit.
	Err error
}

// Name is what objects are called by their kind, in whatever namespace and version.
type Name struct{ Group, Kind, Name string }

// NameOf returns the name of an object.
func NameOf(id object.ID) Name { return Name{id.Group, id.Kind, id.Name} }

// ByName returns objects by their names.
func ByName(objects []object.Packed) map[Name][]object.Packed {
	all := make(map[Name][]object.Packed, len(objects))
	for _, o := range objects {
		all[NameOf(o.ID)] = append(all[NameOf(o.ID)], o)
	}
	return all
}

// Declaring returns Declares of a commit that declares these objects.
func Declaring(objects []object.Packed) func(Name) []object.Packed {
	all := ByName(objects)
	return func(n Name) []object.Packed { return all[n] }
}

// Comparison is all that it takes to compare a live object with any commit's.
type Comparison struct {
	Live    object.Object
	Type    differ.Type
	Options differ.Options
}

func (c Comparison) with(declared object.Object) []differ.Change {
	return all(differ.Compare(declared, c.Live, c.Type, c.Options))
}

// all returns every change, for an ignored one is no likeness either.
func all(d differ.Diff) []differ.Change {
	changes := slices.Clone(d.Changes)
	for _, i := range d.Ignored {
		changes = append(changes, i.Change)
	}
	return changes
}

// byDeployer compares as with does, and leaves out what others than the deployer
// wrote: it takes them all for controllers, who may write what they like.
func (c Comparison) byDeployer(declared object.Object) []differ.Change {
	c.Options.Deployers, c.Options.Controllers = deployersOf(c.Live, c.Options), []string{"*"}
	return slices.DeleteFunc(c.with(declared), func(change differ.Change) bool { return !mayLag(change) })
}

// mayLag tells whether a change of that kind may be a deployment that is due.
// What somebody added never is.
func mayLag(c differ.Change) bool {
	switch c.Op {
	case differ.Modified, differ.Removed, differ.Released, differ.Reordered:
		return true
	}
	return false
}

// recorded tells whether the API server knows who wrote what differs.
func recorded(c differ.Change) bool {
	return c.Op == differ.Released || c.Writer.Manager != ""
}

// touches tells whether one of changes is at the path, above or below it.
func touches(changes []differ.Change, path differ.Path) bool {
	return slices.ContainsFunc(changes, func(c differ.Change) bool {
		n := min(len(c.Path), len(path))
		return c.Path[:n].Compare(path[:n]) == 0
	})
}
