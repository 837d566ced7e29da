package audit

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/provenance"
	"plumbline.dev/plumbline/running"
)

// Registries tell who signed and built images, and what tags name now. It is safe for
// concurrent use.
type Registries interface {
	Verify(ctx context.Context, images []string) map[string]provenance.Result
	Newest(ctx context.Context, image string) (provenance.Named, error)
}

// signatures asks who signed the images that are declared and that run.
func (j *judgement) signatures(ctx context.Context) {
	if j.spec.Sources.Signatures == nil || j.registries == nil || j.off(finding.SourceSignature) {
		return
	}
	uses := j.uses()
	found, unjudged := provenance.Findings(uses, j.registries.Verify(ctx, imagesOf(uses)))
	j.found = append(j.found, found...)
	for _, u := range unjudged {
		j.unjudged = append(j.unjudged, finding.Unjudged{Rule: finding.SourceSignature, Object: u.Object, Origin: u.Origin, Reason: u.Error()})
	}
}

// uses are the images of everything that is declared, and of what is live besides: of
// Pods and whatever else belongs to something, only those that nothing above it has.
func (j *judgement) uses() []provenance.Use {
	var uses []provenance.Use
	known, declared := map[string]bool{}, map[object.ID]bool{}
	add := func(p object.Packed, fresh bool) {
		o := p.Object()
		found, errs := j.images.Find(o)
		j.fail(finding.SourceSignature, o.ID, errors.Join(errs...))
		for _, use := range found {
			if use.Image != "" && (!fresh || !known[use.Image]) {
				uses = append(uses, provenance.Use{Object: o.ID, Origin: o.Origin, Subject: use.Subject(), Image: use.Image})
			}
		}
	}
	for _, o := range j.declared {
		declared[o.ID] = true
		add(o, false)
	}
	owned := func(p object.Packed) bool {
		return len((&unstructured.Unstructured{Object: p.Object().Content}).GetOwnerReferences()) > 0
	}
	for _, o := range j.survey.Objects {
		if !owned(o) && !declared[o.ID] {
			add(o, false)
		}
	}
	for _, use := range uses {
		known[use.Image] = true
	}
	for _, o := range j.survey.Objects {
		if owned(o) || declared[o.ID] {
			add(o, true)
		}
	}
	return uses
}

func imagesOf(uses []provenance.Use) []string {
	var all []string
	for _, use := range uses {
		all = append(all, use.Image)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// newest asks what the tags of running images name now. Of what registries do not
// answer nothing is known.
func (j *judgement) newest(ctx context.Context) map[string]running.Named {
	if !j.spec.Runtime.Newest || j.registries == nil || j.off(finding.RuntimeBehind) {
		return nil
	}
	var uses []provenance.Use
	for _, o := range j.survey.Objects {
		if o.ID.Group == "" && o.ID.Kind == "Pod" {
			found, _ := j.images.Find(o.Object())
			for _, use := range found {
				uses = append(uses, provenance.Use{Object: o.ID, Image: use.Image})
			}
		}
	}
	var mu sync.Mutex
	all := map[string]running.Named{}
	var work errgroup.Group
	work.SetLimit(parallel)
	for _, image := range imagesOf(uses) {
		work.Go(func() error {
			named, err := j.registries.Newest(ctx, image)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				j.fail(finding.RuntimeBehind, object.ID{}, err)
			} else {
				all[image] = running.Named{Digest: named.Digest, Index: named.Index, Platforms: named.Platforms}
			}
			return nil
		})
	}
	_ = work.Wait() // failures were noted
	return all
}

// parallel bounds the requests to registries that are under way at once.
const parallel = 8
