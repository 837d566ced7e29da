package lag

import (
	"slices"
	"sync"
	"time"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// Case is one object that differs from what git declares, held against one
// commit after the other, from the newest back.
type Case struct {
	comparison Comparison
	diff       differ.Diff
	suspects   []*suspect

	gap  bool // what one of the commits declares is not known
	last view // of the last commit
}

// suspect is a change that may be lag.
type suspect struct {
	path     differ.Path
	at       int       // in the Diff's changes
	recorded bool      // the deployer is known to have written the value
	deployed time.Time // when it last wrote the object, where that is wanted

	asOf    differ.Pending // the newest commit that has it as the cluster does
	applied bool           // so has the commit that another value shows to be applied
	intime  bool           // so has the commit of the day when the object was last deployed
	decided bool           // and that commit was met
}

// NewCase returns the case of what a comparison with what git declares now has
// found.
func NewCase(c Comparison, declared object.Object, diff differ.Diff) *Case {
	c.Options.ShowControllers = false
	k := &Case{comparison: c, diff: diff}
	if !slices.ContainsFunc(diff.Changes, mayLag) {
		return k
	}
	due := c.byDeployer(declared)
	for i, change := range diff.Changes {
		if slices.ContainsFunc(due, func(d differ.Change) bool { return d.Op == change.Op && d.Path.Compare(change.Path) == 0 }) {
			deployed := change.Writer.NotBefore
			k.suspects = append(k.suspects, &suspect{
				path: change.Path, at: i, recorded: recorded(change), deployed: deployed, decided: deployed.IsZero(),
			})
		}
	}
	return k
}

// Open tells whether an earlier commit may still say something new.
func (k *Case) Open() bool {
	return slices.ContainsFunc(k.suspects, func(s *suspect) bool {
		return s.recorded && !s.found() || !s.recorded && !s.applied && !s.decided
	})
}

func (s *suspect) found() bool { return s.asOf != differ.Pending{} }

// Skip passes over a commit of which it is not known how it declares the object.
func (k *Case) Skip(c Commit) {
	k.gap = true
	k.Absent(c)
}

// Absent passes over a commit that does not declare the object.
func (k *Case) Absent(c Commit) {
	for _, s := range k.suspects {
		if !s.decided && s.deployedAfter(c) {
			s.decided, s.intime = true, false
		}
	}
}

// Look holds the case against the next commit, which declares the object so.
func (k *Case) Look(c Commit, declared object.Packed) {
	v := k.view(declared)
	proof := false
	for _, s := range k.suspects {
		same := !touches(v.changes, s.path)
		if same && !s.found() {
			s.asOf = differ.Pending{Commit: c.Hash, Behind: c.Behind}
			proof = proof || s.recorded
		}
		if !s.recorded && !s.decided { // until it is decided, the oldest commit at hand counts
			s.intime, s.decided = same && v.explains(), s.deployedAfter(c)
		}
	}
	if !proof {
		return
	}
	for _, s := range k.suspects { // what was applied is this commit, or an older one
		s.applied = !s.recorded && !k.gap && !touches(v.changes, s.path)
	}
}

// deployedAfter tells whether the deployer may have had the commit when it last
// wrote the object. The newest such commit is that of the day.
func (s *suspect) deployedAfter(c Commit) bool { return !c.Time.After(s.deployed) }

// view is how the live object differs from what one commit declares.
type view struct {
	declared object.Packed
	changes  []differ.Change
	// explains tells whether this may be what the deployer applied last: it wrote
	// nothing else, and nothing is gone that is not gone from the newest commit too.
	explains func() bool
}

// view compares, unless the commit declares the same as the one before.
func (k *Case) view(packed object.Packed) view {
	if k.last.explains != nil && k.last.declared.Same(packed) {
		return k.last
	}
	declared := packed.Object()
	k.last = view{declared: packed, changes: k.comparison.with(declared), explains: sync.OnceValue(func() bool {
		return !slices.ContainsFunc(k.comparison.byDeployer(declared), func(c differ.Change) bool {
			return recorded(c) || !touches(all(k.diff), c.Path)
		})
	})}
	return k.last
}

// Changes returns the changes, each with the commit that it is as of where it is
// lag.
func (k *Case) Changes() []differ.Change {
	changes := slices.Clone(k.diff.Changes)
	for _, s := range k.suspects {
		if s.found() && (s.recorded || s.applied || s.intime) {
			changes[s.at].Pending = s.asOf
		}
	}
	return changes
}
