package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"plumbline.dev/plumbline/object"
)

// Writer writes to a cluster, under the name of a field manager. Nothing else does.
type Writer struct {
	Cluster *Cluster
	// DryRun has the API server check everything and store nothing.
	DryRun bool
}

// Apply applies an object by force, and returns it as it is then. The content may name the
// uid and the resourceVersion that it is meant for.
func (w Writer) Apply(ctx context.Context, id object.ID, content map[string]any, manager string) (object.Object, error) {
	return w.patch(ctx, id, write{types.ApplyPatchType, content, manager})
}

// Patch carries out a JSON patch, and returns the object as it is then.
func (w Writer) Patch(ctx context.Context, id object.ID, operations any, manager string) (object.Object, error) {
	return w.patch(ctx, id, write{types.JSONPatchType, operations, manager})
}

// Get reads an object as it is now.
func (w Writer) Get(ctx context.Context, id object.ID) (object.Object, error) {
	answer := w.Cluster.Read(ctx, []object.ID{id})[id]
	return answer.Object, answer.Err
}

// write is what is written.
type write struct {
	as      types.PatchType
	body    any
	manager string
}

func (w Writer) patch(ctx context.Context, id object.ID, what write) (object.Object, error) {
	g, err := w.group(id)
	if err != nil {
		return object.Object{}, err
	}
	body, err := json.Marshal(what.body)
	if err != nil {
		return object.Object{}, fmt.Errorf("writing %s as JSON failed", id) // the cause may hold a value
	}
	request := w.Cluster.rest.Patch(what.as).AbsPath(g.path(), id.Name).Param("fieldManager", what.manager).Body(body)
	if what.as == types.ApplyPatchType {
		request = request.Param("force", "true")
	}
	data, err := raw(ctx, w.dry(request))
	if err != nil {
		return object.Object{}, refused(err, id, "patch")
	}
	content, err := object.DecodeJSON(data)
	if err != nil {
		return object.Object{}, fmt.Errorf("writing %s: %w", id, errForeign)
	}
	return object.FromContent(content)
}

// Create creates an object, which must not be there: ErrChanged where it is.
func (w Writer) Create(ctx context.Context, id object.ID, content map[string]any, manager string) (object.Object, error) {
	g, err := w.group(id)
	if err != nil {
		return object.Object{}, err
	}
	if _, err := w.Cluster.get(ctx, g, id); !errors.Is(err, ErrNotFound) {
		if err == nil {
			err = fmt.Errorf("creating %s: %w: it is there", id, ErrChanged)
		}
		return object.Object{}, err
	}
	return w.Apply(ctx, id, content, manager)
}

// Delete deletes an object, and what belongs to it, as long as it is the one of that uid
// and resourceVersion.
func (w Writer) Delete(ctx context.Context, id object.ID, uid, resourceVersion string) error {
	g, err := w.group(id)
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	return w.send(ctx, w.Cluster.rest.Delete().AbsPath(g.path(), id.Name), id, "delete", &metav1.DeleteOptions{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}, Preconditions: preconditions(uid, resourceVersion), PropagationPolicy: &background,
	})
}

// Evict has a Pod evicted, as far as PodDisruptionBudgets allow it, as long as it is the
// one of that uid and resourceVersion.
func (w Writer) Evict(ctx context.Context, id object.ID, uid, resourceVersion string) error {
	g, err := w.group(id)
	if err != nil {
		return err
	}
	return w.send(ctx, w.Cluster.rest.Post().AbsPath(g.path(), id.Name, "eviction"), id, "create eviction", &policyv1.Eviction{
		TypeMeta:      metav1.TypeMeta{APIVersion: "policy/v1", Kind: "Eviction"},
		ObjectMeta:    metav1.ObjectMeta{Name: id.Name, Namespace: id.Namespace},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: preconditions(uid, resourceVersion)},
	})
}

func preconditions(uid, resourceVersion string) *metav1.Preconditions {
	of := types.UID(uid)
	p := metav1.Preconditions{UID: &of}
	if resourceVersion != "" {
		p.ResourceVersion = &resourceVersion
	}
	return &p
}

func (w Writer) send(ctx context.Context, request *rest.Request, id object.ID, verb string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if _, err := raw(ctx, w.dry(request).Body(data).SetHeader("Content-Type", "application/json")); err != nil {
		return refused(err, id, verb)
	}
	return nil
}

func (w Writer) dry(request *rest.Request) *rest.Request {
	if w.DryRun {
		request = request.Param("dryRun", "All")
	}
	return request
}

func (w Writer) group(id object.ID) (group, error) {
	resource, err := w.Cluster.Resource(id.Group, id.Version, id.Kind)
	return group{resource: resource, namespace: id.Namespace}, err
}

// refused tells in which way the API server did not write. It repeats no value of a Secret.
func refused(err error, id object.ID, verb string) error {
	status := new(apierrors.StatusError)
	answered := errors.As(err, &status)
	switch {
	case !answered:
		return fmt.Errorf("writing %s: %w", id, withoutURL(err))
	case apierrors.IsConflict(err), apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err), testFailed(status):
		return fmt.Errorf("writing %s: %w", id, ErrChanged)
	case apierrors.IsForbidden(err) && strings.Contains(status.ErrStatus.Message, "cannot impersonate"):
		return fmt.Errorf("writing %s: %w: grant impersonate on serviceaccounts: %s", id, ErrForbidden, status.ErrStatus.Message)
	case apierrors.IsForbidden(err) && lacksVerb(status):
		return fmt.Errorf("writing %s: %w: grant %s: %s", id, ErrForbidden, verb, status.ErrStatus.Message)
	default:
		return fmt.Errorf("the API server refuses to write %s: %s", id, told(object.Object{ID: id}, status))
	}
}

// unapplied is all that the API server says of a JSON patch that it cannot carry out.
const unapplied = "the server rejected our request due to an error in our request"

// testFailed tells whether a JSON patch found something else than it tests for.
func testFailed(status *apierrors.StatusError) bool {
	return apierrors.IsInvalid(status) && strings.Contains(status.ErrStatus.Message, unapplied)
}

// lacksVerb tells a user who may not write from an object that admission forbids.
func lacksVerb(status *apierrors.StatusError) bool {
	return strings.Contains(status.ErrStatus.Message, "cannot ")
}
