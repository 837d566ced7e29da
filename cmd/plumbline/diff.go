package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/client-go/rest"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// diffOptions are the flags of "plumbline diff".
type diffOptions struct {
	declared  declaredOptions
	review    reviewOptions
	live      string
	deployers []string
	show      []string
	suggest   bool
	confirm   string
	failOn    string
	output    outputOptions
	kube      *genericclioptions.ConfigFlags
}

const diffLong = `Compare what git declares with what runs in the cluster, and print every
difference: the field, both values, who changed it and when, and where git
declares it.

The declared objects come from a directory (rendered with kustomize where it has
a kustomization), from a git repository (--git), or from what a Baseline file
names (-f). The live objects come from the cluster of the kubeconfig, or from a
dump of one (--live), which needs no cluster. Nothing is ever written to the
cluster, and read rights are enough but for --confirm=dry-run.

With --base it is a change that is looked at, as in a pull request: what it does
to what is declared, what deploying it does to the cluster, and which live
changes of somebody's that would overwrite. What other objects differ in is left
out. Without a kubeconfig, or with --offline, the declarations are compared and
no more.

Exit codes:
  0  nothing found at or above --fail-on
  1  findings
  2  an error, or bad usage
  3  something could not be compared, and nothing worse`

const diffExample = `  # What differs from the configuration in this directory?
  plumbline diff overlays/production

  # The same from a repository's main branch
  plumbline diff --git https://git.example.com/config.git --path shop/prod

  # A checkout by the rules of a Baseline, and what to add to them to leave
  # alone what is found
  plumbline diff . -f baseline.yaml --suggest-ignore

  # What does this branch do, and what would merging it overwrite?
  plumbline diff overlays/production --base main

  # Without access to the cluster
  kubectl get deploy,svc,cm -A -o yaml --show-managed-fields > live.yaml
  plumbline diff overlays/production --live live.yaml`

func newDiffCommand(s streams) *cobra.Command {
	o := diffOptions{declared: declaredOptions{in: s.in}, kube: genericclioptions.NewConfigFlags(true)}
	c := &cobra.Command{
		Use:     "diff [DIR]",
		Short:   "Compare what git declares with what runs in the cluster",
		Long:    diffLong,
		Example: diffExample,
	}
	inDirectory(c, &o.declared.dir, "compared", func(ctx context.Context) (int, error) { return diff(ctx, s, o) })
	f := pflag.NewFlagSet("diff", pflag.ContinueOnError)
	o.declared.addFlags(f)
	f.BoolVar(&o.declared.blame, "blame", false, "also name the commit and author of each declared value that differs; of a repository this fetches the whole history")
	f.StringVar(&o.live, "live", "", "`file` with the live objects instead of a cluster, as kubectl get -o yaml --show-managed-fields writes it")
	f.StringArrayVar(&o.deployers, "deployer", nil, "field `manager` whose writes carry out what git says; may be repeated (default: well-known deployment tools)")
	f.StringArrayVar(&o.show, "show", nil, "`what` to show besides: controllers (the undeclared fields that controllers own), ignored (what rules ignore) or unconfirmed (values that may be the cluster's or somebody's); may be repeated")
	f.BoolVar(&o.suggest, "suggest-ignore", false, "also print the narrowest rules that would ignore what was found at or above --fail-on, for spec.ignore of a Baseline")
	f.StringVar(&o.confirm, "confirm", "", "`how` to confirm what differs: none, or dry-run (the API server is asked what it would store, which takes the rights to patch and create and writes nothing; default: spec.confirm of the Baseline, or none)")
	f.StringVar(&o.failOn, "fail-on", "warning", "lowest `severity` that makes the exit code 1: info, warning or critical")
	o.review.addFlags(f)
	o.output.addFlags(f)
	complete(c, f, o.kube, map[string][]string{"output": formats, "show": {"controllers", "ignored", "unconfirmed"}, "fail-on": severities, "confirm": {confirmNone, confirmDryRun}})
	return c
}

// diff makes one comparison and prints it. It returns the exit code; an error is
// what kept the comparison from being made at all.
func diff(ctx context.Context, s streams, o diffOptions) (int, error) {
	failOn, err := finding.ParseSeverity(o.failOn)
	if err != nil {
		return 0, fmt.Errorf("--fail-on: %w", err)
	}
	write, err := o.output.writer(failOn, s)
	if err != nil {
		return 0, err
	}
	progress := newProgress(s.err)
	defer progress.clear()

	declared, pass, err := o.compile(ctx, progress)
	if err != nil {
		return 0, err
	}
	r, err := o.compare(ctx, progress, declared, &pass)
	if err != nil {
		return 0, err
	}
	r.Source.File = declared.entry()
	r.ShowUnconfirmed = slices.Contains(o.show, "unconfirmed")
	if declared.local && declared.baseline.Spec.Verify != nil {
		r.Warnings = append(r.Warnings, "spec.verify: a directory is taken as it is, and nobody's signature was looked at: leave the directory out to have the commits of spec.git verified")
	}
	if o.declared.blame {
		progress.say("asking git who declared what")
		r.Warnings = append(r.Warnings, blame(ctx, declared.snapshot, &r)...)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	if o.suggest {
		r.Suggested = suggested(r, failOn)
	}
	progress.clear()
	if err := write(r); err != nil {
		return 0, fmt.Errorf("writing the report: %w", err)
	}
	return r.ExitCode(failOn), nil
}

// compile reads what git declares, and makes a comparison of it.
func (o *diffOptions) compile(ctx context.Context, progress *progress) (declared, inspect.Pass, error) {
	flags, err := o.rules()
	if err == nil {
		err = o.review.check(o)
	}
	if err != nil {
		return declared{}, inspect.Pass{}, err
	}
	progress.say("reading what git declares")
	d, err := o.declared.load(ctx)
	if err != nil {
		return d, inspect.Pass{}, err
	}
	options, err := d.apply(flags)
	if err != nil {
		return d, inspect.Pass{}, err
	}
	if o.confirm == "" && o.live == "" && d.baseline.Spec.Confirm == v1alpha1.ConfirmDryRun {
		o.confirm = confirmDryRun
	}
	rules, err := d.rules(options, o.cacheDir())
	if err != nil {
		return d, inspect.Pass{}, err
	}
	options.Compare.Rewritten = rules != nil
	pass := d.pass(options, rules)
	pass.Say, pass.ShowIgnored = progress.say, slices.Contains(o.show, "ignored")
	pass.ListAll = o.output.lists()
	return d, pass, nil
}

// compare compares with the cluster or the file, and reviews a change where that is wanted.
func (o diffOptions) compare(ctx context.Context, progress *progress, d declared, pass *inspect.Pass) (report.Report, error) {
	if o.review.base != "" {
		return o.reviewed(ctx, progress, d, pass)
	}
	live, done, err := o.open(ctx, progress, pass)
	if err != nil {
		return report.Report{}, err
	}
	defer done()
	return pass.Report(ctx, live)
}

// open opens the cluster or the file, until done is called. Where a repository is so broken
// that there are no objects, neither is asked.
func (o diffOptions) open(ctx context.Context, progress *progress, pass *inspect.Pass) (live audit.Lister, done func(), err error) {
	if len(pass.Objects) == 0 {
		return nil, func() {}, nil
	}
	file, err := o.openDump()
	if err != nil {
		return nil, nil, fmt.Errorf("reading the live objects: %w", err)
	}
	if live, err = o.source(ctx, progress, file, &pass.Assess); err != nil {
		file.Close()
		return nil, nil, err
	}
	return live, func() { file.Close() }, nil
}

// The values of --confirm.
const (
	confirmNone   = "none"
	confirmDryRun = "dry-run"
)

// rules are the parts of a comparison's rules that flags give.
func (o diffOptions) rules() (assess.Options, error) {
	options := assess.Options{Compare: differ.Options{Deployers: o.deployers}}
	if o.declared.lag < 0 {
		return options, fmt.Errorf("--lag: %d is not a number of commits: use 0 or more", o.declared.lag)
	}
	switch {
	case !slices.Contains([]string{"", confirmNone, confirmDryRun}, o.confirm):
		return options, fmt.Errorf("--confirm: %q is not known: use %s or %s", o.confirm, confirmNone, confirmDryRun)
	case o.confirm == confirmDryRun && o.live != "":
		return options, errors.New("--confirm=dry-run asks the API server, and --live compares without one: leave one of them out")
	}
	for _, what := range o.show {
		switch what {
		case "controllers":
			options.Compare.ShowControllers = true
		case "ignored", "unconfirmed":
		default:
			return options, fmt.Errorf("--show: %q is not known: use controllers, ignored or unconfirmed", what)
		}
	}
	return options, nil
}

// source opens what the live objects come from, the cluster or the file, and fills
// in the namespace that it implies.
func (o diffOptions) source(ctx context.Context, progress *progress, file object.File, options *assess.Options) (audit.Lister, error) {
	options.Namespace = "default"
	if o.live != "" {
		if n := o.kube.Namespace; n != nil && *n != "" {
			options.Namespace = *n
		}
		return o.dump(file, options)
	}
	config, err := clientConfig(o.kube)
	if err != nil {
		return nil, fmt.Errorf("%w, or --live for a comparison without a cluster", err)
	}
	return o.connect(ctx, progress, config, options)
}

// connect opens the cluster, and fills in the namespace that the kubeconfig's context
// implies.
func (o diffOptions) connect(ctx context.Context, progress *progress, config *rest.Config, options *assess.Options) (*cluster.Cluster, error) {
	var err error
	loader := o.kube.ToRawKubeConfigLoader()
	if options.Namespace, _, err = loader.Namespace(); err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	progress.say("asking the API server what it serves")
	c, err := cluster.Connect(ctx, config, cluster.Options{CacheDir: o.cacheDir()})
	if err == nil && o.confirm == confirmDryRun {
		options.Confirm = cluster.NewDryRun(c)
	}
	return c, err
}

// clientConfig says how to reach the cluster.
func clientConfig(kube *genericclioptions.ConfigFlags) (*rest.Config, error) {
	loader := kube.ToRawKubeConfigLoader()
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w: use --kubeconfig and --context", err)
	}
	if raw, err := loader.RawConfig(); err == nil && len(raw.Clusters) == 0 && config.Host == nowhere && *kube.APIServer == "" {
		return nil, errNoKubeconfig
	}
	return config, nil
}

var errNoKubeconfig = errors.New("there is no kubeconfig: name one with --kubeconfig or KUBECONFIG")

// nowhere is the server that the client library takes where none is configured.
const nowhere = "http://localhost:8080"

// dumpFile is the file with the live objects, from which they are read when they
// are compared.
type dumpFile interface {
	object.File
	io.Closer
}

// openDump opens the file with the live objects, if there is one. What a shell puts
// in a file's place can be read but once, so it is kept.
func (o diffOptions) openDump() (dumpFile, error) {
	if o.live == "" {
		return inMemory{}, nil
	}
	f, err := os.Open(o.live)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return f, nil
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return inMemory{bytes.NewReader(data)}, err
}

// inMemory is what was read of a file.
type inMemory struct{ *bytes.Reader }

// Close does nothing.
func (inMemory) Close() error { return nil }

// dump reads the live objects from a file.
func (o diffOptions) dump(file object.File, options *assess.Options) (audit.Lister, error) {
	objects, err := object.DecodeRaw(o.live, file)
	if err != nil {
		return nil, fmt.Errorf("reading the live objects: %w", err)
	}
	if len(objects) == 0 {
		return nil, errors.New("reading the live objects: " + o.live + " holds none")
	}
	dump := assess.NewDump(objects)
	options.Compare.Unrecorded = !dump.HasOwners()
	return dump, nil
}

// cacheDir is where schemas are kept between runs: a directory of our own in
// kubectl's.
func (o diffOptions) cacheDir() string { return cacheDir(o.kube) }

func cacheDir(kube *genericclioptions.ConfigFlags) string {
	if kube.CacheDir == nil || *kube.CacheDir == "" {
		return ""
	}
	return filepath.Join(*kube.CacheDir, "plumbline")
}

// now is the time of the comparison.
func now() time.Time { return time.Now() }
