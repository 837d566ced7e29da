package controller

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/mirror"
	"plumbline.dev/plumbline/object"
)

// parallel is how many Baselines are looked at at once.
const parallel = 4

type reconciler struct {
	client client.Client
	reader client.Reader // which keeps nothing: Secrets are read when they are needed
	events events.EventRecorder
	mirror *mirror.Mirror
	queue  atomic.Pointer[workqueue.TypedRateLimitingInterface[reconcile.Request]]
	rules  []string // all there are
	cache  string
	log    *slog.Logger

	metrics   *meters
	tracer    trace.Tracer
	publisher *publisher

	mu   sync.Mutex
	kept map[types.NamespacedName]*kept
}

func newReconciler(ctx context.Context, manager ctrl.Manager, config *rest.Config, o Options) (*reconciler, error) {
	reference, err := finding.Reference()
	if err != nil {
		return nil, fmt.Errorf("reading the rules: %w", err)
	}
	m := mirror.New(ctx, func(ctx context.Context) (*cluster.Cluster, error) {
		return cluster.Connect(ctx, config, cluster.Options{CacheDir: o.CacheDir})
	})
	r := &reconciler{
		client: manager.GetClient(), reader: manager.GetAPIReader(), events: manager.GetEventRecorder(name),
		mirror: m, cache: o.CacheDir, log: o.Log, metrics: newMeters(o.Version, o.Commit), publisher: newPublisher(manager.GetClient(), o.Log), kept: map[types.NamespacedName]*kept{},
	}
	for _, help := range reference {
		r.rules = append(r.rules, string(help.Rule))
	}
	return r, nil
}

func (r *reconciler) setUp(manager ctrl.Manager) error {
	requested := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetAnnotations()[v1alpha1.AnnotationRequested] != e.ObjectNew.GetAnnotations()[v1alpha1.AnnotationRequested]
	}}
	return ctrl.NewControllerManagedBy(manager).
		Named(name).
		For(&v1alpha1.Baseline{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, requested))).
		WatchesRawSource(source.Func(r.take)).
		WithOptions(controller.Options{MaxConcurrentReconciles: parallel}).
		Complete(r)
}

// take keeps the queue, so that what changes in the cluster can be put into it.
func (r *reconciler) take(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.queue.Store(&queue)
	return nil
}

// Reconcile looks at one Baseline, and says when to look again.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var b v1alpha1.Baseline
	if err := r.client.Get(ctx, request.NamespacedName, &b); apierrors.IsNotFound(err) {
		r.forget(request.NamespacedName) // or has become another controller's; what it governed is left alone
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the Baseline: %w", err)
	}
	if !b.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	start := time.Now()
	looking, s := r.tracer.Start(ctx, "look", trace.WithAttributes(
		attribute.String("plumbline.namespace", b.Namespace), attribute.String("plumbline.baseline", b.Name)))
	found := r.look(looking, &b)
	found.describe(s)
	s.End()
	if interrupted(ctx) || r.left(ctx, request.NamespacedName) {
		return ctrl.Result{}, nil // whoever takes over looks anew
	}
	r.metrics.looked(request.NamespacedName, found, time.Since(start))
	if err := r.say(ctx, &b, found); err != nil {
		return ctrl.Result{}, fmt.Errorf("writing the Baseline's status: %w", err)
	}
	return ctrl.Result{RequeueAfter: found.again}, nil
}

// left tells whether a Baseline is not this controller's any more.
func (r *reconciler) left(ctx context.Context, key types.NamespacedName) bool {
	return apierrors.IsNotFound(r.client.Get(ctx, key, &v1alpha1.Baseline{}))
}

// say writes the status where it is another, and tells of what has changed.
func (r *reconciler) say(ctx context.Context, b *v1alpha1.Baseline, found outcome) error {
	before := b.DeepCopy()
	b.Status = found.status(before)
	if same(before.Status, b.Status) {
		return nil
	}
	now := b.Status
	if err := r.client.Status().Patch(ctx, b, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, change := range changed(before.Status, now) {
		kind := corev1.EventTypeNormal
		if change.bad {
			kind = corev1.EventTypeWarning
		}
		r.events.Eventf(b, nil, kind, change.reason, "Compare", "%s", change.message)
	}
	return nil
}

func interrupted(ctx context.Context) bool { return ctx.Err() != nil }

// keep returns what earlier looks have left for a Baseline, of this very object, and what
// earlier processes have.
func (r *reconciler) keep(ctx context.Context, b *v1alpha1.Baseline) (*kept, error) {
	key := client.ObjectKeyFromObject(b)
	r.mu.Lock()
	k := r.kept[key]
	r.mu.Unlock()
	if k != nil && k.uid == b.UID {
		return k, nil
	}
	r.forget(key)
	k = &kept{uid: b.UID, board: newBoard(r.log, b, r.publisher.publish)}
	if err := k.board.restore(ctx, r.reader); err != nil {
		return nil, err
	}
	r.publisher.add(k.board)
	k.wake = func() { (*r.queue.Load()).Add(reconcile.Request{NamespacedName: key}) }
	k.view = r.mirror.View(func(ids ...object.ID) {
		k.changes.add(ids...)
		k.wake()
	})
	r.mu.Lock()
	r.kept[key] = k
	r.mu.Unlock()
	return k, nil
}

// hurry has a Baseline's repository be asked now.
func (r *reconciler) hurry(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.kept[key]; k != nil {
		k.hurried.Store(true)
		k.wake()
	}
}

// forget leaves nothing of a Baseline but what the cluster holds.
func (r *reconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.kept[key]; k != nil {
		r.publisher.remove(k.board)
		k.judging.cancel()
		k.reverting.cancel()
		k.view.Close()
	}
	delete(r.kept, key)
	r.metrics.forget(key)
}

// jittered spreads the passes of many Baselines, by a tenth either way.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}
