package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/json"

	"plumbline.dev/plumbline/object"
)

// pageSize is how many objects a LIST returns at once: as kubectl's.
const pageSize = 500

// Answer is what the server says about one object: the object, or an error that
// is ErrNotFound, ErrNotServed, ErrForbidden or a failure.
type Answer struct {
	Object object.Object
	Err    error
}

// Read returns an answer for each of the wanted objects, whose namespaces are
// set. It asks for all of one kind and namespace together where several are
// wanted. A failure touches only the objects that it concerns.
func (c *Cluster) Read(ctx context.Context, wanted []object.ID) map[object.ID]Answer {
	answers := make(map[object.ID]Answer, len(wanted))
	groups := map[group][]object.ID{}
	for _, id := range wanted {
		r, err := c.Resource(id.Group, id.Version, id.Kind)
		if err != nil {
			answers[id] = Answer{Err: err}
			continue
		}
		g := group{resource: r, namespace: id.Namespace}
		groups[g] = append(groups[g], id)
	}
	var mu sync.Mutex
	var work errgroup.Group
	work.SetLimit(c.parallel)
	for g, ids := range groups {
		work.Go(func() error {
			found := c.readGroup(ctx, g, ids)
			mu.Lock()
			defer mu.Unlock()
			for id, answer := range found {
				answers[id] = answer
			}
			return nil
		})
	}
	_ = work.Wait() // failures are in the answers
	return answers
}

// group is what one LIST can answer.
type group struct {
	resource  Resource
	namespace string
	partial   bool   // of the objects only their metadata
	labels    string // a selector of objects by label; "" selects all
}

func (g group) path() string {
	path := "/apis/" + g.resource.Group + "/" + g.resource.Version
	if g.resource.Group == "" {
		path = "/api/" + g.resource.Version
	}
	if g.namespace != "" {
		path += "/namespaces/" + g.namespace
	}
	return path + "/" + g.resource.Plural
}

// readGroup chooses the cheaper way: one GET for one object, else a LIST, and
// GETs again where few objects are left and many pages. Who may not list may
// still be allowed to get what he knows by name.
func (c *Cluster) readGroup(ctx context.Context, g group, ids []object.ID) map[object.ID]Answer {
	answers := make(map[object.ID]Answer, len(ids))
	if len(ids) > 1 {
		left, err := c.list(ctx, g, ids, answers)
		if err != nil && !errors.Is(err, ErrForbidden) {
			for _, id := range left {
				answers[id] = Answer{Err: err}
			}
			return answers
		}
		ids = left
	}
	for _, id := range ids { // a role may name single objects, so one refusal says nothing about the next
		o, err := c.get(ctx, g, id)
		answers[id] = Answer{Object: o, Err: err}
	}
	return answers
}

// list reads pages and fills in the answers, until every wanted object was seen
// or the list has ended; it is a consistent one, so that what is not in it does
// not exist. It returns the objects that it did not answer: all that were left at
// an error, or those that GETs answer in fewer requests than the pages to come.
func (c *Cluster) list(ctx context.Context, g group, ids []object.ID, answers map[object.ID]Answer) ([]object.ID, error) {
	missing := make(map[string]object.ID, len(ids))
	for _, id := range ids {
		missing[id.Name] = id
	}
	for next := ""; ; {
		page, err := c.page(ctx, g, next)
		if next != "" && apierrors.IsResourceExpired(err) { // a slow reader's list ends after minutes
			return slices.Collect(maps.Values(missing)), nil
		}
		if err != nil {
			return slices.Collect(maps.Values(missing)), err
		}
		for _, o := range page.objects {
			if id, ok := missing[o.ID.Name]; ok {
				answers[id] = Answer{Object: o}
				delete(missing, o.ID.Name)
			}
		}
		switch next = page.next; {
		case len(missing) == 0:
			return nil, nil
		case next == "":
			for _, id := range missing {
				answers[id] = Answer{Err: ErrNotFound}
			}
			return nil, nil
		case page.pagesLeft > len(missing):
			return slices.Collect(maps.Values(missing)), nil
		}
	}
}

// page is a part of a list.
type page struct {
	objects   []object.Object
	next      string // asks for the page after it; "" where it is the last
	pagesLeft int    // about how many come after it
}

// page reads one page of a list.
func (c *Cluster) page(ctx context.Context, g group, next string) (page, error) {
	request := c.rest.Get().AbsPath(g.path()).Param("limit", strconv.Itoa(pageSize))
	if next != "" {
		request = request.Param("continue", next)
	}
	if g.labels != "" {
		request = request.Param("labelSelector", g.labels)
	}
	if g.partial {
		request = request.SetHeader("Accept", fmt.Sprintf(partialAccept, "List"))
	}
	body, err := stream(ctx, request)
	if err != nil {
		return page{}, classify(err, "listing "+g.String())
	}
	defer body.Close()
	p, err := readPage(body, g)
	if err != nil {
		return page{}, fmt.Errorf("listing %s: %w", g, err)
	}
	return p, nil
}

// readPage reads what the API server answers to a LIST.
func readPage(from io.Reader, g group) (page, error) {
	items, list, err := object.DecodeList(from)
	switch {
	case errors.Is(err, object.ErrNotJSON):
		return page{}, errForeign
	case err != nil:
		return page{}, fmt.Errorf("the answer has broken off: %w", withoutURL(err))
	}
	r := g.resource
	// Of metadata the server writes an empty list as null.
	isPartial := g.partial && list["apiVersion"] == metav1.SchemeGroupVersion.String() && list["kind"] == "PartialObjectMetadataList"
	if !isPartial && (items == nil || list["apiVersion"] != apiVersion(r)) { // else an answer that is no list would make all missing
		return page{}, errForeign
	}
	metadata := object.Map(list, "metadata")
	remaining, _ := metadata["remainingItemCount"].(int64)
	p := page{next: object.Text(metadata, "continue"), pagesLeft: int((remaining + pageSize - 1) / pageSize)}
	p.objects = make([]object.Object, 0, len(items))
	for _, content := range items {
		content["apiVersion"], content["kind"] = apiVersion(r), r.Kind
		o, err := object.FromContent(content)
		if err != nil {
			return page{}, err
		}
		p.objects = append(p.objects, o)
	}
	return p, nil
}

func (c *Cluster) get(ctx context.Context, g group, id object.ID) (object.Object, error) {
	data, err := raw(ctx, c.rest.Get().AbsPath(g.path(), id.Name))
	if err != nil {
		return object.Object{}, classify(err, "reading "+id.String())
	}
	content, err := object.DecodeJSON(data)
	if err != nil {
		return object.Object{}, fmt.Errorf("reading %s: %w", id, errForeign)
	}
	o, err := object.FromContent(content)
	if err != nil {
		return object.Object{}, fmt.Errorf("reading %s: %w", id, errForeign)
	}
	if o.ID != id {
		return object.Object{}, fmt.Errorf("reading %s: %w", id, errForeign)
	}
	return o, nil
}

// errForeign: whatever answered, as a proxy's login page does, it was not the API
// server.
var errForeign = errors.New("the answer is not the API server's: check what stands between it and you")

// raw returns the body of an answer. For a refusal the error is the server's own
// Status, which alone tells a missing object from a missing kind.
func raw(ctx context.Context, request *rest.Request) ([]byte, error) {
	result := request.Do(ctx)
	data, err := result.Raw()
	if err != nil {
		return nil, result.Error()
	}
	return data, nil
}

// stream returns the body of an answer while it comes in. As with raw, a connection that
// breaks before there is an answer is no failure yet.
func stream(ctx context.Context, request *rest.Request) (io.ReadCloser, error) {
	for left := broken; ; left-- {
		body, err := request.Stream(ctx)
		lost := utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err) || utilnet.IsProbableEOF(err)
		if !lost || left == 0 {
			return body, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// broken is how often a request is made again whose connection broke, a second later each
// time: as client-go does with requests whose answers it reads itself.
const broken = 10

// decode reads JSON as the API server means it: integers stay integers. The
// error holds no part of data, which may be a Secret.
func decode(data []byte, into any) error {
	if err := json.UnmarshalCaseSensitivePreserveInts(data, into); err != nil {
		return errForeign
	}
	return nil
}

// classify turns a client error into one of the answers that callers tell apart.
func classify(err error, doing string) error {
	status := new(apierrors.StatusError)
	switch {
	case apierrors.IsNotFound(err) && errors.As(err, &status) && status.ErrStatus.Details != nil && status.ErrStatus.Details.Name != "":
		return ErrNotFound
	case apierrors.IsNotFound(err): // discovery has just said otherwise, and any proxy can say this
		return fmt.Errorf("%s: the API server said that it serves this kind and now answers 404: try again", doing)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w: grant get and list: %s", doing, ErrForbidden, reason(err))
	default:
		return fmt.Errorf("%s: %w", doing, withoutURL(err))
	}
}

// reason is the server's own sentence, which for a refusal names the user, the
// verb and the resource.
func reason(err error) string {
	if status := new(apierrors.StatusError); errors.As(err, &status) {
		return status.ErrStatus.Message
	}
	return err.Error()
}

func apiVersion(r Resource) string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

func (g group) String() string {
	if g.namespace == "" {
		return g.resource.Plural
	}
	return g.resource.Plural + " of namespace " + g.namespace
}
