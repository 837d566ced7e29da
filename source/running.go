package source

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/address"
	"plumbline.dev/plumbline/source/images"
)

// Cluster is what tells which images run.
type Cluster struct {
	// Live are the Pods, with their status, and what owns them.
	Live []object.Packed
	// Nodes tell by which names a node knows an image, and of which platform it is.
	// Without them less is certain.
	Nodes []object.Packed
}

// Running judges what Pods run by their status, where it is not what their spec
// says:
//
//   - source/image: an image that the node has from outside the registries, although
//     the spec names one of ours. A node may know one image by several names and tell
//     any of them; it is no finding where the node is seen to know it by a name of
//     ours, and an Info where nobody sees by which names it knows it.
//   - source/tag: one tag that runs as different images on nodes of one platform. It is
//     an Info where the platform is not known.
//   - source/digest: another digest than the one that the image is pinned to. It may be
//     that of the image for the node's platform, which only the registry knows: an
//     Info.
//
// A runtime that tells only a bare digest, which is that of the image's
// configuration, tells nothing that could be judged. Findings are about the topmost
// owner, with the Pods as its Children.
func (p *Policy) Running(c Cluster) []finding.Finding {
	if !p.judgesImages() {
		return nil
	}
	r := running{policy: p, owners: newOwners(c.Live), nodes: newNodes(p, c.Nodes), at: map[string]int{}, tags: map[string][]pulled{}}
	for i := range c.Live {
		if id := c.Live[i].ID; id.Kind == "Pod" && id.Group == "" {
			r.pod(c.Live[i])
		}
	}
	r.moved()
	return sorted(r.all)
}

type running struct {
	policy *Policy
	owners *owners
	nodes  nodes
	all    []finding.Finding
	at     map[string]int // of all, by what makes a finding one
	tags   map[string][]pulled
}

// pulled is an image that a Pod runs by a tag.
type pulled struct {
	pod              object.Packed
	ran              *images.Ran
	digest, platform string
}

func (r *running) pod(packed object.Packed) {
	pod := packed.Object()
	spec, _ := pod.Content["spec"].(map[string]any)
	name, _ := spec["nodeName"].(string)
	on := r.nodes.byName[name]
	over := finished(pod)
	all := images.Running(pod)
	for i := range all {
		r.ran(packed, &all[i], on, over)
	}
}

func (r *running) ran(pod object.Packed, ran *images.Ran, on node, over bool) {
	image, ok := r.policy.pulled(ran.ID)
	if !ok || ran.Image == "" {
		return
	}
	declared := r.policy.judge(ran.Image)
	if declared.err != nil {
		return // that it is refused is found by its spec
	}
	known := on.images[image.known]
	if declared.image.Pinned() {
		r.pinned(pod, ran.Use, image.image, declared.image, known)
	} else if !over {
		r.tags[declared.name] = append(r.tags[declared.name], pulled{pod, ran, r.nodes.sameAs(image.image.Digest), on.platform})
	}
	if !image.outside || declared.outside || image.image.Digest == declared.image.Digest || slices.ContainsFunc(known, r.policy.ours) {
		return
	}
	severity, certain := finding.Warning, "its node knows it by no name of ours"
	if len(known) == 0 {
		severity, certain = finding.Info, "whether the node knows it by one of our names too cannot be seen"
	}
	r.add(pod, finding.Finding{
		Rule: finding.SourceImage, Severity: severity, Subject: ran.Subject(),
		Message: fmt.Sprintf("%s runs %s instead of %s, and that is not from %s: %s", ran.Use, image.image, declared.image, list(r.policy.registries), certain),
		Advice:  "look at the node on which it runs: somebody may have put the image there under another name",
	})
}

// ours says whether an image is known by a digest from one of our registries. A tag
// alone does not count: anyone on the node can give it.
func (p *Policy) ours(image address.Image) bool {
	return image.Pinned() && image.WithinAny(p.registries)
}

// pinned looks at an image that is pinned to another digest than the one that runs.
func (r *running) pinned(pod object.Packed, use images.Use, image, declared address.Image, known []address.Image) {
	same := slices.ContainsFunc(known, func(k address.Image) bool { return k.Digest == declared.Digest })
	if !r.policy.required || image.Digest == declared.Digest || same {
		return
	}
	r.add(pod, finding.Finding{
		Rule: finding.SourceDigest, Severity: finding.Info, Subject: use.Subject(),
		Message: fmt.Sprintf("%s is pinned to %s and runs as %s: whether that is the same image for the node's platform, only the registry knows", use, declared, image.Digest),
		Advice:  "compare the two digests in the registry",
	})
}

// add adds a finding about a Pod to its root, once.
func (r *running) add(pod object.Packed, f finding.Finding) {
	root := r.owners.root(pod.Object())
	f.Object, f.Evidence = root, finding.Declared
	key := f.Fingerprint() + f.Message
	i, ok := r.at[key]
	if !ok {
		i = len(r.all)
		r.at[key] = i
		r.all = append(r.all, f)
	}
	if root != pod.ID {
		r.all[i].Children = append(r.all[i].Children, pod.ID)
	}
}

func finished(pod object.Object) bool {
	status, _ := pod.Content["status"].(map[string]any)
	return status["phase"] == "Succeeded" || status["phase"] == "Failed"
}

// moved finds the tags that run as different images.
func (r *running) moved() {
	if !r.policy.fixed {
		return
	}
	for tag, all := range r.tags {
		if !slices.ContainsFunc(all, func(p pulled) bool { return p.digest != all[0].digest }) {
			continue
		}
		platforms := map[string][]pulled{}
		for _, p := range all {
			platforms[p.platform] = append(platforms[p.platform], p)
		}
		for platform, group := range platforms {
			r.movedOn(tag, platform, group)
		}
	}
}

// movedOn compares the Pods that run a tag on nodes of one platform. Those that run
// it as most do are not found, but for a tie.
func (r *running) movedOn(tag, platform string, group []pulled) {
	counts := map[string]int{}
	for _, p := range group {
		counts[p.digest]++
	}
	digests := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	if len(digests) < 2 {
		return
	}
	most := counts[digests[0]]
	var told []string
	for _, digest := range digests {
		told = append(told, fmt.Sprintf("%.19s… in %d", digest, counts[digest]))
	}
	severity, why := finding.Warning, "the tag has moved, for all are on nodes of "+platform
	if platform == "" {
		severity, why = finding.Info, "the tag has moved, unless their nodes are of different platforms"
	}
	for _, p := range group {
		if counts[p.digest] == most && counts[digests[1]] < most {
			continue
		}
		r.add(p.pod, finding.Finding{
			Rule: finding.SourceTag, Severity: severity, Subject: p.ran.Subject(),
			Message: fmt.Sprintf("%s runs %s, which is %s of the Pods: %s", p.ran.Use, tag, strings.Join(told, " and "), why),
			Advice:  "give each build a tag of its own, pin it by digest, and roll the workload out again",
		})
	}
}
