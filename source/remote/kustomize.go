package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

// Kustomizations returns the references of the kustomization in dir and of all that
// it builds on, or, where dir has none, of those below it, in the order in which they
// are read. It is a list for whoever wants to know: a rendering fetches none of them.
// Errors, joined, tell of files that could not be read.
func Kustomizations(fsys fs.FS, dir string) ([]Reference, error) {
	w := &walker{fsys: fsys, seen: map[string]bool{}, plain: map[string]bool{}}
	w.dir(path.Clean(dir))
	return w.found, errors.Join(w.errs...)
}

type walker struct {
	fsys  fs.FS
	seen  map[string]bool
	plain map[string]bool // files that a directory was seen to have
	found []Reference
	errs  []error
}

func (w *walker) fail(name string, line int, err error) {
	w.errs = append(w.errs, object.At(name, line, err))
}

// dir reads a directory once: its kustomization or, where it has none, those below.
func (w *walker) dir(dir string) {
	if w.seen[dir] || !fs.ValidPath(dir) {
		return
	}
	w.seen[dir] = true
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		w.fail(dir, 0, err)
		return
	}
	var below []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			w.plain[path.Join(dir, e.Name())] = true
		}
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization":
			w.file(path.Join(dir, name))
			return
		case e.IsDir() && !strings.HasPrefix(name, "."):
			below = append(below, path.Join(dir, name))
		}
	}
	for _, name := range below {
		w.dir(name)
	}
}

// documents returns the mappings in a YAML file.
func (w *walker) documents(name string) []*yaml.Node {
	data, err := fs.ReadFile(w.fsys, name)
	if err != nil {
		w.fail(name, 0, err)
		return nil
	}
	var all []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			line, cause := object.YAMLError(data, err)
			w.fail(name, line, cause)
			return all
		}
		all = append(all, document.Content...)
	}
}

// The fields of a kustomization that name files, directories or addresses, by what
// kustomize does with them (sigs.k8s.io/kustomize/api/types.Kustomization): lists of
// such, and lists of mappings that hold such.
var (
	builds  = []string{"resources", "bases", "components", "generators", "transformers", "validators"}
	files   = []string{"crds", "configurations", "patchesStrategicMerge"}
	inLists = map[string][]string{
		"patches": {"path"}, "patchesJson6902": {"path"}, "replacements": {"path"},
		"configMapGenerator": {"files", "envs", "env"}, "secretGenerator": {"files", "envs", "env"},
		"helmCharts":                  {"valuesFile", "additionalValuesFiles"},
		"helmChartInflationGenerator": {"values"},
	}
	chartFields = map[string]string{"helmCharts": "repo", "helmChartInflationGenerator": "chartRepoUrl"}
)

func (w *walker) file(name string) {
	for _, root := range w.documents(name) {
		for _, list := range builds {
			for _, entry := range items(field(root, list)) {
				w.build(name, list, entry)
			}
		}
		for _, list := range files {
			for _, entry := range items(field(root, list)) {
				w.entry(name, list, entry)
			}
		}
		if entry := field(field(root, "openapi"), "path"); entry != nil {
			w.entry(name, "openapi.path", entry)
		}
		for _, list := range slices.Sorted(maps.Keys(inLists)) {
			for i, item := range items(field(root, list)) {
				w.item(name, list, i, item)
			}
		}
	}
}

// item reads one of a list of mappings.
func (w *walker) item(name, list string, i int, item *yaml.Node) {
	for _, key := range inLists[list] {
		for _, entry := range items(field(item, key)) {
			w.entry(name, fmt.Sprintf("%s[%d].%s", list, i, key), entry)
		}
	}
	if repo := field(item, chartFields[list]); repo != nil && chartFields[list] != "" {
		w.add(name, fmt.Sprintf("%s[%s]", list, named(item, i)), repo, repo.Value, Chart)
	}
}

// entry notes an entry that is remote, and says whether it is.
func (w *walker) entry(name, field string, entry *yaml.Node) bool {
	if entry.Kind != yaml.ScalarNode || strings.ContainsAny(entry.Value, "\n{") {
		return true // a patch or a configuration that stands here itself
	}
	_, file, _ := strings.Cut(entry.Value, "=") // of a generator: key=path
	for _, text := range []string{entry.Value, file} {
		if address, ok := render.Remote(text); ok && text != "" {
			if strings.Contains(text, "..") {
				address = text // which is refused, whatever it is cleaned to
			}
			w.add(name, field, entry, address, Configuration)
			return true
		}
	}
	return false
}

func (w *walker) add(name, field string, entry *yaml.Node, address string, content Content) {
	w.found = append(w.found, Reference{Field: field, Address: address, Content: content, Position: object.Position{File: name, Line: entry.Line}})
}

// build follows an entry of what a kustomization builds on.
func (w *walker) build(name, list string, entry *yaml.Node) {
	if strings.ContainsAny(entry.Value, "\n{") {
		var document yaml.Node
		if yaml.Unmarshal([]byte(entry.Value), &document) == nil {
			w.inflate(name, list, entry.Line, document.Content)
		}
		return
	}
	if w.entry(name, list, entry) {
		return
	}
	target := path.Join(path.Dir(name), entry.Value)
	isDir, err := w.isDir(target)
	switch {
	case !fs.ValidPath(target) || errors.Is(err, fs.ErrNotExist):
		// A rendering says so.
	case err != nil:
		w.fail(name, entry.Line, err)
	case isDir:
		w.dir(target)
	case list == "generators" || list == "transformers" || list == "validators":
		if !w.seen[target] {
			w.seen[target] = true
			w.inflate(target, list, 0, w.documents(target))
		}
	}
}

func (w *walker) isDir(name string) (bool, error) {
	if w.plain[name] {
		return false, nil
	}
	info, err := fs.Stat(w.fsys, name)
	return err == nil && info.IsDir(), err
}

// inflate notes the charts of plugins' configurations. Those that stand in the
// kustomization have its line.
func (w *walker) inflate(name, list string, line int, documents []*yaml.Node) {
	for i, root := range documents {
		for _, key := range []string{"repo", "chartRepoUrl"} {
			if repo := field(root, key); repo != nil && strings.HasPrefix(value(root, "kind"), "HelmChartInflation") {
				at := *repo
				if line > 0 {
					at.Line = line
				}
				w.add(name, fmt.Sprintf("%s[%s]", list, named(root, i)), &at, repo.Value, Chart)
			}
		}
	}
}

// field returns the value of a mapping's key. kustomize does not tell capitals
// apart.
func field(n *yaml.Node, key string) *yaml.Node {
	if n = target(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if strings.EqualFold(n.Content[i].Value, key) {
			return target(n.Content[i+1])
		}
	}
	return nil
}

func value(n *yaml.Node, key string) string {
	if v := field(n, key); v != nil {
		return v.Value
	}
	return ""
}

// items returns the elements of a list, or a single value as one.
func items(n *yaml.Node) []*yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind != yaml.SequenceNode:
		return []*yaml.Node{n}
	}
	all := make([]*yaml.Node, len(n.Content))
	for i, item := range n.Content {
		all[i] = target(item)
	}
	return all
}

func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func named(n *yaml.Node, i int) string {
	for _, name := range []string{value(n, "name"), value(n, "chartName"), value(field(n, "metadata"), "name")} {
		if name != "" {
			return name
		}
	}
	return strconv.Itoa(i)
}

func number(m map[string]any, i int) string {
	if name := object.Text(m, "name"); name != "" {
		return name
	}
	return strconv.Itoa(i)
}
