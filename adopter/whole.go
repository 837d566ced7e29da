package adopter

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/object"
)

// declaring writes an object into a file of its own, and names that in the kustomization.
func (a *adoption) declaring(w *want) []way {
	return []way{{edit: func(fsys fs.FS) (map[string][]byte, error) {
		file := path.Join(a.repo.dir, fileName("", w.Object.ID)+".yaml")
		edits := map[string][]byte{file: rewrite.Encode(w.Object.Content)}
		if a.repo.kustomizations[a.repo.dir] == "" {
			if _, err := fs.Stat(fsys, file); err == nil {
				return nil, &fs.PathError{Op: "adding", Path: file, Err: fs.ErrExist}
			}
			return edits, nil
		}
		return a.inList(fsys, a.repo.dir, "resources", path.Base(file), edits)
	}}}
}

// withdrawing takes the declaring document away, or has the overlay leave it out.
func (a *adoption) withdrawing(w *want) []way {
	o, ok := a.before[w.Object.ID]
	if !ok {
		return nil
	}
	w.Object = o
	var ways []way
	if d, err := documentAt(a.repo.fsys, o.Origin.Position); err == nil && a.repo.editable(o.Origin.File) == nil && !isKustomization(o.Origin.File) {
		ways = append(ways, way{edit: func(fsys fs.FS) (map[string][]byte, error) {
			// Earlier documents of the file may be gone by now.
			now, err := a.refound(fsys, d)
			if err != nil {
				return nil, err
			}
			left, err := now.cut(fsys)
			edits := map[string][]byte{d.file: left}
			if err != nil || left != nil {
				return edits, err
			}
			return edits, a.unlist(fsys, d.file, edits)
		}})
	}
	return append(ways, a.patching(w, o)...)
}

// refound finds the document of an object again in an edited file.
func (a *adoption) refound(fsys fs.FS, d document) (document, error) {
	was, err := d.content(a.repo.fsys)
	if err != nil {
		return d, err
	}
	for ; d.n >= 0; d.n-- {
		item := d.item
		for ; d.item >= -1; d.item-- {
			if is, err := d.content(fsys); err == nil && sameObject(was, is) {
				return d, nil
			}
			if d.item < 0 {
				break
			}
		}
		d.item = item
	}
	return d, errNotHere
}

// sameObject tells whether two documents declare the same object.
func sameObject(a, b any) bool {
	x, _ := a.(map[string]any)
	y, _ := b.(map[string]any)
	return x != nil && y != nil && rewrite.Same(named(x), named(y)) && x["apiVersion"] == y["apiVersion"]
}

// unlist takes a file out of the resources of the kustomizations that name it.
func (a *adoption) unlist(fsys fs.FS, file string, edits map[string][]byte) error {
	for _, dir := range slices.Sorted(maps.Keys(a.repo.kustomizations)) {
		if !slices.Contains(a.repo.refers[dir], file) {
			continue
		}
		d := document{file: a.repo.kustomizations[dir], item: -1}
		more, err := d.edit(fsys, func(v any) (any, error) {
			content, _ := v.(map[string]any)
			kept := slices.DeleteFunc(slices.Clone(object.List(content, "resources")), func(entry any) bool {
				text, _ := entry.(string)
				return path.Join(dir, text) == file
			})
			return merged(content, map[string]any{"resources": kept}), nil
		})
		if err != nil {
			return err
		}
		maps.Copy(edits, more)
	}
	return nil
}

// Clean returns a live object as one would declare it: without what the server and
// controllers keep in it. It edits nothing.
func Clean(live object.Object) object.Object {
	content := maps.Clone(live.Content)
	delete(content, "status")
	metadata := maps.Clone(object.Map(content, "metadata"))
	for _, field := range []string{"managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "ownerReferences"} {
		delete(metadata, field)
	}
	keep(metadata, "annotations", func(name string) bool {
		return name != "kubectl.kubernetes.io/last-applied-configuration" && name != "deployment.kubernetes.io/revision" &&
			!strings.HasPrefix(name, "pv.kubernetes.io/") && !strings.HasPrefix(name, "volume.kubernetes.io/") && !strings.HasPrefix(name, "volume.beta.kubernetes.io/")
	})
	content["metadata"] = metadata
	spec := maps.Clone(object.Map(content, "spec"))
	for _, field := range assigned[live.ID.Kind] {
		if spec[field] != "None" { // which somebody chose
			delete(spec, field)
		}
	}
	if spec["clusterIP"] == "None" {
		delete(spec, "clusterIPs")
	}
	if spec != nil {
		content["spec"] = spec
	}
	if live.ID.Kind == "Namespace" && live.ID.Group == "" {
		delete(content, "spec")
		keep(metadata, "labels", func(name string) bool { return name != "kubernetes.io/metadata.name" })
	}
	live.Content, live.Origin = content, object.Origin{}
	return live
}

// assigned are the fields of a spec that the cluster gives out.
var assigned = map[string][]string{
	"Service":               {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"},
	"PersistentVolumeClaim": {"volumeName"},
	"Job":                   {"selector", "manualSelector"},
}

// keep leaves of a mapping of texts what is to be kept; nothing of an empty one.
func keep(metadata map[string]any, field string, keeps func(string) bool) {
	kept := maps.Clone(object.Map(metadata, field))
	maps.DeleteFunc(kept, func(name string, _ any) bool { return !keeps(name) })
	if metadata[field] = kept; len(kept) == 0 {
		delete(metadata, field)
	}
}
