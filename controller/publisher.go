package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"plumbline.dev/plumbline/api/v1alpha1"
)

const (
	// writers is how many Findings are written at once.
	writers = 16
	// writeWithin bounds a write, also one that an interruption finds under way.
	writeWithin = 10 * time.Second
	// firstRetry and lastRetry are how soon a write that failed is tried again, at first
	// and after many.
	firstRetry, lastRetry = 100 * time.Millisecond, time.Minute
	// complaint is how often the log says that writing fails.
	complaint = 10 * time.Second
	// fingerprint is the length of one.
	fingerprint = 16
)

// publisher has the cluster's Finding objects be those of the boards. It knows no order: of
// whatever may be another, on a board or in the cluster, it compares both and writes what
// differs, as often as it takes.
type publisher struct {
	client   client.Client // which reads from what it watches
	log      *slog.Logger
	queue    workqueue.TypedRateLimitingInterface[reconcile.Request]
	backoff  workqueue.TypedRateLimiter[reconcile.Request]
	failed   prometheus.Counter
	complain *rate.Sometimes

	mu     sync.Mutex
	boards map[types.NamespacedName]*board // by the prefix of their Findings' names
}

func newPublisher(c client.Client, log *slog.Logger) *publisher {
	backoff := workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry)
	return &publisher{
		client: c, log: log, backoff: backoff,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(backoff, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Name: "findings"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "plumbline", Name: "finding_write_failures_total", Help: "Writes of Finding objects that failed; each is tried again.",
		}),
		complain: &rate.Sometimes{First: 1, Interval: complaint},
		boards:   map[types.NamespacedName]*board{},
	}
}

// setUp has the publisher watch Findings, so that whoever edits one finds it put back.
func (p *publisher) setUp(manager ctrl.Manager) error {
	queue := func(string, workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
		return p.queue
	}
	return ctrl.NewControllerManagedBy(manager).
		Named("findings").
		For(&v1alpha1.Finding{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: writers, NewQueue: queue}).
		Complete(p)
}

// add has a board's Findings be published, and remove no more: those that are there stay.
func (p *publisher) add(b *board) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.boards[prefixOf(b)] = b
}

func (p *publisher) remove(b *board) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.boards, prefixOf(b))
}

func prefixOf(b *board) types.NamespacedName {
	return types.NamespacedName{Namespace: b.baseline.Namespace, Name: v1alpha1.FindingPrefix(b.baseline.Name, fingerprint)}
}

// boardOf returns the board of a Finding by its name, and its fingerprint; nil for one of a
// Baseline that nobody looks at here.
func (p *publisher) boardOf(name types.NamespacedName) (*board, string) {
	end := len(name.Name) - fingerprint
	if end < 1 {
		return nil, ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.boards[types.NamespacedName{Namespace: name.Namespace, Name: name.Name[:end-1]}], name.Name[end:]
}

// publish has findings of a board be written soon.
func (p *publisher) publish(b *board, fingerprints []string) {
	for _, f := range fingerprints {
		p.queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: b.baseline.Namespace, Name: v1alpha1.FindingName(b.baseline.Name, f)}})
	}
}

// Reconcile writes one Finding, unless it is as it should be. An interruption lets it end,
// so that what was told is not told again.
func (p *publisher) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	b, f := p.boardOf(request.NamespacedName)
	if b == nil {
		return ctrl.Result{}, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeWithin)
	defer cancel()
	if err := p.converge(ctx, b, f, request.NamespacedName); err != nil {
		p.failed.Inc()
		p.complain.Do(func() {
			p.log.Error("findings cannot be written, and are tried again", "finding", request.String(), "error", err)
		})
		return ctrl.Result{RequeueAfter: p.backoff.When(request)}, nil
	}
	p.backoff.Forget(request)
	return ctrl.Result{}, nil
}

// converge has the cluster hold what a board says. Where what is there is not yet what the
// watch has told, nothing is written: the watch will tell, and it is tried again then.
func (p *publisher) converge(ctx context.Context, b *board, fingerprint string, name types.NamespacedName) error {
	wanted, open := b.wanted(fingerprint)
	var there v1alpha1.Finding
	err := p.client.Get(ctx, name, &there)
	switch {
	case apierrors.IsNotFound(err) && !open:
		return nil
	case apierrors.IsNotFound(err):
		err = p.client.Create(ctx, wanted)
		return unless(err, apierrors.IsAlreadyExists)
	case err != nil:
		return fmt.Errorf("reading the Finding %s: %w", name, err)
	case !open, !b.owns(&there): // of a Baseline of that name that has gone: another is made then
		err = p.client.Delete(ctx, &there, client.Preconditions{UID: &there.UID})
		return unless(client.IgnoreNotFound(err), apierrors.IsConflict)
	}
	put := there.DeepCopy() // with what others have put into its metadata
	put.FindingDetails = wanted.FindingDetails
	if put.Labels == nil {
		put.Labels = map[string]string{}
	}
	put.Labels[v1alpha1.LabelBaseline] = wanted.Labels[v1alpha1.LabelBaseline]
	if semantic.DeepEqual(put, &there) {
		return nil
	}
	return unless(client.IgnoreNotFound(p.client.Update(ctx, put)), apierrors.IsConflict)
}

// unless drops an error that says that the watch lags behind.
func unless(err error, behind func(error) bool) error {
	if behind(err) {
		return nil
	}
	return err
}

// semantic compares Findings: values by what they say, however they are spelled, and times
// by when they are.
var semantic = conversion.EqualitiesOrDie(
	func(a, b metav1.Time) bool { return a.Equal(&b) },
	func(a, b apiextensionsv1.JSON) bool {
		var values [2]any
		return bytes.Equal(a.Raw, b.Raw) ||
			json.Unmarshal(a.Raw, &values[0]) == nil && json.Unmarshal(b.Raw, &values[1]) == nil && reflect.DeepEqual(values[0], values[1])
	},
)
