package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/controller"
)

const controllerVerb = "controller"

const controllerLong = `Run in a cluster, or beside one, and keep the status of its Baselines true: each
Baseline's repository is asked for news at its interval, and what is live is
watched. What is found stands in conditions, Findings, Events, metrics and the
log, which is JSON. The cluster is only read, but for these.`

const controllerExample = `  # In a cluster: see manifests/
  plumbline controller --leader-elect

  # Beside the current context's cluster, for the Baselines of one namespace
  plumbline controller -n plumbline-system

  # Two that share the Baselines out: one label's, and all others
  plumbline controller --leader-elect --selector shard=a
  plumbline controller --leader-elect --selector shard!=a`

type controllerOptions struct {
	controller.Options
	kube     *genericclioptions.ConfigFlags
	level    string
	selector string
}

func newControllerCommand(s streams) *cobra.Command {
	o := controllerOptions{kube: genericclioptions.NewConfigFlags(true)}
	c := &cobra.Command{
		Use:     controllerVerb,
		Short:   "Keep the status of a cluster's Baselines true",
		Long:    controllerLong,
		Example: controllerExample,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse(c, fmt.Errorf("%q is too much: Baselines in the cluster say what is compared", args[0]))
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	f.BoolVar(&o.LeaderElection, "leader-elect", false, "let only one of several controllers act, by a lease")
	f.StringVar(&o.LeaseNamespace, "lease-namespace", "", "`namespace` of the lease (default: the one that the program runs in)")
	f.StringVarP(&o.selector, "selector", "l", "", "look only at the Baselines with these `labels`, as kubectl selects them: KEY=VALUE, KEY!=VALUE, 'KEY in (A,B)'; those of another selector elect another leader (default: all)")
	f.StringVar(&o.MetricsAddress, "metrics-address", ":8080", "`address` to serve /metrics at; 0 serves none")
	f.StringVar(&o.ProbeAddress, "probe-address", ":8081", "`address` to serve /healthz and /readyz at; 0 serves none")
	f.StringVar(&o.WebhookAddress, "webhook-address", "0", "`address` to take pushes from GitHub, GitLab, Gitea and Bitbucket at, at /hooks/NAMESPACE/BASELINE; 0 takes none")
	f.StringVar(&o.WebhookHost, "webhook-host", os.Getenv("POD_IP"), "`host` at which others reach that address, so that one that stands by passes pushes on to the one that acts (default: $POD_IP)")
	f.StringVar(&o.TraceEndpoint, "otlp-endpoint", "", "`URL` to send traces to, by OTLP over HTTP, such as http://collector:4318/v1/traces (default: $OTEL_EXPORTER_OTLP_ENDPOINT, or none)")
	f.StringVar(&o.ProfileAddress, "profile-address", "0", "`address` to serve /debug/pprof at; 0 serves none")
	f.StringVar(&o.level, "log-level", "info", "lowest `level` that is logged: debug, info, warn or error")
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	o.kube.AddFlags(connection)
	c.Flags().AddFlagSet(f)
	c.Flags().AddFlagSet(connection)
	c.SetUsageFunc(usage(f, connection))
	_ = c.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (o controllerOptions) run(ctx context.Context, s streams) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return fmt.Errorf("--log-level: %q is not known: use debug, info, warn or error", o.level)
	}
	selector, err := labels.Parse(o.selector)
	if err != nil {
		return fmt.Errorf("--selector: %q selects nothing: write KEY=VALUE, KEY!=VALUE or 'KEY in (A,B)': %w", o.selector, err)
	}
	if !selector.Empty() {
		o.Selector = selector
	}
	if _, err := rest.InClusterConfig(); errors.Is(err, rest.ErrNotInCluster) && o.LeaderElection && o.LeaseNamespace == "" {
		return errors.New("--leader-elect: outside of a cluster name the lease's namespace with --lease-namespace")
	}
	config, err := clientConfig(o.kube)
	if err != nil {
		return err
	}
	c, err := cluster.Connect(ctx, config, cluster.Options{})
	if err != nil {
		return err
	}
	for _, kind := range []string{v1alpha1.Kind, v1alpha1.KindFinding} {
		if _, err := resourceOf(c, kind); err != nil {
			return err
		}
	}
	config.QPS = -1 // the server's priority and fairness is fairer than a guess made here
	o.Log = slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: level}))
	klog.SetLogger(logr.FromSlogHandler(o.Log.Handler()))
	o.Namespace, o.CacheDir = *o.kube.Namespace, cacheDir(o.kube)
	o.Version, o.Commit = buildVersion()
	return controller.Run(ctx, config, o.Options)
}
