package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/policy"
	"plumbline.dev/plumbline/posture"
	"plumbline.dev/plumbline/provenance"
	"plumbline.dev/plumbline/rogue"
	"plumbline.dev/plumbline/running"
	"plumbline.dev/plumbline/source"
	"plumbline.dev/plumbline/source/helm"
	"plumbline.dev/plumbline/source/images"
)

// Repository is where the declared objects come from.
type Repository struct {
	// FS are its files, and Dir the directory that was rendered.
	FS  fs.FS
	Dir string
	// URL is its address; of a directory, anything.
	URL string
	// Cache is a directory to remember answers of registries in; empty for none.
	Cache string
}

// Rules are a Baseline's rules about what should not be there, ready to judge by.
type Rules struct {
	spec       v1alpha1.BaselineSpec
	repository Repository
	now        time.Time
	exemptions []ignore.Exemption

	rogue   *rogue.Policy
	source  *source.Policy
	posture *posture.Policy
	running *running.Policy
	images  images.Finder
	// registries are asked where a rule needs them; nil where none does.
	registries Registries
	charts     error // about charts of the repository that cannot be read
}

// New compiles a Baseline's rules. Of the writers it takes who deploys and who
// controls. The error tells all that is wrong with the Baseline, by its fields.
func New(spec v1alpha1.BaselineSpec, repository Repository, writers differ.Options, now time.Time) (*Rules, error) {
	r := &Rules{spec: spec, repository: repository, now: now, exemptions: ignore.Exemptions(spec.Scope.Exempt, now)}
	own := source.Own{Repository: repository.URL}
	if len(spec.Sources.Charts) > 0 || spec.Sources.Releases == v1alpha1.Read {
		own.Charts, r.charts = helm.Charts(repository.FS)
	}
	var errs [6]error
	r.rogue, errs[0] = rogue.New(spec.Scope, writers)
	r.source, errs[1] = source.New(spec.Sources, own)
	r.posture, errs[2] = posture.New(spec.Posture)
	r.running, errs[3] = running.New(spec.Runtime)
	r.images, errs[4] = images.New(spec.Sources.Images)
	r.registries, errs[5] = registries(spec, repository.Cache)
	return r, errors.Join(errs[:]...)
}

// registries returns what asks registries, where a rule needs that.
func registries(spec v1alpha1.BaselineSpec, cache string) (Registries, error) {
	options := provenance.Options{CacheDir: cache}
	switch {
	case spec.Sources.Signatures != nil:
		return provenance.New(*spec.Sources.Signatures, options)
	case spec.Runtime.Newest:
		return provenance.Open(options), nil
	}
	return nil, nil
}

// Outcome is what was found beside drift.
type Outcome struct {
	// Findings count, Exempt do not.
	Findings []finding.Finding
	Exempt   []finding.Silenced
	// Unjudged are what could not be judged.
	Unjudged []finding.Unjudged
}

// Judge judges what git declares, with its namespaces filled in, and what the survey
// has of the scope. Others are findings that were made elsewhere and that the same
// levels and exemptions hold for.
func (r *Rules) Judge(ctx context.Context, declared []object.Packed, survey *Survey, others []finding.Finding) Outcome {
	j := judgement{Rules: r, declared: declared, survey: survey}
	j.found = slices.Clone(others)
	j.unread()
	j.rogues(ctx)
	j.sources()
	j.postures()
	j.signatures(ctx)
	j.runs(ctx)
	found := policy.Levels(j.found, r.spec.Rules)
	var o Outcome
	o.Findings, o.Exempt = ignore.Exempt(found, r.exemptions)
	o.Unjudged = j.unjudged
	slices.SortStableFunc(o.Findings, finding.Finding.Compare)
	slices.SortStableFunc(o.Unjudged, finding.Unjudged.Compare)
	o.Unjudged = slices.CompactFunc(o.Unjudged, func(a, b finding.Unjudged) bool { return a.Compare(b) == 0 })
	return o
}

// judgement is one pass.
type judgement struct {
	*Rules
	declared []object.Packed
	survey   *Survey
	found    []finding.Finding
	unjudged []finding.Unjudged
}

// off tells whether nobody wants to know of any of the rules.
func (r *Rules) off(rules ...finding.Rule) bool {
	return !slices.ContainsFunc(rules, func(rule finding.Rule) bool { return policy.Level(rule, r.spec.Rules) != v1alpha1.Off })
}

func (j *judgement) fail(rule finding.Rule, id object.ID, err error) {
	for _, e := range flat(err) {
		j.unjudged = append(j.unjudged, finding.Unjudged{Rule: rule, Object: id, Reason: e.Error()})
	}
}

// flat takes joined errors apart.
func flat(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flat(e)...)
	}
	return all
}

// unread says what could not be listed: what is there of it is not known.
func (j *judgement) unread() {
	j.fail("", object.ID{}, j.survey.Err)
	for _, listed := range j.survey.Failed {
		j.fail("", object.ID{}, fmt.Errorf("what else there is of %s is not known: %w", listed.Listing, listed.Err))
	}
}

// rogues looks for what nobody declared. What it finds it looks for a second time,
// for while the kinds are listed one after another things come and go.
func (j *judgement) rogues(ctx context.Context) {
	if j.off(finding.RogueObject, finding.RogueContainer) || len(j.spec.Scope.Namespaces)+len(j.spec.Scope.ClusterKinds) == 0 {
		return
	}
	mutated := j.survey.mutated(ctx)
	result := j.rogue.Find(j.world(j.survey, mutated))
	if again := j.survey.Again; again != nil && len(result.Findings)+len(result.Unjudged) > 0 {
		second := j.rogue.Find(j.world(again(ctx), mutated))
		result.Findings = both(result.Findings, second.Findings)
		result.Unjudged = slices.DeleteFunc(result.Unjudged, func(u rogue.Unjudged) bool { return !slices.Contains(second.Unjudged, u) })
	}
	j.found = append(j.found, result.Findings...)
	for _, u := range result.Unjudged {
		j.fail(finding.RogueObject, u.Object, errors.New(u.Reason))
	}
}

func (j *judgement) world(s *Survey, mutated func(object.ID) bool) rogue.World {
	return rogue.World{Declared: j.declared, Live: s.everything, Listed: s.Listed, Mutated: mutated}
}

// both returns the second findings that are among the first too.
func both(first, second []finding.Finding) []finding.Finding {
	seen := map[string]bool{}
	for _, f := range first {
		seen[f.Fingerprint()] = true
	}
	return slices.DeleteFunc(slices.Clone(second), func(f finding.Finding) bool { return !seen[f.Fingerprint()] })
}

// sources looks where images, charts and configuration come from.
func (j *judgement) sources() {
	var declared []finding.Finding
	for _, o := range j.declared {
		found, unjudged := j.source.Images(o)
		declared = append(declared, found...)
		declared = append(declared, j.source.Sources(o)...)
		j.unjudged = append(j.unjudged, unjudged...)
	}
	live, unjudged := j.source.AllImages(j.survey.Objects)
	j.unjudged = append(j.unjudged, unjudged...)
	for _, o := range j.survey.Objects {
		live = append(live, j.source.Sources(o)...)
	}
	j.found = append(j.found, source.Merge(declared, live)...)
	j.found = append(j.found, j.source.Running(source.Cluster{Live: j.survey.Objects, Nodes: j.survey.nodes})...)
	releases, unjudged := j.source.Releases(j.survey.Objects)
	j.found, j.unjudged = append(j.found, releases...), append(j.unjudged, unjudged...)
	j.fail(finding.SourceHelm, object.ID{}, j.charts)
	remotes, err := j.source.Remotes(j.repository.FS, j.repository.Dir)
	j.found = append(j.found, remotes...)
	j.fail(finding.SourceRemote, object.ID{}, err)
}

// postures looks at what namespaces must hold to.
func (j *judgement) postures() {
	w := posture.World{Declared: j.declared, Live: j.survey.everything, Namespaces: j.spec.Scope.Namespaces, Listed: j.survey.Listed}
	if len(j.spec.Scope.Namespaces) == 0 {
		w.Live = nil
	}
	found, unjudged := j.posture.Find(w)
	j.found, j.unjudged = append(j.found, found...), append(j.unjudged, unjudged...)
}

// runs looks at what Pods run.
func (j *judgement) runs(ctx context.Context) {
	rogues, unlike := map[object.ID]bool{}, map[object.ID]bool{}
	for _, f := range j.found {
		rogues[f.Object] = rogues[f.Object] || f.Rule == finding.RogueObject
		unlike[f.Object] = unlike[f.Object] || f.Rule.In("rogue")
	}
	found, unjudged := j.running.Find(running.World{Live: j.survey.everything, Now: j.now, Newest: j.newest(ctx), Unlike: unlike})
	found = slices.DeleteFunc(found, func(f finding.Finding) bool { // it is nobody's replica
		return f.Rule == finding.RuntimeOutlier && rogues[f.Object]
	})
	j.found, j.unjudged = append(j.found, found...), append(j.unjudged, unjudged...)
}
