package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/quarantine"
	"plumbline.dev/plumbline/report"
	"plumbline.dev/plumbline/reverter"
)

const revertLong = `Undo what "plumbline diff" finds: put back what no commit ever declared; with
--roll-out also what the deployer has not carried out yet; with --prune delete
what nobody declared, or with --quarantine keep the workloads among that apart. Of each object nothing is written but the fields that were
found, and only as long as it is as it was when they were.

What would be written is printed first, and you are asked, unless you say
--yes. Fields of controllers, and what rules ignore, are left alone.

Exit codes:
  0  there is nothing to undo, or it was undone
  1  something could not be undone, or you said no
  2  an error, or bad usage
  3  something could not be compared, and nothing worse`

const revertExample = `  # What would be undone in the cluster?
  plumbline revert overlays/production --dry-run=client

  # Undo it, and delete what nobody declared
  plumbline revert -f baseline.yaml --prune

  # Undo one finding, as "plumbline diff -o json" names it
  plumbline revert overlays/production --fingerprint 40bc73714da8eea8`

// revertOptions are the flags of "plumbline revert".
type revertOptions struct {
	diffOptions
	fingerprints, onlyRules []string
	rollOut, prune, yes     bool
	quarantine              bool
	dryRun                  string
}

func newRevertCommand(s streams) *cobra.Command {
	o := revertOptions{diffOptions: diffOptions{declared: declaredOptions{in: s.in}, kube: genericclioptions.NewConfigFlags(true)}}
	c := &cobra.Command{
		Use:     "revert [DIR]",
		Short:   "Undo what differs from what git declares",
		Long:    revertLong,
		Example: revertExample,
	}
	inDirectory(c, &o.declared.dir, "compared", func(ctx context.Context) (int, error) { return o.run(ctx, s) })
	f := pflag.NewFlagSet("revert", pflag.ContinueOnError)
	o.declared.addFlags(f)
	f.StringArrayVar(&o.deployers, "deployer", nil, "field `manager` whose writes carry out what git says; may be repeated (default: well-known deployment tools)")
	f.StringArrayVar(&o.fingerprints, "fingerprint", nil, "only the finding of this `fingerprint`; may be repeated")
	f.StringArrayVar(&o.onlyRules, "rule", nil, "only findings of this `rule` or group of rules, such as drift/added; may be repeated")
	f.BoolVar(&o.rollOut, "roll-out", false, "also carry out what the deployer has not yet: drift/pending, drift/released, and what new commits declare")
	f.BoolVar(&o.prune, "prune", false, "also delete the objects of rogue/object, Pods by eviction, but for Namespaces, definitions of custom resources and volumes with their claims; needs -f")
	f.BoolVar(&o.quarantine, "quarantine", false, "also keep the workloads of rogue/object apart, by a NetworkPolicy that denies their Pods all traffic, and labels that Services choose them by taken away; needs -f")
	f.StringVar(&o.dryRun, "dry-run", "none", "`how` to leave it at trying: none, client (print only) or server (the API server checks each write and stores nothing)")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	complete(c, f, o.kube, map[string][]string{"dry-run": {"none", "client", "server"}})
	return c
}

// run compares, prints what is to be undone, asks and undoes it.
func (o *revertOptions) run(ctx context.Context, s streams) (int, error) {
	if err := o.check(); err != nil {
		return 0, err
	}
	progress := newProgress(s.err)
	defer progress.clear()
	d, pass, err := o.compile(ctx, progress)
	if err != nil {
		return 0, err
	}
	config, err := clientConfig(o.kube)
	if err != nil {
		return 0, err
	}
	c, err := o.connect(ctx, progress, config, &pass.Assess)
	if err != nil {
		return 0, err
	}
	found, err := pass.Report(ctx, c)
	if err != nil {
		return 0, err
	}
	progress.say("looking at what there is to undo")
	u, err := o.plan(ctx, c, &pass, found)
	if err != nil {
		return 0, err
	}
	progress.clear()
	if err := o.preview(s, found, u); err != nil || len(u.writes) == 0 {
		return u.code(), err
	}
	switch ok, err := o.agreed(s, u, c); {
	case err != nil:
		return 0, err
	case o.dryRun == "client":
		return u.code(), nil
	case !ok:
		fmt.Fprintln(s.err, "nothing was written")
		return report.ExitFindings, nil
	}
	if err := isNewest(ctx, d); err != nil {
		return 0, err
	}
	u.write(ctx, s, cluster.Writer{Cluster: c, DryRun: o.dryRun == "server"})
	return u.code(), ctx.Err()
}

func (o *revertOptions) check() error {
	switch {
	case !slices.Contains([]string{"none", "client", "server"}, o.dryRun):
		return fmt.Errorf("--dry-run: %q is not known: use none, client or server", o.dryRun)
	case o.prune && o.quarantine:
		return errors.New("--prune deletes what --quarantine keeps: choose one of them")
	case o.quarantine && o.declared.baseline == "":
		return errors.New("--quarantine keeps apart what is in a Baseline's scope and nobody declared: name the Baseline with -f")
	case o.prune && o.declared.baseline == "":
		return errors.New("--prune deletes what is in a Baseline's scope and nobody declared: name the Baseline with -f")
	}
	return checkRules(o.onlyRules)
}

// undoing is what is to be undone, and what became of it.
type undoing struct {
	writes   []undo
	findings []finding.Finding
	failed   int
	unknown  bool // not everything could be compared
}

// undo is what is done to one object.
type undo struct {
	id object.ID
	do func(context.Context, cluster.Writer) error
	as string // how it is told
}

// plan looks anew at all that is to be undone.
func (o *revertOptions) plan(ctx context.Context, c *cluster.Cluster, pass *inspect.Pass, found report.Report) (undoing, error) {
	u := undoing{unknown: len(found.Unknown)+len(found.Errors) > 0}
	var declared []object.ID
	for _, f := range found.Findings {
		switch {
		case !o.wants(f):
		case o.ends(f):
			if len(found.Errors) > 0 {
				return u, errors.New("a part of what git declares is not known, and might be what nobody seems to have declared: mend the errors, or leave --prune and --quarantine out")
			}
			switch {
			case !o.rollOut && pass.WasDeclared(ctx, f.Object): // and is to be deleted by the deployer
			case o.prune:
				u.remove(ctx, c, f)
			default:
				u.isolate(ctx, c, f, pass.Declares)
			}
		case reverter.Undoes(f.Rule, o.rollOut) && !slices.Contains(declared, f.Object):
			declared = append(declared, f.Object)
		}
	}
	if len(declared) == 0 {
		return u, ctx.Err()
	}
	assessments, err := pass.Look(ctx, c, declared)
	if assessments == nil {
		return u, err
	}
	for _, a := range assessments {
		o.restore(&u, pass, a)
	}
	slices.SortStableFunc(u.writes, func(a, b undo) int { return reverter.Compare(a.id, b.id) })
	return u, ctx.Err()
}

// wants tells whether somebody asked for a finding.
func (o *revertOptions) wants(f finding.Finding) bool {
	return (len(o.fingerprints) == 0 || slices.Contains(o.fingerprints, f.Fingerprint())) &&
		(len(o.onlyRules) == 0 || slices.ContainsFunc(o.onlyRules, f.Rule.In))
}

// ends tells whether a finding is about a rogue that is to be deleted or kept apart.
func (o *revertOptions) ends(f finding.Finding) bool {
	return f.Rule == finding.RogueObject && f.Severity > finding.Info && (o.prune && reverter.Prunes(f.Object) || o.quarantine && quarantine.Has(f.Object))
}

// isolate plans to keep a rogue apart.
func (u *undoing) isolate(ctx context.Context, c *cluster.Cluster, f finding.Finding, declared func(object.ID) bool) {
	live := c.Read(ctx, []object.ID{f.Object})[f.Object]
	if live.Err != nil || !reverter.Removes(f, live.Object) {
		return
	}
	isolations, err := reverter.Quarantine(ctx, live.Object, declared, c)
	if err != nil {
		isolations = nil
		u.writes = append(u.writes, undo{f.Object, func(context.Context, cluster.Writer) error { return err }, "quarantined"})
	}
	if len(isolations) > 0 || err != nil {
		u.findings = append(u.findings, f)
	}
	for _, i := range isolations {
		if !slices.ContainsFunc(u.writes, func(w undo) bool { return w.id == i.Object }) { // the NetworkPolicy of several rogues
			u.writes = append(u.writes, undo{i.Object, func(ctx context.Context, to cluster.Writer) error { return i.Do(ctx, to) }, i.As})
		}
	}
}

// remove plans to delete a rogue.
func (u *undoing) remove(ctx context.Context, c *cluster.Cluster, f finding.Finding) {
	live := c.Read(ctx, []object.ID{f.Object})[f.Object]
	if live.Err != nil || !reverter.Removes(f, live.Object) {
		return
	}
	as := "deleted"
	if f.Object.IsKind("Pod") {
		as = "evicted"
	}
	u.findings = append(u.findings, f)
	u.writes = append(u.writes, undo{f.Object, func(ctx context.Context, to cluster.Writer) error { return reverter.Remove(ctx, live.Object, to) }, as})
}

// restore plans to put an object back.
func (o *revertOptions) restore(u *undoing, pass *inspect.Pass, a assess.Assessment) {
	c := reverter.Case{Declared: a.Declared.Object(), Live: a.Live, Type: a.Type, Options: pass.Assess.Compare}
	var findings []finding.Finding
	for _, f := range a.Findings {
		if o.wants(f) && reverter.Undoes(f.Rule, o.rollOut) {
			findings, c.Changes = append(findings, f), append(c.Changes, f.Changes...)
		}
	}
	as := "restored"
	switch {
	case len(findings) == 0, a.Err != nil:
		return
	case a.Verdict == finding.Missing && !o.rollOut && len(o.fingerprints) == 0 && !pass.WasDeployed(a):
		return // a commit that is not rolled out yet
	case a.Verdict == finding.Missing:
		as = "created"
	}
	u.findings = append(u.findings, findings...)
	write, err := reverter.Plan(c)
	u.writes = append(u.writes, undo{a.Declared.ID, func(ctx context.Context, to cluster.Writer) error {
		if err != nil {
			return err
		}
		_, err := write.Do(ctx, to)
		return err
	}, as})
}

// preview prints what is to be undone, as a comparison would.
func (o *revertOptions) preview(s streams, found report.Report, u undoing) error {
	if len(u.writes) == 0 && !u.unknown {
		fmt.Fprintln(s.out, "nothing to undo")
		return nil
	}
	found.Findings = u.findings
	found.Sort()
	if err := report.Text(s.out, found, textOptions(s)); err != nil {
		return fmt.Errorf("writing what there is to undo: %w", err)
	}
	fmt.Fprintln(s.out)
	return nil
}

// agreed asks whether to write.
func (o *revertOptions) agreed(s streams, u undoing, c *cluster.Cluster) (bool, error) {
	counts := map[string]int{}
	for _, w := range u.writes {
		counts[w.as]++
	}
	var parts []string
	for _, as := range []string{"created", "restored", "deleted", "evicted", "quarantined"} {
		if n := counts[as]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, as))
		}
	}
	what := fmt.Sprintf("in the cluster at %s: %s", c.Host(), strings.Join(parts, ", "))
	if o.dryRun != "none" || o.yes {
		fmt.Fprintf(s.out, "to be undone %s\n", what)
		return true, nil
	}
	if f, ok := s.in.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return false, fmt.Errorf("nothing was written: to be undone %s: there is no terminal to ask on, so say --yes, or --dry-run=client", what)
	}
	fmt.Fprintf(s.err, "Undo this %s? [y/N]\n", what)
	answer, _ := bufio.NewReader(s.in).ReadString('\n') // no answer is no
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// isNewest refuses to go on where the repository has a newer commit by now: what looks
// like a change by somebody may be what the deployer made of that.
func isNewest(ctx context.Context, d declared) error {
	if d.local {
		return nil
	}
	newest, err := gitsource.Fetch(ctx, d.remote, d.snapshot)
	switch {
	case err != nil:
		return fmt.Errorf("nothing was written: asking for the newest commit: %w", err)
	case newest.Commit != d.snapshot.Commit:
		return fmt.Errorf("nothing was written: the repository has moved on from %.12s to %.12s: run this again", d.snapshot.Commit, newest.Commit)
	}
	return nil
}

// write undoes it, object by object: one that fails does not keep the others.
func (u *undoing) write(ctx context.Context, s streams, to cluster.Writer) {
	note := ""
	if to.DryRun {
		note = " (server dry run)"
	}
	for _, w := range u.writes {
		err := w.do(ctx, to)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, cluster.ErrChanged):
			err = errors.New("it has changed meanwhile: run this again")
		}
		if err != nil {
			u.failed++
			fmt.Fprintf(s.err, "%s: %s\n", w.id, oneLine(err))
			continue
		}
		fmt.Fprintf(s.out, "%s %s%s\n", w.id, w.as, note)
	}
}

// code is the exit code.
func (u *undoing) code() int {
	if u.failed > 0 {
		return report.ExitFindings
	}
	if u.unknown {
		return report.ExitUnknown
	}
	return report.ExitClean
}

// oneLine is an error on one line, without what would steer a terminal.
func oneLine(err error) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, err.Error())
	return strings.Join(strings.Fields(text), " ")
}
