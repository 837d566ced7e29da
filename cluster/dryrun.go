package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"plumbline.dev/plumbline/object"
)

// dryRunManager is the name under which objects are applied. It is no deployer's,
// so that even a server that ignored dryRun would not pass it off as one.
const dryRunManager = "plumbline-confirm"

// DryRun asks an API server what it would store, by server-side applies that it
// does not carry out (dryRun=All). Each content is asked about once: the answers
// are remembered, and those that are no Secrets kept in the cache directory for a
// day. It is safe for concurrent use.
type DryRun struct {
	cluster *Cluster

	mu      sync.Mutex
	known   map[string]answered
	refused map[group]error // what the user may not apply there
}

// NewDryRun returns a DryRun of which nothing was asked.
func NewDryRun(c *Cluster) *DryRun {
	return &DryRun{cluster: c, known: map[string]answered{}, refused: map[group]error{}}
}

// Stored is what the server would store of a declared object.
type Stored struct {
	// Content is the object in full; nil where the server would not say.
	Content map[string]any
	// Alone says that it was made of the declared object alone, under another name,
	// and not of the live object with the declared one applied to it.
	Alone bool
}

// answered is what the server said to one question: the object, or why it does not
// take it.
type answered struct {
	Content map[string]any `json:"content,omitempty"`
	Refusal string         `json:"refusal,omitempty"`
}

// Stored asks what the server would store of a declared object that has a live
// one. The error is ErrForbidden where the user may not ask, and otherwise says why
// the server refuses; there may then be a less telling answer nevertheless.
func (r *DryRun) Stored(ctx context.Context, declared, live object.Object, m Mutators) (Stored, error) {
	resource, err := r.cluster.Resource(declared.ID.Group, declared.ID.Version, declared.ID.Kind)
	if err != nil {
		return Stored{}, err
	}
	q := question{in: group{resource: resource, namespace: declared.ID.Namespace}, declared: declared, mutators: m}
	var alone error
	if !named(declared) {
		content, err := r.ask(ctx, q)
		if err == nil {
			return Stored{Content: content, Alone: true}, nil
		}
		alone = err
	}
	if errors.As(alone, new(failure)) || ctx.Err() != nil {
		return Stored{}, alone
	}
	q.onto = &live
	content, err := r.ask(ctx, q)
	if alone != nil && err != nil {
		err = alone
	}
	if content != nil && errors.Is(alone, ErrForbidden) {
		err = alone // the user may apply to what is there and not create
	}
	return Stored{Content: content}, err
}

// named tells whether an object could not exist under another name beside the live
// one: its name says what it is, or it has an address of its own.
func named(o object.Object) bool {
	switch o.ID.Kind {
	case "CustomResourceDefinition":
		return o.ID.Group == "apiextensions.k8s.io"
	case "APIService":
		return o.ID.Group == "apiregistration.k8s.io"
	case "Service":
		return o.ID.Group == "" && hasAddress(o.Content)
	}
	return false
}

// hasAddress tells whether a Service declares an address or a port of the nodes.
func hasAddress(content map[string]any) bool {
	spec, _ := content["spec"].(map[string]any)
	if ip, _ := spec["clusterIP"].(string); ip != "" && ip != "None" {
		return true
	}
	if spec["healthCheckNodePort"] != nil {
		return true
	}
	ports, _ := spec["ports"].([]any)
	for _, p := range ports {
		if port, _ := p.(map[string]any); port["nodePort"] != nil {
			return true
		}
	}
	return false
}

// question is one that the server is asked: what becomes of the declared object
// under a name of its own, or of the live one when it is applied to that.
type question struct {
	in       group
	declared object.Object
	onto     *object.Object
	mutators Mutators
}

// ask returns the answer to a question, which is asked unless it is known.
func (r *DryRun) ask(ctx context.Context, q question) (map[string]any, error) {
	key, lasting := q.key(r.cluster)
	r.mu.Lock()
	a, ok := r.known[key]
	refused := r.refused[q.right()]
	r.mu.Unlock()
	var err error
	switch {
	case refused != nil:
		return nil, refused
	case ok:
	case lasting && r.cluster.kept(key, &a):
		r.learn(key, a)
	default:
		if a, err = r.apply(ctx, q, key); err != nil {
			return nil, err
		}
		r.learn(key, a)
		if lasting {
			r.cluster.keepAnswer(key, a)
		}
	}
	if a.Refusal != "" {
		return nil, fmt.Errorf("the API server refuses a dry run of %s: %s", q.declared.ID, a.Refusal)
	}
	content, _ := renamed(a.Content, freshName(key), q.declared.ID.Name).(map[string]any)
	return content, nil
}

func (r *DryRun) learn(key string, a answered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[key] = a
}

// right is where a refusal for want of rights holds for all objects. To create takes
// more than to apply to what is there.
func (q question) right() group {
	in := q.in
	if q.onto != nil {
		in.resource.Plural += "/live"
	}
	return in
}

// key identifies a question by all on which the answer is known to hang: the
// content but its name, where it would stand, the server, the schema and whatever
// changes objects on their way. The answer to one of which not all is known, and
// one about a Secret, must not outlast the process.
func (q question) key(c *Cluster) (key string, lasting bool) {
	document := c.document(q.declared.ID.APIVersion())
	parts := []any{c.host, document, q.mutators.state, q.in.path(), q.body("")}
	if q.onto != nil {
		metadata, _ := q.onto.Content["metadata"].(map[string]any)
		parts = append(parts, q.onto.ID.Name, metadata["uid"], metadata["resourceVersion"])
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return "", false
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), document != "" && q.mutators.state != "" && !isSecret(q.declared)
}

func isSecret(o object.Object) bool { return o.ID.Group == "" && o.ID.Kind == "Secret" }

// freshName is a name that no object has.
func freshName(key string) string { return "plumbline-confirm-" + key[:min(len(key), 16)] }

// body is what is sent: the declared object under a name, without what only the
// server writes.
func (q question) body(name string) map[string]any {
	content := maps.Clone(q.declared.Content)
	metadata, _ := content["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	for _, field := range []string{"namespace", "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink", "generateName"} {
		delete(metadata, field)
	}
	metadata["name"] = name
	content["metadata"] = metadata
	return content
}

// apply sends the question. An answer that may be another the next time is an
// error.
func (r *DryRun) apply(ctx context.Context, q question, key string) (answered, error) {
	name := q.declared.ID.Name
	if q.onto == nil {
		name = freshName(key)
	}
	body, err := json.Marshal(q.body(name))
	if err != nil {
		return answered{}, failure{fmt.Errorf("writing %s as JSON failed", q.declared.ID)} // the cause may hold a value
	}
	data, err := raw(ctx, r.cluster.rest.Patch(types.ApplyPatchType).AbsPath(q.in.path(), name).
		Param("dryRun", "All").Param("force", "true").Param("fieldManager", dryRunManager).Body(body))
	if err != nil {
		return r.refusal(q, err)
	}
	content, err := object.DecodeJSON(data)
	if err != nil || content["kind"] != q.in.resource.Kind {
		return answered{}, failure{fmt.Errorf("asking for a dry run of %s: %w", q.declared.ID, errForeign)}
	}
	return answered{Content: withoutRecords(content)}, nil
}

// withoutRecords returns an object's content without the records of who wrote it.
func withoutRecords(content map[string]any) map[string]any {
	metadata := maps.Clone(object.Map(content, "metadata")) // it may be a part of what others hold
	delete(metadata, "managedFields")
	content = maps.Clone(content)
	content["metadata"] = metadata
	return content
}

// LackError says that the user may not ask for dry runs of a resource, which takes
// the rights to patch and to create. It is ErrForbidden.
type LackError struct {
	// On is the resource, as in "deployments of namespace shop".
	On     string
	reason string
}

func (e *LackError) Error() string {
	return fmt.Sprintf("%v: grant patch and create on %s: %s", ErrForbidden, e.On, e.reason)
}

// Is tells whether the target is ErrForbidden.
func (e *LackError) Is(target error) bool { return target == ErrForbidden }

// failure is an error that says nothing about the object.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// refusal sorts what the server said instead of an object: that the user may not
// ask, that it does not take this object, or nothing of use.
func (r *DryRun) refusal(q question, err error) (answered, error) {
	status := new(apierrors.StatusError)
	switch {
	case lacksRight(err):
		lack := &LackError{On: q.in.String(), reason: reason(err)}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.refused[q.right()] = lack
		return answered{}, lack
	case errors.As(err, &status) && isFinal(status):
		return answered{Refusal: told(q.declared, status)}, nil
	case isSecret(q.declared) && errors.As(err, &status):
		err = errors.New(told(q.declared, status))
	}
	return answered{}, failure{fmt.Errorf("asking for a dry run of %s: %w", q.declared.ID, withoutURL(err))}
}

// isFinal tells whether the server would say the same again. What does not fit the
// schema, as an unknown field, it calls its own error.
func isFinal(err *apierrors.StatusError) bool {
	code := err.ErrStatus.Code
	return code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout ||
		strings.HasPrefix(err.ErrStatus.Message, "failed to create typed patch object")
}

// lacksRight tells a user who may not ask from an object that admission forbids.
func lacksRight(err error) bool {
	if !apierrors.IsForbidden(err) {
		return false
	}
	message := reason(err)
	return strings.Contains(message, "cannot patch resource") || strings.Contains(message, "cannot create resource")
}

// told is what may be told of a refusal: of a Secret, whose values the server may
// repeat, only of what sort it is.
func told(o object.Object, status *apierrors.StatusError) string {
	if isSecret(o) {
		code := int(status.ErrStatus.Code)
		return strings.TrimSpace(fmt.Sprintf("%d %s %s", code, http.StatusText(code), status.ErrStatus.Reason))
	}
	return status.ErrStatus.Message
}

// renamed returns a copy of v in which what holds the one name has the other.
func renamed(v any, from, to string) any {
	switch v := v.(type) {
	case map[string]any:
		result := make(map[string]any, len(v))
		for name, field := range v {
			result[strings.ReplaceAll(name, from, to)] = renamed(field, from, to)
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i, item := range v {
			result[i] = renamed(item, from, to)
		}
		return result
	case string:
		return strings.ReplaceAll(v, from, to)
	default:
		return v
	}
}
