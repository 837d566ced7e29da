package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
	"plumbline.dev/plumbline/report"
	"plumbline.dev/plumbline/review"
)

// reviewOptions are the flags about a change.
type reviewOptions struct {
	base    string
	offline bool
}

// autoBase stands for the branch that the change is to be merged into.
const autoBase = "auto"

func (o *reviewOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.base, "base", "", "`revision` that a change in DIR is to be merged into: review what it does since it left that (auto: as the CI says, or the default branch)")
	f.BoolVar(&o.offline, "offline", false, "with --base, compare the declarations alone and ask no cluster")
}

func (o reviewOptions) check(d *diffOptions) error {
	switch {
	case o.base == "" && o.offline:
		return errors.New("--offline is for --base: without a cluster there is nothing else to compare with")
	case o.base != "" && d.declared.dir == "":
		return errors.New("--base takes a directory of a checkout, in which the change is: name it")
	case o.offline && d.live != "":
		return errors.New("--offline looks at no live objects, and --live names some: leave one of them out")
	}
	return nil
}

// revisions are the names of the base, those that are tried first in front.
func (o reviewOptions) revisions() []string {
	if o.base != autoBase {
		return []string{o.base, "origin/" + o.base}
	}
	var names []string
	if sha := os.Getenv("CI_MERGE_REQUEST_DIFF_BASE_SHA"); sha != "" { // GitLab
		names = append(names, sha)
	}
	for _, variable := range []string{
		"GITHUB_BASE_REF",                     // GitHub, Gitea and Forgejo
		"CI_MERGE_REQUEST_TARGET_BRANCH_NAME", // GitLab
		"BITBUCKET_PR_DESTINATION_BRANCH",
		"SYSTEM_PULLREQUEST_TARGETBRANCH", // Azure
		"CHANGE_TARGET",                   // Jenkins
	} {
		if branch := strings.TrimPrefix(os.Getenv(variable), "refs/heads/"); branch != "" {
			names = append(names, "origin/"+branch, branch)
		}
	}
	return append(names, "refs/remotes/origin/HEAD", "origin/main", "origin/master", "main", "master")
}

// before is what was declared before the change.
type before struct {
	gitsource.Base
	declared
}

// readBase renders what the change has come from.
func (o diffOptions) readBase(ctx context.Context, d declared) (before, error) {
	base, err := d.snapshot.Base(ctx, o.review.revisions()...)
	if errors.Is(err, gitsource.ErrShallow) {
		err = fmt.Errorf("%w, as by git fetch --unshallow, or fetch-depth: 0 of a checkout in CI", err)
	}
	if err != nil {
		return before{}, fmt.Errorf("--base: %w", err)
	}
	b := before{Base: base, declared: declared{snapshot: base.Snapshot, path: d.path}}
	rendering, err := render.Update(ctx, nil, b.snapshot, b.path, render.Options{})
	if ctx.Err() != nil {
		return b, ctx.Err()
	}
	if _, missing := fs.Stat(b.snapshot.FS(), b.path); errors.Is(missing, fs.ErrNotExist) || errors.Is(err, render.ErrEmpty) {
		err = nil // the change is the first to declare anything here
	}
	b.objects, b.err = opened(rendering.Objects), err
	b.past = o.declared.past(b.declared, rendering, gitsource.Options{})
	return b, nil
}

// among returns those of the objects that are among others as well.
func (b before) among(others []object.Object) []object.Object {
	there := map[object.ID]bool{}
	for _, o := range others {
		o.ID.Version = ""
		there[o.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(b.objects), func(o object.Object) bool {
		o.ID.Version = ""
		return !there[o.ID]
	})
}

// locate fills in where the values that a change declares stand.
func locate(d declared, reviewed []report.Reviewed) {
	at := map[object.Position]object.Object{}
	for _, o := range d.objects {
		at[o.Origin.Position] = o
	}
	files := render.NewPositions(d.snapshot.FS())
	for _, r := range reviewed {
		o, ok := at[r.Origin.Position]
		if !ok || r.Action == report.Deleted {
			continue
		}
		for i, c := range r.Changes {
			if c.Live != nil {
				r.Changes[i].Origin = files.Of(o, c.Path)
			}
		}
	}
}

// reviewed is the report on a change.
func (o diffOptions) reviewed(ctx context.Context, progress *progress, d declared, pass *inspect.Pass) (report.Report, error) {
	progress.say("reading what was declared before")
	b, err := o.readBase(ctx, d)
	if err != nil {
		return report.Report{}, err
	}
	types, err := builtinTypes()
	if err != nil {
		return report.Report{}, err
	}
	change := review.Change{Before: b.objects, After: d.objects, Types: types}
	if pass.Err != nil { // what could not be rendered is not to pass for deleted
		change.Before = b.among(d.objects)
	}
	r, err := o.deployed(ctx, progress, b, pass, change)
	none := errors.Is(err, errNoKubeconfig) && os.Getenv("KUBECONFIG") == "" && *o.kube.KubeConfig == ""
	if o.review.offline || none {
		r, err = offline(pass, change), nil
	}
	if none {
		r.Warnings = append(r.Warnings, "there is no kubeconfig: only what the change does to the declarations is told, and neither what deploying it does to a cluster nor what it overwrites there")
	}
	if errors.Is(err, errNoKubeconfig) {
		err = fmt.Errorf("%w, or --offline to compare the declarations alone", err)
	}
	if err != nil {
		return r, err
	}
	r.Review.Base, r.Review.Revision = b.Snapshot.Commit, b.Revision
	locate(d, r.Review.Objects)
	for _, line := range inspect.Lines(b.err) {
		r.Errors = append(r.Errors, fmt.Sprintf("before the change, at %.12s: %s", r.Review.Base, line))
	}
	if b.Tip != r.Review.Base {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s has gone on since the change left it at %.12s: what its newer commits declare, which the cluster may have by now, counts as neither declared nor deployed here: merge or rebase first", b.Revision, r.Review.Base))
	}
	r.Sort()
	return r, nil
}

// offline is the report on a change of which no cluster is asked.
func offline(pass *inspect.Pass, change review.Change) report.Report {
	return report.Report{
		Review: &report.Review{Offline: true, Objects: review.Rendered(change)},
		At:     pass.At, Errors: inspect.Lines(pass.Err),
		Source: report.Source{Repository: pass.Snapshot.URL, Ref: pass.Snapshot.Ref, Commit: pass.Snapshot.Commit, Path: pass.Path, WorkTree: pass.WorkTree},
	}
}

// deployed compares both declarations with the cluster.
func (o diffOptions) deployed(ctx context.Context, progress *progress, b before, pass *inspect.Pass, change review.Change) (report.Report, error) {
	if o.review.offline {
		return report.Report{}, nil
	}
	live, done, err := o.open(ctx, progress, pass)
	if err != nil {
		return report.Report{}, err
	}
	defer done()
	if live == nil { // nothing could be rendered, which the report tells
		r, err := pass.Report(ctx, nil)
		r.Review = &report.Review{}
		return r, err
	}
	r, err := pass.Report(ctx, live)
	if err != nil {
		return r, err
	}
	options := pass.Assess
	change.Before, change.After = placed(change.Before, live, options), placed(change.After, live, options)
	progress.say("comparing with what was declared before")
	options.Past, options.Compare.Rewritten = nil, false
	if b.past != nil {
		options.Past = b.past.All(ctx)
	}
	assessments, err := assess.All(ctx, object.LooseAll(concerned(change, r.Findings)), live, options)
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	r.Warnings = append(r.Warnings, inspect.Lines(err)...)
	stands := review.Live{After: r.Findings, Deploys: options.Compare.Deploys}
	for _, a := range assessments {
		stands.Before = append(stands.Before, review.Stand{Object: a.Declared.ID, Verdict: a.Verdict, Findings: a.Findings})
		if a.Err != nil {
			r.Unknown = append(r.Unknown, report.Unknown{Object: a.Declared.ID, Origin: a.Declared.Origin, Reason: "as declared before the change: " + a.Err.Error()})
		}
	}
	objects, findings := review.Deployed(change, review.Rendered(change), stands)
	r.Review = &report.Review{Objects: objects, LeftOut: others(r.Findings, objects)}
	r.Findings = findings
	return r, nil
}

// others counts the findings about objects that a change does not concern.
func others(findings []finding.Finding, concerned []report.Reviewed) int {
	there := map[object.ID]bool{}
	for _, o := range concerned {
		there[o.Object] = true
	}
	n := 0
	for _, f := range findings {
		if !there[f.Object] {
			n++
		}
	}
	return n
}

// concerned are the objects of before of which it has to be known how they stood to the
// cluster: something was found of them, or they are declared no longer.
func concerned(c review.Change, findings []finding.Finding) []object.Object {
	type name struct{ group, kind, namespace, name string }
	of := func(id object.ID) name { return name{id.Group, id.Kind, id.Namespace, id.Name} }
	fine := map[name]bool{}
	for _, o := range c.After {
		fine[of(o.ID)] = true
	}
	for _, f := range findings {
		delete(fine, of(f.Object))
	}
	return slices.DeleteFunc(slices.Clone(c.Before), func(o object.Object) bool { return fine[of(o.ID)] })
}

// placed returns the objects that are in scope, with the namespaces that the cluster has
// them in.
func placed(objects []object.Object, live assess.Source, options assess.Options) []object.Object {
	var all []object.Object
	for _, o := range objects {
		if r, err := live.Resource(o.ID.Group, o.ID.Version, o.ID.Kind); err == nil {
			switch {
			case !r.Namespaced:
				o.ID.Namespace = ""
			case o.ID.Namespace == "":
				o.ID.Namespace = options.Namespace
			}
		}
		if len(options.Namespaces) == 0 || o.ID.Namespace == "" || slices.Contains(options.Namespaces, o.ID.Namespace) {
			all = append(all, o)
		}
	}
	return all
}

// builtinTypes are the types of Kubernetes' own kinds.
func builtinTypes() (*differ.Schemas, error) {
	components, err := differ.Builtin()
	if err != nil {
		return nil, err
	}
	types := differ.NewSchemas()
	return types, types.Add(components)
}
