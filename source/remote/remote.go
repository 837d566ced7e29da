// Package remote lists from where configuration and charts are taken: by the
// kustomizations of a repository, and by the objects of Flux, Argo CD, k3s and Fleet.
// It judges none of them.
package remote

import (
	"maps"
	"slices"
	"strings"

	"plumbline.dev/plumbline/object"
)

// Content is what is taken from somewhere.
type Content int

const (
	// Configuration is a git repository, a bucket, or a file of either.
	Configuration Content = iota + 1
	// Chart is a repository of Helm charts, or a chart.
	Chart
	// Either may be both: an OCI artifact.
	Either
)

// Reference is one place that names where something is taken from.
type Reference struct {
	// Field is where it stands in the object: "spec.url", "resources".
	Field string
	// Address is as it is written. It may hold a password and is not to be shown.
	Address string
	// Embedded is a chart's archive in base64, which stands in place of an address.
	Embedded string
	Content  Content
	// Position is the line of the kustomization; zero for an object.
	Position object.Position
}

// Takes tells whether objects of an ID's kind may have references.
func Takes(id object.ID) bool { return kinds[kind{id.Group, id.Kind}] != nil }

// Of returns the references of an object of Flux, Argo CD, k3s or Fleet; none of any
// other.
func Of(o object.Object) []Reference {
	read, ok := kinds[kind{o.ID.Group, o.ID.Kind}]
	if !ok {
		return nil
	}
	spec, _ := o.Content["spec"].(map[string]any)
	return slices.DeleteFunc(read(spec), func(r Reference) bool { return r.Address == "" && r.Embedded == "" })
}

type kind struct{ group, kind string }

// kinds are those that take something from elsewhere, with the fields that their
// documentation names: Flux source.toolkit.fluxcd.io/v1 and helm.toolkit.fluxcd.io/v2,
// Argo CD argoproj.io/v1alpha1, k3s helm.cattle.io/v1, Fleet fleet.cattle.io/v1alpha1.
var kinds = map[kind]func(map[string]any) []Reference{
	{"source.toolkit.fluxcd.io", "GitRepository"}:  one("url", Configuration),
	{"source.toolkit.fluxcd.io", "HelmRepository"}: one("url", Chart),
	{"source.toolkit.fluxcd.io", "OCIRepository"}:  one("url", Either),
	{"source.toolkit.fluxcd.io", "Bucket"}:         bucket,
	{"argoproj.io", "Application"}:                 func(spec map[string]any) []Reference { return application(spec, "spec") },
	{"argoproj.io", "ApplicationSet"}:              applicationSet,
	{"helm.cattle.io", "HelmChart"}:                helmChart,
	{"fleet.cattle.io", "GitRepo"}:                 one("repo", Configuration),
	{"fleet.cattle.io", "Bundle"}:                  fleetHelm,
	{"fleet.cattle.io", "HelmOp"}:                  fleetHelm,
}

func one(field string, content Content) func(map[string]any) []Reference {
	return func(spec map[string]any) []Reference {
		return []Reference{{Field: "spec." + field, Address: object.Text(spec, field), Content: content}}
	}
}

func bucket(spec map[string]any) []Reference {
	endpoint := object.Text(spec, "endpoint")
	if endpoint == "" {
		return nil
	}
	return []Reference{{Field: "spec.endpoint", Address: strings.TrimSuffix(endpoint, "/") + "/" + object.Text(spec, "bucketName"), Content: Configuration}}
}

// application reads the spec of an Argo CD Application.
func application(spec map[string]any, at string) []Reference {
	var all []Reference
	add := func(source map[string]any, field string) {
		content := Configuration
		if object.Text(source, "chart") != "" {
			content = Chart
		} else if strings.HasPrefix(object.Text(source, "repoURL"), "oci://") {
			content = Either
		}
		all = append(all, Reference{Field: field + ".repoURL", Address: object.Text(source, "repoURL"), Content: content})
	}
	add(object.Map(spec, "source"), at+".source")
	sources, _ := spec["sources"].([]any)
	for i, item := range sources {
		source, _ := item.(map[string]any)
		add(source, at+".sources["+number(source, i)+"]")
	}
	add(object.Map(object.Map(spec, "sourceHydrator"), "drySource"), at+".sourceHydrator.drySource")
	return all
}

func applicationSet(spec map[string]any) []Reference {
	all := application(object.Map(object.Map(spec, "template"), "spec"), "spec.template.spec")
	generators, _ := spec["generators"].([]any)
	return generated(all, generators, "spec.generators")
}

// generated adds the repositories that the generators of an ApplicationSet read, at
// any depth: matrix and merge hold others.
func generated(all []Reference, generators []any, at string) []Reference {
	for i, item := range generators {
		generator, _ := item.(map[string]any)
		field := at + "[" + number(nil, i) + "]"
		all = append(all, Reference{Field: field + ".git.repoURL", Address: object.Text(object.Map(generator, "git"), "repoURL"), Content: Configuration})
		for _, name := range []string{"matrix", "merge"} {
			inner, _ := object.Map(generator, name)["generators"].([]any)
			all = generated(all, inner, field+"."+name)
		}
		for _, name := range slices.Sorted(maps.Keys(generator)) {
			if template := object.Map(object.Map(generator, name), "template"); template != nil {
				all = append(all, application(object.Map(template, "spec"), field+"."+name+".template.spec")...)
			}
		}
	}
	return all
}

// packaged begins the address of a chart that k3s' own server holds.
const packaged = "https://%{KUBERNETES_API}%/"

// Packaged says whether an object is a HelmChart of k3s that comes with k3s itself.
func Packaged(o object.Object) bool {
	spec, _ := o.Content["spec"].(map[string]any)
	return o.ID.Group == "helm.cattle.io" && o.ID.Kind == "HelmChart" && object.Text(spec, "repo") == "" && strings.HasPrefix(object.Text(spec, "chart"), packaged)
}

// helmChart reads a HelmChart of k3s.
func helmChart(spec map[string]any) []Reference {
	chart, repo := object.Text(spec, "chart"), object.Text(spec, "repo")
	all := []Reference{
		{Field: "spec.repo", Address: repo, Content: Chart},
		{Field: "spec.chartContent", Embedded: object.Text(spec, "chartContent"), Content: Chart},
	}
	if strings.HasPrefix(chart, packaged) {
		return all
	}
	if strings.Contains(chart, "://") || repo == "" && all[1].Embedded == "" {
		all = append(all, Reference{Field: "spec.chart", Address: chart, Content: Chart})
	}
	return all
}

// fleetHelm reads the chart of a Bundle or HelmOp of Fleet. A chart without scheme and
// repository is a directory beside it.
func fleetHelm(spec map[string]any) []Reference {
	helm := object.Map(spec, "helm")
	all := []Reference{{Field: "spec.helm.repo", Address: object.Text(helm, "repo"), Content: Chart}}
	if chart := object.Text(helm, "chart"); strings.Contains(chart, "://") || strings.Contains(chart, "::") || strings.Contains(chart, "@") {
		all = append(all, Reference{Field: "spec.helm.chart", Address: chart, Content: Chart})
	}
	return all
}
