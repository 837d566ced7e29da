package differ

import (
	"slices"
	"time"
)

// What stands for a Secret's values. Two marks show that the values differ
// without showing either.
const (
	maskedDeclared = "*** (before)"
	maskedLive     = "*** (after)"
)

// change records a difference at the current path, unless a rule ignores it.
// Sensitive values are masked here, before anything else can see them.
func (w *walker) change(op Op, declared, live any, writer Writer) {
	if slices.ContainsFunc(w.options.Ignore, func(p Pattern) bool { return p.matches(w.path) }) {
		return
	}
	if writer.Time.IsZero() {
		writer.NotBefore = w.lastDeployed()
	}
	c := Change{Path: pathOf(w.path), Op: op, Declared: plain(declared), Live: live, Writer: writer}
	if w.sensitive() {
		if c.Declared != nil {
			c.Declared = maskedDeclared
		}
		if c.Live != nil {
			c.Live = maskedLive
		}
	}
	w.changes = append(w.changes, c)
}

// ignoresWithin tells whether a rule ignores a part of the current place but not
// all of it, so that its parts have to be told one by one.
func (w *walker) ignoresWithin() bool {
	return slices.ContainsFunc(w.options.Ignore, func(p Pattern) bool { return p.reachesInto(w.path) })
}

// controlled records what a controller owns, where that is wanted.
func (w *walker) controlled(live any, by owner) {
	if w.options.ShowControllers {
		w.change(Controlled, nil, live, by.writer)
	}
}

// sensitive tells whether the current path leads to a value that nobody may see:
// everything of a Secret but its type and its metadata, and of that all
// annotations, for several tools keep a copy of the whole object in one.
func (w *walker) sensitive() bool {
	if !w.secret || len(w.path) == 0 {
		return false
	}
	switch w.path[0].field {
	case "metadata":
		return len(w.path) == 1 || w.path[1].field == "annotations"
	case "type", "immutable":
		return false
	}
	return true
}

// lastDeployed is when the deployer last wrote the object: a change without a
// time came after it.
func (w *walker) lastDeployed() time.Time {
	var last time.Time
	for _, o := range w.owners {
		if o.role == deployer && o.writer.Time.After(last) {
			last = o.writer.Time
		}
	}
	return last
}

// plain returns v without the marks that canonicalise left in it.
func plain(v any) any {
	switch v := v.(type) {
	case omitted:
		return plain(v.value)
	case map[string]any:
		copied := make(map[string]any, len(v))
		for name, field := range v {
			copied[name] = plain(field)
		}
		return copied
	case []any:
		copied := make([]any, len(v))
		for i, item := range v {
			copied[i] = plain(item)
		}
		return copied
	default:
		return v
	}
}
