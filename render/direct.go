package render

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"plumbline.dev/plumbline/object"
)

// renderKustomization renders a directory that has a kustomization: without
// kustomize where that makes no difference, which is 20 times as fast.
func renderKustomization(src *source, dir string) (rendered, error) {
	t := scan(src, dir)
	if !t.fatal {
		t.bound()
	}
	if err := src.expired(); err != nil {
		return rendered{}, object.At(dir, 0, err)
	}
	if t.fatal {
		return rendered{}, joined(t.errs)
	}
	if t.direct() {
		objects, errs := unique(t.concatenate(t.root), true)
		return rendered{objects: src.keep.packAll(objects), direct: true}, joined(append(t.errs, errs...))
	}
	objects, err := t.build()
	return rendered{objects: src.keep.packAll(objects)}, joined(append(t.errs, err))
}

// direct says whether the tree only lists resources, in files of which Decode
// makes the same as kustomize.
func (t *tree) direct() bool {
	for _, k := range t.known {
		if !listsOnly(k.spec) {
			return false
		}
	}
	for _, f := range t.files {
		if f.indirect {
			return false
		}
	}
	return true
}

// listsOnly says whether a kustomization does nothing but name resources.
func listsOnly(spec types.Kustomization) bool {
	spec.TypeMeta = types.TypeMeta{}
	spec.MetaData = nil
	spec.Resources = nil
	spec.Bases = nil
	spec.SortOptions = nil
	return reflect.DeepEqual(spec, types.Kustomization{})
}

func (t *tree) concatenate(k *kustomization) []object.Object {
	var objects []object.Object
	for _, name := range k.files {
		objects = append(objects, t.files[name].objects...)
	}
	for _, base := range k.bases {
		objects = append(objects, t.concatenate(base)...)
	}
	return objects
}

// bound refuses a tree that names the same bases so often that it would unfold
// beyond bounds.
func (t *tree) bound() {
	type size struct{ builds, objects int }
	sizes := map[*kustomization]size{}
	var measure func(k *kustomization) size
	measure = func(k *kustomization) size {
		if s, ok := sizes[k]; ok {
			return s
		}
		s := size{builds: 1}
		for _, name := range k.files {
			s.objects += len(t.files[name].objects)
		}
		for _, below := range slices.Concat(k.bases, k.components) {
			b := measure(below)
			s.builds = min(s.builds+b.builds, 1<<30)
			s.objects = min(s.objects+b.objects, 1<<30)
		}
		sizes[k] = s
		return s
	}
	switch s := measure(t.root); {
	case s.builds > t.src.options.MaxFiles:
		t.abort(object.At(t.root.file, 0, fmt.Errorf("unfolds to more than %d kustomizations", t.src.options.MaxFiles)))
	case s.objects > t.src.options.MaxObjects:
		t.abort(object.At(t.root.file, 0, fmt.Errorf("declares more than %d objects", t.src.options.MaxObjects)))
	}
}

// unique returns the first object of each identity, and an error for each
// further one. To kustomize, no namespace and "default" are the same.
func unique[O interface{ Bare() object.Object }](objects []O, kustomized bool) ([]O, []error) {
	first := make(map[object.ID]object.Object, len(objects))
	kept := make([]O, 0, len(objects))
	var errs []error
	for _, whole := range objects {
		o := whole.Bare()
		id := o.ID
		id.Version = ""
		if kustomized && id.Namespace == "default" {
			id.Namespace = ""
		}
		if earlier, ok := first[id]; ok {
			errs = append(errs, duplicate(earlier, o))
			continue
		}
		first[id] = o
		kept = append(kept, whole)
	}
	return kept, errs
}

// renderPlain renders a directory without a kustomization. Kustomizations below
// it are built; everything else is read as it is.
func renderPlain(src *source, dir string, entries []fs.DirEntry) (rendered, error) {
	p := plain{src: src, direct: true}
	p.directory(dir, entries)
	objects, errs := unique(p.objects, false)
	if len(objects) > src.options.MaxObjects {
		return rendered{}, object.At(dir, 0, fmt.Errorf("declares more than %d objects", src.options.MaxObjects))
	}
	if len(objects) == 0 && len(p.errs) == 0 {
		errs = append(errs, object.At(dir, 0, ErrEmpty))
	}
	return rendered{objects: objects, direct: p.direct}, joined(append(p.errs, errs...))
}

// plain gathers what the files of directories declare.
type plain struct {
	src     *source
	objects []object.Packed
	errs    []error
	direct  bool
	full    bool // a bound was met, so that further errors would say the same
}

func (p *plain) directory(dir string, entries []fs.DirEntry) {
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		switch {
		case p.full:
			return
		case strings.HasPrefix(entry.Name(), "."):
		case entry.IsDir():
			p.below(name)
		case slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)):
			p.file(name)
		}
	}
}

func (p *plain) below(dir string) {
	entries, err := p.src.readDir(dir)
	if err != nil {
		p.errs = append(p.errs, object.At(dir, 0, err))
		p.full = p.src.expired() != nil
		return
	}
	if len(kustomizationFiles(entries)) == 0 {
		p.directory(dir, entries)
		return
	}
	result, err := renderKustomization(p.src, dir)
	p.objects = append(p.objects, result.objects...)
	p.direct = p.direct && result.direct
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

func (p *plain) file(name string) {
	data, err := p.src.readFile(name)
	if err != nil {
		p.errs = append(p.errs, object.At(name, 0, err))
		p.full = errors.Is(err, errTooMuch) || p.src.expired() != nil
		return
	}
	objects, err := p.src.keep.decode(name, data, decodePlain)
	p.objects = append(p.objects, objects...)
	if err != nil {
		p.errs = append(p.errs, err)
	}
}
