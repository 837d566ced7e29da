package differ

import (
	"encoding/base64"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"plumbline.dev/plumbline/object"
)

// omitted marks a declared value that the server would not store: a live object
// without it is the same, one with another value is not.
type omitted struct{ value any }

// kinds are the kinds that have a Go type: Kubernetes' own, and the two that
// extend it.
var kinds = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, apiextensionsv1.AddToScheme, apiregistrationv1.AddToScheme,
	} {
		// It fails only for two types of one kind, which these do not have. A kind
		// without a type is compared as it is spelled.
		_ = add(s)
	}
	return s
})

func gvk(id object.ID) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: id.Group, Version: id.Version, Kind: id.Kind}
}

// canonicalise returns the declared object as the server would store its values:
// quantities, times and numbers in one spelling, Secrets' stringData as data. It
// is by way of the kind's Go type; of a custom resource, the fields that its
// schema does not know are known to be dropped. It is false where we have neither
// or the object does not fit.
func canonicalise(declared object.Object, t Type) (map[string]any, bool) {
	id := declared.ID
	typed, err := kinds().New(gvk(id))
	if err != nil {
		canonical, _ := pruned(declared.Content, t.root).(map[string]any)
		return canonical, canonical != nil && t.Known()
	}
	content := declared.Content
	switch {
	case id.Group == "" && id.Kind == "Secret":
		content = WithoutStringData(content)
	case id.Group == "" && id.Kind == "LimitRange":
		content = withImpliedLimits(content)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, typed); err != nil {
		return nil, false
	}
	stored, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, false
	}
	canonical, _ := respell(content, stored, t.root).(map[string]any)
	if id.Group == "" && id.Kind == "PersistentVolumeClaim" {
		omitForeignSource(canonical)
	}
	return canonical, canonical != nil
}

// omitForeignSource marks a claim's dataSource omitted if it is neither a claim nor
// a snapshot: the API server drops it without a word. Source: pkg/api/persistentvolumeclaim
// in k8s.io/kubernetes.
func omitForeignSource(claim map[string]any) {
	spec, _ := claim["spec"].(map[string]any)
	source, ok := spec["dataSource"].(map[string]any)
	if !ok {
		return
	}
	group, _ := source["apiGroup"].(string)
	switch kind := source["kind"]; {
	case kind == "PersistentVolumeClaim" && group == "":
	case kind == "VolumeSnapshot" && group == "snapshot.storage.k8s.io":
	default:
		spec["dataSource"] = omitted{value: source}
	}
}

// respell returns declared with each value spelled as in stored. What stored
// lacks is marked omitted, unless the server's schema knows the field and only
// our Go type does not: servers are newer than this program sometimes.
func respell(declared, stored any, n *node) any {
	switch d := declared.(type) {
	case map[string]any:
		s, ok := stored.(map[string]any)
		if !ok {
			return declared
		}
		result := make(map[string]any, len(d))
		for name, v := range d {
			result[name] = respellField(v, s, name, n)
		}
		return result
	case []any:
		s, ok := stored.([]any)
		if !ok || len(s) != len(d) {
			return declared
		}
		var element *node
		if n != nil {
			element = n.element
		}
		result := make([]any, len(d))
		for i := range d {
			result[i] = respell(d[i], s[i], element)
		}
		return result
	default:
		return stored
	}
}

func respellField(declared any, stored map[string]any, name string, n *node) any {
	s, ok := stored[name]
	switch {
	case ok:
		return respell(declared, s, n.field(name))
	case !empty(declared) && n.knows(name):
		return declared
	default:
		return omitted{value: declared}
	}
}

// WithoutStringData returns a Secret's content with stringData merged into data,
// as the API server does when it is written. It does not edit content.
func WithoutStringData(content map[string]any) map[string]any {
	strings, ok := content["stringData"].(map[string]any)
	if !ok {
		return content
	}
	copied := make(map[string]any, len(content))
	for name, v := range content {
		if name != "stringData" {
			copied[name] = v
		}
	}
	data := map[string]any{}
	if old, ok := content["data"].(map[string]any); ok {
		for name, v := range old {
			data[name] = v
		}
	}
	for name, v := range strings {
		if s, ok := v.(string); ok {
			data[name] = base64.StdEncoding.EncodeToString([]byte(s))
		}
	}
	copied["data"] = data
	return copied
}

// withImpliedLimits returns a LimitRange's content with what the API server adds
// to it: a container's default limit is the maximum, its default request that
// limit or else the minimum. The limits are one whole value, so that nothing else
// would tell these from somebody's additions.
func withImpliedLimits(content map[string]any) map[string]any {
	content = runtime.DeepCopyJSON(content)
	spec, _ := content["spec"].(map[string]any)
	limits, _ := spec["limits"].([]any)
	for _, l := range limits {
		limit, ok := l.(map[string]any)
		if !ok || limit["type"] != "Container" {
			continue
		}
		for _, implied := range [][2]string{{"max", "default"}, {"default", "defaultRequest"}, {"min", "defaultRequest"}} {
			from, _ := limit[implied[0]].(map[string]any)
			into, _ := limit[implied[1]].(map[string]any)
			if into == nil && len(from) > 0 {
				into = map[string]any{}
				limit[implied[1]] = into
			}
			for resource, quantity := range from {
				if _, ok := into[resource]; !ok {
					into[resource] = quantity
				}
			}
		}
	}
	return content
}

// pruned returns declared with the fields marked omitted that the schema of a
// custom resource does not know: the API server drops them.
func pruned(declared any, n *node) any {
	if n == nil {
		return declared
	}
	switch d := declared.(type) {
	case map[string]any:
		result := make(map[string]any, len(d))
		for name, v := range d {
			if len(n.fields) > 0 && !n.knows(name) {
				result[name] = omitted{value: v}
			} else {
				result[name] = pruned(v, n.field(name))
			}
		}
		return result
	case []any:
		result := make([]any, len(d))
		for i := range d {
			result[i] = pruned(d[i], n.element)
		}
		return result
	default:
		return declared
	}
}
