package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"plumbline.dev/plumbline/adopter"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
	"plumbline.dev/plumbline/report"
)

// adoptOptions are the flags of "plumbline adopt".
type adoptOptions struct {
	compare diffOptions
	choice  choice
	write   bool
	branch  string
}

const adoptLong = `Take over into git what is live and git says otherwise: the other way round than
a revert. It prints a patch, as "git apply" takes it from the top of the
repository, and changes nothing; --write edits the files, and --branch commits
to a new branch of the checkout. Nothing is ever written to the cluster.

A value is edited where it stands, be that a manifest, a patch or an entry of a
kustomization; comments, order and quotes stay. Where other kustomizations use
that file, or it is outside of the directory, a patch is added to the
kustomization of the directory. Each edit is rendered again before it counts: it
stays only if git then says what is live, and nothing else has changed.

By default all changes of drift/modified, drift/added, drift/removed and
drift/released are taken over. With --missing, objects that are gone are taken
out of git as well, and with --rogue those that nobody declared are added.
Values of Secrets, what rules ignore, what a controller owns and what waits for
its deployment stay as git has them. What was taken over and what was not, and
why, is told on standard error.

Exit codes:
  0  all that was chosen is in git now, or in the patch, or there was nothing
  1  something could not be taken over
  2  an error, or bad usage
  3  something could not be compared, and nothing worse`

const adoptExample = `  # What would have to change in git, to declare what runs?
  plumbline adopt overlays/production

  # The same for one Deployment, and as an edit of the files
  plumbline adopt overlays/production --object deployment/web -n shop --write

  # A branch to open a pull request from
  plumbline adopt . -f baseline.yaml --rule drift/modified --branch adopt-hotfix

  # The patch for a repository of which there is no checkout
  plumbline adopt --git https://git.example.com/config.git > adopt.patch`

func newAdoptCommand(s streams) *cobra.Command {
	o := adoptOptions{compare: diffOptions{declared: declaredOptions{in: s.in}, kube: genericclioptions.NewConfigFlags(true)}}
	c := &cobra.Command{
		Use:     "adopt [DIR]",
		Short:   "Take over into git what is live",
		Long:    adoptLong,
		Example: adoptExample,
	}
	inDirectory(c, &o.compare.declared.dir, "adopted into", func(ctx context.Context) (int, error) { return adopt(ctx, s, o) })
	f := pflag.NewFlagSet("adopt", pflag.ContinueOnError)
	f.StringArrayVar(&o.choice.objects, "object", nil, "only of this `object`, as KIND/NAME, in the namespace of -n where that is given; may be repeated")
	f.StringArrayVar(&o.choice.rules, "rule", nil, "only findings of this `rule`, such as drift/modified; may be repeated")
	f.StringArrayVar(&o.choice.fingerprints, "fingerprint", nil, "only the finding with this `fingerprint`, as plumbline diff -o json tells it; may be repeated")
	f.BoolVar(&o.choice.missing, "missing", false, "also take objects out of git that do not exist")
	f.BoolVar(&o.choice.rogue, "rogue", false, "also declare objects that nobody declared (takes a Baseline, whose scope says which have to be)")
	f.BoolVar(&o.write, "write", false, "edit the files of the directory, instead of printing a patch")
	f.StringVar(&o.branch, "branch", "", "commit to a new branch of this `name`, on top of what is checked out and beside it, instead of printing a patch")
	o.compare.declared.addFlags(f)
	f.StringVar(&o.compare.live, "live", "", "`file` with the live objects instead of a cluster, as kubectl get -o yaml --show-managed-fields writes it")
	f.StringArrayVar(&o.compare.deployers, "deployer", nil, "field `manager` whose writes carry out what git says; may be repeated (default: well-known deployment tools)")
	_ = f.MarkHidden("blame")
	complete(c, f, o.compare.kube, nil)
	return c
}

// adopt takes over what is chosen. It returns the exit code.
func adopt(ctx context.Context, s streams, o adoptOptions) (int, error) {
	if err := o.check(); err != nil {
		return 0, err
	}
	progress := newProgress(s.err)
	defer progress.clear()
	a, err := o.compared(ctx, progress)
	if err != nil {
		return 0, err
	}
	defer a.file.Close()
	progress.say("editing what git declares")
	left, err := a.edit(ctx)
	progress.clear()
	if err != nil {
		return 0, err
	}
	if err := o.deliver(ctx, s, a); err != nil {
		return 0, err
	}
	return a.tell(s.err, left), nil
}

// check refuses flags that contradict each other.
func (o adoptOptions) check() error {
	switch {
	case o.write && o.branch != "":
		return errors.New("use --write or --branch, not both")
	case (o.write || o.branch != "") && o.compare.declared.dir == "":
		return errors.New("--write and --branch take a directory: of a repository without a checkout there is only a patch")
	case o.choice.rogue && o.compare.declared.baseline == "":
		return errors.New("--rogue takes a Baseline (-f), whose spec.scope says what has to be declared")
	}
	return o.choice.check()
}

// adoption is what was compared, and what is made of it.
type adoption struct {
	declared declared
	pass     inspect.Pass
	live     audit.Lister
	file     dumpFile
	report   report.Report

	wants  []adopter.Want
	of     []object.ID // the live objects' identities, for each of the wants
	passed []leftover  // that are told and not counted
	result adopter.Result
}

// leftover is what stays as it is, and why.
type leftover struct {
	what, why string
}

// compared makes the comparison, and chooses.
func (o *adoptOptions) compared(ctx context.Context, progress *progress) (*adoption, error) {
	a := new(adoption)
	var err error
	if a.declared, a.pass, err = o.compare.compile(ctx, progress); err != nil {
		return nil, err
	}
	if !o.choice.rogue {
		a.pass.Audit = nil
	}
	if len(a.pass.Objects) == 0 {
		return nil, a.pass.Err
	}
	if a.file, err = o.compare.openDump(); err != nil {
		return nil, fmt.Errorf("reading the live objects: %w", err)
	}
	if a.live, err = o.compare.source(ctx, progress, a.file, &a.pass.Assess); err == nil {
		a.report, err = a.pass.Report(ctx, a.live)
	}
	if err == nil {
		err = a.choose(ctx, *o)
	}
	if err != nil {
		return nil, errors.Join(err, a.file.Close())
	}
	return a, nil
}

// edit makes the edits, and holds them against what is live by the rules of the
// comparison itself: what would still differ is refused, and the others are made anew.
// It returns what was not done.
func (a *adoption) edit(ctx context.Context) ([]leftover, error) {
	var left []leftover
	for len(a.wants) > 0 {
		var err error
		if a.result, err = adopter.Adopt(ctx, a.declared.snapshot.FS(), a.declared.path, a.wants); err != nil {
			return nil, err
		}
		refused, err := a.judge(ctx, a.result.Refused)
		if err != nil {
			return nil, err
		}
		if refused == nil {
			break
		}
		left = append(left, a.drop(refused)...)
	}
	for i, reason := range a.result.Refused {
		if reason != nil {
			left = append(left, leftover{a.name(i), reason.Error()})
		}
	}
	if len(a.wants) == 0 {
		a.result = adopter.Result{}
	}
	slices.SortStableFunc(left, func(a, b leftover) int { return cmp.Compare(a.what, b.what) })
	return left, nil
}

// drop takes the refused wants out of those to be met.
func (a *adoption) drop(refused []error) []leftover {
	var left []leftover
	var wants []adopter.Want
	var of []object.ID
	for i, reason := range refused {
		if reason != nil {
			left = append(left, leftover{a.name(i), reason.Error()})
			continue
		}
		wants, of = append(wants, a.wants[i]), append(of, a.of[i])
	}
	a.wants, a.of = wants, of
	return left
}

// judge compares the edited objects with the live ones. It returns for each want why it
// is not met; nil where all are that were not refused before.
func (a *adoption) judge(ctx context.Context, refused []error) ([]error, error) {
	touched := map[object.ID]bool{}
	for i, w := range a.wants {
		if refused[i] == nil && w.What != adopter.Withdraw {
			touched[w.Object.ID] = true
		}
	}
	var objects []object.Object
	for _, o := range a.result.Objects {
		if touched[o.ID] {
			objects = append(objects, o)
		}
	}
	options := a.pass.Assess
	options.Past = nil
	assessed, err := assess.All(ctx, object.LooseAll(objects), a.live, options)
	if ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	reasons, found := slices.Clone(refused), false
	for _, assessment := range assessed {
		for _, i := range a.contradicted(assessment) {
			if refused[i] == nil {
				found = true
				reasons[i] = errors.New("git would say so, and the live object would still differ: " + differences(assessment))
			}
		}
	}
	if !found {
		return nil, nil
	}
	return reasons, nil
}

// contradicted returns the wants of an object that do not hold, by its assessment: those
// of which something is said, or all if something is said of none of them that was not
// said before.
func (a *adoption) contradicted(now assess.Assessment) []int {
	mine, before := map[int]bool{}, map[string]bool{}
	for i, w := range a.wants {
		if w.Object.ID == now.Given.ID && w.What != adopter.Withdraw {
			mine[i] = true
		}
	}
	for _, f := range a.report.Findings {
		for _, c := range f.Changes {
			if f.Object == now.Declared.ID {
				before[c.Path.String()] = true
			}
		}
	}
	var wrong []int
	for _, f := range now.Findings {
		if !f.Rule.In("drift") {
			continue
		}
		for _, c := range f.Changes {
			text, hit := c.Path.String(), false
			for i := range mine {
				if w := a.wants[i]; w.What == adopter.Declare || w.Change.Path.String() == text {
					wrong, hit = append(wrong, i), true
				}
			}
			if !hit && !before[text] {
				return slices.Sorted(maps.Keys(mine))
			}
		}
	}
	if now.Err != nil {
		return slices.Sorted(maps.Keys(mine))
	}
	return wrong
}

// differences names where an object differs.
func differences(a assess.Assessment) string {
	if a.Err != nil {
		return a.Err.Error()
	}
	var paths []string
	for _, f := range a.Findings {
		for _, c := range f.Changes {
			paths = append(paths, c.Path.String())
		}
	}
	return strings.Join(paths, ", ")
}

// deliver prints the patch, or writes the files, or commits them.
func (o adoptOptions) deliver(ctx context.Context, s streams, a *adoption) error {
	files := a.result.Files
	switch {
	case len(files) == 0:
	case o.branch != "":
		commit, err := a.declared.snapshot.Branch(ctx, gitsource.NewBranch{
			Name: o.branch, Message: a.message(), Files: files, Time: now(),
			Check: func(fsys fs.FS) error { return a.checkCommit(ctx, fsys) },
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.err, "committed %.10s to the new branch %s\n", commit, o.branch)
		return nil
	case o.write:
		return writeFiles(s.err, a.declared.snapshot.URL, files)
	}
	patch, err := gitsource.Patch(a.declared.snapshot.FS(), files)
	if err != nil {
		return fmt.Errorf("making the patch: %w", err)
	}
	if name := adopter.Exposed(a.declared.snapshot.FS(), patch); name != "" {
		return fmt.Errorf("making the patch: it would show values of a Secret that stand beside the edit in %s: use --write or --branch, which print nothing of it", name)
	}
	if _, err := s.out.Write(patch); err != nil {
		return fmt.Errorf("writing the patch: %w", err)
	}
	return nil
}

// checkCommit holds what a commit declares against what was edited, which is the work
// tree.
func (a *adoption) checkCommit(ctx context.Context, fsys fs.FS) error {
	result, _ := render.Render(ctx, fsys, a.declared.path, render.Options{}) // what fails is missing
	if slices.EqualFunc(result.Objects, a.result.Objects, func(a, b object.Object) bool { return a.ID == b.ID && sameContent(a, b) }) {
		return nil
	}
	return errors.New("what is checked out is not what is committed, and declares something else: commit or stash it first")
}

// message is that of the commit.
func (a *adoption) message() string {
	var b strings.Builder
	b.WriteString("Adopt what is live\n\n")
	for i := range a.wants {
		if a.result.Refused[i] == nil {
			b.WriteString("- " + a.name(i) + "\n")
		}
	}
	return b.String()
}
