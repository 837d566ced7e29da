// Package assess takes declared objects through the differ and the policy: one
// pass over everything a Baseline governs. It only reads; Options.Confirm may do more.
package assess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/lag"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/policy"
	"plumbline.dev/plumbline/rogue"
)

// Source is where live objects come from: a cluster, or a dump of one. It is
// safe for concurrent use.
type Source interface {
	// Resource tells how a kind is served; cluster.ErrNotServed where it is not.
	Resource(group, version, kind string) (cluster.Resource, error)
	// Read answers for each of the wanted objects.
	Read(ctx context.Context, wanted []object.ID) map[object.ID]cluster.Answer
	// Schemas returns the OpenAPI schemas of group versions, as far as there are any.
	Schemas(ctx context.Context, groupVersions []string) ([]cluster.Components, error)
	// Mutators returns what may change objects on their way into the cluster.
	Mutators(ctx context.Context) (cluster.Mutators, error)
}

// Options are the rules of a pass.
type Options struct {
	// Compare holds the identities of deployers and controllers.
	Compare differ.Options
	// Namespace is where namespaced objects live that name none.
	Namespace string
	// Namespaces restricts the pass to objects in these namespaces and to those that are
	// in none. Empty means everything.
	Namespaces []string
	// Past are the commits from the newest back, in which to look for what the
	// cluster still has. It is not asked unless something differs or is missing,
	// and no further than it takes. Nil means that nothing is known of the past.
	Past iter.Seq[lag.Commit]
	// Ignore are the rules about what to ignore. They cost nothing for an object
	// of which nothing differs.
	Ignore []ignore.Rule
	// Types are remembered from pass to pass; nil reads them anew.
	Types *Types
	// Known returns what an earlier pass has found of an object, as far as that still holds:
	// it is not compared again. Nil knows nothing.
	Known func(declared object.Packed) (Assessment, bool)
	// Keep has the assessments of objects that differ keep what these were compared with.
	Keep bool
	// AtOnce is how many live objects are asked for at once, and are in memory together: of
	// a source that has them at hand. 0 is all.
	AtOnce int
	// Confirm asks the server what it makes of declared objects, where a comparison
	// finds something or is not sure. Nil means that it is not asked.
	Confirm Confirmer
}

// Types are the types of kinds that passes have met, as long as the kinds that are served
// stay the same. One pass uses them at a time.
type Types struct {
	known    *differ.Schemas
	versions map[string]bool // that were read
}

// Assessment is the word about one declared object.
type Assessment struct {
	Declared object.Packed // with its namespace filled in
	// Given is the same in the version in which it was given to All.
	Given    object.Packed
	Verdict  finding.Verdict
	Findings []finding.Finding
	// Ignored are what rules keep silent of it.
	Ignored []finding.Silenced
	// Written are about who wrote what is as git says, where Options.Compare.Rewritten
	// asks for it.
	Written []finding.Finding
	// Failures are about rules whose conditions could not be evaluated.
	Failures []ignore.Failure
	// Unconfirmed are the places that were left alone because the cluster may have
	// filled them in, or somebody: only the server could tell.
	Unconfirmed []differ.Path
	// Live and Type are what it was compared with, where Options.Keep asks for them.
	Live object.Object
	Type differ.Type
	// Since is the commit since which an object that is missing is declared; zero where that
	// lies beyond the commits that were looked at.
	Since differ.Pending
	// Err says why the verdict is Unknown.
	Err error

	concern []int // the Ignore rules that are about the object
}

// Clean tells whether nothing was found of an object, not even what is ignored.
func (a Assessment) Clean() bool {
	return a.Verdict == finding.InSync && len(a.Findings)+len(a.Ignored)+len(a.Written)+len(a.Failures) == 0
}

// All assesses the declared objects and returns the assessments sorted by
// object. What cannot be assessed is Unknown and does not hide the others. The
// error is about what the assessments had to do without, and says what that means
// for them; they stand.
func All(ctx context.Context, declared []object.Packed, source Source, o Options) ([]Assessment, error) {
	p := pass{source: source, options: o, moved: map[object.ID]moved{}}
	wanted := p.recall(p.place(declared))
	var types sync.WaitGroup
	types.Go(func() {
		if err := p.readTypes(ctx, wanted); err != nil {
			p.notes = append(p.notes, fmt.Errorf("some schemas could not be read, so lists of those kinds were compared as wholes: %w", err))
		}
	})
	p.done = slices.Grow(p.done, len(wanted))
	var questions []question
	for part := range slices.Chunk(wanted, cmp.Or(o.AtOnce, max(1, len(wanted)))) {
		answer := answers(ctx, source, part)
		types.Wait()
		questions = p.ask(ctx, questions, part, answer)
	}
	types.Wait()
	p.lookBack(questions)
	for _, q := range questions {
		p.done = append(p.done, p.answer(q))
	}
	p.notes = append(p.notes, p.confirmation.notes()...)
	for i, a := range p.done {
		p.done[i].Given = p.given(a.Declared)
	}
	slices.SortStableFunc(p.done, func(a, b Assessment) int { return a.Declared.ID.Compare(b.Declared.ID) })
	return p.done, errors.Join(p.notes...)
}

// ask adds the questions that are open about some of the objects, and settles the others.
func (p *pass) ask(ctx context.Context, questions []question, wanted []object.Packed, answer func(object.ID) cluster.Answer) []question {
	for _, packed := range wanted {
		d := packed.Object()
		a, q := p.one(ctx, d, answer(d.ID))
		if q != nil {
			q.declared, q.concern = packed, p.concern(d)
		}
		switch {
		case q == nil:
			a.Declared, a.concern = packed, p.concern(d)
			p.done = append(p.done, a)
		case q.open():
			questions = append(questions, *q)
		default: // history has nothing to say of it: most objects are in sync, and their live content need not be kept
			p.done = append(p.done, p.answer(*q))
		}
	}
	return questions
}

// answers returns what the source says of each of the objects. An answer is given
// once, so that it is not held any longer than it takes to compare it.
func answers(ctx context.Context, source Source, wanted []object.Packed) func(object.ID) cluster.Answer {
	if dump, ok := source.(*Dump); ok {
		return dump.lookup // decoded, all of a large dump would fill the memory
	}
	ids := make([]object.ID, len(wanted))
	for i, d := range wanted {
		ids[i] = d.ID
	}
	all := source.Read(ctx, ids)
	return func(id object.ID) cluster.Answer {
		answer := all[id]
		delete(all, id)
		return answer
	}
}

// moved is an object as git has it, and why it is compared in another version.
type moved struct {
	object object.Packed
	why    error
}

type pass struct {
	source  Source
	options Options
	types   *differ.Schemas
	done    []Assessment
	notes   []error             // about what could not be read
	moved   map[object.ID]moved // objects that are compared in another version

	mutators     mutators
	confirmation confirmation
}

// place gives each object the namespace in which the cluster has it, and
// settles those that need no reading. It returns the others.
func (p *pass) place(declared []object.Packed) []object.Packed {
	wanted := make([]object.Packed, 0, len(declared))
	seen := make(map[object.ID]object.Position, len(declared))
	for _, d := range declared {
		d, err := p.placed(d)
		// Where an object of an unknown kind would live is unknown too, unless it
		// says so itself: it may be in scope.
		if known := err == nil || d.ID.Namespace != ""; known && !p.inScope(d.ID) {
			continue
		}
		if err != nil {
			p.settle(d, p.unserved(d.Object(), err))
			continue
		}
		if first, ok := seen[d.ID]; ok {
			p.settle(d, unknown(fmt.Errorf("%s: %s is declared a second time; the first is at %s", d.Origin, d.ID, first)))
			continue
		}
		seen[d.ID] = d.Origin.Position
		wanted = append(wanted, d)
	}
	return wanted
}

// recall settles the objects of which everything is known, and returns the others.
func (p *pass) recall(wanted []object.Packed) []object.Packed {
	if p.options.Known == nil {
		return wanted
	}
	return slices.DeleteFunc(wanted, func(d object.Packed) bool {
		a, ok := p.options.Known(d)
		if ok {
			a.Declared = d
			p.done = append(p.done, a)
		}
		return ok
	})
}

// settle adds the word about an object that is not compared.
func (p *pass) settle(d object.Packed, a Assessment) {
	a.Declared, a.concern = d, p.concern(d.Object())
	p.done = append(p.done, a)
}

// placed gives one object its namespace, unless its kind is not known, and the
// version in which its kind is served.
func (p *pass) placed(d object.Packed) (object.Packed, error) {
	r, err := p.source.Resource(d.ID.Group, d.ID.Version, d.ID.Kind)
	other := new(cluster.OtherVersionError)
	if errors.As(err, &other) {
		given := d
		d, r, err = inVersion(d, other.Served), other.Served, nil
		defer func() { p.moved[d.ID] = moved{given, other} }()
	}
	switch {
	case err != nil:
	case !r.Namespaced:
		d.ID.Namespace = ""
	case d.ID.Namespace == "":
		d.ID.Namespace = p.options.Namespace
	}
	return d, err
}

// given returns a declared object in the version that git has it in.
func (p *pass) given(d object.Packed) object.Packed {
	if m, ok := p.moved[d.ID]; ok {
		return m.object
	}
	return d
}

func (p *pass) inScope(id object.ID) bool {
	return len(p.options.Namespaces) == 0 || id.Namespace == "" || slices.Contains(p.options.Namespaces, id.Namespace)
}

// unserved is the word about an object whose kind is not there: if the server
// says so, the object cannot exist.
func (p *pass) unserved(d object.Object, err error) Assessment {
	if !errors.Is(err, cluster.ErrNotServed) {
		return unknown(err)
	}
	return p.missing(d, fmt.Sprintf("the cluster has no kind %s in %s; its CustomResourceDefinition is not installed", d.ID.Kind, d.ID.APIVersion()))
}

func unknown(err error) Assessment {
	return Assessment{Verdict: finding.Unknown, Err: err}
}

// readTypes fetches the schemas of the kinds in question, as far as they are not known.
// Without them types are deduced, which is less exact and never a failure of the pass.
func (p *pass) readTypes(ctx context.Context, objects []object.Packed) error {
	types := p.options.Types
	if types == nil {
		types = &Types{}
	}
	if types.known == nil {
		types.known, types.versions = differ.NewSchemas(), map[string]bool{}
	}
	p.types = types.known
	missing := map[string]bool{}
	for _, o := range objects {
		if version := o.ID.APIVersion(); !types.versions[version] {
			missing[version] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	documents, err := p.source.Schemas(ctx, slices.Sorted(maps.Keys(missing)))
	errs := []error{err}
	for _, d := range documents {
		errs = append(errs, p.types.Add(d))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	maps.Copy(types.versions, missing)
	return nil
}

// maxRecords bounds the ownership records of an object. Of updates the API server keeps
// ten, of applies any number, and to compare takes a time that grows with their square:
// whoever may write one object could hold up the word about all others.
const maxRecords = 1000

// one is the word about one object, given what the source answered, or a
// question to the history of git.
func (p *pass) one(ctx context.Context, d object.Object, answer cluster.Answer) (Assessment, *question) {
	switch {
	case errors.Is(answer.Err, cluster.ErrNotFound) && policy.GoesByItself(d):
		return Assessment{Verdict: finding.Finished}, nil
	case errors.Is(answer.Err, cluster.ErrNotFound):
		if a := p.missing(d, ""); a.Verdict == finding.Ignored {
			return a, nil
		}
		return Assessment{}, &question{missing: &lag.Since{}}
	case errors.Is(answer.Err, cluster.ErrNotServed):
		return p.unserved(d, answer.Err), nil
	case answer.Err != nil:
		return unknown(answer.Err), nil
	case answer.Object.Content == nil:
		return unknown(errors.New("nothing is known about it")), nil
	case len(answer.Object.Records()) > maxRecords:
		return unknown(fmt.Errorf("metadata.managedFields has %d records of who wrote it, and at most %d are looked at: look who applies to it under ever new names", len(answer.Object.Records()), maxRecords)), nil
	}
	if m, ok := p.moved[d.ID]; ok && !p.typeOf(d.ID).Knows(d.Content) {
		return unknown(m.why), nil // git says what the served version has no words for
	}
	return Assessment{}, p.compare(ctx, d, answer.Object)
}

func (p *pass) typeOf(id object.ID) differ.Type { return p.types.Type(id.Group, id.Version, id.Kind) }

// inVersion returns an object in another version of its kind.
func inVersion(p object.Packed, served cluster.Resource) object.Packed {
	o := p.Object()
	o.ID.Version = served.Version
	o.Content = maps.Clone(o.Content)
	o.Content["apiVersion"] = o.ID.APIVersion()
	return object.Loose(o)
}

// compare asks what to make of an object that is there.
func (p *pass) compare(ctx context.Context, d, live object.Object) *question {
	q := &question{ruling: &ruling{}}
	if p.options.Keep {
		q.live = live
	}
	rules := sync.OnceValue(func() []differ.Ignore {
		q.ruling = p.ruling(d, live)
		return q.ruling.ignores
	})
	c := lag.Comparison{Live: live, Type: p.typeOf(d.ID), Options: p.options.Compare}
	c.Options.Ignore = rules
	c.Options.Stored = p.stored(ctx, d, live)
	q.diff = differ.Compare(d, live, c.Type, c.Options)
	if q.diff.PresumesNoMutation && p.mutated(ctx, d.ID) {
		c.Options.Mutated = true
		q.diff = differ.Compare(d, live, c.Type, c.Options)
		q.unjudged = p.mutators.err
	}
	if p.options.Confirm != nil && !c.Options.Mutated && p.mutators.asked { // earlier commits are not confirmed
		c.Options.Mutated = p.mutated(ctx, d.ID)
	}
	c.Options.Stored = nil // it is what the server makes of this commit's object
	c.Options.Ignore = func() []differ.Ignore { return q.ruling.unconditional() }
	if q.diff.Unattributed {
		rules()
	}
	q.differs = lag.NewCase(c, d, q.diff)
	return q
}

// answer is the word about an object after all that earlier commits say.
func (p *pass) answer(q question) Assessment {
	if q.missing != nil {
		since, _ := q.missing.Commit()
		a := p.missing(q.declared.Object(), policy.Since(since))
		a.Declared, a.Since, a.concern = q.declared, since, q.concern
		return a
	}
	q.diff.Changes = q.differs.Changes()
	declared := q.declared.Bare()
	a := Assessment{Declared: q.declared, concern: q.concern, Failures: q.ruling.failures, Unconfirmed: q.diff.Unconfirmed}
	a.Findings, a.Ignored = q.ruling.apart(declared, q.diff)
	a.Verdict = policy.Verdict(a.Findings, a.Ignored)
	if q.live.Content != nil {
		a.Live, a.Type = q.live, p.typeOf(q.declared.ID)
	}
	a.Written = rogue.Writers(declared, q.diff)
	if q.unjudged != nil && a.Verdict == finding.InSync {
		a.Verdict = finding.Unknown
		a.Err = fmt.Errorf("git does not declare %s, and no record tells who wrote that; whether webhooks or policies did is not known: %w", some(a.Unconfirmed), q.unjudged)
	}
	if p.options.Compare.Unrecorded && len(q.diff.Changes) == 0 {
		a.Verdict = finding.Unknown
		a.Err = errors.New("what git declares is there, but without managedFields additions cannot be seen: dump with --show-managed-fields")
	}
	return a
}

// some names the first of places.
func some(places []differ.Path) string {
	const most = 3
	var names []string
	for _, p := range places[:min(most, len(places))] {
		names = append(names, p.String())
	}
	if more := len(places) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
