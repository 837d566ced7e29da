package source

import (
	"cmp"

	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/helm"
	"plumbline.dev/plumbline/source/remote"
)

const fluxSources = "source.toolkit.fluxcd.io"

// fluxRelease returns the release that a HelmRelease makes: spec.releaseName, else its
// own name behind that of the target namespace, if one is given
// (https://fluxcd.io/flux/components/helm/helmreleases/#release-name).
func fluxRelease(o object.Object) releaseKey {
	target := object.Text(spec(o), "targetNamespace")
	name := o.ID.Name
	if target != "" {
		name = target + "-" + name
	}
	return releaseKey{cmp.Or(target, o.ID.Namespace), cmp.Or(object.Text(spec(o), "releaseName"), name)}
}

// flux finds from where a HelmRelease takes its chart: spec.chart.spec.sourceRef, or
// spec.chartRef, which names an OCIRepository or a HelmChart that again names its
// source.
func (p *Policy) flux(o object.Object, sources map[object.ID]object.Object) deployer {
	d := deployer{id: o.ID}
	if chart := object.Map(object.Map(spec(o), "chart"), "spec"); chart != nil {
		return p.fluxChart(d, chart, o.ID.Namespace, sources)
	}
	source, ok := referred(object.Map(spec(o), "chartRef"), o.ID.Namespace, sources)
	switch {
	case !ok:
		return d
	case source.ID.Kind == "HelmChart":
		return p.fluxChart(d, spec(source), source.ID.Namespace, sources)
	}
	return p.from(d, source)
}

// fluxChart reads what a HelmRelease's template of a HelmChart, and the HelmChart,
// have in common.
func (p *Policy) fluxChart(d deployer, chart map[string]any, namespace string, sources map[object.ID]object.Object) deployer {
	source, ok := referred(object.Map(chart, "sourceRef"), namespace, sources)
	if !ok {
		return d
	}
	if source.ID.Kind == "HelmRepository" { // elsewhere it is a path
		d.chart = object.Text(chart, "chart")
	}
	return p.from(d, source)
}

func referred(reference map[string]any, namespace string, sources map[object.ID]object.Object) (object.Object, bool) {
	source, ok := sources[object.ID{
		Group: fluxSources, Kind: object.Text(reference, "kind"),
		Namespace: cmp.Or(object.Text(reference, "namespace"), namespace), Name: object.Text(reference, "name"),
	}]
	return source, ok
}

// from judges the source of a deployer's chart: all of what it names has to be ours. A
// chart may also come from one of our repositories of configuration.
func (p *Policy) from(d deployer, source object.Object) deployer {
	if remote.Packaged(source) {
		d.ours = true
		return d
	}
	references := remote.Of(source)
	d.ours = len(references) > 0
	for _, r := range references {
		if r.Embedded != "" {
			chart, err := helm.Embedded(r.Embedded)
			d.ours, d.place = d.ours && err == nil && p.ownChart(chart), r.Field
			continue
		}
		place, err := p.placeOf(r.Address)
		ours := place.WithinAny(p.charts) || r.Content != remote.Chart && (place.WithinAny(p.repositories) || place.Within(p.own))
		d.ours, d.place = d.ours && err == nil && ours, place.String()
	}
	return d
}
