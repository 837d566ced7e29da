package adopter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

// verify renders the edited files and keeps them if they say all that is wanted so far,
// and of everything else what was said before.
func (a *adoption) verify(ctx context.Context, files map[string][]byte, group []int) error {
	result, err := render.Render(ctx, overlaid(a.repo.fsys, files), a.repo.dir, render.Options{})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if count(err) > a.faults || len(result.Objects) == 0 {
		return fmt.Errorf("%w: %w", errNotRendered, err)
	}
	after := byID(result.Objects)
	wants := map[object.ID][]*want{}
	for _, w := range a.wants {
		wants[w.Object.ID] = append(wants[w.Object.ID], w)
	}
	for _, i := range slices.Concat(group, a.done) {
		if err := a.holds(a.wants[i], after); err != nil {
			return err
		}
	}
	for _, id := range sortedIDs(a.before, after) {
		if err := unchanged(id, a.before, after, wants[id]); err != nil {
			return err
		}
	}
	a.files, a.now, a.done = files, after, append(a.done, group...)
	return nil
}

// holds tells whether what is rendered says what is wanted.
func (a *adoption) holds(w *want, after map[object.ID]object.Object) error {
	o, ok := after[w.Object.ID]
	switch {
	case w.What == Withdraw && ok:
		return fmt.Errorf("git would still declare it at %s", o.Origin)
	case w.What == Withdraw:
		return nil
	case !ok && w.What == Declare:
		return errors.New("what the kustomization makes of it would be another object, by a prefix, a namespace or the like")
	case !ok:
		return errors.New("the object would get another name: it ends in a hash of its content, so that a change makes a new object; change it by hand and deploy it")
	case w.What == Declare && !rewrite.Same(o.Content, w.Object.Content):
		return fmt.Errorf("the kustomization would change it: %s", firstDifference(w.Object.Content, o.Content))
	case w.What == Field && !w.met(o.Content):
		was, had := valueAt(a.before[w.Object.ID].Content, w.Change.Path)
		is, has := valueAt(o.Content, w.Change.Path)
		return &overruledError{render.Position(a.repo.fsys, w.Object, w.Change.Path), had == has && rewrite.Same(was, is)}
	}
	return nil
}

func sortedIDs(maps ...map[object.ID]object.Object) []object.ID {
	seen := map[object.ID]bool{}
	var ids []object.ID
	for _, m := range maps {
		for id := range m {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, object.ID.Compare)
	return ids
}

// unchanged tells whether an object is what it was, but for what is wanted of it.
func unchanged(id object.ID, before, after map[object.ID]object.Object, wants []*want) error {
	was, old := before[id]
	is, there := after[id]
	switch {
	case !old && !slices.ContainsFunc(wants, func(w *want) bool { return w.What == Declare }):
		return fmt.Errorf("%s would be declared, too", id)
	case !old:
		return nil
	case !there && !slices.ContainsFunc(wants, func(w *want) bool { return w.What == Withdraw }):
		return fmt.Errorf("%s would no longer be declared, or by another name", id)
	case !there:
		return nil
	}
	a, b := any(was.Content), any(is.Content)
	for _, w := range wants {
		if w.What != Field || !w.met(is.Content) {
			continue
		}
		if w.Change.Op == differ.Reordered {
			a, _ = w.apply(a, setter{})
			continue
		}
		a, b = pruned(a, w.Change.Path), pruned(b, w.Change.Path)
	}
	if rewrite.Same(a, b) {
		return nil
	}
	return fmt.Errorf("%s would change as well: %s", id, firstDifference(a, b))
}

// firstDifference names the first place at which two values differ, for people.
func firstDifference(a, b any) string { return strings.TrimPrefix(difference("", a, b), ".") }

func difference(at string, a, b any) string {
	x, ok := a.(map[string]any)
	y, also := b.(map[string]any)
	if ok && also {
		for _, name := range slices.Sorted(maps.Keys(merged(x, y))) {
			if !rewrite.Same(x[name], y[name]) {
				return difference(at+"."+name, x[name], y[name])
			}
		}
	}
	list, ok := a.([]any)
	other, also := b.([]any)
	if ok && also && len(list) == len(other) {
		for i := range list {
			if !rewrite.Same(list[i], other[i]) {
				return difference(fmt.Sprintf("%s[%d]", at, i), list[i], other[i])
			}
		}
	}
	return at
}

func merged(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return all
}
