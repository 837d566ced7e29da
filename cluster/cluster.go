// Package cluster is the only door to a Kubernetes API server: which kinds it
// serves, with which schemas, and what its objects are. A Writer writes, a DryRun sends
// writes that the server does not carry out, and all else only reads.
//
// Three answers are kept apart everywhere: an object that is there, an object
// that the server says is not there, and a question that was not answered.
package cluster

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

var (
	// ErrNotFound: the server says that the object does not exist.
	ErrNotFound = errors.New("not found")
	// ErrNotServed: the server serves no such kind in that version, as when its
	// CustomResourceDefinition is not installed.
	ErrNotServed = errors.New("the API server does not serve this kind")
	// ErrForbidden: the server refused to tell, or to write.
	ErrForbidden = errors.New("forbidden")
	// ErrChanged: what was to be written over is another by now, or gone.
	ErrChanged = errors.New("it has changed meanwhile")
)

// Options tune the access to an API server. The zero value is useful.
type Options struct {
	// CacheDir keeps OpenAPI schemas between runs, by the hash that the server
	// gives for them. Empty keeps none.
	CacheDir string
	// Parallel bounds the requests under way at once; 0 means 8.
	Parallel int
}

// requestTimeout bounds a request where the configuration does not.
const requestTimeout = 30 * time.Second

// Cluster is one API server, as one user sees it. It is safe for concurrent use.
type Cluster struct {
	host     string
	config   *rest.Config
	rest     rest.Interface
	streams  rest.Interface // for what has no end
	client   *discovery.DiscoveryClient
	cacheDir string
	parallel int
	kinds    map[schema.GroupVersionKind]Resource
	broken   map[schema.GroupVersion]error // groups whose own server does not answer

	documents atomic.Pointer[map[string]string] // see document
	tidy      sync.Once                         // see keepAnswer
}

// Resource is a kind as the API server serves it.
type Resource struct {
	Group, Version, Kind string
	// Plural is the kind's name in URLs.
	Plural     string
	Namespaced bool
	// Listable tells whether its objects can be listed at all.
	Listable bool
}

// Connect asks the API server which kinds it serves. The error names the server
// and says what to do.
func Connect(ctx context.Context, config *rest.Config, o Options) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // the server's priority and fairness is fairer than a guess made here
	if config.Timeout == 0 {
		config.Timeout = requestTimeout
	}
	if config.UserAgent == "" {
		config.UserAgent = "plumbline"
	}
	// A broken group in the middle of a list is not worth a warning on the terminal.
	config.WarningHandler = rest.NoWarnings{}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("configuring the connection to %s: %w", config.Host, err)
	}
	streams, err := newStreams(config)
	if err != nil {
		return nil, fmt.Errorf("configuring the connection to %s: %w", config.Host, err)
	}
	c := &Cluster{host: hostOf(config.Host), config: config, rest: client.RESTClient(), streams: streams, client: client, cacheDir: o.CacheDir, parallel: o.Parallel}
	if c.parallel <= 0 {
		c.parallel = 8
	}
	if err := c.discover(ctx); err != nil {
		return nil, c.explain(err)
	}
	return c, nil
}

// Host is the API server's address, without anything secret in it.
func (c *Cluster) Host() string { return c.host }

// AsServiceAccount is the same API server as a ServiceAccount sees it, for whom the user has
// to have the right to impersonate it. It takes the kinds as they are known.
func (c *Cluster) AsServiceAccount(namespace, name string) (*Cluster, error) {
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":" + name} // the server adds its groups
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("configuring the connection to %s: %w", c.host, err)
	}
	return &Cluster{host: c.host, config: config, rest: client.RESTClient(), client: client, parallel: c.parallel, kinds: c.kinds, broken: c.broken}, nil
}

// discover learns the served kinds, in two requests from a server that
// aggregates them (since Kubernetes 1.26).
func (c *Cluster) discover(ctx context.Context) error {
	_, lists, broken, err := c.client.GroupsAndMaybeResourcesWithContext(ctx)
	if err != nil {
		return err
	}
	if lists == nil { // a server that does not aggregate
		_, perVersion, err := c.client.ServerGroupsAndResourcesWithContext(ctx)
		if failed := new(discovery.ErrGroupDiscoveryFailed); errors.As(err, &failed) {
			broken = failed.Groups
		} else if err != nil {
			return err
		}
		c.kinds, c.broken = map[schema.GroupVersionKind]Resource{}, broken
		for _, list := range perVersion {
			gv, err := schema.ParseGroupVersion(list.GroupVersion)
			if err != nil {
				return fmt.Errorf("reading the served kinds: %w", err)
			}
			for _, r := range list.APIResources {
				c.add(gv, r)
			}
		}
		return nil
	}
	c.kinds, c.broken = map[schema.GroupVersionKind]Resource{}, broken
	for gv, list := range lists {
		for _, r := range list.APIResources {
			c.add(gv, r)
		}
	}
	return nil
}

func (c *Cluster) add(gv schema.GroupVersion, r metav1.APIResource) {
	if strings.Contains(r.Name, "/") { // a subresource
		return
	}
	c.kinds[gv.WithKind(r.Kind)] = Resource{
		Group: gv.Group, Version: gv.Version, Kind: r.Kind, Plural: r.Name,
		Namespaced: r.Namespaced, Listable: slices.Contains(r.Verbs, "list"),
	}
}

// Resource tells how the server serves a kind. The error is ErrNotServed where
// it does not, and another where it could not be found out.
func (c *Cluster) Resource(group, version, kind string) (Resource, error) {
	gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
	if r, ok := c.kinds[gvk]; ok {
		return r, nil
	}
	if err, ok := c.broken[gvk.GroupVersion()]; ok {
		return Resource{}, unansweredBy(gvk.GroupVersion(), err)
	}
	if other, ok := c.newest(gvk.GroupKind()); ok {
		return Resource{}, &OtherVersionError{APIVersion: gvk.GroupVersion().String(), Served: other}
	}
	return Resource{}, fmt.Errorf("%w: %s in %s", ErrNotServed, kind, gvk.GroupVersion())
}

// OtherVersionError says that a kind is not served in the wanted version, but in
// another, in which its objects are there.
type OtherVersionError struct {
	APIVersion string   // as wanted
	Served     Resource // in the newest version that is served
}

func (e *OtherVersionError) Error() string {
	return fmt.Sprintf("the API server serves %s not in %s, but in %s: change its apiVersion in git", e.Served.Kind, e.APIVersion, apiVersion(e.Served))
}

// newest returns a kind in the newest of the versions in which it is served.
func (c *Cluster) newest(kind schema.GroupKind) (Resource, bool) {
	var found Resource
	for gvk, r := range c.kinds {
		if gvk.GroupKind() == kind && (found.Version == "" || version.CompareKubeAwareVersionStrings(r.Version, found.Version) > 0) {
			found = r
		}
	}
	return found, found.Version != ""
}

// GroupVersions returns every group version that the server serves, sorted.
func (c *Cluster) GroupVersions() []string {
	versions := map[string]bool{}
	for gvk := range c.kinds {
		versions[gvk.GroupVersion().String()] = true
	}
	return slices.Sorted(maps.Keys(versions))
}

// explain says in which way the API server as a whole could not be used.
func (c *Cluster) explain(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server at %s does not accept these credentials: check the context and user of your kubeconfig: %w", c.host, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the API server at %s does not let this user see which kinds it serves: check that the kubeconfig has credentials, or bind the user to the ClusterRole system:discovery", c.host)
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("the certificate of the API server at %s is signed by an unknown authority: check the context of your kubeconfig and its certificate-authority", c.host)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the API server at %s did not answer in time: %w", c.host, err)
	default:
		return fmt.Errorf("reaching the API server at %s: check the context of your kubeconfig: %w", c.host, withoutURL(err))
	}
}

// withoutURL drops the request's URL, which says nothing more than the host.
func withoutURL(err error) error {
	if u := new(url.Error); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// hostOf returns the server's address without anything secret in it.
func hostOf(host string) string {
	if u, err := url.Parse(host); err == nil {
		return u.Redacted()
	}
	return host
}
