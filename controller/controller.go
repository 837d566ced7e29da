//go:generate go run ../test/monitoring

// Package controller keeps the status of each Baseline in a cluster true: it watches
// for Baselines, asks their repositories for news, compares, and says how that stands in
// conditions, Findings, Events, metrics and logs. Of the cluster it only reads, but for
// that.
package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"plumbline.dev/plumbline/api/v1alpha1"
)

// name is whom the controller writes as.
const name = "plumbline"

// shutdownWithin is how long a pass that is under way may go on after an interruption.
const shutdownWithin = 20 * time.Second

// Options say how the controller runs.
type Options struct {
	// Namespace restricts it to the Baselines of one namespace; empty means all.
	Namespace string
	// Selector restricts it to the Baselines with these labels, and nil does not, so that
	// several controllers share them out.
	Selector labels.Selector
	// LeaderElection has only one of several controllers of the same Selector act, by a
	// lease in LeaseNamespace; empty is the namespace that the program runs in.
	LeaderElection bool
	LeaseNamespace string
	// MetricsAddress and ProbeAddress are where it serves /metrics, and /healthz and
	// /readyz; "0" serves nothing.
	MetricsAddress, ProbeAddress string
	// WebhookAddress is where it takes pushes from forges; "0" and empty take none.
	WebhookAddress string
	// WebhookHost is where other controllers reach that address, to pass on pushes to the one
	// that acts; empty where there are none.
	WebhookHost string
	// ProfileAddress is where it serves /debug/pprof; "0" and empty serve nothing.
	ProfileAddress string
	// CacheDir keeps schemas and answers of registries between runs; empty keeps none.
	CacheDir string
	// TraceEndpoint is the URL that traces are sent to, by OTLP over HTTP; empty is the one
	// that the environment names as OpenTelemetry has it, or none.
	TraceEndpoint string
	// Version and Commit are the program's, for its metrics and traces.
	Version, Commit string
	// Log is told what happens.
	Log *slog.Logger
}

// Run reconciles Baselines until ctx ends. The error says why that cannot be done.
func Run(ctx context.Context, config *rest.Config, o Options) error {
	log := logr.FromSlogHandler(o.Log.Handler())
	ctrl.SetLogger(log)
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), coordinationv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	within := shutdownWithin
	options := ctrl.Options{
		Scheme:                        scheme,
		Logger:                        log,
		Metrics:                       server.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        o.ProbeAddress,
		PprofBindAddress:              o.ProfileAddress,
		LeaderElection:                o.LeaderElection,
		LeaderElectionID:              leaseName(o.Selector),
		LeaderElectionNamespace:       o.LeaseNamespace,
		LeaderElectionLabels:          reachedAt(o.WebhookHost, o.WebhookAddress),
		LeaderElectionReleaseOnCancel: true, // so that another takes over at once
		GracefulShutdownTimeout:       &within,
	}
	options.Cache.ByObject = map[client.Object]cache.ByObject{&v1alpha1.Finding{}: {Transform: cache.TransformStripManagedFields()}}
	if o.Namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{o.Namespace: {}}
	}
	if o.Selector != nil {
		options.Cache.ByObject[&v1alpha1.Baseline{}] = cache.ByObject{Label: o.Selector}
	}
	if o.LeaderElection {
		o.Log.Info("only one controller acts", "lease", options.LeaderElectionID)
	}
	manager, err := ctrl.NewManager(config, options)
	if err != nil {
		return fmt.Errorf("starting the controller: %w", err)
	}
	r, err := newReconciler(ctx, manager, config, o)
	if err != nil {
		return err
	}
	traces, flush, err := tracing(ctx, o.TraceEndpoint, o.Version, o.Log)
	if err != nil {
		return err
	}
	defer flush()
	r.tracer = traces.Tracer(name)
	if err := errors.Join(r.setUp(manager), r.publisher.setUp(manager)); err != nil {
		return fmt.Errorf("starting the controller: %w", err)
	}
	if o.WebhookAddress != "" && o.WebhookAddress != "0" {
		hooks := &webhooks{
			address: o.WebhookAddress, baselines: manager.GetClient(), secrets: manager.GetAPIReader(), hurry: r.hurry, acts: manager.Elected(),
			relay: relay{manager.GetAPIReader(), types.NamespacedName{Namespace: leaseNamespace(o.LeaseNamespace), Name: options.LeaderElectionID}, &http.Transport{}},
		}
		if err := manager.Add(hooks); err != nil {
			return fmt.Errorf("starting the controller: %w", err)
		}
	}
	ready, err := readiness(ctx, manager)
	if err != nil {
		return fmt.Errorf("starting the controller: %w", err)
	}
	if err := errors.Join(manager.AddHealthzCheck("ping", healthz.Ping), manager.AddReadyzCheck("baselines", ready), r.metrics.register(metrics.Registry), metrics.Registry.Register(r.publisher.failed)); err != nil {
		return fmt.Errorf("starting the controller: %w", err)
	}
	if err := manager.Start(ctx); err != nil {
		return fmt.Errorf("running the controller: %w", err)
	}
	return nil
}

// leaseName is what the lease of those controllers is called that look at the same
// Baselines: another for each selector, so that none stands by for another's.
func leaseName(s labels.Selector) string {
	if s == nil || s.Empty() {
		return name
	}
	sum := sha256.Sum256([]byte(s.String()))
	return name + "-" + hex.EncodeToString(sum[:4])
}

// readiness tells whether the controller has read the Baselines, be it that another one
// acts: then it could do so at once.
func readiness(ctx context.Context, manager ctrl.Manager) (healthz.Checker, error) {
	baselines, err := manager.GetCache().GetInformer(ctx, &v1alpha1.Baseline{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watching Baselines: %w", err)
	}
	return func(*http.Request) error {
		if !baselines.HasSynced() {
			return errors.New("the Baselines have not been read yet")
		}
		return nil
	}, nil
}
