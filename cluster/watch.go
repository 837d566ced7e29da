package cluster

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"plumbline.dev/plumbline/object"
)

// partialAccept asks for the metadata of objects alone, one by one or in a list.
const partialAccept = "application/json;as=PartialObjectMetadata%s;g=meta.k8s.io;v=v1,application/json"

// newStreams returns a client whose answers may go on for ever.
func newStreams(config *rest.Config) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.Timeout = 0
	config.ContentConfig = resource.UnstructuredPlusDefaultContentConfig()
	return rest.UnversionedRESTClientFor(config)
}

// Sink is told what there is of a listing and what becomes of it: one call at a time, in
// the order in which it happened.
type Sink interface {
	// Pack returns what is kept of an object, whose content it may take for its own.
	Pack(o object.Object) (any, error)
	// Put takes in what Pack made of an object that has come or is perhaps another.
	Put(packed any)
	// Drop takes in that an object has gone.
	Drop(id object.ID)
	// Replace takes in all there is, after which nothing else is.
	Replace(packed []any)
	// Asked is called after each request, with nil or with why it failed. What the sink has
	// stays true as of before.
	Asked(err error)
}

// again is how a watch that has ended is begun anew.
var again = wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 6, Cap: 5 * time.Second}

// Watch tells the sink of a listing until ctx ends. Whatever happens to the connection, the
// sink ends up with what there is.
func (c *Cluster) Watch(ctx context.Context, l Listing, to Sink) {
	reflector := cache.NewReflectorWithOptions(c.listWatch(l, to), &unstructured.Unstructured{}, store{l, to}, cache.ReflectorOptions{
		Name: l.String(), Backoff: &again,
	})
	reflector.RunWithContext(ctx)
}

// listWatch is what a reflector reads a listing with.
func (c *Cluster) listWatch(l Listing, to Sink) cache.ListerWatcher {
	g := l.group()
	ask := func(options metav1.ListOptions, list string) *rest.Request {
		options.LabelSelector = g.labels
		request := c.streams.Get().AbsPath(g.path()).VersionedParams(&options, metav1.ParameterCodec)
		if g.partial {
			request.SetHeader("Accept", fmt.Sprintf(partialAccept, list))
		}
		return request
	}
	tell := func(ctx context.Context, err error) {
		switch {
		case ctx.Err() != nil:
		case err != nil:
			to.Asked(classify(err, "watching "+g.String()))
		default:
			to.Asked(nil)
		}
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list, err := ask(options, "List").Timeout(requestTimeout).Do(ctx).Get()
			tell(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.Watch = true
			events, err := ask(options, "").Watch(ctx)
			tell(ctx, err)
			return events, err
		},
	}
}

// store is what a reflector fills.
type store struct {
	listing Listing
	to      Sink
}

// Transformer has what is read be packed one by one, while a list of it is still coming in.
func (s store) Transformer() cache.TransformFunc {
	return func(v any) (any, error) {
		u, ok := v.(*unstructured.Unstructured)
		if !ok {
			return v, nil
		}
		o, err := s.object(u)
		if err != nil {
			return nil, err
		}
		return s.to.Pack(o)
	}
}

func (s store) object(u *unstructured.Unstructured) (object.Object, error) {
	u.Object["apiVersion"], u.Object["kind"] = apiVersion(s.listing.Resource), s.listing.Resource.Kind
	return object.FromContent(u.Object)
}

func (s store) pack(v any) (any, error) {
	packed, err := s.Transformer()(v)
	if err != nil {
		s.to.Asked(fmt.Errorf("watching %s: %w", s.listing, err))
	}
	return packed, err
}

func (s store) Add(v any) error {
	packed, err := s.pack(v)
	if err == nil {
		s.to.Put(packed)
	}
	return err
}

func (s store) Update(v any) error { return s.Add(v) }

func (s store) Delete(v any) error {
	u, ok := v.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watching %s: a %T is no object", s.listing, v)
	}
	o, err := s.object(u)
	if err == nil {
		s.to.Drop(o.ID)
	}
	return err
}

func (s store) Replace(list []any, _ string) error {
	all := make([]any, len(list))
	for i, v := range list {
		var err error
		if all[i], err = s.pack(v); err != nil {
			return err
		}
	}
	s.to.Replace(all)
	return nil
}

func (s store) Resync() error { return nil } // nothing is ever overdue

// KindListings ask for the metadata of what makes kinds come and go: definitions of custom
// resources, and servers of aggregated APIs.
func (c *Cluster) KindListings() []Listing {
	var all []Listing
	for _, kind := range []schema.GroupKind{
		{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"},
		{Group: "apiregistration.k8s.io", Kind: "APIService"},
	} {
		if resource, ok := c.newest(kind); ok {
			all = append(all, Listing{Resource: resource, Partial: true})
		}
	}
	return all
}
