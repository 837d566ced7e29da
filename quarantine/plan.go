package quarantine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"plumbline.dev/plumbline/object"
)

// workload is where a kind of workload says what its Pods are.
type workload struct {
	template []string // the metadata of its Pods; nil where it cannot be changed
	selector []string
}

var workloads = map[string]workload{
	"Deployment.apps":       {[]string{"spec", "template"}, []string{"spec", "selector"}},
	"StatefulSet.apps":      {[]string{"spec", "template"}, []string{"spec", "selector"}},
	"DaemonSet.apps":        {[]string{"spec", "template"}, []string{"spec", "selector"}},
	"ReplicaSet.apps":       {[]string{"spec", "template"}, []string{"spec", "selector"}},
	"ReplicationController": {[]string{"spec", "template"}, []string{"spec", "selector"}},
	"CronJob.batch":         {[]string{"spec", "jobTemplate", "spec", "template"}, []string{"spec", "jobTemplate", "spec", "selector"}},
	"Job.batch":             {nil, []string{"spec", "selector"}},
	"Pod":                   {},
}

func kindOf(id object.ID) string { return strings.TrimSuffix(id.Kind+"."+id.Group, ".") }

// Has tells whether there is a quarantine for a kind: for what runs Pods.
func Has(id object.ID) bool {
	_, ok := workloads[kindOf(id)]
	return ok
}

// Beside are the kinds of which a Plan needs all objects in the rogue's namespace, in the
// versions that it knows.
var Beside = []object.ID{
	{Version: "v1", Kind: "Pod"}, {Version: "v1", Kind: "Service"},
	{Group: "apps", Version: "v1", Kind: "ReplicaSet"}, {Group: "batch", Version: "v1", Kind: "Job"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
}

// Matters tells whether objects of an ID's kind are among what is beside a rogue.
func Matters(id object.ID) bool {
	return slices.ContainsFunc(Beside, func(b object.ID) bool { return b.Kind == id.Kind && b.Group == id.Group })
}

// Rogue is a workload that nobody declared, with what is beside it.
type Rogue struct {
	Live object.Object
	// Beside are all objects of the kinds of the same name, in its namespace.
	Beside []object.Object
	// Declared tells what git declares, which is left alone whatever it belongs to.
	Declared func(object.ID) bool
}

// Plan is what there is to do.
type Plan struct {
	// Policy is the namespace's NetworkPolicy, as it is, where that says something else than
	// it should; without content where there is none. It is nil where it is as it should be.
	Policy *object.Object
	// Steps are the objects to be labelled, the workload first.
	Steps []Step
	// Still choose its Pods, whatever is done: what NetworkPolicies allow stays allowed, and
	// Services go on sending to them.
	Still []object.ID
	// OnNode tells whether its Pods are on their node's network, which no NetworkPolicy covers.
	OnNode bool
}

// Step is an object to be labelled.
type Step struct {
	Object object.Object
	Labels []Labels
}

// Labels are those in the metadata at a path, as they shall be.
type Labels struct {
	Path []string
	Now  map[string]any
}

// New plans to put a rogue into quarantine.
func New(r Rogue) (Plan, error) {
	by, err := choosers(r.Beside)
	if err != nil {
		return Plan{}, err
	}
	kind := workloads[kindOf(r.Live.ID)]
	l := labeller{by: by}
	if l.needs, err = neededBy(r.Live, kind); err != nil {
		return Plan{}, fmt.Errorf("%s: %w", r.Live.ID, err)
	}
	steps := []Step{l.workload(r.Live, kind)}
	for _, pod := range r.pods() {
		steps = append(steps, Step{pod, l.pods(pod, []string{"metadata"})})
	}
	if l.err != nil {
		return Plan{}, fmt.Errorf("%s: %w", r.Live.ID, l.err)
	}
	return Plan{
		Policy: r.policy(), Still: l.still(), OnNode: at(r.Live.Content, join(kind.template, "spec"))["hostNetwork"] == true,
		Steps: slices.DeleteFunc(steps, func(s Step) bool { return len(s.Labels) == 0 }),
	}, nil
}

// neededBy is what a workload knows its Pods by; a Pod of its own needs nothing.
func neededBy(live object.Object, kind workload) (needs, error) {
	if live.ID.Kind == "Pod" {
		return needs{selector: labels.Everything()}, nil
	}
	selector := at(live.Content, kind.selector)
	if live.ID.Kind == "ReplicationController" {
		selector = map[string]any{"matchLabels": selector}
	}
	if len(selector) == 0 {
		selector = map[string]any{} // of a CronJob: its Jobs have one each
	}
	own, err := selectorOf(selector)
	return needs{own, kept}, err
}

// labeller labels a workload and its Pods.
type labeller struct {
	by    []chooser
	needs needs
	pod   []labels.Set // that Pods have afterwards
	err   error
}

// workload labels a workload itself, so that it is seen to be in quarantine, and what its
// Pods are made of.
func (l *labeller) workload(live object.Object, kind workload) Step {
	s := Step{Object: live}
	if kind.template != nil {
		s.Labels = l.pods(live, join(kind.template, "metadata"))
	}
	own := maps.Clone(at(live.Content, []string{"metadata", "labels"}))
	if _, there := own[Label]; there || live.ID.Kind == "Pod" {
		return s
	}
	if own == nil {
		own = map[string]any{}
	}
	own[Label] = "true"
	s.Labels = append(s.Labels, Labels{[]string{"metadata"}, own})
	return s
}

// pods relabels a Pod, or what Pods are made of.
func (l *labeller) pods(o object.Object, path []string) []Labels {
	have := setOf(at(o.Content, join(path, "labels")))
	now, err := relabelled(have, l.needs, l.by)
	if err != nil {
		l.err = err
		return nil
	}
	l.pod = append(l.pod, now)
	if maps.Equal(have, now) {
		return nil
	}
	return []Labels{{path, content(now)}}
}

// still are those who choose Pods whatever their labels are now.
func (l *labeller) still() []object.ID {
	var all []object.ID
	for _, c := range l.by {
		if slices.ContainsFunc(l.pod, func(set labels.Set) bool { return c.selector.Matches(set) }) {
			all = append(all, c.id)
		}
	}
	slices.SortFunc(all, object.ID.Compare)
	return all
}

// pods are the rogue's: itself, or what it and what is between them controls.
func (r Rogue) pods() []object.Object {
	if r.Live.ID.Kind == "Pod" {
		return []object.Object{r.Live}
	}
	controllers := map[string]bool{r.Live.Metadata("uid"): true}
	for _, o := range r.Beside {
		if o.ID.Kind != "Pod" && controllers[controllerOf(o)] {
			controllers[o.Metadata("uid")] = true
		}
	}
	var all []object.Object
	for _, o := range r.Beside {
		if o.ID.Kind == "Pod" && o.ID.Group == "" && controllers[controllerOf(o)] && !r.Declared(o.ID) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b object.Object) int { return a.ID.Compare(b.ID) })
	return all
}

// controllerOf is the uid of the owner that controls an object.
func controllerOf(o object.Object) string {
	for _, owner := range object.List(object.Map(o.Content, "metadata"), "ownerReferences") {
		if ref, _ := owner.(map[string]any); ref["controller"] == true {
			return object.Text(ref, "uid")
		}
	}
	return "none"
}

// policy is what there is of the NetworkPolicy, where that has to be written.
func (r Rogue) policy() *object.Object {
	want := PolicyID(r.Live.ID.Namespace)
	for _, o := range r.Beside {
		if o.ID == want {
			if IsPolicy(o) {
				return nil
			}
			return &o
		}
	}
	return &object.Object{ID: want}
}

// String says what becomes of a rogue's Pods, and what does not.
func (p Plan) String() string {
	text := "NetworkPolicy " + policyName + " denies its Pods all traffic"
	for _, id := range p.Still {
		if id.Kind == "Service" {
			text += "; " + id.String() + " goes on sending to them, by labels that it needs to know them itself"
		} else {
			text += "; what " + id.String() + " allows stays allowed"
		}
	}
	if p.OnNode {
		text += "; they are on their node's network, which no NetworkPolicy covers: delete it"
	}
	return text
}

// at is the mapping at a path; nil where there is none.
func at(content map[string]any, path []string) map[string]any {
	for _, step := range path {
		content = object.Map(content, step)
	}
	return content
}

func join(path []string, step string) []string { return append(slices.Clone(path), step) }
