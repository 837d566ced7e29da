package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// ListWatch returns what a reflector reads a listing with: *unstructured.Unstructured,
// of which Watched makes objects. Told is called after each request, with nil or with
// why it failed.
func (c *Cluster) ListWatch(l Listing, told func(error)) cache.ListerWatcher {
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
			told(classify(err, "watching "+g.String()))
		default:
			told(nil)
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

// Watched returns an object that a reflector has read, of a listing.
func Watched(l Listing, u *unstructured.Unstructured) (object.Object, error) {
	u.Object["apiVersion"], u.Object["kind"] = apiVersion(l.Resource), l.Resource.Kind
	return object.FromContent(u.Object)
}

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
