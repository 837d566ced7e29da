package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"plumbline.dev/plumbline/object"
)

// Listing asks for all objects of a kind: of a namespace, or of all where that is
// empty.
type Listing struct {
	Resource  Resource
	Namespace string
	// Partial asks for their metadata alone. An API server of its own that cannot leave
	// the rest out does not.
	Partial bool
	// Labels is a label selector; empty selects everything.
	Labels string
}

func (l Listing) String() string { return l.group().String() }

func (l Listing) group() group {
	return group{resource: l.Resource, namespace: l.Namespace, partial: l.Partial, labels: l.Labels}
}

// Listed is what the server says: every object, or an error.
type Listed struct {
	Listing
	Objects []object.Packed
	Err     error
}

// Kinds returns every kind that the server serves and can list, in its newest
// version, sorted; the error is about groups whose own server does not answer.
func (c *Cluster) Kinds() ([]Resource, error) {
	newest := map[schema.GroupKind]Resource{}
	for gvk, r := range c.kinds {
		if _, ok := newest[gvk.GroupKind()]; !ok && r.Listable {
			newest[gvk.GroupKind()], _ = c.newest(gvk.GroupKind())
		}
	}
	all := make([]Resource, 0, len(newest))
	for _, r := range newest {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Resource) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind)) })
	return all, c.unanswered()
}

// unanswered says of which groups the kinds are not known.
func (c *Cluster) unanswered() error {
	var errs []error
	for _, gv := range slices.SortedFunc(maps.Keys(c.broken), func(a, b schema.GroupVersion) int { return cmp.Compare(a.String(), b.String()) }) {
		errs = append(errs, unansweredBy(gv, c.broken[gv]))
	}
	return errors.Join(errs...)
}

func unansweredBy(gv schema.GroupVersion, err error) error {
	return &UnansweredError{gv, err}
}

// UnansweredError says that a server of its own, which the API server hands requests for
// a group on to, does not answer.
type UnansweredError struct {
	GroupVersion schema.GroupVersion
	Err          error
}

func (u *UnansweredError) Error() string {
	return fmt.Sprintf("the API service of %s does not answer, so its kinds are not known: %v", u.GroupVersion, u.Err)
}

func (u *UnansweredError) Unwrap() error { return u.Err }

// List makes the listings, several at a time, and returns what came of each, in
// their order.
func (c *Cluster) List(ctx context.Context, listings []Listing) []Listed {
	all := make([]Listed, len(listings))
	var work errgroup.Group
	work.SetLimit(c.parallel)
	for i, l := range listings {
		work.Go(func() error {
			all[i] = c.all(ctx, l)
			return nil
		})
	}
	_ = work.Wait() // failures are in the answers
	return all
}

// all makes one listing. A list that the server ends between its pages is made once
// more.
func (c *Cluster) all(ctx context.Context, l Listing) Listed {
	listed := Listed{Listing: l}
	for range 2 {
		listed.Objects = nil
		listed.Err = c.pages(ctx, l.group(), func(p page) error {
			listed.Objects = slices.Grow(listed.Objects, len(p.objects)+p.pagesLeft*pageSize)
			for _, o := range p.objects {
				listed.Objects = append(listed.Objects, object.Loose(o))
			}
			return nil
		})
		if !apierrors.IsResourceExpired(listed.Err) {
			break
		}
	}
	if listed.Err != nil {
		listed.Objects = nil
	}
	return listed
}

// pages calls do for every page of a group.
func (c *Cluster) pages(ctx context.Context, g group, do func(page) error) error {
	for next := ""; ; {
		p, err := c.page(ctx, g, next)
		if err == nil {
			err = do(p)
		}
		if next = p.next; err != nil || next == "" {
			return err
		}
	}
}
