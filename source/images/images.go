// Package images finds the images that an object names, and those that a Pod's
// status says it runs. It judges none of them.
package images

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/theory/jsonpath"
	"github.com/theory/jsonpath/spec"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/object"
)

// The lists of a Pod's spec that name images.
const (
	Containers = "containers"
	Init       = "initContainers"
	Ephemeral  = "ephemeralContainers"
	Volumes    = "volumes"
)

// Use is one place of an object that names an image.
type Use struct {
	// List is the list of a Pod's spec, Name the container's or volume's name in it.
	// Of a field that is configured List is empty, and Name is its path.
	List, Name string
	// Image is the reference as it is written; empty where there is none.
	Image string
}

// Subject names the place: "containers[web]", "volumes[models]", "spec.image".
func (u Use) Subject() string {
	if u.List == "" {
		return u.Name
	}
	return u.List + "[" + u.Name + "]"
}

var words = map[string]string{
	Containers: "container ", Init: "init container ", Ephemeral: "ephemeral container ", Volumes: "image volume ",
}

// String names the place in a sentence: "container web", "spec.image".
func (u Use) String() string { return words[u.List] + u.Name }

// Finder finds images. The zero Finder knows Kubernetes' own kinds, and what is
// made like them.
type Finder struct {
	fields map[kind][]*jsonpath.Path
}

type kind struct{ group, kind string }

// New returns a Finder that knows the given fields too. Errors name the field of the
// Baseline.
func New(fields []v1alpha1.ImageField) (Finder, error) {
	f := Finder{fields: map[kind][]*jsonpath.Path{}}
	var errs []error
	for i, field := range fields {
		at := fmt.Sprintf("spec.sources.images[%d]", i)
		if field.Kind == "" {
			errs = append(errs, fmt.Errorf("%s.kind is missing: name the custom resource's kind, such as Prometheus", at))
		}
		path, err := jsonpath.Parse(field.Path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.path: %q is no JSONPath: %s: write one such as $.spec.image", at, field.Path, strings.TrimPrefix(err.Error(), "jsonpath: ")))
			continue
		}
		key := kind{field.Group, field.Kind}
		f.fields[key] = append(f.fields[key], path)
	}
	return f, errors.Join(errs...)
}

// Find returns the images that an object names, in the order in which they stand.
// Errors say that a configured field holds something else than text.
//
// Of Kubernetes' core kinds it looks at Pods and all templates of Pods; of any other,
// at the two places where workloads have their template (spec.template,
// spec.jobTemplate) and at the fields that are configured.
func (f Finder) Find(o object.Object) ([]Use, []error) {
	uses := fromPod(PodSpec(o))
	if len(f.fields) == 0 {
		return uses, nil
	}
	var errs []error
	for _, path := range f.fields[kind{o.ID.Group, o.ID.Kind}] {
		for node := range path.SelectLocated(o.Content).All() {
			switch value := node.Node.(type) {
			case nil:
			case string:
				uses = append(uses, Use{Name: spell(node.Path, o.Content), Image: value})
			default:
				errs = append(errs, fmt.Errorf("%s holds no text, and an image that is made of several fields cannot be judged", spell(node.Path, o.Content)))
			}
		}
	}
	return uses, errs
}

// PodSpec returns the Pod's spec in an object; nil where it has none.
func PodSpec(o object.Object) map[string]any {
	switch {
	case o.ID.Group == "" && o.ID.Kind == "Pod":
		return object.Map(o.Content, "spec")
	case o.ID.Group == "" && o.ID.Kind == "PodTemplate":
		return object.Map(object.Map(o.Content, "template"), "spec")
	case o.ID.Group == "" && o.ID.Kind != "ReplicationController":
		return nil // none other of these has a template
	case o.ID.Group == "batch" && o.ID.Kind == "JobTemplate":
		return templated(object.Map(o.Content, "template"))
	}
	if pod := templated(o.Content); pod != nil {
		return pod
	}
	return templated(object.Map(object.Map(o.Content, "spec"), "jobTemplate"))
}

// templated returns the spec of a workload's template.
func templated(workload map[string]any) map[string]any {
	return object.Map(object.Map(object.Map(workload, "spec"), "template"), "spec")
}

func fromPod(pod map[string]any) []Use {
	if pod == nil {
		return nil
	}
	containers, _ := pod[Containers].([]any)
	uses := make([]Use, 0, len(containers)+1)
	for _, list := range []string{Init, Containers, Ephemeral} {
		items, _ := pod[list].([]any)
		for i, item := range items {
			if container, ok := item.(map[string]any); ok {
				uses = append(uses, Use{list, named(container, i), object.Text(container, "image")})
			}
		}
	}
	volumes, _ := pod[Volumes].([]any)
	for i, item := range volumes {
		volume, _ := item.(map[string]any)
		if image, ok := volume["image"].(map[string]any); ok {
			uses = append(uses, Use{Volumes, named(volume, i), object.Text(image, "reference")})
		}
	}
	return uses
}

func named(item map[string]any, i int) string {
	if name := object.Text(item, "name"); name != "" {
		return name
	}
	return strconv.Itoa(i)
}

// spell writes a location as people do, and an item of a list by its name where it
// has one, so that it stays the same when others come before it.
func spell(location spec.NormalizedPath, content any) string {
	var b strings.Builder
	for _, selector := range location {
		switch selector := selector.(type) {
		case spec.Name:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(string(selector))
			fields, _ := content.(map[string]any)
			content = fields[string(selector)]
		case spec.Index:
			items, _ := content.([]any)
			content = items[selector]
			item, _ := content.(map[string]any)
			b.WriteString("[" + named(item, int(selector)) + "]")
		}
	}
	return b.String()
}

// Ran is what a Pod's status says of one container or image volume.
type Ran struct {
	// Use is what the Pod's spec says; its Image is empty where the spec has no such
	// container.
	Use
	// Status is the image's name as the runtime tells it, ID what it has pulled. Both
	// may be a name with a digest, a bare digest, or empty.
	Status, ID string
}

// Statuses are the lists of a Pod's status, beside those of its spec.
var statuses = []struct{ status, spec string }{
	{"initContainerStatuses", Init}, {"containerStatuses", Containers}, {"ephemeralContainerStatuses", Ephemeral},
}

// Running returns what a Pod's status says about its images. What has not been
// pulled is not in it.
func Running(pod object.Object) []Ran {
	uses := fromPod(PodSpec(pod))
	status := object.Map(pod.Content, "status")
	var all []Ran
	for _, lists := range statuses {
		items, _ := status[lists.status].([]any)
		for i, item := range items {
			container, _ := item.(map[string]any)
			ran := Ran{Use: find(uses, lists.spec, named(container, i)), Status: object.Text(container, "image"), ID: object.Text(container, "imageID")}
			if ran.ID != "" {
				all = append(all, ran)
			}
			all = mounted(all, uses, container)
		}
	}
	return all
}

// mounted adds the image volumes that a container's status tells of, each once for
// each image.
func mounted(all []Ran, uses []Use, container map[string]any) []Ran {
	mounts, _ := container["volumeMounts"].([]any)
	for _, item := range mounts {
		mount, _ := item.(map[string]any)
		id := object.Text(object.Map(object.Map(mount, "volumeStatus"), "image"), "imageRef")
		ran := Ran{Use: find(uses, Volumes, object.Text(mount, "name")), ID: id}
		if id != "" && !slices.Contains(all, ran) {
			all = append(all, ran)
		}
	}
	return all
}

func find(uses []Use, list, name string) Use {
	for _, u := range uses {
		if u.List == list && u.Name == name {
			return u
		}
	}
	return Use{List: list, Name: name}
}
