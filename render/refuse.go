package render

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	sigsyaml "sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/object"
)

// Remote says whether kustomize would fetch a path from somewhere else, and from
// which repository or URL. It asks kustomize's own parser of repository addresses, so
// that the two never differ.
func Remote(name string) (address string, ok bool) {
	if !strings.ContainsAny(name, ":@") && !strings.HasPrefix(strings.ToLower(name), "github.com/") {
		return name, false // as nearly all are; to ask takes longer than to read the file
	}
	if repository := (&resource.Origin{}).Append(name).Repo; repository != "" {
		return repository, true
	}
	if u, err := url.Parse(name); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return name, true
	}
	return name, strings.HasPrefix(strings.ToLower(name), "git::")
}

func remote(name string) bool {
	_, ok := Remote(name)
	return ok
}

// input is a file that a kustomization names outside of its resources.
type input struct {
	list  string
	name  string
	path  []any // where the name stands
	patch bool  // the file must be YAML
}

// inputs checks every file that the kustomization reads besides resources:
// local, there, and, where kustomize parses it, well-formed.
func (t *tree) inputs(k *kustomization) {
	for _, in := range inputsOf(k.spec) {
		line := lineOf(k.root, in.path...)
		name, ok := t.local(k, line, in.list, in.name)
		if !ok {
			t.fatal = true
			continue
		}
		data, err := t.src.readFile(name)
		if err != nil {
			t.abort(object.At(k.file, line, fmt.Errorf("%s: reading %s: %w", in.list, name, err)))
			continue
		}
		if in.patch {
			t.wellFormed(name, data)
		}
		if in.list == "crds" && len(data) == 0 {
			t.abort(object.At(name, 0, errors.New("is empty")))
		}
	}
	for i, g := range k.spec.ConfigMapGenerator {
		t.literals(k, g.LiteralSources, "configMapGenerator", i)
	}
	for i, g := range k.spec.SecretGenerator {
		t.literals(k, g.LiteralSources, "secretGenerator", i)
	}
	for i, p := range k.spec.PatchesStrategicMerge {
		if _, ok := t.local(k, lineOf(k.root, "patchesStrategicMerge", i), "patchesStrategicMerge", string(p)); !ok {
			t.fatal = true
		} else if inline(string(p)) {
			t.inlinePatch(k, string(p), "patchesStrategicMerge", i)
		}
	}
	for i, p := range k.spec.Patches {
		t.inlinePatch(k, p.Patch, "patches", i, "patch")
	}
	for i, p := range k.spec.PatchesJson6902 {
		t.inlinePatch(k, p.Patch, "patchesJson6902", i, "patch")
	}
}

// literals checks a generator's literals without ever showing one.
func (t *tree) literals(k *kustomization, literals []string, list string, i int) {
	for j, literal := range literals {
		if key, _, ok := strings.Cut(literal, "="); !ok || key == "" {
			t.abort(object.At(k.file, lineOf(k.root, list, i, "literals", j), fmt.Errorf("%s: a literal has the form key=value", list)))
		}
	}
}

func (t *tree) wellFormed(name string, data []byte) {
	if err := checkText(name, data); err != nil {
		t.abort(err)
		return
	}
	if err := checkExpansion(name, data, 1); err != nil {
		t.abort(err)
		return
	}
	if _, err := documents(name, data); err != nil {
		t.abort(err)
	}
}

// inlinePatch checks a patch that stands in the kustomization itself.
func (t *tree) inlinePatch(k *kustomization, text string, at ...any) {
	node, line := find(k.root, at...)
	from := textLine(node)
	if err := checkExpansion(k.file, []byte(text), from); err != nil {
		t.abort(err)
		return
	}
	if _, err := documents(k.file, []byte(text)); err != nil {
		if inner := lineIn(err); inner > 0 {
			line = inner + from - 1
		}
		t.abort(object.At(k.file, line, fmt.Errorf("%v: %w", at[0], unpositioned(err))))
	}
}

// inline says whether an entry of patchesStrategicMerge is a patch and not the
// path of one.
func inline(entry string) bool { return strings.ContainsAny(entry, "\n{") }

func inputsOf(spec types.Kustomization) []input {
	var all []input
	add := func(list, name string, patch bool, path ...any) {
		if name != "" {
			all = append(all, input{list: list, name: name, path: append([]any{list}, path...), patch: patch})
		}
	}
	for i, p := range spec.PatchesStrategicMerge {
		if !inline(string(p)) {
			add("patchesStrategicMerge", string(p), true, i)
		}
	}
	for i, p := range spec.Patches {
		add("patches", p.Path, true, i, "path")
	}
	for i, p := range spec.PatchesJson6902 {
		add("patchesJson6902", p.Path, true, i, "path")
	}
	for i, r := range spec.Replacements {
		add("replacements", r.Path, true, i, "path")
	}
	for i, name := range spec.Configurations {
		add("configurations", name, true, i)
	}
	for i, name := range spec.Crds {
		add("crds", name, true, i)
	}
	add("openapi", spec.OpenAPI["path"], true, "path")
	for i, g := range spec.ConfigMapGenerator {
		addSources(add, "configMapGenerator", i, g.KvPairSources)
	}
	for i, g := range spec.SecretGenerator {
		addSources(add, "secretGenerator", i, g.KvPairSources)
	}
	return all
}

func addSources(add func(string, string, bool, ...any), list string, i int, s types.KvPairSources) {
	for j, source := range s.FileSources {
		add(list, sourceFile(source), false, i, "files", j)
	}
	for j, source := range s.EnvSources {
		add(list, source, false, i, "envs", j)
	}
	add(list, s.EnvSource, false, i, "env")
}

// sourceFile returns the path in a generator's "key=path" or "path".
func sourceFile(source string) string {
	if _, name, ok := strings.Cut(source, "="); ok {
		return name
	}
	return source
}

// pluginKinds are kustomize's builtin plugins that neither run nor fetch
// anything.
var pluginKinds = []string{
	"AnnotationsTransformer", "ConfigMapGenerator", "ImageTagTransformer", "LabelTransformer", "NamespaceTransformer",
	"PatchJson6902Transformer", "PatchStrategicMergeTransformer", "PatchTransformer", "PrefixSuffixTransformer",
	"PrefixTransformer", "SuffixTransformer", "ReplicaCountTransformer", "SecretGenerator", "ValueAddTransformer",
	"ReplacementTransformer",
}

// plugins checks the generators, transformers and validators: only files, or
// inline text, that configure builtin plugins. A directory is refused, because
// what a build of it would configure cannot be known beforehand.
func (t *tree) plugins(k *kustomization) {
	for list, entries := range map[string][]string{
		"generators": k.spec.Generators, "transformers": k.spec.Transformers, "validators": k.spec.Validators,
	} {
		for i, entry := range entries {
			t.plugin(k, list, entry, lineOf(k.root, list, i))
		}
	}
}

func (t *tree) plugin(k *kustomization, list, entry string, line int) {
	if remote(entry) { // kustomize takes what it cannot parse for an address
		t.abort(object.At(k.file, line, fmt.Errorf("%s: %s is remote, and a rendering fetches nothing", list, oneLine(entry))))
		return
	}
	if strings.ContainsAny(entry, "\n{") {
		t.pluginConfig(k.file, line, k.dir, []byte(entry))
		return
	}
	name, ok := t.local(k, line, list, entry)
	if !ok {
		t.fatal = true
		return
	}
	if t.src.isDir(name) {
		t.abort(object.At(k.file, line, fmt.Errorf("%s: %s is a directory; name its files", list, entry)))
		return
	}
	data, err := t.src.readFile(name)
	if err != nil {
		t.abort(object.At(k.file, line, fmt.Errorf("%s: reading %s: %w", list, name, err)))
		return
	}
	t.pluginConfig(name, 0, k.dir, data)
}

// pluginConfig checks the documents of a plugin's configuration. A line of 0
// means that data is the whole file.
func (t *tree) pluginConfig(file string, line int, dir string, data []byte) {
	if err := checkExpansion(file, data, max(line, 1)); err != nil {
		t.abort(err)
		return
	}
	roots, err := documents(file, data)
	if err != nil {
		t.abort(object.At(file, max(line, lineIn(err)), unpositioned(err)))
		return
	}
	for _, root := range roots {
		at := line
		if at == 0 {
			at = root.Line
		}
		if err := checkPlugin(root, dir); err != nil {
			t.abort(object.At(file, at, err))
		}
	}
}

func checkPlugin(root *yaml.Node, dir string) error {
	text, err := yaml.Marshal(root)
	if err != nil {
		return fmt.Errorf("reading a plugin's configuration: %w", err)
	}
	var config map[string]any
	if err := sigsyaml.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("reading a plugin's configuration: %s", oneLine(err.Error()))
	}
	kind, _ := config["kind"].(string)
	if config["apiVersion"] != "builtin" || !slices.Contains(pluginKinds, kind) {
		return fmt.Errorf("%v %s is not a builtin plugin: a rendering runs nothing of the repository's", config["apiVersion"], kind)
	}
	if kind == "AnnotationsTransformer" || kind == "LabelTransformer" {
		return nil
	}
	return localOnly(config, dir)
}

// localOnly refuses a plugin's configuration in which any text, wherever it
// stands, is an address or leads outside.
func localOnly(v any, dir string) error {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if key == "literals" || key == "patch" || key == "jsonOp" || key == "fieldSpecs" {
				continue
			}
			if err := localOnly(v[key], dir); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := localOnly(item, dir); err != nil {
				return err
			}
		}
	case string:
		if strings.Contains(v, "\n") {
			return unpositioned(checkExpansion("", []byte(v), 1))
		}
		for _, name := range []string{v, sourceFile(v)} {
			if remote(name) {
				return fmt.Errorf("%s is remote, and a rendering fetches nothing", oneLine(name))
			}
			if joined := path.Join(dir, name); strings.Contains(name, "..") && strings.HasPrefix(joined, "..") {
				return fmt.Errorf("%s leads out of the repository", oneLine(name))
			}
		}
	}
	return nil
}
