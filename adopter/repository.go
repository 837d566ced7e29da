package adopter

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/object"
)

// kustomizationNames are the names of kustomizations.
var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(name string) bool {
	return slices.Contains(kustomizationNames, path.Base(name))
}

// repository knows which kustomization of a repository takes what from where.
type repository struct {
	fsys fs.FS
	dir  string // that is rendered
	// kustomizations are their files, by directory, and refers what each of them names.
	kustomizations map[string]string
	refers         map[string][]string
	// roots are the kustomizations that the rendering begins with: that of the directory,
	// or, where it has none, those below it.
	roots []string
	// foreign are the files that kustomizations take which the rendering does not pass,
	// and one of these.
	foreign map[string]string
	// dependents are the files of kustomizations that build on a root.
	dependents []string
}

// survey looks at all kustomizations of a repository. One that cannot be read takes
// nothing.
func survey(fsys fs.FS, dir string) *repository {
	r := &repository{fsys: fsys, dir: path.Clean(dir), kustomizations: map[string]string{}, refers: map[string][]string{}, foreign: map[string]string{}}
	_ = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !entry.IsDir() && isKustomization(name):
			r.add(name)
		}
		return nil
	})
	for _, k := range slices.Sorted(maps.Keys(r.kustomizations)) {
		if k == r.dir || within(r.dir, k) && r.kustomizations[r.dir] == "" && !slices.ContainsFunc(r.roots, func(root string) bool { return within(root, k) }) {
			r.roots = append(r.roots, k)
		}
	}
	ours := map[string]bool{}
	for _, root := range r.roots {
		r.reach(root, ours, nil)
	}
	for _, k := range slices.Sorted(maps.Keys(r.kustomizations)) {
		if !ours[k] {
			r.takes(k)
		}
	}
	return r
}

// takes notes what a kustomization takes that the rendering does not pass.
func (r *repository) takes(k string) {
	seen := map[string]bool{}
	r.reach(k, seen, r.roots)
	for name := range seen {
		switch {
		case slices.Contains(r.roots, name):
			r.dependents = append(r.dependents, r.kustomizations[k])
		case r.foreign[name] == "":
			r.foreign[name] = r.kustomizations[k]
		}
	}
}

// within tells whether a path is inside of a directory.
func within(dir, name string) bool {
	return dir == "." && name != "." || strings.HasPrefix(name, dir+"/")
}

// add reads a kustomization: each text in it that is a path to something is taken for a
// reference.
func (r *repository) add(file string) {
	dir := path.Dir(file)
	r.kustomizations[dir] = file
	data, err := fs.ReadFile(r.fsys, file)
	if err != nil {
		return
	}
	roots, err := rewrite.Documents(data)
	if err != nil {
		return
	}
	for _, root := range roots {
		r.texts(dir, root)
	}
}

func (r *repository) texts(dir string, n *yaml.Node) {
	const longest = 1024
	if n.Kind == yaml.ScalarNode && len(n.Value) < longest && n.Value != "" {
		_, behind, _ := strings.Cut(n.Value, "=")
		for _, text := range []string{n.Value, behind} {
			name := path.Join(dir, text)
			if text == "" || path.IsAbs(text) || name == dir || !fs.ValidPath(name) {
				continue
			}
			if _, err := fs.Stat(r.fsys, name); err == nil {
				r.refers[dir] = append(r.refers[dir], name)
			}
		}
	}
	for _, child := range n.Content {
		r.texts(dir, child)
	}
}

// reach adds what a kustomization takes, through others, but not behind stops.
func (r *repository) reach(k string, seen map[string]bool, stops []string) {
	if seen[k] {
		return
	}
	seen[k] = true
	if slices.Contains(stops, k) {
		return
	}
	if file := r.kustomizations[k]; file != "" {
		seen[file] = true
	}
	for _, name := range r.refers[k] {
		r.reach(name, seen, stops)
	}
}

// editable says why a file may not be edited for this directory alone; nil if it may.
func (r *repository) editable(file string) error {
	if !within(r.dir, file) && r.dir != "." {
		return fmt.Errorf("%s is outside of %s", file, r.dir)
	}
	if by := r.foreign[file]; by != "" {
		return fmt.Errorf("%s is also used by %s", file, by)
	}
	for at := file; at != "."; at = path.Dir(at) {
		if info, err := fs.Lstat(r.fsys, at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a symbolic link", at)
		}
	}
	return nil
}

// overlay returns the directory of the kustomization in which an object can be patched:
// "" where there is none.
func (r *repository) overlay(o object.Object) string {
	for _, root := range r.roots {
		seen := map[string]bool{}
		if r.reach(root, seen, nil); seen[o.Origin.File] {
			return root
		}
	}
	if len(r.roots) == 1 && r.roots[0] == r.dir {
		return r.dir
	}
	return ""
}

// closed says why there is no place for an edit of an object.
func (r *repository) closed(o object.Object) error {
	err := r.editable(o.Origin.File)
	if err == nil || r.overlay(o) != "" {
		return nil
	}
	return fmt.Errorf("%w, and %s has no kustomization that could patch it", err, r.dir)
}

// kustomization returns the file of a directory's kustomization and what it says.
func kustomization(fsys fs.FS, dir string) (file string, data []byte, content map[string]any, err error) {
	for _, name := range kustomizationNames {
		file = path.Join(dir, name)
		if data, err = fs.ReadFile(fsys, file); err == nil {
			break
		}
	}
	if err != nil {
		return "", nil, nil, fmt.Errorf("reading the kustomization of %s: %w", dir, err)
	}
	v, err := document{file: file, item: -1}.read(data)
	content, ok := v.(map[string]any)
	if err == nil && !ok {
		err = fmt.Errorf("%s is not a mapping", file)
	}
	return file, data, content, err
}
