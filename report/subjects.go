package report

import (
	"cmp"
	"slices"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// subject is all that a report says of one object; its object is zero for what was not
// compared without anybody knowing what it is.
type subject struct {
	object      object.ID
	origin      object.Origin
	findings    []finding.Finding
	ignored     []finding.Silenced
	unknown     []string // why it could not be compared
	unconfirmed []differ.Path
	review      Reviewed // zero where no change concerns it
}

// subjects are the objects of a report, in order: those that were compared and are as
// they should be only where the report lists them.
func (r Report) subjects() []subject {
	byObject := map[object.ID]*subject{}
	of := func(id object.ID, origin object.Origin) *subject {
		s := byObject[id]
		if s == nil {
			s = &subject{object: id}
			byObject[id] = s
		}
		if s.origin.File == "" {
			s.origin = origin
		}
		return s
	}
	for _, c := range r.Compared {
		of(c.Object, c.Origin)
	}
	if r.Review != nil {
		for _, o := range r.Review.Objects {
			of(o.Object, o.Origin).review = o
		}
	}
	for _, f := range r.Findings {
		s := of(f.Object, f.Origin)
		s.findings = append(s.findings, f)
	}
	for _, f := range r.Ignored {
		s := of(f.Object, f.Origin)
		s.ignored = append(s.ignored, f)
	}
	for _, u := range r.Unknown {
		s := of(u.Object, u.Origin)
		s.unknown = append(s.unknown, u.Reason)
	}
	if r.ShowUnconfirmed {
		for _, u := range r.Unconfirmed {
			s := of(u.Object, u.Origin)
			s.unconfirmed = append(s.unconfirmed, u.Paths...)
		}
	}
	var all []subject
	for _, s := range byObject {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b subject) int { return a.object.Compare(b.object) })
	return all
}

// name names it for people.
func (s subject) name() string {
	if s.object == (object.ID{}) {
		return "objects that could not be told"
	}
	return printable(s.object.String())
}

// worst is the highest severity of its findings, 0 where it has none.
func (s subject) worst() finding.Severity {
	var worst finding.Severity
	for _, f := range s.findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// told are its findings as text tells them: those that count before the ignored ones.
func (s subject) told() []entry {
	var all []entry
	for _, f := range s.findings {
		all = append(all, entry{Finding: f})
	}
	for _, f := range s.ignored {
		all = append(all, entry{f.Finding, f.Reason})
	}
	return all
}

// worstFirst returns the subjects of which there is something to tell, in that order.
func worstFirst(all []subject) []subject {
	all = slices.DeleteFunc(slices.Clone(all), func(s subject) bool { return s.rank() == 0 })
	slices.SortStableFunc(all, func(a, b subject) int { return cmp.Compare(b.rank(), a.rank()) })
	return all
}

// rank says how much an object matters: by its findings, and what was not compared in
// place of a warning; 0 where there is nothing to tell.
func (s subject) rank() int {
	switch {
	case s.worst() == finding.Critical:
		return 4
	case len(s.unknown) > 0 || s.worst() == finding.Warning || s.review.Overwrites() > 0:
		return 3
	case s.worst() == finding.Info || s.review.Action != "":
		return 2
	case len(s.ignored)+len(s.unconfirmed) > 0:
		return 1
	}
	return 0
}

// state is one word about an object.
func (s subject) state() string {
	switch {
	case s.worst() < finding.Warning && len(s.unknown) > 0:
		return "not compared"
	case s.worst() < finding.Critical && s.review.Overwrites() > 0:
		return "overwrites"
	case s.worst() < finding.Warning && s.review.Action != "":
		return string(s.review.Action)
	case s.worst() > 0:
		return s.worst().String()
	case len(s.ignored) > 0:
		return "ignored"
	case len(s.unconfirmed) > 0:
		return "unconfirmed"
	}
	return "in order"
}
