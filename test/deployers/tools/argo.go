package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-logr/logr"

	gitops "github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// steps bounds a sync: one for each wave and hook phase, of which there are few.
const steps = 100

// argo syncs the objects as Argo CD's application controller does: each marked as
// the application's, then one sync of its engine.
func argo(ctx context.Context, s sync) error {
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	live := make([]*unstructured.Unstructured, len(s.objects))
	for i, o := range s.objects {
		if err := track(o, s); err != nil {
			return err
		}
		var err error
		live[i], err = kubectl.GetResource(ctx, s.config, o.GroupVersionKind(), o.GetName(), o.GetNamespace())
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("reading %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	sync, cleanup, err := gitops.NewSyncContext("revision", gitops.ReconciliationResult{Live: live, Target: s.objects},
		s.config, s.config, kubectl, s.namespace,
		gitops.WithLogr(logr.Discard()),
		gitops.WithManifestValidation(true),
		gitops.WithReplace(s.replace),
		gitops.WithServerSideApply(s.serverSide),
		gitops.WithServerSideApplyManager("argocd-controller"))
	if err != nil {
		return err
	}
	defer cleanup()
	for range steps {
		sync.Sync()
		phase, message, results := sync.GetState()
		switch {
		case phase.Successful():
			return nil
		case phase.Completed():
			var failures []error
			for _, r := range results {
				if r.Status != "Synced" {
					failures = append(failures, fmt.Errorf("%s: %s", r.ResourceKey, r.Message))
				}
			}
			return fmt.Errorf("syncing: %s: %w", message, errors.Join(failures...))
		}
	}
	return fmt.Errorf("the sync did not end within %d steps", steps)
}

// track marks an object as the application's.
func track(o *unstructured.Unstructured, s sync) error {
	if s.byLabel {
		return unstructured.SetNestedField(o.Object, s.app, "metadata", "labels", "app.kubernetes.io/instance")
	}
	gk := schema.GroupKind{Group: o.GroupVersionKind().Group, Kind: o.GetKind()}
	return unstructured.SetNestedField(o.Object,
		fmt.Sprintf("%s:%s/%s:%s/%s", s.app, gk.Group, gk.Kind, s.namespace, o.GetName()),
		"metadata", "annotations", "argocd.argoproj.io/tracking-id")
}
