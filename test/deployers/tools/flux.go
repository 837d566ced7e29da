package main

import (
	"context"
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

const fluxGroup = "kustomize.toolkit.fluxcd.io"

// flux applies the objects as kustomize-controller does: labelled with the
// Kustomization's name, normalised, staged, and after what others left in
// managedFields has become its own.
func flux(ctx context.Context, s sync) error {
	web, err := rest.HTTPClientFor(s.config)
	if err != nil {
		return err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(s.config, web)
	if err != nil {
		return fmt.Errorf("asking which kinds are served: %w", err)
	}
	c, err := client.New(s.config, client.Options{Mapper: mapper, HTTPClient: web})
	if err != nil {
		return err
	}
	poller := polling.NewStatusPoller(c, mapper, polling.Options{})
	manager := ssa.NewResourceManager(c, poller, ssa.Owner{Field: "kustomize-controller", Group: fluxGroup})
	manager.SetOwnerLabels(s.objects, s.app, s.namespace)
	if err := normalize.UnstructuredList(s.objects); err != nil {
		return fmt.Errorf("normalising: %w", err)
	}
	options := ssa.DefaultApplyOptions()
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "kustomize-controller", OperationType: metav1.ManagedFieldsOperationUpdate},
		},
	}
	if _, err := manager.ApplyAllStaged(ctx, s.objects, options); err != nil {
		return fmt.Errorf("applying: %w", err)
	}
	return nil
}
