// Package object holds the value that flows through Plumbline: a Kubernetes
// object as the API's JSON, its identity, and where it was declared.
package object

import (
	"fmt"
	"slices"
	"strings"
)

// ID names one object of one cluster. The zero Namespace means cluster-scoped,
// or not yet known.
type ID struct {
	Group, Version, Kind string
	Namespace, Name      string
}

// APIVersion returns the group and version as manifests spell them: "v1",
// "apps/v1".
func (id ID) APIVersion() string {
	if id.Group == "" {
		return id.Version
	}
	return id.Group + "/" + id.Version
}

// IsKind tells whether the object is of a kind as a Baseline names it: "Deployment",
// "Certificate.cert-manager.io", or "*" for any.
func (id ID) IsKind(kind string) bool {
	if rest, ok := strings.CutPrefix(kind, id.Kind); ok {
		return rest == "" || rest[0] == '.' && rest[1:] == id.Group
	}
	return kind == "*"
}

// String names the object as people do: "Deployment.apps shop/web".
func (id ID) String() string {
	kind := id.Kind
	if id.Group != "" {
		kind += "." + id.Group
	}
	if id.Namespace == "" {
		return kind + " " + id.Name
	}
	return kind + " " + id.Namespace + "/" + id.Name
}

// Compare orders IDs for everything that is printed or sent: by namespace, kind
// and name, cluster-scoped objects first.
func (id ID) Compare(other ID) int {
	// Those that are compared are mostly of one namespace and kind.
	switch {
	case id.Namespace != other.Namespace:
		return strings.Compare(id.Namespace, other.Namespace)
	case id.Kind != other.Kind:
		return strings.Compare(id.Kind, other.Kind)
	case id.Group != other.Group:
		return strings.Compare(id.Group, other.Group)
	case id.Name != other.Name:
		return strings.Compare(id.Name, other.Name)
	}
	return strings.Compare(id.Version, other.Version)
}

// Position is a place in a file of the repository. File is relative to the
// repository's root, with slashes; Line counts from 1, and 0 means unknown.
type Position struct {
	File string
	Line int
}

// String returns "file:line", as much of it as is known.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Origin says where a declared object comes from. It is zero for a live object.
type Origin struct {
	// Position is where the document that declares the object begins; for a
	// generated object, where its generator stands.
	Position
	// ChangedBy lists the patches and transformers that changed the document
	// afterwards, in the order in which they were applied.
	ChangedBy []Position
}

// Object is one Kubernetes object. Content is its JSON: map[string]any, []any,
// string, bool, int64, float64 and nil, as the API machinery decodes it. Nobody
// edits the Content of an Object that somebody else holds, nor what is within it: objects
// may share parts.
type Object struct {
	ID      ID
	Origin  Origin
	Content map[string]any
}

// Metadata returns a string field of the object's metadata, or "".
func (o Object) Metadata(field string) string {
	metadata, _ := o.Content["metadata"].(map[string]any)
	value, _ := metadata[field].(string)
	return value
}

// FromContent makes an Object of decoded JSON. It fails for what is not a
// Kubernetes object: apiVersion, kind and a name are what it takes.
func FromContent(content map[string]any) (Object, error) {
	apiVersion, _ := content["apiVersion"].(string)
	kind, _ := content["kind"].(string)
	o := Object{Content: content}
	switch {
	case apiVersion == "" && kind == "":
		return Object{}, fmt.Errorf("not a Kubernetes object: it has neither apiVersion nor kind")
	case apiVersion == "":
		return Object{}, fmt.Errorf("%s has no apiVersion", kind)
	case kind == "":
		return Object{}, fmt.Errorf("an object of %s has no kind", apiVersion)
	}
	group, version, found := strings.Cut(apiVersion, "/")
	if !found {
		group, version = "", apiVersion
	}
	o.ID = ID{
		Group: group, Version: version, Kind: kind,
		Namespace: o.Metadata("namespace"), Name: o.Metadata("name"),
	}
	if version == "" {
		return Object{}, fmt.Errorf("%s has apiVersion %q, which names no version", kind, apiVersion)
	}
	if o.ID.Name != "" {
		return o, nil
	}
	if prefix := o.Metadata("generateName"); prefix != "" {
		return Object{}, fmt.Errorf("%s has generateName %q and no name: such an object cannot be compared", kind, prefix)
	}
	return Object{}, fmt.Errorf("%s has no metadata.name", kind)
}

// Sort orders objects by ID, in place.
func Sort(objects []Object) {
	slices.SortStableFunc(objects, func(a, b Object) int { return a.ID.Compare(b.ID) })
}
