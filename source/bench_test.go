package source

import (
	"fmt"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/object"
)

func deployment(name, image string) object.Object {
	container := func(name string) any {
		return map[string]any{"name": name, "image": image, "resources": map[string]any{}, "env": []any{}}
	}
	return object.Object{
		ID: object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: name},
		Content: map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"initContainers": []any{container("setup")}, "containers": []any{container("web"), container("proxy")},
			"volumes": []any{map[string]any{"name": "tmp", "emptyDir": map[string]any{}}},
		}}}},
	}
}

// BenchmarkImages judges a Deployment of three containers: where nothing is found,
// where each is, and where no image was seen before.
func BenchmarkImages(b *testing.B) {
	p, err := New(v1alpha1.Sources{Registries: []string{"registry.example.com/shop"}}, Own{})
	if err != nil {
		b.Fatal(err)
	}
	for name, o := range map[string]object.Object{
		"clean":  deployment("web", "registry.example.com/shop/web:1.2"),
		"found":  deployment("web", "docker.io/evil/web:1.2"),
		"no Pod": {ID: object.ID{Version: "v1", Kind: "ConfigMap", Name: "x"}, Content: map[string]any{"data": map[string]any{}}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Images(object.Loose(o))
			}
		})
	}
	b.Run("unseen", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			p.Images(object.Loose(deployment("web", fmt.Sprintf("registry.example.com/shop/web:1.%d", i))))
		}
	})
}

// BenchmarkCluster judges 5,000 live objects: Deployments with their ReplicaSets and
// Pods.
func BenchmarkCluster(b *testing.B) {
	p, err := New(v1alpha1.Sources{Registries: []string{"registry.example.com/shop"}, Charts: []string{"registry.example.com/charts"}}, Own{})
	if err != nil {
		b.Fatal(err)
	}
	var live []object.Object
	for i := range 1000 {
		image := fmt.Sprintf("registry.example.com/shop/web-%d:1", i)
		for j := range 5 {
			o := deployment(fmt.Sprintf("web-%d-%d", i, j), image)
			o.Content["metadata"] = map[string]any{"uid": fmt.Sprintf("%d-%d", i, j)}
			if j > 0 {
				o.ID.Kind = "ReplicaSet"
				o.Content["metadata"] = map[string]any{"uid": fmt.Sprintf("%d-%d", i, j), "ownerReferences": []any{map[string]any{"controller": true, "uid": fmt.Sprintf("%d-%d", i, 0)}}}
			}
			if j > 1 {
				o.ID.Group, o.ID.Kind = "", "Pod"
				o.Content["spec"] = o.Content["spec"].(map[string]any)["template"].(map[string]any)["spec"]
				o.Content["status"] = map[string]any{"phase": "Running", "containerStatuses": []any{map[string]any{
					"name": "web", "image": image, "imageID": image[:len(image)-2] + "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}
			}
			live = append(live, o)
		}
	}
	all := object.LooseAll(live)
	b.ReportAllocs()
	for b.Loop() {
		found, _ := p.AllImages(all)
		found = append(found, p.Running(Cluster{Live: all})...)
		releases, _ := p.Releases(all)
		if len(found)+len(releases) > 0 {
			b.Fatalf("%v", found)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(live)), "ns/object")
}
