// Package running judges Pods by what the cluster says of them: whether those of one
// template are alike, how old their containers are, whether their images are what
// their tags name now. It is pure.
package running

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// Policy is a Baseline's spec.runtime, read and understood. It is safe for concurrent
// use.
type Policy struct{ spec v1alpha1.Runtime }

// New reads spec.runtime. The error names the field and says what to write instead.
func New(spec v1alpha1.Runtime) (*Policy, error) {
	if age := spec.MaxAge.Duration; age < 0 || age > 0 && age < time.Minute {
		return nil, fmt.Errorf("spec.runtime.maxAge is %s: write how long a container may run, such as 168h, or leave it out", age)
	}
	return &Policy{spec: spec}, nil
}

// World is what is judged.
type World struct {
	// Live are the Pods, and beside them, as far as they are known, their owners, by
	// which findings are put together, and the Nodes, which tell of platforms.
	Live []object.Packed
	// Now is the time by which ages are judged.
	Now time.Time
	// Newest are what images name in their registries now, by the image as a Pod's
	// specification spells it. Of what is not here nothing is said.
	Newest map[string]Named
	// Unlike are the Pods that were compared with their template and found to be
	// something else, if anybody has: those are the odd ones, however many they are.
	Unlike map[object.ID]bool
}

// Named is what an image's tag names.
type Named struct {
	// Digest is that of the manifest, or of the index where there is one for each
	// platform: "sha256:…".
	Digest string
	// Index says that it is an index, and Platforms are the digests that it holds: a
	// node tells of one or the other.
	Index     bool
	Platforms []string
}

// Find returns what breaks the rules, sorted, and what could not be judged. Findings
// about what Pods differ in are about the Pod; those that all Pods of a workload may
// share are about the highest owner that is known, with the Pods as its children.
func (p *Policy) Find(w World) ([]finding.Finding, []finding.Unjudged) {
	if p.spec == (v1alpha1.Runtime{}) {
		return nil, nil
	}
	j := &judge{Policy: p, world: w, nodes: map[string]string{}}
	for _, o := range w.Live {
		switch {
		case o.ID.Group == "" && o.ID.Kind == "Pod":
			if pod, ok := j.read(o.Object()); ok {
				j.pods = append(j.pods, pod)
			}
		case o.ID.Group == "" && o.ID.Kind == "Node":
			j.nodes[o.ID.Name] = platform(o.Object())
		}
	}
	slices.SortFunc(j.pods, func(a, b *pod) int { return a.id.Compare(b.id) })
	if p.spec.Outliers {
		j.outliers()
	}
	if p.spec.MaxAge.Duration > 0 {
		j.expired()
	}
	if p.spec.Newest {
		j.behind()
	}
	slices.SortStableFunc(j.found, finding.Finding.Compare)
	slices.SortStableFunc(j.unjudged, finding.Unjudged.Compare)
	return j.found, j.unjudged
}

// judge is one pass over a world.
type judge struct {
	*Policy
	world    World
	pods     []*pod
	owners   map[string]owner  // by UID, once anything asks for them
	nodes    map[string]string // platforms by name
	found    []finding.Finding
	unjudged []finding.Unjudged
}

// add takes a finding; what it rests on was followed by UIDs, which nobody can choose,
// and is what nodes say of themselves.
func (j *judge) add(f finding.Finding) {
	f.Evidence = finding.Checked
	j.found = append(j.found, f)
}

func (j *judge) fail(rule finding.Rule, id object.ID, format string, args ...any) {
	j.unjudged = append(j.unjudged, finding.Unjudged{Rule: rule, Object: id, Reason: fmt.Sprintf(format, args...)})
}

// pod is a Pod as the rules look at it.
type pod struct {
	id         object.ID
	owner      map[string]any // its controller's reference; nil where there is none
	hash, node string
	spec       map[string]any
	containers []container
	settled    bool // it runs, and is not about to go
}

// container is one of a Pod's, of whichever list.
type container struct {
	name         string
	ephemeral    bool
	spec, status map[string]any
}

// lists are a Pod's containers and what is said of them.
var lists = []struct{ spec, status string }{
	{"initContainers", "initContainerStatuses"},
	{"containers", "containerStatuses"},
	{"ephemeralContainers", "ephemeralContainerStatuses"},
}

// hashes are the labels by which controllers tell Pods of one template from those of
// the next: during a rollout these are different groups.
var hashes = []string{"pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash"}

func (j *judge) read(o object.Object) (*pod, bool) {
	p := &pod{id: o.ID, spec: object.Map(o.Content, "spec"), owner: o.Controller()}
	if p.spec == nil {
		for rule, on := range map[finding.Rule]bool{finding.RuntimeOutlier: j.spec.Outliers, finding.RuntimeExpired: j.spec.MaxAge.Duration > 0, finding.RuntimeBehind: j.spec.Newest} {
			if on {
				j.fail(rule, o.ID, "it was not read")
			}
		}
		return nil, false
	}
	labels := object.Map(object.Map(o.Content, "metadata"), "labels")
	for _, label := range hashes {
		if p.hash == "" {
			p.hash = object.Text(labels, label)
		}
	}
	status := object.Map(o.Content, "status")
	phase := object.Text(status, "phase")
	p.settled = phase != "Succeeded" && phase != "Failed" && o.Metadata("deletionTimestamp") == ""
	p.node = object.Text(p.spec, "nodeName")
	for _, l := range lists {
		statuses := object.List(status, l.status)
		for _, c := range object.List(p.spec, l.spec) {
			if c, ok := c.(map[string]any); ok {
				name := object.Text(c, "name")
				p.containers = append(p.containers, container{name: name, ephemeral: l.spec == "ephemeralContainers", spec: c, status: statusOf(statuses, name)})
			}
		}
	}
	return p, true
}

// statusOf returns what is said of a container of that name, and that last.
func statusOf(statuses []any, name string) map[string]any {
	for _, s := range slices.Backward(statuses) {
		if s, ok := s.(map[string]any); ok && object.Text(s, "name") == name {
			return s
		}
	}
	return nil
}

// owner is a live object, and what it names as its controller.
type owner struct {
	id         object.ID
	controller map[string]any
}

// byUID returns a live object. Where nothing is found nobody asks for any.
func (j *judge) byUID(uid string) (owner, bool) {
	if j.owners == nil {
		j.owners = make(map[string]owner, len(j.world.Live))
		for _, p := range j.world.Live {
			o := p.Object()
			if uid := o.Metadata("uid"); uid != "" {
				j.owners[uid] = owner{o.ID, o.Controller()}
			}
		}
	}
	o, ok := j.owners[uid]
	return o, ok
}

// workload returns the highest owner of a Pod that is known, or the Pod itself.
func (j *judge) workload(p *pod) object.ID {
	id, seen := p.id, map[string]bool{}
	for owner := p.owner; owner != nil; {
		uid := object.Text(owner, "uid")
		o, ok := j.byUID(uid)
		if !ok || seen[uid] {
			break
		}
		seen[uid] = true
		id, owner = o.id, o.controller
	}
	return id
}

// platform is what images of one tag may differ by: node's system, processor and
// container runtime, which names images in its own way.
func platform(node object.Object) string {
	info := object.Map(object.Map(node.Content, "status"), "nodeInfo")
	runtime, _, _ := strings.Cut(object.Text(info, "containerRuntimeVersion"), ":")
	return strings.Join([]string{object.Text(info, "operatingSystem"), object.Text(info, "architecture"), runtime}, "/")
}
