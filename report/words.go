package report

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// about is what is told of a finding that is not about fields.
func (t *text) about(f finding.Finding) []string {
	parts := []string{string(f.Rule)}
	if f.Severity == finding.Critical {
		parts[0] += " (critical)"
	}
	if f.Evidence == finding.Claimed {
		parts = append(parts, "by what anyone can write")
	}
	if n := len(f.Children); n > 0 {
		parts = append(parts, "with "+named(f.Children))
	}
	if at, ok := t.opened[f.Fingerprint()]; ok {
		parts = append(parts, "found "+t.when(at))
	}
	return parts
}

// named names objects, by kind and name, and counts them where there are many.
func named(children []object.ID) string {
	const most = 4
	var names []string
	for i, id := range children {
		if i == most-1 && len(children) > most {
			names = append(names, fmt.Sprintf("%d more", len(children)-i))
			break
		}
		names = append(names, printable(id.Kind+"/"+id.Name))
	}
	return strings.Join(names, ", ")
}

// writer says who made a change and when.
func (t *text) writer(w differ.Writer) string {
	switch {
	case w.Manager == "" && w.NotBefore.IsZero():
		return "by someone who left no record"
	case w.Manager == "":
		return "by someone who left no record, " + t.since(w.NotBefore)
	}
	name := printable(w.Manager)
	if w.Subresource != "" {
		name += " (" + printable(w.Subresource) + ")"
	}
	switch {
	case !w.Time.IsZero():
		return "by " + name + " " + t.when(w.Time)
	case !w.NotBefore.IsZero():
		return "by " + name + " " + t.since(w.NotBefore)
	default:
		return "by " + name
	}
}

// place names a line of the repository, and who wrote it where that is known.
func (t *text) place(p object.Position) string {
	place := printable(p.String())
	if a, ok := t.authors[p]; ok {
		place += fmt.Sprintf(" (%s %s)", short(a.Commit), printable(a.Name))
	}
	return place
}

// behind says as of which commit a field is.
func behind(p differ.Pending) string {
	if p.Behind == 0 {
		return "as of " + short(p.Commit) + ", the newest commit"
	}
	return "as of " + short(p.Commit) + ", " + plural(p.Behind, "commit") + " behind"
}

// when is short on a terminal, exact elsewhere.
func (t *text) when(at time.Time) string {
	if age, ok := t.age(at); ok {
		return age + " ago"
	}
	return exact(at)
}

// since tells that something came after a time.
func (t *text) since(at time.Time) string {
	if age, ok := t.age(at); ok {
		return "in the last " + age
	}
	return "after " + exact(at)
}

// age is how long ago a time is, where that is the way to tell it.
func (t *text) age(at time.Time) (string, bool) {
	age := t.at.Sub(at)
	return duration.HumanDuration(age), t.Width > 0 && age >= 0 && age < 24*time.Hour
}

func exact(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05Z") }

func short(commit string) string {
	if len(commit) == 40 {
		return commit[:12]
	}
	return commit
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// asides are what the reader may want to know beside all that is told.
func (r Report) asides() []string {
	var asides []string
	if n := len(r.Unconfirmed); n > 0 {
		asides = append(asides, unconfirmedNote(n))
	}
	if r.Review != nil && r.Review.LeftOut > 0 {
		asides = append(asides, r.Review.leftOutNote())
	}
	return asides
}

func unconfirmedNote(n int) string {
	what := "1 object has values"
	if n > 1 {
		what = plural(n, "object") + " have values"
	}
	return what + " that the cluster may have filled in, or somebody: --show unconfirmed names them, and --confirm=dry-run asks the API server"
}
