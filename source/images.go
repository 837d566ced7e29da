package source

import (
	"fmt"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/address"
	"plumbline.dev/plumbline/source/images"
)

// judged is what is to be said of an image reference, wherever it stands.
type judged struct {
	image address.Image
	err   error // why it is no reference
	// name and known are how the image is spelled, and by which of its names a node knows it.
	name, known string

	outside, loose, unpinned bool
}

// clean says whether there is nothing to say.
func (j judged) clean() bool { return j.err == nil && !j.outside && !j.loose && !j.unpinned }

// most bounds the images whose judgement is kept.
const most = 10_000

func (p *Policy) judge(text string) judged {
	p.mu.RLock()
	j, ok := p.known[text]
	p.mu.RUnlock()
	if ok {
		return j
	}
	j.image, j.err = p.parse(text)
	if j.err == nil {
		j.name, j.known = j.image.String(), knownAs(j.image)
		j.outside = len(p.registries) > 0 && !j.image.WithinAny(p.registries)
		j.loose = p.fixed && !j.image.Pinned() && (j.image.Tag == "" || j.image.Tag == "latest")
		j.unpinned = p.required && !j.image.Pinned()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= most {
		clear(p.known)
	}
	p.known[text] = j
	return j
}

// parse reads an image reference as address.ParseImage does. Most name a tag in one of a
// few repositories, and to read the repository is what takes the time.
func (p *Policy) parse(text string) (address.Image, error) {
	at := strings.LastIndexByte(text, ':')
	if at < 0 || !isTag(text[at+1:]) || strings.IndexByte(text[:at], '/') < 0 || strings.IndexByte(text, '@') >= 0 {
		return address.ParseImage(text)
	}
	p.mu.RLock()
	image, ok := p.untagged[text[:at]]
	p.mu.RUnlock()
	if !ok {
		var err error
		if image, err = address.ParseImage(text[:at]); err != nil || image.Tag != "" {
			return address.ParseImage(text)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.untagged) >= most {
			clear(p.untagged)
		}
		p.untagged[text[:at]] = image
	}
	image.Tag = text[at+1:]
	return image, nil
}

// isTag tells of a text that is a tag wherever one can stand
// (https://pkg.go.dev/github.com/distribution/reference#pkg-overview).
func isTag(text string) bool {
	const longest = 128
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '_':
		case i > 0 && (c == '.' || c == '-'):
		default:
			return false
		}
	}
	return text != "" && len(text) <= longest
}

// judgesImages says whether anything is wanted of images at all.
func (p *Policy) judgesImages() bool { return len(p.registries) > 0 || p.fixed || p.required }

// Images judges the images that an object names, declared or live: source/image,
// source/tag and source/digest, each with the container, volume or field as its
// Subject. An image that cannot be read is found too, for it is never passed. Unjudged
// are configured fields that hold no text.
func (p *Policy) Images(o object.Packed) ([]finding.Finding, []finding.Unjudged) {
	if !p.judgesImages() {
		return nil, nil
	}
	found, unjudged := p.imagesOf(o.Object())
	if len(found) == 0 {
		return nil, unjudged
	}
	all := make([]finding.Finding, len(found))
	for i, f := range found {
		all[i] = f.Finding
	}
	return all, unjudged
}

// about is a finding with the image, as it is written, that it is about.
type about struct {
	finding.Finding
	image string
}

func (p *Policy) imagesOf(o object.Object) ([]about, []finding.Unjudged) {
	uses, errs := p.finder.Find(o)
	var all []about
	var unjudged []finding.Unjudged
	for _, use := range uses {
		if j := p.judge(use.Image); !j.clean() {
			all = p.say(all, o, use, j)
		}
	}
	for _, err := range errs {
		unjudged = append(unjudged, finding.Unjudged{Rule: finding.SourceImage, Object: o.ID, Origin: o.Origin, Reason: err.Error()})
	}
	return all, unjudged
}

// say adds the findings about one image of an object.
func (p *Policy) say(all []about, o object.Object, use images.Use, j judged) []about {
	add := func(rule finding.Rule, advice, format string, args ...any) {
		all = append(all, about{finding.Finding{
			Rule: rule, Severity: finding.Warning, Object: o.ID, Origin: o.Origin, Subject: use.Subject(), Evidence: finding.Declared,
			Message: use.String() + " " + fmt.Sprintf(format, args...), Advice: advice,
		}, use.Image})
	}
	if use.Image == "" {
		add(finding.SourceImage, "name the image, so that it does not depend on who fills it in", "names no image")
		return all
	}
	if j.err != nil {
		add(finding.SourceImage, "write registry/path:tag or registry/path@sha256:…", "names %s as its image, which is refused: %v", quote(use.Image), j.err)
		return all
	}
	if j.outside {
		add(finding.SourceImage, "copy the image to a registry of ours and name that, or add where it comes from to spec.sources.registries",
			"takes %s, which is not from %s", j.image, list(p.registries))
	}
	switch {
	case j.loose && j.image.Tag == "":
		add(finding.SourceTag, "name the version as a tag, or better the digest", "takes %s without a tag, so that what runs depends on when it was pulled", j.image)
	case j.loose:
		add(finding.SourceTag, "name the version as a tag, or better the digest", "takes %s, and what %s names changes", j.image, j.image.Tag)
	}
	if j.unpinned {
		add(finding.SourceDigest, "write the digest behind the tag: …@sha256:…", "takes %s, which is not pinned by digest", j.image)
	}
	return all
}

// AllImages judges all live objects as Images does, and reports what a workload and
// the Pods that it made have in common once, at the topmost, with the others as its
// Children. ReplicaSets that a Deployment keeps at no replicas, so as to be able to
// go back, run nothing and are passed over.
func (p *Policy) AllImages(live []object.Packed) ([]finding.Finding, []finding.Unjudged) {
	if !p.judgesImages() {
		return nil, nil
	}
	owners := newOwners(live)
	found := make([][]about, len(live))
	var unjudged []finding.Unjudged
	for i := range live {
		o := live[i].Object()
		if owners.idle(o) {
			continue
		}
		var not []finding.Unjudged
		found[i], not = p.imagesOf(o)
		unjudged = append(unjudged, not...)
	}
	slices.SortStableFunc(unjudged, finding.Unjudged.Compare)
	for i := range found {
		for j := range found[i] {
			f := &found[i][j]
			if root := topmost(owners.above(live[i].Object()), found, *f); root != nil {
				root.Children = append(root.Children, f.Object)
				f.Rule = "" // it is told there
			}
		}
	}
	var all []finding.Finding
	for _, f := range slices.Concat(found...) {
		if f.Rule != "" {
			all = append(all, f.Finding)
		}
	}
	return sorted(all), unjudged
}

// topmost returns the finding of the same about the highest of the owners that has
// one; nil where none has. A custom resource names an image at another place than the
// workload that an operator makes of it.
func topmost(above []int, found [][]about, f about) *about {
	var root *about
	for _, i := range above {
		same := func(g about) bool { return g.Rule == f.Rule && g.image == f.image }
		j := slices.IndexFunc(found[i], func(g about) bool { return same(g) && g.Subject == f.Subject })
		if j < 0 {
			j = slices.IndexFunc(found[i], same)
		}
		if j >= 0 {
			root = &found[i][j]
		}
	}
	return root
}
