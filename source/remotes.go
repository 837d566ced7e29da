package source

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/address"
	"plumbline.dev/plumbline/source/helm"
	"plumbline.dev/plumbline/source/remote"
)

// Remotes judges from where the kustomizations of a repository take something
// (source/remote), each at its file and line, and as an object of kind Kustomization
// that is named by its directory. dir is the directory that is rendered. A rendering
// refuses what is remote whoever's it is; this tells what is not ours. Errors tell of
// files that could not be read.
func (p *Policy) Remotes(fsys fs.FS, dir string) ([]finding.Finding, error) {
	if len(p.charts)+len(p.repositories) == 0 {
		return nil, nil
	}
	references, err := remote.Kustomizations(fsys, dir)
	var all []finding.Finding
	unreadable := map[object.Position]int{}
	for _, r := range references {
		if f, ok := p.reference(r); ok {
			f.Object = object.ID{Group: "kustomize.config.k8s.io", Version: "v1beta1", Kind: "Kustomization", Name: path.Dir(r.Position.File)}
			f.Origin.Position = r.Position
			if place, err := address.ParseURL(r.Address); err == nil {
				f.Subject = r.Field + " " + place.String()
			} else { // what cannot be read is told apart by its number, for it may hold a password
				file := object.Position{File: r.Position.File}
				unreadable[file]++
				f.Subject = fmt.Sprintf("%s unreadable %d", r.Field, unreadable[file])
			}
			all = append(all, f)
		}
	}
	return slices.CompactFunc(sorted(all), func(a, b finding.Finding) bool {
		return a.Fingerprint() == b.Fingerprint()
	}), err
}

// Sources judges an object of Flux, Argo CD, k3s or Fleet, declared or live, by from
// where it takes configuration and charts (source/remote).
func (p *Policy) Sources(o object.Packed) []finding.Finding {
	if len(p.charts)+len(p.repositories) == 0 || !remote.Takes(o.ID) {
		return nil
	}
	var all []finding.Finding
	for _, r := range remote.Of(o.Object()) {
		if f, ok := p.reference(r); ok {
			f.Object, f.Origin = o.ID, o.Origin
			all = append(all, f)
		}
	}
	return all
}

// reference returns what is to be said of a reference, and whether anything is.
func (p *Policy) reference(r remote.Reference) (finding.Finding, bool) {
	f := finding.Finding{
		Rule: finding.SourceRemote, Severity: finding.Warning, Subject: r.Field, Evidence: finding.Declared,
		Advice: "take it from a place of ours, or add where it comes from to spec.sources." + field(r.Content),
	}
	if r.Embedded != "" {
		return p.embedded(f, r.Embedded)
	}
	allowed, checked := p.allowed(r.Content)
	if !checked {
		return f, false
	}
	place, err := p.placeOf(r.Address)
	switch {
	case err != nil:
		f.Message = fmt.Sprintf("%s cannot be judged from where it takes %s: %v", r.Field, what(r.Content), err)
		f.Advice = "write the address as a plain URL"
	case place.WithinAny(allowed) || place.Within(p.own):
		return f, false
	default:
		f.Message = fmt.Sprintf("%s takes %s from %s, which is not from %s", r.Field, what(r.Content), place, list(allowed))
	}
	return f, true
}

// placeOf reads an address. Of one with a template in it, as ApplicationSets have,
// only what stands before counts, down to the last whole segment.
func (p *Policy) placeOf(text string) (address.Place, error) {
	before, _, templated := strings.Cut(text, "{{")
	if !templated {
		return address.ParseURL(text)
	}
	place, err := address.ParseURL(before[:strings.LastIndexByte(before, '/')+1])
	if err != nil {
		return place, fmt.Errorf("its host is filled in by a template")
	}
	return place, nil
}

// allowed returns the places from which something may be taken, and whether the
// Baseline says so at all.
func (p *Policy) allowed(content remote.Content) (places []address.Place, checked bool) {
	switch content {
	case remote.Chart:
		places = p.charts
	case remote.Configuration:
		places = p.repositories
	case remote.Either:
		places = slices.Concat(p.charts, p.repositories)
	}
	return places, len(places) > 0
}

func field(content remote.Content) string {
	if content == remote.Chart {
		return "charts"
	}
	return "repositories"
}

func what(content remote.Content) string {
	switch content {
	case remote.Chart:
		return "charts"
	case remote.Either:
		return "configuration or charts"
	}
	return "configuration"
}

// embedded judges a chart that stands in an object as a whole.
func (p *Policy) embedded(f finding.Finding, content string) (finding.Finding, bool) {
	if len(p.charts) == 0 {
		return f, false
	}
	chart, err := helm.Embedded(content)
	if err != nil {
		f.Message = fmt.Sprintf("%s holds a chart that cannot be read: %v", f.Subject, err)
		return f, true
	}
	if p.ownChart(chart) {
		return f, false
	}
	f.Message = fmt.Sprintf("%s holds the chart %s, which is none of those in the repository", f.Subject, chart)
	return f, true
}

// ownChart says whether a chart was made of one in our repository.
func (p *Policy) ownChart(chart helm.Chart) bool { return slices.ContainsFunc(p.ownCharts, chart.Made) }
