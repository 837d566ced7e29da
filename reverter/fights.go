package reverter

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

const (
	// rounds is how often a field is put back before it is a fight.
	rounds = 3
	// truce is how long it is left alone then; longer each time, up to longestTruce.
	truce        = 10 * time.Minute
	longestTruce = 24 * time.Hour
	// calm is how long a field has to stay put back for all to be forgotten.
	calm = time.Hour
)

// Fights remember what was put back how often, so that nobody puts back for ever what
// somebody else insists on. The zero value remembers nothing.
type Fights struct {
	fields map[field]*fight
	news   bool
}

// field is one of an object.
type field struct {
	object object.ID
	path   string
}

// fight is how it stands with a field.
type fight struct {
	declared any // what was put back; a commit that declares something else begins anew
	undone   int
	last     time.Time // when it was
	truces   int
	until    time.Time // the end of the truce; zero where there is none
	finding  finding.Finding
}

// Undone takes in that changes of an object were put back, as Left has returned them.
func (f *Fights) Undone(id object.ID, changes []differ.Change, now time.Time) {
	if f.fields == nil {
		f.fields = map[field]*fight{}
	}
	for _, c := range changes {
		key := field{id, c.Path.String()}
		was := f.fields[key]
		if was == nil || was.until.IsZero() && now.Sub(was.last) > calm || !reflect.DeepEqual(was.declared, c.Declared) {
			was = &fight{declared: c.Declared}
			f.fields[key] = was
		}
		was.undone, was.last = was.undone+1, now
	}
}

// changesOf are a finding's changes; one that stands for all of the object, where that is
// missing or should not be there.
func changesOf(f finding.Finding) []differ.Change {
	if len(f.Changes) == 0 {
		return []differ.Change{{}}
	}
	return f.Changes
}

// News tells whether a fight has begun, or begun again, since somebody last asked.
func (f *Fights) News() bool {
	news := f.news
	f.news = false
	return news
}

// Truce tells whether all changes of a finding are left alone for now.
func (f *Fights) Truce(of finding.Finding, now time.Time) bool {
	return !slices.ContainsFunc(changesOf(of), func(c differ.Change) bool {
		was := f.fields[field{of.Object, c.Path.String()}]
		return was == nil || !now.Before(was.until) || !reflect.DeepEqual(was.declared, c.Declared)
	})
}

// Left returns the changes of a finding that are not fought over, or not for the time
// being. A field that has come back too often is from now on.
func (f *Fights) Left(of finding.Finding, now time.Time) []differ.Change {
	var left []differ.Change
	for _, c := range changesOf(of) {
		was := f.fields[field{of.Object, c.Path.String()}]
		switch {
		case was == nil || was.undone < rounds || !reflect.DeepEqual(was.declared, c.Declared):
			left = append(left, c)
		case now.Before(was.until):
		case was.until.After(was.last): // the truce is over, and nobody has tried since
			left = append(left, c)
		default: // it has come back again
			was.until = now.Add(min(truce<<min(was.truces, 10), longestTruce))
			was.truces++
			was.finding, f.news = tell(of, c, *was), true
		}
	}
	return left
}

func tell(of finding.Finding, c differ.Change, f fight) finding.Finding {
	what := c.Path.String()
	of.Changes = []differ.Change{c}
	switch {
	case what == "" && of.Rule == finding.DriftMissing:
		what, of.Changes = "the object", nil
		of.Message = "was created %d times and is deleted each time"
	case what == "":
		what, of.Changes = "the object", nil
		of.Message = "was deleted %d times and comes back each time"
	default:
		of.Subject, of.Message = what, "was put back %d times and is changed again each time"
	}
	of.Message = fmt.Sprintf("%s "+of.Message+": it is left alone until %s", what, f.undone, f.until.UTC().Format(time.RFC3339))
	of.Rule, of.Severity = finding.DriftFight, finding.Warning
	of.Advice = "find out who writes it: a controller that does so by right belongs into spec.controllers, and the field out of git"
	of.Evidence = finding.Claimed
	return of
}

// Findings are about the fields that are fought over, sorted. What has stayed put back is
// forgotten.
func (f *Fights) Findings(open []finding.Finding, now time.Time) []finding.Finding {
	there := map[field]bool{}
	for _, o := range open {
		for _, c := range changesOf(o) {
			there[field{o.Object, c.Path.String()}] = true
		}
	}
	var all []finding.Finding
	for key, was := range f.fields {
		switch {
		case now.Sub(was.last) > calm && !there[key]:
			delete(f.fields, key)
		case !was.until.IsZero() && (there[key] || there[field{key.object, ""}]): // the field, or all of the object
			all = append(all, was.finding)
		}
	}
	slices.SortFunc(all, finding.Finding.Compare)
	return all
}

// Next is when the first truce ends after a time; zero where none does.
func (f *Fights) Next(after time.Time) time.Time {
	var first time.Time
	for _, was := range f.fields {
		if was.until.After(after) && (first.IsZero() || was.until.Before(first)) {
			first = was.until
		}
	}
	return first
}
