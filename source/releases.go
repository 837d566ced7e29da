package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/address"
	"plumbline.dev/plumbline/source/helm"
)

// Releases judges the Helm releases in a cluster by their charts (source/helm), each
// once, as an object of group helm.sh and kind Release, with what belongs to it as its
// Children. Live are all live objects: those that carry Helm's annotations, the objects
// of Flux and k3s that make releases and, if spec.sources.releases is Read, the
// Secrets and ConfigMaps in which Helm keeps its records.
//
// A chart is ours if a chart in our repository has the same name, version and
// templates, or if who deploys the release takes it from spec.sources.charts or from
// our repositories. Where no record is read, only what labels claim is known. Unjudged
// are releases whose record cannot be read.
func (p *Policy) Releases(live []object.Packed) ([]finding.Finding, []finding.Unjudged) {
	if len(p.charts) == 0 && !p.read {
		return nil, nil
	}
	known := p.deployers(live)
	labelled := claims(live)
	var all []finding.Finding
	var unjudged []finding.Unjudged
	var told []releaseKey
	if p.read {
		for _, record := range helm.Newest(live) {
			release, err := helm.Decode(record.Object())
			if err != nil {
				unjudged = append(unjudged, finding.Unjudged{Rule: finding.SourceHelm, Object: record.ID, Reason: err.Error()})
				continue
			}
			key := releaseKey{release.Namespace, release.Name}
			children := []object.ID{record.ID}
			// In another namespace only who deploys the release keeps its record: elsewhere
			// anyone could write one that speaks for it.
			if at := record.ID.Namespace; at == key.namespace || at == known[key].id.Namespace {
				children = append(children, labelled[key].members...)
				told = append(told, key)
			}
			if f, ok := p.release(key, release, known[key]); ok {
				f.Children = children
				all = append(all, f)
			}
		}
	}
	for _, key := range told {
		delete(labelled, key)
	}
	for key, claim := range labelled {
		if f, ok := p.claimed(key, claim, known[key]); ok {
			all = append(all, f)
		}
	}
	return sorted(all), unjudged
}

type releaseKey struct{ namespace, name string }

func (k releaseKey) finding(evidence finding.Evidence) finding.Finding {
	return finding.Finding{
		Rule: finding.SourceHelm, Severity: finding.Warning, Evidence: evidence,
		Object: object.ID{Group: "helm.sh", Version: "v1", Kind: "Release", Namespace: k.namespace, Name: k.name},
		Advice: "keep the chart in our repository, or add where it comes from to spec.sources.charts and deploy it from there; helm uninstall takes it away",
	}
}

// release judges a release whose record was read.
func (p *Policy) release(key releaseKey, r helm.Release, by deployer) (finding.Finding, bool) {
	f := key.finding(finding.Declared)
	if !r.Counts() {
		return f, false
	}
	if p.ownChart(r.Chart) || by.deploys(r.Chart.Name) {
		return f, false
	}
	f.Message = fmt.Sprintf("release %s (revision %d, %s) is of the chart %s: %s%s", r.Name, r.Revision, cmp.Or(r.Status, "of no status"), r.Chart, p.why(r.Chart, by), hints(r.Chart))
	return f, true
}

// why says why a chart is none of ours.
func (p *Policy) why(chart helm.Chart, by deployer) string {
	var why []string
	i := slices.IndexFunc(p.ownCharts, func(own helm.Chart) bool { return own.Name == chart.Name })
	switch {
	case i < 0:
		why = append(why, "no chart in the repository has its name")
	case !slices.ContainsFunc(p.ownCharts, func(own helm.Chart) bool { return own.Name == chart.Name && own.Version == chart.Version }):
		why = append(why, fmt.Sprintf("%s in the repository is of version %s", p.ownCharts[i].From, p.ownCharts[i].Version))
	default:
		why = append(why, "its templates or dependencies are not those of the chart of that version in the repository")
	}
	return strings.Join(append(why, by.why()), ", and ")
}

// hints repeats what a chart says of itself.
func hints(chart helm.Chart) string {
	var told []string
	for _, hint := range chart.Hints {
		if place, err := address.ParseURL(hint); err == nil && len(told) < 3 {
			told = append(told, place.String())
		}
	}
	if len(told) == 0 {
		return ""
	}
	return " (it names " + strings.Join(told, ", ") + " itself)"
}

// claim is what labels and annotations say of a release.
type claim struct {
	chart   string // helm.sh/chart: "name-version"
	members []object.ID
}

// claims reads what objects say about the release that they are of. An object without
// Helm's annotation is of none: charts that were rendered without a release leave
// labels alone.
func claims(live []object.Packed) map[releaseKey]claim {
	all := map[releaseKey]claim{}
	for _, o := range live {
		metadata := object.Map(o.Object().Content, "metadata")
		annotations, _ := metadata["annotations"].(map[string]any)
		name, _ := annotations["meta.helm.sh/release-name"].(string)
		if name == "" {
			continue
		}
		namespace, _ := annotations["meta.helm.sh/release-namespace"].(string)
		labels, _ := metadata["labels"].(map[string]any)
		chart, _ := labels["helm.sh/chart"].(string)
		key := releaseKey{nameOf(cmp.Or(namespace, o.ID.Namespace)), nameOf(name)}
		c := all[key]
		c.chart = min(cmp.Or(c.chart, chart), cmp.Or(chart, c.chart)) // whatever the order
		c.members = append(c.members, o.ID)
		all[key] = c
	}
	return all
}

// nameOf makes of an annotation, which may hold anything, what can stand as a name.
func nameOf(text string) string {
	const most = 253
	if len(text) <= most && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return text
	}
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return '?'
		}
		return c
	}, text[:min(len(text), most)])
}

// claimed judges a release by what its objects' labels claim.
func (p *Policy) claimed(key releaseKey, c claim, by deployer) (finding.Finding, bool) {
	f := key.finding(finding.Claimed)
	f.Children = c.members
	for _, own := range p.ownCharts {
		// Labels cannot hold the + of a version.
		if c.chart == strings.ReplaceAll(own.Name+"-"+own.Version, "+", "_") {
			return f, false
		}
	}
	if by.ours {
		return f, false
	}
	chart := "a chart that no label names"
	if c.chart != "" {
		chart = "the chart " + c.chart
	}
	f.Message = fmt.Sprintf("release %s is of %s, as labels claim: no chart in the repository is that, and %s", key.name, chart, by.why())
	if !p.read {
		f.Message += "; its record was not read"
	}
	return f, true
}

// deployer is an object that makes a release.
type deployer struct {
	id    object.ID
	ours  bool
	chart string // the chart's name, where it is known
	place string // where it takes the chart from; empty where that is not known
}

// deploys says whether the release of the chart is of the deployer's making, and its
// source ours.
func (d deployer) deploys(chart string) bool {
	return d.ours && (d.chart == "" || d.chart == chart)
}

func (d deployer) why() string {
	switch {
	case d.id.Kind == "":
		return "nothing that deploys charts in the cluster takes it from a place of ours"
	case d.ours:
		return fmt.Sprintf("%s deploys another one, %s", d.id, d.chart)
	case d.place == "":
		return fmt.Sprintf("the source of %s is not known", d.id)
	}
	return fmt.Sprintf("%s takes it from %s", d.id, d.place)
}

// deployers finds the objects that make releases, by the release.
func (p *Policy) deployers(live []object.Packed) map[releaseKey]deployer {
	sources := map[object.ID]object.Object{}
	for _, o := range live {
		if o.ID.Group == fluxSources {
			id := o.ID
			id.Version = ""
			sources[id] = o.Object()
		}
	}
	all := map[releaseKey]deployer{}
	for _, o := range live {
		switch {
		case o.ID.Group == "helm.toolkit.fluxcd.io" && o.ID.Kind == "HelmRelease":
			all[fluxRelease(o.Object())] = p.flux(o.Object(), sources)
		case o.ID.Group == "helm.cattle.io" && o.ID.Kind == "HelmChart":
			key := releaseKey{cmp.Or(object.Text(spec(o.Object()), "targetNamespace"), o.ID.Namespace), o.ID.Name}
			all[key] = p.from(deployer{id: o.ID}, o.Object())
		}
	}
	return all
}

func spec(o object.Object) map[string]any { return object.Map(o.Content, "spec") }
