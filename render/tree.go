package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"plumbline.dev/plumbline/object"
)

// kustomization is one kustomization file, with what it builds on.
type kustomization struct {
	dir  string
	file string
	data []byte
	root *yaml.Node // the mapping
	spec types.Kustomization

	files      []string // resource files, as paths of the repository
	bases      []*kustomization
	components []*kustomization
	dropped    []drop // entries that were reported and are left out
}

// drop names an entry of a kustomization's list.
type drop struct {
	field string
	index int
}

// tree is the kustomization that is rendered, with everything it reaches. Each
// fault is found, with its line, before kustomize sees anything: what kustomize
// would fetch or run never gets to it.
type tree struct {
	src   *source
	root  *kustomization
	known map[string]*kustomization
	files map[string]*file
	errs  []error
	fatal bool // a fault that leaves nothing to build
	full  bool // a bound was met, so that further errors would say the same
}

func scan(src *source, dir string) *tree {
	t := &tree{src: src, known: map[string]*kustomization{}, files: map[string]*file{}}
	t.root = t.visit(dir, nil)
	return t
}

// report notes a fault that leaves something to build, and abort one that does
// not.
func (t *tree) report(k *kustomization, line int, format string, args ...any) {
	t.errs = append(t.errs, object.At(k.file, line, fmt.Errorf(format, args...)))
}

func (t *tree) abort(errs ...error) {
	t.errs = append(t.errs, errs...)
	t.fatal = t.fatal || len(errs) > 0
}

// visit reads the kustomization in dir and what it reaches. Above are the
// directories that led here.
func (t *tree) visit(dir string, above []string) *kustomization {
	if k, ok := t.known[dir]; ok {
		return k
	}
	k, err := t.open(dir)
	t.known[dir] = k
	if err != nil {
		t.abort(err)
		return k
	}
	if k.root == nil || !t.check(k) {
		return k
	}
	above = append(slices.Clone(above), dir)
	t.resources(k, "resources", k.spec.Resources, above)
	t.resources(k, "bases", k.spec.Bases, above)
	t.once(k)
	t.components(k, above)
	t.inputs(k)
	t.plugins(k)
	return k
}

// open reads the kustomization file of a directory.
func (t *tree) open(dir string) (*kustomization, error) {
	k := &kustomization{dir: dir, file: dir}
	entries, err := t.src.readDir(dir)
	if err != nil {
		return k, object.At(dir, 0, err)
	}
	names := kustomizationFiles(entries)
	switch len(names) {
	case 0:
		return k, object.At(dir, 0, errors.New("has no kustomization file"))
	case 1:
	default:
		return k, object.At(dir, 0, fmt.Errorf("has several kustomization files: %s", strings.Join(names, ", ")))
	}
	k.file = path.Join(dir, names[0])
	if k.data, err = t.src.readFile(k.file); err != nil {
		return k, object.At(k.file, 0, err)
	}
	return k, k.parse()
}

// parse decodes the file twice: as nodes, for the lines, and by kustomize's own
// reader, for what kustomize will make of it.
func (k *kustomization) parse() error {
	if err := checkText(k.file, k.data); err != nil {
		return err
	}
	if err := checkExpansion(k.file, k.data, 1); err != nil {
		return err
	}
	roots, err := documents(k.file, k.data)
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return object.At(k.file, 0, errors.New("the kustomization is empty"))
	}
	if len(roots) > 1 {
		return object.At(k.file, roots[1].Line, errors.New("a kustomization is one document, and this is a second"))
	}
	root := target(roots[0])
	if root.Kind != yaml.MappingNode {
		return object.At(k.file, root.Line, errors.New("a kustomization is a mapping"))
	}
	if errs := checkFields(k.file, root, reflect.TypeOf(k.spec)); len(errs) > 0 {
		return errors.Join(errs...)
	}
	if err := k.spec.Unmarshal(k.data); err != nil {
		return k.typeError(root, err)
	}
	k.root = root
	return nil
}

// typeError finds the line of a field with a value of the wrong type.
func (k *kustomization) typeError(root *yaml.Node, err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		line, cause := object.YAMLError(k.data, errors.New(strings.TrimPrefix(err.Error(), "invalid Kustomization: ")))
		return object.At(k.file, line, errors.New(oneLine(cause.Error())))
	}
	name, _, _ := strings.Cut(wrong.Field, ".")
	return object.At(k.file, lineOf(root, name), fmt.Errorf("%s: a %s stands where a %s belongs", wrong.Field, wrong.Value, kindName(wrong.Type)))
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "list"
	case reflect.Map, reflect.Struct:
		return "mapping"
	case reflect.Pointer:
		return kindName(t.Elem())
	default:
		return t.Kind().String()
	}
}

// check refuses what has no place in a hermetic build and says whether the
// kustomization may be followed.
func (t *tree) check(k *kustomization) bool {
	spec := k.spec
	for name, used := range map[string]bool{
		"helmCharts":                  spec.HelmCharts != nil,
		"helmGlobals":                 spec.HelmGlobals != nil,
		"helmChartInflationGenerator": spec.HelmChartInflationGenerator != nil,
	} {
		if used {
			t.abort(object.At(k.file, lineOf(k.root, name), fmt.Errorf("%s: Helm charts are not rendered; commit the rendered manifests", name)))
		}
	}
	spec.FixKustomization()
	for _, text := range spec.EnforceFields() {
		t.abort(object.At(k.file, lineOf(k.root, "apiVersion"), errors.New(text)))
	}
	if spec.CheckEmpty() != nil {
		t.abort(object.At(k.file, 0, errors.New("the kustomization is empty")))
		return false
	}
	return true
}

// resources follows the entries of resources or bases. One that cannot be
// followed is reported and left out.
func (t *tree) resources(k *kustomization, list string, entries []string, above []string) {
	seen := k.reached()
	for i, entry := range entries {
		line := lineOf(k.root, list, i)
		name, ok := t.local(k, line, list, entry)
		switch {
		case t.full:
			return
		case !ok:
		case seen[name]:
			t.report(k, line, "%s: %s is listed twice", list, entry)
		case t.src.isDir(name):
			if t.cyclic(k, line, name, above) || !t.builds(k, line, list, name) {
				break
			}
			base := t.visit(name, above)
			if base.spec.Kind == types.ComponentKind {
				t.report(k, line, "%s: %s is a Component: list it under components", list, entry)
				break
			}
			seen[name] = true
			k.bases = append(k.bases, base)
			continue
		default:
			if f := t.load(k, line, list, name); f != nil {
				seen[name] = true
				k.files = append(k.files, name)
				continue
			}
		}
		k.dropped = append(k.dropped, drop{list, i})
	}
}

// reached returns the files and directories that the kustomization lists so far.
func (k *kustomization) reached() map[string]bool {
	seen := map[string]bool{}
	for _, name := range k.files {
		seen[name] = true
	}
	for _, base := range k.bases {
		seen[base.dir] = true
	}
	return seen
}

func (t *tree) components(k *kustomization, above []string) {
	for i, entry := range k.spec.Components {
		line := lineOf(k.root, "components", i)
		name, ok := t.local(k, line, "components", entry)
		if !ok || t.cyclic(k, line, name, above) {
			t.fatal = true
			continue
		}
		if !t.builds(k, line, "components", name) {
			t.fatal = true
			continue
		}
		component := t.visit(name, above)
		if component.root != nil && component.spec.Kind != types.ComponentKind {
			t.abort(object.At(k.file, line, fmt.Errorf("components: %s is not of kind Component", entry)))
		}
		k.components = append(k.components, component)
	}
}

// local returns the path in the repository of what an entry names. Anything
// remote or outside is reported.
func (t *tree) local(k *kustomization, line int, list, entry string) (string, bool) {
	if remote(entry) {
		t.report(k, line, "%s: %s is remote, and a rendering fetches nothing", list, oneLine(entry))
		return "", false
	}
	name, err := resolve(k.dir, entry)
	if err != nil {
		t.report(k, line, "%s: %w", list, err)
		return "", false
	}
	return name, true
}

// cyclic reports a base that is one of the directories that led to it, or holds
// one of them.
func (t *tree) cyclic(k *kustomization, line int, name string, above []string) bool {
	for i, dir := range above {
		if dir == name || name == "." || strings.HasPrefix(dir, name+"/") {
			t.report(k, line, "a cycle: %s", strings.Join(append(slices.Clone(above[i:]), name), " → "))
			return true
		}
	}
	return false
}

// builds says whether a directory has a kustomization, and reports it if not.
func (t *tree) builds(k *kustomization, line int, list, name string) bool {
	entries, err := t.src.readDir(name)
	if err != nil {
		t.report(k, line, "%s: reading %s: %w", list, name, err)
		return false
	}
	if len(kustomizationFiles(entries)) == 0 {
		t.report(k, line, "%s: %s has no kustomization file", list, name)
		return false
	}
	return true
}

// load reads a resource file once and reports what is wrong with it.
func (t *tree) load(k *kustomization, line int, list, name string) *file {
	if f, ok := t.files[name]; ok {
		return f
	}
	data, err := t.src.readFile(name)
	if err != nil {
		t.report(k, line, "%s: reading %s: %w", list, name, err)
		t.full = errors.Is(err, errTooMuch) || t.src.expired() != nil
		t.fatal = t.fatal || t.full
		return nil
	}
	f := decode(name, data)
	t.files[name] = f
	if f.err != nil {
		t.errs = append(t.errs, f.err)
	}
	return f
}

// once reports what the resource files of one kustomization declare twice, and
// leaves it out.
func (t *tree) once(k *kustomization) {
	first := map[object.ID]object.Object{}
	for _, name := range slices.Compact(slices.Clone(k.files)) {
		f := t.files[name]
		var kept []object.Object
		for _, o := range f.objects {
			id := o.ID
			if id.Namespace == "default" {
				id.Namespace = ""
			}
			if earlier, ok := first[id]; ok && earlier.Origin.Position != o.Origin.Position {
				f.err = errors.Join(f.err, duplicate(earlier, o))
				t.errs = append(t.errs, duplicate(earlier, o))
				continue
			}
			first[id] = o
			kept = append(kept, o)
		}
		f.objects = kept
	}
}
