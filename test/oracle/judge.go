package oracle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// errNoAnswer: the server has no answer to compare with, as when git and the
// edits together are no valid object.
var errNoAnswer = errors.New("the API server has no answer")

// verdict is what a judgement found.
type verdict struct {
	// wrong says in what the differ is not right; sorted by what it is about.
	wrong []string
	// missed are the places beside git that it should have said.
	missed []string
	// impostures are changes by an impostor that the differ said, and that it did
	// not say: without a dry run nobody can know.
	imposturesSaid, imposturesMissed int
}

// truth is what there is to be said of an object.
type truth struct {
	live, applied *unstructured.Unstructured
	byApply       difference // what an apply of git would do
	beside        difference // what the live object has that an untouched one has not
	declared      places     // what git declares
	blank         places     // of these, where git leaves a place to be filled in
	null          places     // of these, where git says null, which is as good as nothing
	emptied       places     // where the live object has an empty value that an untouched one has not
	ledger        *ledger
}

// judge compares the differ's word with the truth. If the object has changed in
// the meantime, by a controller, it judges again.
func (r *run) judge(ctx context.Context) (verdict, error) {
	for {
		v, err := r.judgeOnce(ctx)
		if err != nil || len(v.wrong) == 0 {
			return v, err
		}
		resource, err := r.resource(r.git.GroupVersionKind())
		if err != nil {
			return v, err
		}
		judged := r.live
		if err := r.refresh(ctx, resource); err != nil {
			return v, err
		}
		if judged == r.live {
			return v, nil
		}
	}
}

func (r *run) judgeOnce(ctx context.Context) (verdict, error) {
	t := truth{live: r.live, ledger: r.ledger}
	var err error
	if t.applied, err = r.apply(ctx, r.git, ci, true); err != nil {
		if errors.Is(refusal(err), errRefused) {
			return verdict{}, fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		return verdict{}, err
	}
	untouched, err := r.created(ctx, r.git, r.name, string(r.live.GetUID()))
	if err != nil {
		return verdict{}, fmt.Errorf("asking what an untouched object has: %w", err)
	}
	if t.byApply, err = compare(r.types, r.live, t.applied); err != nil {
		return verdict{}, err
	}
	if t.beside, err = compare(r.types, untouched, r.live); err != nil {
		return verdict{}, err
	}
	if t.declared, err = fieldsOf(r.types, stored(r.git)); err != nil {
		return verdict{}, err
	}
	filled, err := fieldsOf(r.types, nonEmpty(stored(r.git)))
	if err != nil {
		return verdict{}, err
	}
	t.blank = maps.Clone(t.declared)
	maps.DeleteFunc(t.blank, func(p string, _ bool) bool { return filled[p] })
	filled, err = fieldsOf(r.types, withoutNull(stored(r.git)))
	if err != nil {
		return verdict{}, err
	}
	t.null = maps.Clone(t.declared)
	maps.DeleteFunc(t.null, func(p string, _ bool) bool { return filled[p] })
	if t.emptied, err = r.emptied(untouched); err != nil {
		return verdict{}, err
	}
	said := r.said()
	v := t.undeclared(said)
	if v.wrong, err = r.owed(ctx, v); err != nil {
		return verdict{}, err
	}
	v.wrong = slices.Concat(t.declaredPart(said), v.wrong, t.releases(said), t.values(said),
		orders(r.shapes.lists(r.roots[r.git.GroupVersionKind()], r.git.Object, r.live.Object, t.applied.Object), said))
	if len(v.wrong) == 0 {
		v.wrong = t.writers(said)
	}
	return v, nil
}

// emptied are the places at which the live object has a value that says nothing
// and an untouched one has none.
func (r *run) emptied(untouched *unstructured.Unstructured) (places, error) {
	all, err := fieldsOf(r.types, r.live)
	if err != nil {
		return nil, err
	}
	for _, o := range []*unstructured.Unstructured{nonEmpty(r.live), untouched} {
		others, err := fieldsOf(r.types, o)
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(all, func(p string, _ bool) bool { return others[p] })
	}
	return all, nil
}

// owed adds to what is wrong the places that were missed, but for those with a
// value that the server would fill in itself: who writes down a default has
// changed nothing.
func (r *run) owed(ctx context.Context, v verdict) ([]string, error) {
	for _, p := range v.missed {
		isDefault, err := r.filledIn(ctx, p)
		if err != nil {
			return nil, err
		}
		if !isDefault {
			v.wrong = append(v.wrong, fmt.Sprintf("undeclared: missed %s (%s)", p, writersOf(r.ledger.holds[p])))
		}
	}
	return v.wrong, nil
}

// filledIn tells whether the server, asked in a dry run to create the live object
// without what stands at a place, would put the same there.
func (r *run) filledIn(ctx context.Context, p string) (bool, error) {
	without, err := removed(r.types, r.live, p)
	if err != nil || without == nil {
		return false, err
	}
	resource, err := r.resource(r.git.GroupVersionKind())
	if err != nil {
		return false, err
	}
	without = stripped(without)
	for _, allocated := range [][]string{{"spec", "clusterIP"}, {"spec", "clusterIPs"}} {
		unstructured.RemoveNestedField(without.Object, allocated...)
	}
	fresh := r.world.name(r.git.GetKind())
	without.Object = renamed(without.Object, r.name, fresh)
	made, err := resource.Create(ctx, without, metav1.CreateOptions{FieldManager: ci, DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		if errors.Is(refusal(err), errRefused) {
			return false, nil
		}
		return false, err
	}
	made.Object = renamed(made.Object, fresh, r.name)
	d, err := compare(r.types, r.live, made)
	if err != nil {
		return false, err
	}
	all := d.present()
	maps.Copy(all, d.removed)
	return !all.covered(p), nil
}

// said is what the differ says.
func (r *run) said() []differ.Change {
	gvk := r.git.GroupVersionKind()
	id := object.ID{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: r.git.GetNamespace(), Name: r.git.GetName()}
	declared, live := object.Object{ID: id, Content: r.git.Object}, object.Object{ID: id, Content: r.live.Object}
	return differ.Compare(declared, live, r.schemas.Type(id.Group, id.Version, id.Kind), differ.Options{Deployers: []string{ci}}).Changes
}

// at are the places of the changes of some kinds.
func at(said []differ.Change, ops ...differ.Op) places {
	found := places{}
	for _, c := range said {
		if slices.Contains(ops, c.Op) {
			found[spelled(c.Path)] = true
		}
	}
	return found
}

// declaredPart wants the differ to say of what git declares as much as an apply
// would change, and no more.
func (t truth) declaredPart(said []differ.Change) []string {
	var wrong []string
	told := at(said, differ.Modified, differ.Removed, differ.Contested)
	added := at(said, differ.Added) // of two items with one key
	changed := t.byApply.present()
	for _, p := range changed.sorted() {
		if t.declared[p] && !told.covered(p) && !added.covered(p) && !t.leftTo(p) {
			wrong = append(wrong, "declared: missed "+p)
		}
	}
	maps.Copy(changed, t.byApply.removed)
	for _, p := range told.sorted() {
		if !changed.covered(p) && !t.ignored(p) {
			wrong = append(wrong, "declared: false alarm about "+p)
		}
	}
	return wrong
}

// ignored tells whether the server takes the field only when it creates the
// object, or never, and leaves it as it is without a word: it differs from git
// for ever, and an apply would not change it.
func (t truth) ignored(p string) bool {
	switch t.live.GetKind() {
	case "CertificateSigningRequest":
		return beneath(p, ".spec")
	case "Node":
		return beneath(p, ".spec.configSource")
	}
	return false
}

// leftTo tells whether git leaves a place to be filled in, and a controller has.
func (t truth) leftTo(p string) bool {
	who := roles(t.ledger.around(p))
	delete(who, server)
	return t.blank[p] && len(who) == 1 && who[Controller]
}

// releases wants what is said to be released to have been the deployer's, and
// what a deployer's apply would remove to be said.
func (t truth) releases(said []differ.Change) []string {
	var wrong []string
	told := at(said, differ.Released)
	any := at(said, differ.Released, differ.Added, differ.Modified, differ.Removed)
	for _, p := range t.byApply.removed.sorted() {
		if onlyApplied(t.ledger.holds[p]) && !any.covered(p) {
			wrong = append(wrong, "released: missed "+p)
		}
	}
	for _, q := range told.sorted() {
		if !t.byApply.removed.covered(q) && !roles(t.among(q))[Deployer] {
			wrong = append(wrong, "released: false alarm about "+q)
		}
	}
	return wrong
}

func onlyApplied(holds []hold) bool {
	return len(holds) > 0 && !slices.ContainsFunc(holds, func(h hold) bool {
		return h.Role != Deployer || h.Way != Apply || !h.recorded || !h.meant
	})
}

// among are the claims to what stands beside git at a place.
func (t truth) among(q string) []hold {
	var all []hold
	for _, p := range t.beside.present().sorted() {
		if related(p, q) {
			all = append(all, t.ledger.holds[p]...)
		}
	}
	return all
}

// duty is what the differ owes about a place beside git.
type duty int

const (
	silence     duty = iota // a default, or a controller's
	liberty                 // followed from an edit, or cannot be told
	mention                 // somebody's
	impostor                // a person's under the deployer's name
	releaseOnly             // the deployer's
)

func (t truth) duty(p string) duty {
	holds := t.ledger.holds[p]
	who := roles(holds)
	switch {
	case len(holds) == 0, len(who) == 1 && who[server]:
		return silence
	case !meant(holds), who[server]:
		return liberty
	case who[Impostor] && !who[Person]:
		return impostor
	case t.ledger.touched(p, last(holds).number+1, func(t touch) bool { return t.Way != Apply && !who[t.Role] }):
		return liberty // somebody asked for what was there already, and the server may have recorded that
	case who[Controller] && len(who) == 1 && recorded(holds), slices.ContainsFunc(holds, func(h hold) bool { return h.Way == Scale && h.recorded }):
		return silence
	case who[Controller]:
		return liberty
	case who[Person]:
		return mention
	case slices.ContainsFunc(holds, func(h hold) bool { return h.Way == Update }):
		return liberty // perhaps a default, which a deployer that updates owns too
	}
	return releaseOnly
}

// undeclared wants the differ to say what stands beside git by anyone but
// controllers and the server, and nothing else.
func (t truth) undeclared(said []differ.Change) verdict {
	var v verdict
	told, added := at(said, differ.Added, differ.Released), at(said, differ.Added)
	all, allowed, quiet := t.byApply.present(), places{}, places{}
	maps.Copy(all, t.byApply.removed)
	for _, p := range t.beside.present().sorted() {
		if t.declared[p] && !t.null[p] {
			continue // what an apply would do with it was asked
		}
		d := t.duty(p)
		if d == silence {
			quiet[p] = true
		} else {
			allowed[p] = true
		}
		switch {
		case d == impostor && told.covered(p):
			v.imposturesSaid++
		case d == impostor:
			v.imposturesMissed++
		case (d == mention || d == releaseOnly) && !told.covered(p) && !told.covered(twin(p)) && !all.covered(p):
			v.missed = append(v.missed, p)
		}
	}
	for _, q := range added.sorted() {
		if !allowed.covered(q) && !t.emptied[q] {
			v.wrong = append(v.wrong, fmt.Sprintf("undeclared: false alarm about %s (%s)", q, writersOf(t.ledger.around(q))))
		}
		for _, p := range quiet.sorted() {
			if holds := t.ledger.holds[p]; beneath(p, q) && roles(holds)[Controller] {
				v.wrong = append(v.wrong, fmt.Sprintf("undeclared: too wide %s, of which %s is a controller's", q, p))
			}
		}
	}
	return v
}

// twin is the place at which the server keeps the same value under another name.
func twin(p string) string {
	if rest, ok := strings.CutSuffix(p, ".serviceAccount"); ok {
		return rest + ".serviceAccountName"
	}
	return p
}

func writersOf(holds []hold) string {
	var names []string
	for _, h := range holds {
		name := fmt.Sprintf("%s %s by %s", h.Role, h.Manager, h.Way)
		if !h.meant {
			name += ", of itself"
		}
		if !h.recorded {
			name += ", records gone"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return fmt.Sprint(names)
}

// writers wants each change to name who last wrote the place, as far as the
// server's records, which have one time for each manager, can tell.
func (t truth) writers(said []differ.Change) []string {
	var wrong []string
	for _, c := range said {
		if c.Live == nil || c.Op != differ.Added && c.Op != differ.Modified && c.Op != differ.Contested {
			continue
		}
		q := spelled(c.Path)
		holds := slices.DeleteFunc(t.ledger.around(q), func(h hold) bool { return h.Role == server || h.Manager == "" || !h.meant })
		changers := slices.DeleteFunc(slices.Clone(holds), func(h hold) bool { return h.again })
		if len(changers) == 0 || !recorded(holds) {
			continue
		}
		if !t.mayBe(c.Writer, q, last(changers), holds) {
			wrong = append(wrong, fmt.Sprintf("writer: %s is said to be by %q (%s), and is by %s", q, c.Writer.Manager, c.Writer.Operation, writersOf(holds)))
		}
	}
	return wrong
}

// mayBe tells whether a writer is the last one who changed a place, one that
// applied the same since, or one that the server may take for it: that touched
// the place and has written since the last one has, as far as the records'
// seconds tell.
func (t truth) mayBe(w differ.Writer, place string, last hold, holds []hold) bool {
	named := func(s Step) bool { return s.Manager == w.Manager && (s.Way == Apply) == (w.Operation == "Apply") }
	return slices.ContainsFunc(holds, func(h hold) bool { return h.number >= last.number && named(h.Step) }) ||
		!t.written(w.Manager).Before(t.written(last.Manager)) &&
			t.ledger.touched(place, 0, func(t touch) bool { return named(t.Step) })
}

// written is when the server says that the manager last wrote.
func (t truth) written(manager string) time.Time {
	var last time.Time
	for _, record := range t.live.GetManagedFields() {
		if record.Manager == manager && record.Time != nil && record.Time.After(last) {
			last = record.Time.Time
		}
	}
	return last
}

// values wants the values that are said to be live to be live.
func (t truth) values(said []differ.Change) []string {
	var wrong []string
	for _, c := range said {
		if c.Live == nil || c.Op == differ.Reordered || t.live.GetKind() == "Secret" {
			continue
		}
		if live := valuesAt(t.live.Object, c.Path); !slices.ContainsFunc(live, func(v any) bool { return reflect.DeepEqual(v, c.Live) }) {
			wrong = append(wrong, fmt.Sprintf("value: %s is %v and said to be %v", spelled(c.Path), live, c.Live))
		}
	}
	return wrong
}

// valuesAt returns the values at a path of fields and merge keys: more than one,
// where items of a list have one key.
func valuesAt(v any, path differ.Path) []any {
	if len(path) == 0 {
		return []any{v}
	}
	var all []any
	switch at := v.(type) {
	case map[string]any:
		name, _ := path[0].(string)
		if field, ok := at[name]; ok {
			return valuesAt(field, path[1:])
		}
	case []any:
		for _, item := range at {
			if isItem(item, path[0]) {
				all = append(all, valuesAt(item, path[1:])...)
			}
		}
	}
	return all
}

func isItem(item, step any) bool {
	if of, ok := step.(differ.Item); ok {
		return reflect.DeepEqual(item, of.Value)
	}
	keys, _ := step.(map[string]any)
	fields, _ := item.(map[string]any)
	for k, want := range keys {
		if got, ok := fields[k]; ok && !reflect.DeepEqual(got, want) {
			return false
		}
	}
	return true
}
