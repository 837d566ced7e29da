// Package source judges where what is declared and what runs comes from: images by
// their registries, tags and digests, Helm releases by their charts, and whatever
// takes configuration from elsewhere. It is pure: registries and repositories are
// not asked, and what cannot be known without them is said to be so.
package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/address"
	"plumbline.dev/plumbline/source/helm"
	"plumbline.dev/plumbline/source/images"
)

// Own is what is ours without being listed.
type Own struct {
	// Repository is the address of the configuration repository; empty where a
	// directory is compared.
	Repository string
	// Charts are the Helm charts in it.
	Charts []helm.Chart
}

// Policy is a Baseline's spec.sources, ready to judge by. It may be used from several
// goroutines. What the Baseline leaves empty is not judged.
type Policy struct {
	finder       images.Finder
	registries   []address.Place
	charts       []address.Place
	repositories []address.Place
	own          address.Place
	ownCharts    []helm.Chart

	fixed, required, read bool

	// The same few images stand in thousands of objects. What is kept of them changes
	// no answer, only how long it takes.
	mu       sync.RWMutex
	known    map[string]judged
	untagged map[string]address.Image // by how they are written without the tag
}

// New compiles spec.sources. Errors name the field and say what to write instead.
func New(spec v1alpha1.Sources, own Own) (*Policy, error) {
	p := &Policy{
		ownCharts: own.Charts,
		required:  spec.Digests == v1alpha1.Required,
		read:      spec.Releases == v1alpha1.Read,
		fixed:     spec.Tags == v1alpha1.Fixed || spec.Tags == "" && len(spec.Registries) > 0,
		known:     map[string]judged{},
		untagged:  map[string]address.Image{},
	}
	var errs [5]error
	p.finder, errs[0] = images.New(spec.Images)
	p.registries, errs[1] = places("registries", spec.Registries, address.ParseRegistry)
	p.charts, errs[2] = places("charts", spec.Charts, address.ParsePrefix)
	p.repositories, errs[3] = places("repositories", spec.Repositories, address.ParsePrefix)
	errs[4] = errors.Join(
		oneOf("tags", spec.Tags, v1alpha1.Fixed, v1alpha1.Any),
		oneOf("digests", spec.Digests, v1alpha1.Required, v1alpha1.Optional),
		oneOf("releases", spec.Releases, v1alpha1.Read, "Ignore"),
	)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	// A directory has no address, and nothing can come from it.
	p.own, _ = address.ParseURL(own.Repository)
	return p, nil
}

func places(field string, entries []string, parse func(string) (address.Place, error)) ([]address.Place, error) {
	var all []address.Place
	var errs []error
	for i, entry := range entries {
		place, err := parse(entry)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.sources.%s[%d]: %s %w", field, i, quote(entry), err))
		}
		all = append(all, place)
	}
	return all, errors.Join(errs...)
}

func oneOf(field, value string, words ...string) error {
	for _, word := range words {
		if value == "" || value == word {
			return nil
		}
	}
	return fmt.Errorf("spec.sources.%s is %q: write %s", field, value, strings.Join(words, " or "))
}

// quote shows a foreign text without what may be a password in it.
func quote(text string) string {
	before, after, found := strings.Cut(text, "@")
	if found && (strings.Contains(after, "/") || strings.Contains(before, "://")) {
		text = "…@" + after[strings.LastIndexByte(after, '@')+1:]
	}
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return fmt.Sprintf("%q", text)
}

// list names places in a sentence.
func list(places []address.Place) string {
	const most = 3
	var names []string
	for i, place := range places {
		if i == most {
			return strings.Join(names, ", ") + fmt.Sprintf(" or %d others", len(places)-most)
		}
		names = append(names, place.String())
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

// Merge joins what was found of the declared objects with what was found of the live
// ones: one finding for each fingerprint, with the origin of the declared one. Where
// they differ it says both. It is sorted.
func Merge(declared, live []finding.Finding) []finding.Finding {
	merged := slices.Clone(declared)
	at := map[string]int{}
	for i, f := range merged {
		at[f.Fingerprint()] = i
	}
	for _, f := range live {
		i, ok := at[f.Fingerprint()]
		switch {
		case !ok:
			merged = append(merged, f)
		case merged[i].Message != f.Message:
			merged[i].Message += "; and in the cluster, " + f.Message
			fallthrough
		default:
			merged[i].Severity = max(merged[i].Severity, f.Severity)
			merged[i].Children = slices.Concat(merged[i].Children, f.Children)
		}
	}
	return sorted(merged)
}

// sorted sorts findings, and what is said of each, in place.
func sorted(all []finding.Finding) []finding.Finding {
	for i := range all {
		slices.SortFunc(all[i].Children, object.ID.Compare)
		all[i].Children = slices.Compact(all[i].Children)
	}
	slices.SortStableFunc(all, finding.Finding.Compare)
	return all
}
