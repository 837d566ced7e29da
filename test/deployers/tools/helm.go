package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/fluxcd/pkg/ssa/utils"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/storage/driver"
)

// helm releases the objects as Flux's helm-controller does: with Helm's library
// under its own name, each labelled with the HelmRelease's name.
func helm(ctx context.Context, s sync) error {
	kube.ManagedFieldsManager = "helm-controller"
	settings := cli.New()
	settings.SetNamespace(s.namespace)
	config := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := config.Init(settings.RESTClientGetter(), s.namespace, "secret"); err != nil {
		return err
	}
	manifests, err := utils.ObjectsToYAML(s.objects)
	if err != nil {
		return err
	}
	release := &chart.Chart{
		Metadata:  &chart.Metadata{APIVersion: chart.APIVersionV2, Name: s.app, Version: "1.0.0"},
		Templates: []*common.File{{Name: "templates/all.yaml", Data: []byte(manifests)}},
	}
	switch _, err := action.NewGet(config).Run(s.app); {
	case errors.Is(err, driver.ErrReleaseNotFound):
		install := action.NewInstall(config)
		install.ReleaseName, install.Namespace, install.PostRenderer = s.app, s.namespace, origin(s)
		install.WaitStrategy = kube.HookOnlyStrategy
		_, err = install.RunWithContext(ctx, release, nil)
		return err
	case err != nil:
		return err
	}
	upgrade := action.NewUpgrade(config)
	upgrade.Namespace, upgrade.PostRenderer, upgrade.ForceConflicts = s.namespace, origin(s), true
	upgrade.WaitStrategy = kube.HookOnlyStrategy
	_, err = upgrade.RunWithContext(ctx, s.app, release, nil)
	return err
}

// origin is helm-controller's own step between rendering and applying.
type origin sync

func (o origin) Run(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	objects, err := utils.ReadObjects(rendered)
	if err != nil {
		return nil, fmt.Errorf("reading what was rendered: %w", err)
	}
	for _, object := range objects {
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels["helm.toolkit.fluxcd.io/name"], labels["helm.toolkit.fluxcd.io/namespace"] = o.app, o.namespace
		object.SetLabels(labels)
	}
	text, err := utils.ObjectsToYAML(objects)
	return bytes.NewBufferString(text), err
}
