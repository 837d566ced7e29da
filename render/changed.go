package render

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"

	"plumbline.dev/plumbline/object"
)

// hashSuffix is what kustomize appends to the names of generated objects.
var hashSuffix = regexp.MustCompile(`-[2456789bcdfghkmt]{10}$`)

// patch is one patch of a kustomization, or one document of it.
type patch struct {
	position object.Position
	file     string // where it stands, if not inline
	named    string // as the kustomization spells the file
	target   *types.Selector
	text     string // what stands in the kustomization, if inline
	kind     string // of a strategic merge patch
	name     string
	// operations are the paths of a JSON patch, at their lines.
	operations []yaml.Node
}

// names says whether the patch is about an object of that kind and name.
func (p patch) names(kind, name string) bool {
	if p.target != nil {
		return p.target.Kind == kind && p.target.Name == name
	}
	return p.kind == kind && p.name == name
}

// patchesOf returns the patches of a kustomization, in the order in which
// kustomize applies them, but patchesJson6902 last.
func (t *tree) patchesOf(k *kustomization) []patch {
	var all []patch
	for i, entry := range k.spec.PatchesStrategicMerge {
		p := types.Patch{Path: string(entry)}
		if inline(string(entry)) {
			p = types.Patch{Patch: string(entry)}
		}
		all = append(all, t.patchDocuments(k, p, "patchesStrategicMerge", i)...)
	}
	for i, p := range k.spec.Patches {
		all = append(all, t.patchDocuments(k, p, "patches", i)...)
	}
	return all
}

func (t *tree) jsonPatchesOf(k *kustomization) []patch {
	var all []patch
	for i, p := range k.spec.PatchesJson6902 {
		all = append(all, t.patchDocuments(k, p, "patchesJson6902", i)...)
	}
	return all
}

// patchDocuments returns the documents of one entry.
func (t *tree) patchDocuments(k *kustomization, p types.Patch, list string, i int) []patch {
	base := patch{target: p.Target, position: object.Position{File: k.file, Line: lineOf(k.root, list, i)}}
	data, shift := []byte(p.Patch), 0
	if p.Path != "" {
		name, err := resolve(k.dir, p.Path)
		if err != nil {
			return nil
		}
		if data, err = t.src.readFile(name); err != nil {
			return nil
		}
		base.file, base.named = name, p.Path
		base.position = object.Position{File: name}
	} else {
		node, _ := find(k.root, list, i)
		if _, value := field(node, "patch"); value != nil {
			node = value
		}
		shift = textLine(node) - 1
		base.text = p.Patch
	}
	roots, _ := documents("", data)
	var all []patch
	for _, root := range roots {
		doc := base
		doc.position.Line = root.Line + shift
		if root.Kind == yaml.MappingNode {
			doc.kind = scalarAt(root, "kind")
			doc.name = scalarAt(root, "metadata", "name")
		}
		if root.Kind == yaml.SequenceNode {
			for _, op := range root.Content {
				doc.operations = append(doc.operations, yaml.Node{Value: scalarAt(op, "path"), Line: op.Line + shift})
			}
		}
		all = append(all, doc)
	}
	return all
}

// textLine returns the line at which the text of a scalar begins: that after the
// indicator for a block.
func textLine(n *yaml.Node) int {
	if n.Style == yaml.LiteralStyle || n.Style == yaml.FoldedStyle {
		return n.Line + 1
	}
	return n.Line
}

func scalarAt(root *yaml.Node, path ...string) string {
	n := root
	for _, name := range path {
		_, n = field(n, name)
	}
	if n == nil {
		return ""
	}
	return n.Value
}

// subject is an object on its way through the kustomizations, with every name it
// has had so far.
type subject struct {
	declared  object.Object
	names     []string
	namespace []string
}

// changedBy returns where the kustomizations of a chain changed the document doc
// on its way to the declared object.
func changedBy(t *tree, chain []*kustomization, doc, declared object.Object) []object.Position {
	s := subject{declared: declared, names: []string{doc.ID.Name, declared.ID.Name}, namespace: []string{doc.ID.Namespace, declared.ID.Namespace}}
	name := doc.ID.Name
	var all []object.Position
	for _, k := range chain {
		if k.root == nil {
			continue
		}
		all = append(all, s.generated(k)...)
		all = append(all, s.patched(t.patchesOf(k))...)
		all = append(all, s.transformed(k)...)
		if next := k.spec.NamePrefix + name + k.spec.NameSuffix; next != name {
			name = next
			s.names = append(s.names, name)
		}
		all = append(all, s.patched(t.jsonPatchesOf(k))...)
		all = append(all, s.replaced(k)...)
	}
	return all
}

func (s subject) patched(patches []patch) []object.Position {
	var all []object.Position
	for _, p := range patches {
		if p.target != nil && s.selected(*p.target) || p.target == nil && p.kind == s.declared.ID.Kind && s.named(p.name) {
			all = append(all, p.position)
		}
	}
	return all
}

func (s subject) named(name string) bool {
	for _, n := range s.names {
		if n == name {
			return true
		}
	}
	return false
}

// selected says whether a patch's target selects the object, by kustomize's own
// rules for names. Labels and annotations are compared as they ended up.
func (s subject) selected(target types.Selector) bool {
	selector, err := types.NewSelectorRegex(&target)
	if err != nil {
		return false
	}
	id := s.declared.ID
	if !selector.MatchGvk(resid.Gvk{Group: id.Group, Version: id.Version, Kind: id.Kind}) {
		return false
	}
	return matchesAny(s.names, selector.MatchName) && matchesAny(s.namespace, selector.MatchNamespace) &&
		s.labelled("labels", target.LabelSelector) && s.labelled("annotations", target.AnnotationSelector)
}

func matchesAny(values []string, match func(string) bool) bool {
	for _, v := range values {
		if match(v) {
			return true
		}
	}
	return false
}

// transformed returns the fields of a kustomization, other than patches, that
// changed the object.
func (s subject) transformed(k *kustomization) []object.Position {
	var all []object.Position
	add := func(path ...any) {
		all = append(all, object.Position{File: k.file, Line: lineOf(k.root, path...)})
	}
	id := s.declared.ID
	if k.spec.Namespace != "" && id.Namespace == k.spec.Namespace {
		add("namespace")
	}
	if p := k.spec.NamePrefix; p != "" && strings.Contains(id.Name, p) && id.Name != s.names[0] {
		add("namePrefix")
	}
	if p := k.spec.NameSuffix; p != "" && strings.Contains(id.Name, p) && id.Name != s.names[0] {
		add("nameSuffix")
	}
	for i := range k.spec.Labels {
		add("labels", i)
	}
	if len(k.spec.CommonLabels) > 0 {
		add("commonLabels")
	}
	if len(k.spec.CommonAnnotations) > 0 {
		add("commonAnnotations")
	}
	for i, r := range k.spec.Replicas {
		if s.named(r.Name) && hasReplicas(id.Kind) {
			add("replicas", i)
		}
	}
	for i, image := range k.spec.Images {
		if usesImage(s.declared.Content, image) {
			add("images", i)
		}
	}
	for i, image := range k.spec.ImageTags {
		if usesImage(s.declared.Content, image) {
			add("imageTags", i)
		}
	}
	return all
}

func hasReplicas(kind string) bool {
	return kind == "Deployment" || kind == "StatefulSet" || kind == "ReplicaSet" || kind == "ReplicationController"
}

// usesImage says whether a field "image" holds the image, as it was renamed.
func usesImage(v any, image types.Image) bool {
	name := image.NewName
	if name == "" {
		name = image.Name
	}
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if text, ok := item.(string); ok && k == "image" {
				rest, found := strings.CutPrefix(text, name)
				if found && (rest == "" || rest[0] == ':' || rest[0] == '@') {
					return true
				}
			}
			if usesImage(item, image) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if usesImage(item, image) {
				return true
			}
		}
	}
	return false
}

// generated returns the generators that merge into the object or replace it.
func (s subject) generated(k *kustomization) []object.Position {
	var all []object.Position
	for _, g := range k.generators() {
		if g.kind == s.declared.ID.Kind && s.named(g.name) && (g.behavior == "merge" || g.behavior == "replace") {
			all = append(all, object.Position{File: k.file, Line: g.line})
		}
	}
	return all
}

// replaced returns the replacements with the object as a target, and the plugin
// transformers, which are known only by their configuration.
func (s subject) replaced(k *kustomization) []object.Position {
	var all []object.Position
	for i, r := range k.spec.Replacements {
		hit := r.Path != ""
		for _, to := range r.Targets {
			hit = hit || to.Select != nil && s.selected(*to.Select)
		}
		if name, err := resolve(k.dir, r.Path); hit && r.Path != "" && err == nil {
			all = append(all, object.Position{File: name, Line: 1})
		} else if hit {
			all = append(all, object.Position{File: k.file, Line: lineOf(k.root, "replacements", i)})
		}
	}
	for i := range k.spec.Transformers {
		all = append(all, object.Position{File: k.file, Line: lineOf(k.root, "transformers", i)})
	}
	return all
}

// labelled says whether a label or annotation selector selects the object.
func (s subject) labelled(field, selector string) bool {
	if selector == "" {
		return true
	}
	parsed, err := labels.Parse(selector)
	if err != nil {
		return false
	}
	metadata, _ := s.declared.Content["metadata"].(map[string]any)
	values, _ := metadata[field].(map[string]any)
	set := labels.Set{}
	for k, v := range values {
		set[k], _ = v.(string)
	}
	return parsed.Matches(set)
}
