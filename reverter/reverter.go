// Package reverter undoes what was found: of one object, with the least that does it,
// and only as long as the object is as it was when that was decided.
//
// # Who is said to have written it
//
// A server-side apply under a name of our own would make every field that is put back
// ours, and the deployer's next apply of another value a conflict. So what the deployer
// applied is put back by an apply under the deployer's name, which says again what that
// owns, with the values that are live, and the fields that are put back, with those that
// git declares. Where the deployer updates, as client-side apply and Helm 3 do, a patch
// under its name does the same. Who it was in truth stands in the API server's audit log,
// in an Event on the object and in the log.
package reverter

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// Manager is the field manager of what is written where no deployer is known.
const Manager = "plumbline"

// Case is an object as it was compared a moment ago, and what of it is to be undone.
type Case struct {
	// Declared is what git says.
	Declared object.Object
	// Live is what there is; it has no content where there is nothing.
	Live object.Object
	Type differ.Type
	// Changes are to be undone, sorted by path and disjoint. There are none where there is
	// no live object.
	Changes []differ.Change
	// Options say who the deployers are.
	Options differ.Options
}

// Write is what it takes to undo it: a patch, then an apply, each only where it has
// something to do; or a creation. Where both have, Whole goes before them.
type Write struct {
	Object object.ID
	// Manager is whom the fields are of afterwards.
	Manager string
	// Create is the object where there is none.
	Create map[string]any
	// Patch is a JSON patch (RFC 6902), which fails unless everything that it takes away is
	// still as it was.
	Patch []Operation
	// Whole is the patch that puts everything back at once, so that a workload's Pods are
	// replaced once, where an apply is to follow that then only takes the fields over. The
	// API server may refuse it and take the part of it that is Patch.
	Whole []Operation
	// UID is the live object's.
	UID string

	live     object.Object
	restored []differ.Change // by the apply
	after    object.Object   // the patch
	kind     differ.Type
	declared map[string]any
}

// Operation is one step of a JSON patch.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"` // of "remove" none is looked at
}

// Plan returns what undoes a case. The error says why it cannot be undone; it holds no
// value.
func Plan(c Case) (Write, error) {
	by, deployed := differ.Deployed(c.Live, c.Options)
	w := Write{Object: c.Declared.ID, Manager: by.Manager, declared: declared(c.Declared), kind: c.Type}
	if !deployed {
		w.Manager = manager(c.Options)
	}
	if c.Live.Content == nil {
		w.Create = creatable(w.declared)
		return w, nil
	}
	w.UID, w.live = c.Live.Metadata("uid"), c.Live
	changes := wholeItems(c.Changes)
	patched := changes
	if by.Operation == "Apply" {
		w.restored, patched = split(changes)
	}
	var err error
	if w.Patch, w.after, err = w.patch(patched); err != nil {
		return Write{}, err
	}
	if !w.Applies() {
		return w, nil
	}
	if len(w.Patch) > 0 {
		w.Whole, _, _ = w.patch(changes) // where it cannot be had, it is done in parts
	}
	_, err = w.Apply(w.after)
	return w, err
}

// split tells the changes that an apply undoes from the others.
func split(changes []differ.Change) (restored, others []differ.Change) {
	for _, change := range changes {
		if restores(change) {
			restored = append(restored, change)
		} else {
			others = append(others, change)
		}
	}
	return restored, others
}

// patch returns the patch that undoes changes, and the object as it is then.
func (w Write) patch(changes []differ.Change) ([]Operation, object.Object, error) {
	p := patch{doc: runtime.DeepCopyJSON(w.live.Content), declared: w.declared}
	for _, change := range backwards(changes) {
		if err := p.undo(change); err != nil {
			return nil, object.Object{}, fmt.Errorf("%s cannot be undone: %w", change.Path, err)
		}
	}
	after := object.Object{ID: w.live.ID, Content: p.doc}
	if len(p.operations) == 0 {
		return nil, after, nil
	}
	return append([]Operation{{"test", "/metadata/uid", w.UID}}, p.operations...), after, nil
}

// restores tells whether a change is undone by putting a declared value back.
func restores(c differ.Change) bool { return c.Op == differ.Modified || c.Op == differ.Removed }

// backwards are changes in the order in which the place of none depends on the ones before.
func backwards(changes []differ.Change) []differ.Change {
	changes = slices.Clone(changes)
	slices.Reverse(changes)
	return changes
}

// wholeItems are changes with an item of a list in the place of its parts where its keys
// are among what is to be removed: without them it is no item.
func wholeItems(changes []differ.Change) []differ.Change {
	var items []differ.Change
	for _, c := range changes {
		if above := len(c.Path) - 2; removes(c) && above >= 0 && isKeyOf(c.Path[above], c.Path[above+1]) {
			c.Path = c.Path[:above+1]
			items = append(items, c)
		}
	}
	if items == nil {
		return changes
	}
	isItem := func(c differ.Change) bool {
		return slices.ContainsFunc(items, func(item differ.Change) bool {
			n := len(item.Path)
			return len(c.Path) > n && c.Path[:n].Compare(item.Path) == 0
		})
	}
	changes = append(slices.DeleteFunc(slices.Clone(changes), isItem), items...)
	slices.SortStableFunc(changes, func(a, b differ.Change) int { return a.Path.Compare(b.Path) })
	return slices.CompactFunc(changes, func(a, b differ.Change) bool { return a.Path.Compare(b.Path) == 0 })
}

func removes(c differ.Change) bool { return c.Op == differ.Added || c.Op == differ.Released }

func isKeyOf(item, step any) bool {
	keys, _ := item.(map[string]any)
	name, ok := step.(string)
	_, is := keys[name]
	return ok && is
}

// manager is the first of the deployers that is a name and no pattern.
func manager(o differ.Options) string {
	for _, name := range o.Deployers {
		name, _, _ = strings.Cut(name, "/")
		if !strings.HasSuffix(name, "*") {
			return name
		}
	}
	return Manager
}

// declared is an object's content as the server would store it.
func declared(o object.Object) map[string]any {
	if o.ID.Group == "" && o.ID.Kind == "Secret" {
		return differ.WithoutStringData(o.Content)
	}
	return o.Content
}

// creatable is a declared object without what only the server writes.
func creatable(content map[string]any) map[string]any {
	content = runtime.DeepCopyJSON(content)
	metadata := object.Map(content, "metadata")
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"} {
		delete(metadata, field)
	}
	delete(content, "status")
	return content
}

// Applies tells whether there is something to apply.
func (w Write) Applies() bool { return len(w.restored) > 0 }

// Apply is what to apply, by force, to the live object as it is after the patch: what the
// manager owns of it, and what it is to have back. It holds for that very version of the
// object.
func (w Write) Apply(live object.Object) (map[string]any, error) {
	body := runtime.DeepCopyJSON(differ.Applied(live, w.kind, w.Manager))
	for _, change := range w.restored {
		if err := put(body, w.declared, change.Path); err != nil {
			return nil, fmt.Errorf("%s cannot be put back: %w", change.Path, err)
		}
	}
	metadata := object.Map(body, "metadata")
	metadata["uid"], metadata["resourceVersion"] = live.Metadata("uid"), live.Metadata("resourceVersion")
	return body, nil
}
