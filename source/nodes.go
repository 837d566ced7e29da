package source

import (
	"fmt"
	"strings"

	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/address"
)

// nodes is what nodes tell of the images that they have.
type nodes struct {
	byName map[string]node
	// same leads from a digest to another of the same image: a runtime may tell that of
	// the image for its platform, or that of the index which lists it.
	same map[string]string
}

// node is what one node tells.
type node struct {
	platform string // "linux/amd64"; empty where the node is not known
	// images are all names of an image, by each of its names with a digest.
	images map[string][]address.Image
}

func newNodes(p *Policy, live []object.Packed) nodes {
	all := nodes{map[string]node{}, map[string]string{}}
	for _, o := range live {
		status, _ := o.Object().Content["status"].(map[string]any)
		info, _ := status["nodeInfo"].(map[string]any)
		n := node{images: map[string][]address.Image{}}
		if info["operatingSystem"] != nil && info["architecture"] != nil {
			n.platform = fmt.Sprintf("%v/%v", info["operatingSystem"], info["architecture"])
		}
		list, _ := status["images"].([]any)
		for _, item := range list {
			image, _ := item.(map[string]any)
			names, _ := image["names"].([]any)
			all.know(n, pulledImages(p, names))
		}
		all.byName[o.ID.Name] = n
	}
	return all
}

func pulledImages(p *Policy, names []any) []address.Image {
	var all []address.Image
	for _, name := range names {
		text, _ := name.(string)
		if j, ok := p.pulled(text); ok {
			all = append(all, j.image)
		}
	}
	return all
}

// know notes that a node knows one image by the given names.
func (n nodes) know(at node, same []address.Image) {
	for _, image := range same {
		at.images[knownAs(image)] = same
		if one, other := n.sameAs(image.Digest), n.sameAs(same[0].Digest); one != other {
			n.same[max(one, other)] = min(one, other)
		}
	}
}

// sameAs returns one digest for all that are known to be of one image.
func (n nodes) sameAs(digest string) string {
	for n.same[digest] != "" {
		digest = n.same[digest]
	}
	return digest
}

func knownAs(image address.Image) string { return image.Place.String() + "@" + image.Digest }

// pulled reads what a runtime tells of an image; false for a bare digest and
// whatever else is no name with a digest.
func (p *Policy) pulled(id string) (judged, bool) {
	if _, rest, ok := strings.Cut(id, "://"); ok { // docker-pullable://
		id = rest
	}
	j := p.judge(id)
	return j, j.err == nil && j.image.Pinned()
}
