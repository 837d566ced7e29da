package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/starter"
)

const initLong = `Print a Baseline to begin with, filled from what the repository declares (its
namespaces, where its images and charts come from) and what the cluster shows of
it (who writes it). Each line says what it does. Nothing is written anywhere, and
no cluster is needed.`

const initExample = `  # From a checkout
  plumbline init overlays/production > baseline.yaml

  # From a repository
  plumbline init --git https://git.example.com/config.git --path shop/prod > baseline.yaml

  # And at once
  plumbline init . | plumbline diff . -f -`

func newInitCommand(s streams) *cobra.Command {
	o := diffOptions{declared: declaredOptions{in: s.in}, kube: genericclioptions.NewConfigFlags(true)}
	c := &cobra.Command{
		Use:     "init [DIR]",
		Short:   "Print a Baseline to begin with",
		Long:    initLong,
		Example: initExample,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse(c, fmt.Errorf("a Baseline is of one directory, and %d are given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.declared.dir = args[0]
			} else if o.declared.git.URL == "" {
				o.declared.dir = "."
			}
			return begin(cmd.Context(), s, o)
		},
	}
	f := pflag.NewFlagSet("init", pflag.ContinueOnError)
	o.declared.addRepositoryFlags(f)
	f.StringVar(&o.live, "live", "", "`file` with the live objects instead of a cluster, as kubectl get -o yaml --show-managed-fields writes it")
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	o.kube.AddFlags(connection)
	c.Flags().AddFlagSet(f)
	c.Flags().AddFlagSet(connection)
	c.SetUsageFunc(usage(f, connection))
	return c
}

// begin prints the Baseline.
func begin(ctx context.Context, s streams, o diffOptions) error {
	progress := newProgress(s.err)
	defer progress.clear()
	progress.say("reading what git declares")
	d, err := o.declared.load(ctx)
	if err != nil {
		return err
	}
	facts := starter.Facts{Git: d.repository(o.declared.git), Declared: d.objects, Files: d.snapshot.FS(), Dir: d.path}
	facts.Name = nameOf(facts.Git, d.snapshot.URL+"/"+d.path)
	live, err := o.look(ctx, progress, &facts)
	progress.clear()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		fmt.Fprintln(s.err, "what the cluster has is not known, so that spec.deployer is yours to fill in:", strings.Join(inspect.Lines(err), "; "))
	}
	for _, problem := range inspect.Lines(d.err) {
		fmt.Fprintln(s.err, "not rendered:", problem)
	}
	facts.Live = live
	text, err := starter.Write(facts)
	if err != nil {
		return fmt.Errorf("writing the Baseline: %w", err)
	}
	_, err = s.out.Write(text)
	return err
}

// look fills in the namespaces of the declared objects and returns those that are in
// the cluster.
func (o diffOptions) look(ctx context.Context, progress *progress, facts *starter.Facts) ([]object.Object, error) {
	file, err := o.openDump()
	if err != nil {
		return nil, fmt.Errorf("reading the live objects: %w", err)
	}
	defer file.Close()
	var options assess.Options
	source, err := o.source(ctx, progress, file, &options)
	if err != nil {
		return nil, err
	}
	progress.say("reading who wrote it")
	var placed []object.Object
	var wanted []object.ID
	for _, d := range facts.Declared {
		r, err := source.Resource(d.ID.Group, d.ID.Version, d.ID.Kind)
		if err == nil && r.Namespaced && d.ID.Namespace == "" {
			d.ID.Namespace = options.Namespace
		}
		placed = append(placed, d)
		wanted = append(wanted, d.ID)
	}
	facts.Declared = placed
	answers := source.Read(ctx, wanted)
	var live []object.Object
	var unread error
	for _, id := range wanted {
		switch answer := answers[id]; {
		case answer.Err == nil:
			live = append(live, answer.Object)
		case !errors.Is(answer.Err, cluster.ErrNotFound) && !errors.Is(answer.Err, cluster.ErrNotServed):
			unread = cmp.Or(unread, fmt.Errorf("reading %s: %w", id, answer.Err))
		}
	}
	if len(live) > 0 { // who wrote some tells who writes
		return live, nil
	}
	return nil, unread
}

// repository says where the configuration is fetched from: what the flags name, or
// the remote repository of a work tree.
func (d declared) repository(flags v1alpha1.Git) v1alpha1.Git {
	if flags.URL != "" {
		return flags
	}
	git := v1alpha1.Git{URL: d.snapshot.Remote(), Path: d.path}
	if git.URL == "" {
		return v1alpha1.Git{}
	}
	if git.Path == "." {
		git.Path = ""
	}
	git.Ref = strings.TrimPrefix(d.snapshot.Ref, "refs/heads/")
	return git
}

// nameOf names a Baseline by its repository, or its directory.
func nameOf(git v1alpha1.Git, place string) string {
	if git.URL != "" {
		place = strings.TrimSuffix(strings.TrimRight(git.URL, "/"), ".git")
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(path.Base(path.Clean(strings.ReplaceAll(place, ":", "/")))))
	name = strings.Trim(name[:min(len(name), 63)], "-")
	if name == "" {
		return "baseline"
	}
	return name
}
