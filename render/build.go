package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	sigsyaml "sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/object"
)

// originAnnotation is where kustomize writes which file a resource is from.
const originAnnotation = "config.kubernetes.io/origin"

// maxCopied bounds what the copy operations of one JSON patch may add.
const maxCopied = 8 << 20

// kustomizing admits one build at a time: kustomize keeps the OpenAPI schema of
// the build in global variables.
var kustomizing = make(chan struct{}, 1)

// built is one resource of kustomize's output.
type built struct {
	content map[string]any
	origin  resource.Origin
}

// build renders the tree with kustomize and adds the origins.
func (t *tree) build() ([]object.Object, error) {
	replaced, err := t.replacements(true)
	if err != nil {
		return nil, err
	}
	resources, err := t.run(replaced)
	if err == nil && t.annotationsMatter() {
		resources, err = t.rebuild(resources)
	}
	if err != nil {
		return nil, t.explain(err)
	}
	var objects []object.Object
	var errs []error
	o := newOrigins(t)
	for _, r := range resources {
		declared, err := object.FromContent(r.content)
		if err != nil {
			errs = append(errs, object.At(o.file(r.origin), 0, err))
			continue
		}
		declared.Origin = o.of(declared, r.origin)
		objects = append(objects, declared)
	}
	objects, twice := unique(objects, true)
	return objects, joined(append(errs, twice...))
}

// rebuild runs kustomize again without the annotations that tell the origins,
// for a tree in which annotations have an influence on the result. The
// resources come in the same order.
func (t *tree) rebuild(annotated []built) ([]built, error) {
	replaced, err := t.replacements(false)
	if err != nil {
		return nil, err
	}
	resources, err := t.run(replaced)
	for i := range resources {
		if len(resources) == len(annotated) {
			resources[i].origin = annotated[i].origin
		}
	}
	return resources, err
}

var annotationTrick = regexp.MustCompile(`/annotations|\.annotations|\$patch|annotations['"]?:\s*(null|~|\{\s*\}|$)|config\.k8s\.io/`)

// annotationsMatter says whether something in the tree may look at an object's
// annotations as a whole, or hash or replace them.
func (t *tree) annotationsMatter() bool {
	for _, f := range t.files {
		if bytes.Contains(f.data, []byte("kustomize.config.k8s.io/")) {
			return true
		}
	}
	for _, k := range t.known {
		if len(k.spec.Validators) > 0 || annotationTrick.Match(k.data) {
			return true
		}
		for _, in := range inputsOf(k.spec) {
			if name, err := resolve(k.dir, in.name); err == nil && in.patch {
				if data, err := t.src.readFile(name); err == nil && annotationTrick.Match(data) {
					return true
				}
			}
		}
	}
	return false
}

// asksOrigins says whether the repository itself asks for the annotations.
func (t *tree) asksOrigins() bool {
	return slices.Contains(t.root.spec.BuildMetadata, types.OriginAnnotations)
}

// replacements returns the files that kustomize gets to see in place of the
// repository's: the root, asking for origins; kustomizations without the entries
// that were refused; and resource files without the documents that are no
// objects.
func (t *tree) replacements(origins bool) (map[string][]byte, error) {
	replaced := map[string][]byte{}
	for _, k := range t.known {
		spec, edited := k.without()
		if modern, ok := t.modern(spec); ok {
			spec, edited = modern, true
		}
		if k == t.root && origins && !t.asksOrigins() {
			spec.BuildMetadata = append(slices.Clone(spec.BuildMetadata), types.OriginAnnotations)
			edited = true
		}
		if !edited {
			continue
		}
		data, err := sigsyaml.Marshal(spec)
		if err != nil {
			return nil, fmt.Errorf("editing %s: %w", k.file, err)
		}
		replaced[k.file] = data
	}
	for _, f := range t.files {
		if f.err == nil {
			continue
		}
		var data bytes.Buffer
		for _, o := range f.objects {
			text, err := json.Marshal(o.Content)
			if err != nil {
				return nil, fmt.Errorf("editing %s: %w", f.name, err)
			}
			fmt.Fprintf(&data, "---\n%s\n", text)
		}
		replaced[f.name] = data.Bytes()
	}
	return replaced, nil
}

// without returns the kustomization without the entries that were refused.
func (k *kustomization) without() (types.Kustomization, bool) {
	spec := k.spec
	if len(k.dropped) == 0 {
		return spec, false
	}
	if spec.MetaData == nil {
		spec.MetaData = &types.ObjectMeta{} // kustomize refuses one that is empty
	}
	keep := func(list string, entries []string) []string {
		var kept []string
		for i, entry := range entries {
			if !slices.Contains(k.dropped, drop{list, i}) {
				kept = append(kept, entry)
			}
		}
		return kept
	}
	spec.Resources = keep("resources", spec.Resources)
	spec.Bases = keep("bases", spec.Bases)
	return spec, true
}

// modern returns a kustomization with those deprecated fields renamed of which
// kustomize makes exactly the same, so that it has no warning to print. The
// labels are only the same under its default configuration.
func (t *tree) modern(spec types.Kustomization) (types.Kustomization, bool) {
	edited := spec.Bases != nil || spec.ImageTags != nil
	spec.Resources, spec.Bases = slices.Concat(spec.Resources, spec.Bases), nil
	spec.Images, spec.ImageTags = slices.Concat(spec.Images, spec.ImageTags), nil
	for _, k := range t.known {
		if len(k.spec.Configurations) > 0 {
			return spec, edited
		}
	}
	if spec.CommonLabels != nil {
		common := types.Label{Pairs: spec.CommonLabels, IncludeSelectors: true}
		spec.Labels, spec.CommonLabels = append(slices.Clone(spec.Labels), common), nil
		edited = true
	}
	return spec, edited
}

// run calls kustomize and waits for it no longer than the source's context. A
// build that takes longer is left to end by itself, which it does at its next
// file.
func (t *tree) run(replaced map[string][]byte) ([]built, error) {
	ctx := t.src.ctx
	select {
	case kustomizing <- struct{}{}:
	case <-ctx.Done():
		return nil, t.src.expired()
	}
	type outcome struct {
		resources []built
		err       error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-kustomizing }()
		var out outcome
		out.err = recovered(func() (err error) {
			if t.ownSchema() {
				openapi.ResetOpenAPI()
				defer openapi.ResetOpenAPI()
			}
			out.resources, err = kustomize(kustomizeFS{src: t.src, replaced: replaced}, t.root.dir, t.asksOrigins())
			return err
		})
		done <- out
	}()
	select {
	case out := <-done:
		return out.resources, out.err
	case <-ctx.Done():
		return nil, t.src.expired()
	}
}

// ownSchema says whether a kustomization brings an OpenAPI schema. Kustomize keeps
// such a schema for the next build, which would then merge lists by other rules.
func (t *tree) ownSchema() bool {
	for _, k := range t.known {
		if len(k.spec.OpenAPI) > 0 {
			return true
		}
	}
	return false
}

func kustomize(fsys kustomizeFS, dir string, keepOrigins bool) ([]built, error) {
	jsonpatch.AccumulatedCopySizeLimit = maxCopied
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone // the file system is the restriction
	resources, err := krusty.MakeKustomizer(options).Run(fsys, path.Join("/", dir))
	if err != nil {
		return nil, err
	}
	var all []built
	for _, r := range resources.Resources() {
		b, err := convert(r, keepOrigins)
		if err != nil {
			return nil, fmt.Errorf("reading the built %s %s: %w", r.GetKind(), r.GetName(), err)
		}
		all = append(all, b)
	}
	return all, nil
}

// convert takes a resource out of kustomize's hands, and the origin out of the
// resource.
func convert(r *resource.Resource, keepOrigins bool) (built, error) {
	data, err := r.MarshalJSON()
	if err != nil {
		return built{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var b built
	if err := decoder.Decode(&b.content); err != nil {
		return built{}, err
	}
	numbers(b.content)
	metadata, _ := b.content["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	text, _ := annotations[originAnnotation].(string)
	if text == "" {
		return b, nil
	}
	if err := sigsyaml.Unmarshal([]byte(text), &b.origin); err != nil {
		return built{}, fmt.Errorf("its origin: %w", err)
	}
	if keepOrigins {
		return b, nil
	}
	maps.DeleteFunc(annotations, func(k string, _ any) bool { return k == originAnnotation })
	if len(annotations) == 0 {
		delete(metadata, "annotations")
	}
	return b, nil
}

// numbers turns the numbers of freshly decoded JSON into int64 where they fit,
// else float64, in place.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			v[k] = numbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = numbers(item)
		}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		if strings.ContainsAny(v.String(), ".eE") {
			return wholeNumbers(f)
		}
		return f
	}
	return v
}
