package differ

import (
	"time"

	"plumbline.dev/plumbline/object"
)

// What stands for a Secret's values. Two marks show that the values differ
// without showing either.
const (
	masked         = "***"
	maskedDeclared = "*** (before)"
	maskedLive     = "*** (after)"
)

// change records a difference at the current path, among the ignored ones where
// a rule says so. Sensitive values are masked here, before anything else can see
// them.
func (w *walker) change(op Op, declared, live any, writer Writer) {
	if fields, ok := live.(map[string]any); ok && op == Added && w.inData() && w.ignoresWithin() {
		for name, field := range fields {
			mark := w.push(fieldStep(name))
			w.change(op, nil, field, writer)
			w.pop(mark)
		}
		return
	}
	if writer.Time.IsZero() {
		writer.NotBefore = w.lastDeployed()
	}
	c := Change{Path: pathOf(w.path), Op: op, Declared: plain(declared), Live: live, Writer: writer, Others: w.others(writer)}
	if w.sensitive() {
		if c.Declared != nil {
			c.Declared = maskedDeclared
		}
		if c.Live != nil {
			c.Live = maskedLive
		}
	}
	if rules := w.rules(c); rules != nil {
		w.ignored = append(w.ignored, Ignored{Change: c, Rules: rules})
		return
	}
	w.changes = append(w.changes, c)
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

// Masked returns the content of an object without what nobody may see.
func Masked(o object.Object) map[string]any {
	w := walker{secret: o.ID.Group == "" && o.ID.Kind == "Secret", room: &room{}}
	if !w.secret {
		return o.Content
	}
	return w.masked(o.Content, func(name string) bool { return name == "apiVersion" || name == "kind" })
}

func (w *walker) masked(fields map[string]any, keep func(string) bool) map[string]any {
	result := make(map[string]any, len(fields))
	for name, v := range fields {
		mark := w.push(fieldStep(name))
		inner, ok := v.(map[string]any)
		switch {
		case keep(name) || !ok && !w.sensitive():
			result[name] = v
		case ok:
			result[name] = w.masked(inner, skipNothing)
		default:
			result[name] = masked
		}
		w.pop(mark)
	}
	return result
}
