// Package review tells what a change of the configuration does: to what is declared, to
// the cluster once it is deployed, and to what somebody else has changed there. It is
// pure.
package review

import (
	"slices"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// Change is what a review is about.
type Change struct {
	// Before and After are what is declared, each object with its namespace as far as that
	// is known.
	Before, After []object.Object
	// Types tells the types of kinds.
	Types *differ.Schemas
}

// Live is how both declarations stand to the cluster.
type Live struct {
	// Before is what was found of those objects of Change.Before that the change declares
	// no longer, or of which After has something.
	Before []Stand
	// After are the findings of a comparison with Change.After.
	After []finding.Finding
	// Deploys tells whether a writer is the deployer.
	Deploys func(differ.Writer) bool
}

// Stand is how a declared object stands to the cluster.
type Stand struct {
	Object   object.ID
	Verdict  finding.Verdict
	Findings []finding.Finding
}

// key is the identity of an object in whatever version.
func key(id object.ID) object.ID {
	id.Version = ""
	return id
}

// Rendered returns what the change does to what is declared: the objects that it creates,
// changes and deletes.
func Rendered(c Change) []report.Reviewed {
	var reviewed []report.Reviewed
	before := map[object.ID]object.Object{}
	for _, o := range c.Before {
		before[key(o.ID)] = o
	}
	for _, o := range c.After {
		r := report.Reviewed{Object: o.ID, Origin: o.Origin, Action: report.Created}
		if was, ok := before[key(o.ID)]; ok {
			delete(before, key(o.ID))
			r.Action = report.Changed
			r.Changes = differ.Between(was, o, c.Types.Type(o.ID.Group, o.ID.Version, o.ID.Kind))
			if len(r.Changes) == 0 {
				continue
			}
		}
		reviewed = append(reviewed, r)
	}
	for _, o := range before {
		reviewed = append(reviewed, report.Reviewed{Object: o.ID, Origin: o.Origin, Action: report.Deleted})
	}
	sorted(reviewed)
	return reviewed
}

func sorted(all []report.Reviewed) {
	slices.SortFunc(all, func(a, b report.Reviewed) int { return a.Object.Compare(b.Object) })
}

// Deployed adds what deploying the change does to the cluster, with the objects that it
// leaves as they are and of which it overwrites something. It returns the findings that
// matter to the change as well: those about objects that it concerns, without what only
// waits for it.
func Deployed(c Change, reviewed []report.Reviewed, live Live) ([]report.Reviewed, []finding.Finding) {
	r := reviewer{live: live, stands: map[object.ID]Stand{}, objects: map[object.ID]*report.Reviewed{}, was: map[object.ID]bool{}, is: map[object.ID]object.Object{}}
	for _, s := range live.Before {
		r.stands[key(s.Object)] = s
	}
	for _, o := range c.Before {
		r.was[key(o.ID)] = true
	}
	for _, o := range c.After {
		r.is[key(o.ID)] = o
	}
	for _, o := range reviewed {
		r.objects[key(o.Object)] = &o
	}
	findings := r.findings()
	for _, o := range r.objects {
		if o.Action == report.Deleted {
			findings = append(findings, r.delete(o)...)
		}
	}
	slices.SortStableFunc(findings, finding.Finding.Compare)
	return r.result(findings)
}

// reviewer gathers what is to be told, by object.
type reviewer struct {
	live    Live
	stands  map[object.ID]Stand
	objects map[object.ID]*report.Reviewed
	was     map[object.ID]bool          // declared before
	is      map[object.ID]object.Object // declared after
}

// result returns the objects in order, and those of the findings that are about them.
func (r *reviewer) result(findings []finding.Finding) ([]report.Reviewed, []finding.Finding) {
	var all []report.Reviewed
	for _, o := range r.objects {
		if o.Action == report.Kept && o.Overwrites() == 0 {
			continue
		}
		slices.SortStableFunc(o.Effects, func(a, b report.Effect) int { return a.Path.Compare(b.Path) })
		all = append(all, *o)
	}
	sorted(all)
	concerned := map[object.ID]bool{}
	for _, o := range all {
		concerned[key(o.Object)] = true
	}
	return all, slices.DeleteFunc(findings, func(f finding.Finding) bool { return !concerned[key(f.Object)] })
}

// findings goes through what was found: of each difference it is told what deploying does,
// and those that were there before the change are findings.
func (r *reviewer) findings() []finding.Finding {
	var left []finding.Finding
	for _, f := range r.live.After {
		switch {
		case f.Rule == finding.DriftMissing:
			if r.missing(f) {
				left = append(left, f)
			}
		case f.Rule.IsSetRight():
			if f.Changes = r.changes(f); len(f.Changes) > 0 {
				left = append(left, f)
			}
		default:
			left = append(left, f)
		}
	}
	return left
}

// of returns what is told of an object.
func (r *reviewer) of(f finding.Finding) *report.Reviewed {
	o := r.objects[key(f.Object)]
	if o == nil {
		o = &report.Reviewed{Object: f.Object, Origin: f.Origin, Action: report.Kept}
		r.objects[key(f.Object)] = o
	}
	return o
}

// missing tells of an object that deploying creates, and whether somebody deleted it.
func (r *reviewer) missing(f finding.Finding) bool {
	stand, known := r.stands[key(f.Object)]
	deleted := r.was[key(f.Object)] && known && stand.Verdict == finding.Missing
	o := r.of(f)
	o.Effects = append(o.Effects, report.Effect{Change: differ.Change{Op: differ.Added}, Overwrites: deleted})
	return deleted
}

// changes tells what deploying does to the fields of a live object, and returns the
// differences that were there before the change.
func (r *reviewer) changes(f finding.Finding) []differ.Change {
	var left []differ.Change
	o := r.of(f)
	for _, c := range f.Changes {
		before := r.differed(f.Object, c)
		overwrites := before && c.Pending == (differ.Pending{}) && c.Op != differ.Released && !r.live.Deploys(c.Writer)
		o.Effects = append(o.Effects, report.Effect{Change: c.Reversed(), Overwrites: overwrites})
		if before {
			left = append(left, c)
		}
	}
	return left
}

// differed tells whether a field was another than declared before the change: where the
// object was not declared, any that is there.
func (r *reviewer) differed(id object.ID, c differ.Change) bool {
	if !r.was[key(id)] {
		return true
	}
	for _, f := range r.stands[key(id)].Findings {
		for _, was := range f.Changes {
			if was.Pending == (differ.Pending{}) && was.Path.Overlaps(c.Path) {
				return true
			}
		}
	}
	return false
}

// delete tells what becomes of a live object that is declared no longer: with it goes
// what somebody has changed of it, which it returns as findings.
func (r *reviewer) delete(o *report.Reviewed) []finding.Finding {
	stand, known := r.stands[key(o.Object)]
	if !known || stand.Verdict == finding.Missing || stand.Verdict == finding.Finished || stand.Verdict == finding.Unknown {
		return nil
	}
	var findings []finding.Finding
	o.Effects = append(o.Effects, report.Effect{Change: differ.Change{Op: differ.Removed}})
	for _, f := range stand.Findings {
		f.Changes = slices.DeleteFunc(slices.Clone(f.Changes), func(c differ.Change) bool {
			return f.Severity == finding.Info || c.Live == nil || c.Pending != (differ.Pending{}) || r.live.Deploys(c.Writer)
		})
		for _, c := range f.Changes {
			gone := c.Reversed()
			gone.Live, gone.Op = nil, differ.Removed
			o.Effects = append(o.Effects, report.Effect{Change: gone, Overwrites: true})
		}
		if len(f.Changes) > 0 {
			findings = append(findings, f)
		}
	}
	return findings
}
