package render

import (
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/resource"

	"plumbline.dev/plumbline/object"
)

// origins finds the positions behind kustomize's annotations. These name the
// file, not the line, of a resource. For transformations they name every
// transformer that ran, whether or not it touched the resource; so these are
// told from the kustomizations themselves.
type origins struct {
	tree   *tree
	chains map[string][][]*kustomization // by file: the kustomizations passed, innermost first
}

func newOrigins(t *tree) *origins {
	o := &origins{tree: t, chains: map[string][][]*kustomization{}}
	o.walk(t.root, nil)
	return o
}

// passed returns the kustomizations that transform what stands in k, in order:
// its components with theirs, and itself.
func passed(k *kustomization) []*kustomization {
	var all []*kustomization
	for _, c := range k.components {
		all = append(all, passed(c)...)
	}
	return append(all, k)
}

// walk notes, for each file below k, what its resources pass; after holds what
// comes after k itself.
func (o *origins) walk(k *kustomization, after []*kustomization) {
	chain := append(passed(k), after...)
	for _, name := range append([]string{k.file}, k.files...) {
		o.chains[name] = append(o.chains[name], chain)
	}
	for _, base := range k.bases {
		o.walk(base, chain)
	}
	for i, c := range k.components {
		var rest []*kustomization
		for _, later := range k.components[i+1:] {
			rest = append(rest, passed(later)...)
		}
		o.walk(c, append(append(rest, k), after...))
	}
}

// file returns the path in the repository of what an origin names.
func (o *origins) file(origin resource.Origin) string {
	switch {
	case origin.Path != "":
		return path.Join(o.tree.root.dir, origin.Path)
	case origin.ConfiguredIn != "":
		return path.Join(o.tree.root.dir, origin.ConfiguredIn)
	}
	return o.tree.root.file
}

// of returns the origin of a built object.
func (o *origins) of(declared object.Object, origin resource.Origin) object.Origin {
	file := o.file(origin)
	chains := o.chains[file]
	switch {
	case origin.Path == "" && !strings.HasSuffix(origin.ConfiguredBy.Kind, "Generator"):
		return o.search(declared, file)
	case len(chains) == 0:
		return object.Origin{Position: object.Position{File: file, Line: o.plugin(file, origin)}}
	case origin.Path == "":
		return o.ofGenerated(declared, file, chains)
	}
	found, _ := o.ofResource(declared, file)
	return found
}

// search finds the origin of an object that lost its annotation, as a patch of
// the annotations as a whole can do, by its kind and name.
func (o *origins) search(declared object.Object, file string) object.Origin {
	for _, name := range sortedKeys(o.tree.files) {
		if found, ok := o.ofResource(declared, name); ok {
			return found
		}
	}
	return object.Origin{Position: object.Position{File: file}}
}

// plugin returns the line of the document that configures a generator.
func (o *origins) plugin(file string, origin resource.Origin) int {
	data, err := o.tree.src.readFile(file)
	if err != nil {
		return 0
	}
	roots, _ := documents(file, data)
	for _, root := range roots {
		if scalarAt(root, "kind") == origin.ConfiguredBy.Kind && scalarAt(root, "metadata", "name") == origin.ConfiguredBy.Name {
			return root.Line
		}
	}
	return 0
}

// ofResource returns the origin of an object in a resource file, and whether it
// is certain.
func (o *origins) ofResource(declared object.Object, file string) (object.Origin, bool) {
	chains := o.chains[file]
	var best object.Origin
	for _, doc := range o.sources(declared, file) {
		for _, chain := range chains {
			found := object.Origin{Position: doc.Origin.Position, ChangedBy: changedBy(o.tree, chain, doc, declared)}
			if renamed(doc.ID.Name, chain) == declared.ID.Name || doc.ID.Name == declared.ID.Name && len(chains) == 1 {
				return found, doc.ID.Kind == declared.ID.Kind
			}
			if best.File == "" {
				best = found
			}
		}
	}
	if best.File == "" {
		best.File = file
	}
	return best, false
}

// sources returns the documents of a file that may have become the object, the
// likeliest first.
func (o *origins) sources(declared object.Object, file string) []object.Object {
	f := o.tree.files[file]
	if f == nil {
		return nil
	}
	var same, inside, others []object.Object
	for _, doc := range f.objects {
		switch {
		case doc.ID.Kind != declared.ID.Kind:
			others = append(others, doc)
		case doc.ID.Name == declared.ID.Name && (doc.ID.Namespace == declared.ID.Namespace || doc.ID.Namespace == ""):
			same = append(same, doc)
		case strings.Contains(declared.ID.Name, doc.ID.Name):
			inside = append(inside, doc)
		default:
			others = append(others, doc)
		}
	}
	slices.SortStableFunc(inside, func(a, b object.Object) int { return len(b.ID.Name) - len(a.ID.Name) })
	return slices.Concat(same, inside, others)
}

// renamed returns a name with the prefixes and suffixes of a chain.
func renamed(name string, chain []*kustomization) string {
	for _, k := range chain {
		name = k.spec.NamePrefix + name + k.spec.NameSuffix
	}
	return name
}

// ofGenerated returns the origin of an object that a kustomization generated:
// the generator's entry.
func (o *origins) ofGenerated(declared object.Object, file string, chains [][]*kustomization) object.Origin {
	best := object.Origin{Position: object.Position{File: file}}
	for _, chain := range chains {
		owner := owner(chain, file)
		if owner == nil {
			continue
		}
		for _, g := range owner.generators() {
			if g.kind != declared.ID.Kind || !strings.HasPrefix(declared.ID.Name, renamed(g.name, chain)) {
				continue
			}
			doc := declared
			doc.ID.Name = g.name
			found := object.Origin{
				Position:  object.Position{File: file, Line: g.line},
				ChangedBy: changedBy(o.tree, chain, doc, declared),
			}
			found.ChangedBy = slices.DeleteFunc(found.ChangedBy, func(p object.Position) bool { return p == found.Position })
			if strings.Trim(hashSuffix.ReplaceAllString(declared.ID.Name, ""), "-") == renamed(g.name, chain) || declared.ID.Name == renamed(g.name, chain) {
				return found
			}
			best = found
		}
	}
	return best
}

func owner(chain []*kustomization, file string) *kustomization {
	for _, k := range chain {
		if k.file == file {
			return k
		}
	}
	return nil
}

// generator is an entry of a ConfigMap or Secret generator.
type generator struct {
	kind, name, behavior string
	list                 string
	index, line          int
}

func (k *kustomization) generators() []generator {
	var all []generator
	for i, g := range k.spec.ConfigMapGenerator {
		all = append(all, generator{"ConfigMap", g.Name, g.Behavior, "configMapGenerator", i, lineOf(k.root, "configMapGenerator", i)})
	}
	for i, g := range k.spec.SecretGenerator {
		all = append(all, generator{"Secret", g.Name, g.Behavior, "secretGenerator", i, lineOf(k.root, "secretGenerator", i)})
	}
	return all
}
