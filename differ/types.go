package differ

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/validation/spec"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// Type is the structure of one kind: which lists have merge keys, which are
// sets and which values stand or fall as a whole. The zero Type deduces the
// structure from the values, as the API server does for a kind without a
// schema: mappings merge by key, lists are whole.
type Type struct {
	root *node
}

// Known tells whether a schema stands behind the type.
func (t Type) Known() bool { return t.root != nil }

// Knows tells whether the type has a schema that has all fields of content.
func (t Type) Knows(content map[string]any) bool { return t.Known() && t.root.covers(content) }

func (n *node) covers(v any) bool {
	if n == nil {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if len(n.fields) > 0 && !n.knows(name) || !n.field(name).covers(field) {
				return false
			}
		}
	case []any:
		for _, item := range v {
			if !n.element.covers(item) {
				return false
			}
		}
	}
	return true
}

// node is the structure at one place. A nil node is deduced.
type node struct {
	fields  map[string]field // of a mapping with named fields
	element *node            // of a mapping's other values, or of a list's items
	open    bool             // the mapping takes keys that are not in fields
	atomic  bool             // the value stands or falls as a whole
	list    *keyedList       // for a list with merge keys, or a set

	quantity bool // a scalar that is an amount, of which 1000m and 1 are the same
}

// field is one named field of a mapping.
type field struct {
	node     *node
	defaults []fieldDefault
	nullable bool // null is a value of its own, not the same as nothing
}

// keyedList says how the items of an associative list are told apart.
type keyedList struct {
	set    bool // by their value
	keys   []mergeKey
	sorted []mergeKey // by name
}

// mergeKey is one of the fields that together identify an item of a list.
type mergeKey struct {
	name string
	def  any // what the server assumes where the field is absent
}

func (k mergeKey) of(item any) any {
	fields, _ := item.(map[string]any)
	v := fields[k.name] // a null is as good as absent: no key is nullable
	if _, unsaid := v.(omitted); v != nil && !unsaid {
		return v
	}
	return k.def
}

func (n *node) field(name string) *node {
	if n == nil {
		return nil
	}
	if f, ok := n.fields[name]; ok {
		return f.node
	}
	return n.element
}

// item is the structure of a list's items.
func (n *node) item() *node {
	if n == nil {
		return nil
	}
	return n.element
}

// nullable tells whether null is a value of the field that the server stores.
func (n *node) nullable(name string) bool {
	return n != nil && n.fields[name].nullable
}

// knows tells whether the schema has the field, so that the server keeps it.
func (n *node) knows(name string) bool {
	if n == nil {
		return false
	}
	_, ok := n.fields[name]
	return ok || n.open
}

// Schemas holds the types of the kinds of some OpenAPI v3 documents. It is safe
// for concurrent use.
type Schemas struct {
	mu    sync.Mutex
	names map[schema.GroupVersionKind]string
	docs  map[schema.GroupVersionKind]*document
}

// NewSchemas returns an empty collection.
func NewSchemas() *Schemas {
	return &Schemas{names: map[schema.GroupVersionKind]string{}, docs: map[schema.GroupVersionKind]*document{}}
}

// Add takes the component schemas of one OpenAPI v3 document, by name. The
// rules for reading them are the API server's own.
func (s *Schemas) Add(components map[string]*spec.Schema) error {
	components = maps.Clone(components)
	maps.DeleteFunc(components, func(_ string, s *spec.Schema) bool { return s == nil }) // null says nothing
	converted, err := schemaconv.ToSchemaFromOpenAPI(components, false)
	if err != nil {
		return fmt.Errorf("reading the server's OpenAPI schemas: %w", err)
	}
	d := &document{schema: converted, components: components, nodes: map[string]*node{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, component := range components {
		for _, gvk := range kindsOf(component) {
			s.names[gvk], s.docs[gvk] = name, d
		}
	}
	return nil
}

// Type returns the type of a kind; the zero Type where no document has it.
func (s *Schemas) Type(group, version, kind string) Type {
	gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.docs[gvk]
	if !ok {
		return Type{}
	}
	return Type{root: d.named(s.names[gvk])}
}

func kindsOf(component *spec.Schema) []schema.GroupVersionKind {
	list, _ := component.Extensions["x-kubernetes-group-version-kind"].([]any)
	var kinds []schema.GroupVersionKind
	for _, entry := range list {
		fields, _ := entry.(map[string]any)
		group, _ := fields["group"].(string)
		version, _ := fields["version"].(string)
		kind, _ := fields["kind"].(string)
		if kind != "" {
			kinds = append(kinds, schema.GroupVersionKind{Group: group, Version: version, Kind: kind})
		}
	}
	return kinds
}

// document is one converted OpenAPI document, from which nodes are built when
// they are first wanted: a comparison needs few of its hundreds of types.
type document struct {
	schema     *smd.Schema
	components map[string]*spec.Schema
	nodes      map[string]*node // by type name; types may contain themselves
}

func (d *document) named(name string) *node {
	if n, ok := d.nodes[name]; ok {
		return n
	}
	n := &node{}
	d.nodes[name] = n
	if definition, ok := d.schema.FindNamedType(name); ok {
		d.fill(n, definition.Atom, source{builtinDefaults()[name], d.components[name]})
	}
	return n
}

// deducedType is schemaconv's name for a type that follows from the value.
const deducedType = "__untyped_deduced_"

// source is what is known of a type beside its structure; each may be nil.
type source struct {
	defaults map[string][]fieldDefault // that the schema does not tell
	schema   *spec.Schema
}

func (d *document) ref(ref smd.TypeRef, schema *spec.Schema) *node {
	if ref.NamedType != nil && *ref.NamedType == deducedType {
		return nil
	}
	if isQuantity(schema) {
		return quantityNode
	}
	if ref.NamedType != nil && ref.ElementRelationship == nil {
		return d.named(*ref.NamedType)
	}
	atom, ok := d.schema.Resolve(ref)
	if !ok || atom == (smd.Atom{}) {
		return nil
	}
	n := &node{}
	d.fill(n, atom, source{schema: schema})
	return n
}

func (d *document) fill(n *node, atom smd.Atom, from source) {
	switch {
	case atom.Map != nil && atom.List != nil: // anything: deduce from the value
		*n = node{open: true, atomic: atom.Map.ElementRelationship == smd.Atomic}
	case atom.Map != nil:
		d.fillMap(n, atom.Map, from)
	case atom.List != nil:
		d.fillList(n, atom.List, from.schema)
	}
}

func (d *document) fillMap(n *node, m *smd.Map, from source) {
	n.atomic = m.ElementRelationship == smd.Atomic
	n.open = m.ElementType.NamedType != nil || m.ElementType.Inlined != (smd.Atom{})
	if n.open {
		n.element = d.ref(m.ElementType, valuesOf(from.schema))
	}
	n.fields = make(map[string]field, len(m.Fields))
	for _, f := range m.Fields {
		defaults := from.defaults[f.Name]
		if f.Default != nil {
			defaults = append(slices.Clip(defaults), fieldDefault{value: f.Default})
		}
		n.fields[f.Name] = field{node: d.ref(f.Type, propertyOf(from.schema, f.Name)), defaults: defaults, nullable: f.Type.Nullable}
	}
}

func (d *document) fillList(n *node, l *smd.List, schema *spec.Schema) {
	n.element = d.ref(l.ElementType, itemsOf(schema))
	if l.ElementRelationship != smd.Associative {
		n.atomic = true
		return
	}
	n.list = &keyedList{set: len(l.Keys) == 0}
	for _, name := range l.Keys {
		k := mergeKey{name: name}
		if atom, ok := d.schema.Resolve(l.ElementType); ok && atom.Map != nil {
			if f, ok := atom.Map.FindField(name); ok {
				k.def = f.Default
			}
		}
		n.list.keys = append(n.list.keys, k)
	}
	n.list.sorted = slices.SortedFunc(slices.Values(n.list.keys), func(a, b mergeKey) int { return strings.Compare(a.name, b.name) })
}
