// Package adopter turns what is live into edits of the files that declare it: where the
// value stands if nothing else builds on that file, and otherwise as a patch in the
// overlay that is rendered. Nothing is taken on trust: what was edited is rendered
// again, and only stays if it declares what is wanted and nothing else has changed. It is
// pure: files in, files out.
package adopter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

// What is to be done about an object.
type What int

const (
	// Field takes over one change of a declared object.
	Field What = iota
	// Declare adds an object that nothing declares.
	Declare
	// Withdraw takes an object out of what is declared.
	Withdraw
)

// Want is one thing that the configuration is to say.
type Want struct {
	What What
	// Object is the object as it was rendered, with its origin; for Declare as it is to
	// be declared: see Clean.
	Object object.Object
	// Change is what differs, for Field.
	Change differ.Change
	// Live is the live object's content, for Field: it tells at which place of a list an
	// item stands. It may be nil.
	Live map[string]any
}

// Result is what became of the wants.
type Result struct {
	// Files are the files that change, with their content; nil for one that goes.
	Files map[string][]byte
	// Objects are what the directory declares with them.
	Objects []object.Object
	// Refused tells for each want why it was not done; nil where it was.
	Refused []error
	// Dependents are the files of kustomizations that build on the directory, and change
	// with it.
	Dependents []string
}

// Adopt makes the directory dir of fsys say what is wanted. What cannot be said is
// refused, and does not keep the rest from being done. The error is about a directory
// that cannot be rendered at all.
func Adopt(ctx context.Context, fsys fs.FS, dir string, wants []Want) (Result, error) {
	rendered, err := render.Render(ctx, fsys, dir, render.Options{})
	if len(rendered.Objects) == 0 {
		return Result{}, err
	}
	repo := survey(fsys, dir)
	a := &adoption{repo: repo, before: byID(rendered.Objects), faults: count(err), files: map[string][]byte{}, refused: make([]error, len(wants))}
	a.now = a.before
	var open []int
	for i, w := range wants {
		a.wants = append(a.wants, &want{Want: w})
		if a.refused[i] = a.prepare(a.wants[i]); a.refused[i] == nil {
			open = append(open, i)
		}
	}
	a.settle(ctx, open)
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	objects := slices.Collect(maps.Values(a.now))
	object.Sort(objects)
	return Result{Files: a.changed(), Objects: objects, Refused: a.refused, Dependents: repo.dependents}, nil
}

// want is a Want and the ways in which it may be met, the best first.
type want struct {
	Want
	ways []way
}

// way is an edit that may meet a want. It returns the files that it changes, given all
// files as they are.
type way struct {
	edit func(fsys fs.FS) (map[string][]byte, error)
	// decides says that where this comes to nothing, no later way leads anywhere.
	decides bool
}

// errNotHere says that a way does not lead to the value.
var errNotHere = errors.New("the value does not stand there")

// overruledError says that an edit comes to nothing: another place has the last word.
type overruledError struct {
	by object.Position
	// entirely says that what is declared stays as it was.
	entirely bool
}

func (e *overruledError) Error() string {
	return fmt.Sprintf("git would still say something else: %s decides", e.by)
}

// errNotRendered says that with an edit nothing can be rendered.
var errNotRendered = errors.New("with the edit the directory cannot be rendered")

// tells ranks reasons by what they tell.
func tells(reason error) int {
	overruled := new(overruledError)
	switch {
	case reason == nil:
		return 0
	case errors.Is(reason, errNotRendered):
		return 1
	case errors.As(reason, &overruled):
		return 2
	}
	return 3
}

// adoption is one run of Adopt.
type adoption struct {
	repo   *repository
	before map[object.ID]object.Object
	now    map[object.ID]object.Object // with what was done so far
	faults int                         // of the rendering, before anything was done
	wants  []*want
	done   []int

	files   map[string][]byte
	refused []error
}

func byID(objects []object.Object) map[object.ID]object.Object {
	all := make(map[object.ID]object.Object, len(objects))
	for _, o := range objects {
		all[o.ID] = o
	}
	return all
}

// count returns the number of errors that are joined.
func count(err error) int {
	if err == nil {
		return 0
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return 1
	}
	n := 0
	for _, e := range joined.Unwrap() {
		n += count(e)
	}
	return n
}

// settle does as much of some wants as can be done: all at once where that comes out
// right, else half by half, and of a single one way by way. Together first, because
// some changes are one edit: the tag of an image that several objects take.
func (a *adoption) settle(ctx context.Context, group []int) {
	switch {
	case len(group) == 0 || ctx.Err() != nil:
		return
	case len(group) == 1:
		a.refused[group[0]] = a.single(ctx, group[0])
		return
	}
	files := maps.Clone(a.files)
	applied := true
	for _, i := range group {
		applied = applied && a.firstWay(i, files)
	}
	if applied && a.verify(ctx, files, group) == nil {
		return
	}
	a.settle(ctx, group[:len(group)/2])
	a.settle(ctx, group[len(group)/2:])
}

// firstWay goes the first way that is open.
func (a *adoption) firstWay(i int, files map[string][]byte) bool {
	for _, way := range a.wants[i].ways {
		edits, err := way.edit(overlaid(a.repo.fsys, files))
		if err == nil {
			maps.Copy(files, edits)
			return true
		}
	}
	return false
}

// single tries the ways of one want, and says why none of them leads there.
func (a *adoption) single(ctx context.Context, i int) error {
	var reason error
	for _, way := range a.wants[i].ways {
		files := maps.Clone(a.files)
		edits, err := way.edit(overlaid(a.repo.fsys, files))
		if errors.Is(err, errNotHere) {
			continue
		}
		if err == nil {
			maps.Copy(files, edits)
			err = a.verify(ctx, files, []int{i})
		}
		if err == nil {
			return nil
		}
		if tells(err) > tells(reason) {
			reason = err
		}
		overruled := new(overruledError)
		if errors.As(err, &overruled) && overruled.entirely && way.decides && isKustomization(overruled.by.File) {
			break
		}
	}
	switch closed := a.repo.closed(a.wants[i].Object); {
	case reason == nil && closed != nil:
		return closed
	case reason == nil:
		return errors.New("no file was found in which it could be said: change it by hand")
	}
	return reason
}

// changed returns the files that are not as they were.
func (a *adoption) changed() map[string][]byte {
	changed := map[string][]byte{}
	for name, data := range a.files {
		before, err := fs.ReadFile(a.repo.fsys, name)
		if err != nil && data == nil || err == nil && data != nil && string(before) == string(data) {
			continue
		}
		changed[name] = data
	}
	return changed
}

// prepare finds the ways, and refuses what is not to be adopted.
func (a *adoption) prepare(w *want) error {
	if w.Object.ID.Group == "" && w.Object.ID.Kind == "Secret" && w.secret() {
		return errors.New("values of Secrets are never written to git: change the Secret where it is kept")
	}
	switch w.What {
	case Declare:
		w.ways = a.declaring(w)
		return nil
	case Withdraw:
		w.ways = a.withdrawing(w)
		return nil
	}
	switch {
	case w.Change.Op == differ.Contested || w.Change.Op == differ.Controlled:
		return errors.New("a controller owns it: take the field out of git by hand if that is meant")
	case w.Change.Pending != (differ.Pending{}):
		return errors.New("the deployer is about to change it: it is as an earlier commit has it")
	}
	if _, ok := a.before[w.Object.ID]; !ok {
		return fmt.Errorf("%s is not declared there", w.Object.ID)
	}
	w.ways = a.ways(w)
	return nil
}

// secret tells whether the want is about what nobody may see.
func (w *want) secret() bool {
	if w.What != Field {
		return w.What == Declare
	}
	path := w.Change.Path
	if len(path) == 0 {
		return true
	}
	switch path[0] {
	case "type", "immutable":
		return false
	case "metadata":
		return len(path) < 3 || path[1] == "annotations"
	}
	return true
}
