package running

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// template is what Pods have in common: one controller and one revision of what it
// makes Pods of.
type template struct{ owner, hash string }

// outliers tells of Pods that differ from the others of their template. Which side is
// right, the majority decides, and where there is none each Pod is told of. Pods that
// have finished or are about to go are left out, and so are those of controllers that
// do not say which template a Pod is of.
func (j *judge) outliers() {
	groups := map[template][]*pod{}
	for _, p := range j.pods {
		if p.settled && p.owner != nil && p.hash != "" {
			t := template{object.Text(p.owner, "uid"), p.hash}
			groups[t] = append(groups[t], p)
		}
	}
	for _, pods := range groups {
		if len(pods) > 1 {
			o := &outliers{judge: j, pods: pods, told: map[subject][]string{}, severity: map[subject]finding.Severity{}}
			o.find()
		}
	}
}

// whose names the workload that the Pods are replicas of.
func (o *outliers) whose() string {
	p := o.pods[0]
	if id := o.workload(p); id != p.id {
		return id.String()
	}
	return object.Text(p.owner, "kind") + " " + object.Text(p.owner, "name")
}

// outliers is one group of Pods and what is found of each.
type outliers struct {
	*judge
	pods     []*pod
	told     map[subject][]string
	severity map[subject]finding.Severity
}

// subject is a Pod, and a container of it or all of it.
type subject struct {
	pod       object.ID
	container string
}

func (o *outliers) find() {
	var names []string
	for _, p := range o.pods {
		for _, c := range p.containers {
			if !slices.Contains(names, c.name) {
				names = append(names, c.name)
			}
		}
	}
	o.compare("", samePod, podForm)
	for _, name := range names {
		if o.ephemeral(name) {
			continue
		}
		same := func(a, b *pod) bool { return sameContainer(a.container(name), b.container(name)) }
		if o.compare(name, same, func(p *pod) map[string]any { return containerForm(p, name) }) {
			o.images(name)
		}
		o.restarts(name)
	}
	for s, sentences := range o.told {
		o.add(finding.Finding{
			Rule: finding.RuntimeOutlier, Severity: o.severity[s], Object: s.pod, Subject: s.container,
			Message: strings.Join(sentences, "; "),
			Advice:  "look into the Pod before you delete it: its workload makes a new one",
		})
	}
}

func (o *outliers) tell(p *pod, container string, severity finding.Severity, format string, args ...any) {
	s := subject{p.id, container}
	o.told[s] = append(o.told[s], fmt.Sprintf(format, args...))
	o.severity[s] = max(o.severity[s], severity)
}

// compare tells of the Pods of which a form is not that of most, and returns whether
// there are none. Where all are the same, as they mostly are, no form is made.
func (o *outliers) compare(name string, same func(a, b *pod) bool, form func(*pod) map[string]any) bool {
	if all(o.pods, func(p *pod) bool { return same(o.pods[0], p) }) {
		return true
	}
	forms := make([]map[string]any, len(o.pods))
	for i, p := range o.pods {
		forms[i] = form(p)
	}
	usual, odd := o.usual(forms)
	what, others := "the Pod", "most Pods"
	if 2*len(odd) >= len(forms) {
		others = "the Pods that are as the template says,"
	}
	if name != "" {
		what = fmt.Sprintf("container %q", name)
	}
	for _, i := range odd {
		switch {
		case usual < 0:
			o.tell(o.pods[i], name, finding.Warning, "%s is not as in the other Pods of %s, which differ from one another: %s", what, o.whose(), differing(forms[i], other(forms, i)))
		case forms[i] == nil:
			o.tell(o.pods[i], name, finding.Warning, "there is no %s, which the other Pods of %s have", what, o.whose())
		case forms[usual] == nil:
			o.tell(o.pods[i], name, finding.Warning, "%s is in this Pod and not in most of %s", what, o.whose())
		default:
			o.tell(o.pods[i], name, finding.Warning, "%s is not as in %s of %s: %s", what, others, o.whose(), differing(forms[i], forms[usual]))
		}
	}
	return len(odd) == 0
}

// usual returns the index of the form that is right, -1 where that cannot be told, and
// those of the others: by the Pods that are as their template says, if any are, and by
// the majority.
func (o *outliers) usual(forms []map[string]any) (usual int, odd []int) {
	var known []map[string]any
	var at []int
	for i, p := range o.pods {
		if !o.world.Unlike[p.id] {
			known, at = append(known, forms[i]), append(at, i)
		}
	}
	if len(known) == 0 || len(known) == len(forms) {
		return majority(forms, sameFields)
	}
	if usual, _ = majority(known, sameFields); usual < 0 {
		return majority(forms, sameFields)
	}
	for i := range forms {
		if !sameFields(forms[at[usual]], forms[i]) {
			odd = append(odd, i)
		}
	}
	return at[usual], odd
}

// all tells whether something holds for all but the first, which it is about.
func all[T any](values []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(values[1:], func(v T) bool { return !holds(v) })
}

// other returns the first form that is not that of i.
func other(forms []map[string]any, i int) map[string]any {
	for _, f := range forms {
		if !sameFields(f, forms[i]) {
			return f
		}
	}
	return nil
}

// differing names the fields in which two forms differ, and no values: they may be
// secrets.
func differing(a, b map[string]any) string {
	fields := map[string]bool{}
	for _, m := range []map[string]any{a, b} {
		for field := range m {
			if !same(a[field], b[field]) {
				fields[field] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}

// majority returns the index of a value that more than half share, -1 where there is
// none, and the indexes of those that do not share it.
func majority[T any](values []T, same func(a, b T) bool) (usual int, odd []int) {
	// Only the value that remains after pairing off different ones can be that of most
	// (Boyer and Moore's vote).
	usual = -1
	for i, votes := 0, 0; i < len(values); i++ {
		switch {
		case votes == 0:
			usual, votes = i, 1
		case same(values[usual], values[i]):
			votes++
		default:
			votes--
		}
	}
	for i, v := range values {
		if !same(values[usual], v) {
			odd = append(odd, i)
		}
	}
	if 2*len(odd) < len(values) {
		return usual, odd
	}
	odd = odd[:0]
	for i := range values {
		odd = append(odd, i)
	}
	return -1, odd
}

// ephemeral tells of an ephemeral container that some Pods have and some have not, and
// returns whether there is one of that name.
func (o *outliers) ephemeral(name string) bool {
	var with []*pod
	for _, p := range o.pods {
		if c := p.container(name); c != nil && c.ephemeral {
			with = append(with, p)
		}
	}
	for _, p := range with {
		if len(with) < len(o.pods) {
			o.tell(p, name, finding.Warning, "an ephemeral container %q is in %d of the %d Pods of %s", name, len(with), len(o.pods), o.whose())
		}
	}
	return len(with) > 0
}

// images tells of containers that run another image than most, though all name the
// same. Digests are compared on nodes of one platform, and each kind of digest with its
// own: of others they may well differ.
func (o *outliers) images(name string) {
	if id := o.pods[0].imageID(name); id != "" && all(o.pods, func(p *pod) bool { return p.imageID(name) == id }) {
		return
	}
	type kind struct {
		platform   string
		comparable bool
	}
	pods, digests := map[kind][]*pod{}, map[kind][]string{}
	for _, p := range o.pods {
		id := p.imageID(name)
		if id == "" {
			continue
		}
		d, comparable := digest(id)
		k := kind{o.nodes[p.node], comparable}
		pods[k], digests[k] = append(pods[k], p), append(digests[k], d)
	}
	for k, values := range digests {
		usual, odd := majority(values, func(a, b string) bool { return a == b })
		for _, i := range odd {
			if usual < 0 {
				o.tell(pods[k][i], name, finding.Warning, "container %q runs the image %s, and other Pods of %s run others under the same name", name, values[i], o.whose())
			} else {
				o.tell(pods[k][i], name, finding.Warning, "container %q runs the image %s, and most Pods of %s run %s under the same name", name, values[i], o.whose(), values[usual])
			}
		}
	}
}

// manyRestarts and fewestReplicas are what it takes for restarts to be told: one Pod's
// container has restarted that often, and no other's at all, in at least as many
// replicas. Less is what a node that was drained or a liveness probe leaves behind.
const (
	manyRestarts   = 5
	fewestReplicas = 3
)

func (o *outliers) restarts(name string) {
	var one *pod
	count := int64(0)
	for _, p := range o.pods {
		c := p.container(name)
		if c == nil || c.status == nil {
			return
		}
		switch n, _ := c.status["restartCount"].(int64); {
		case n == 0:
		case one != nil:
			return
		default:
			one, count = p, n
		}
	}
	if count >= manyRestarts && len(o.pods) >= fewestReplicas {
		o.tell(one, name, finding.Info, "container %q has restarted %d times, and never in the %d other Pods of %s", name, count, len(o.pods)-1, o.whose())
	}
}

// imageID is what is said of a container's image; "" where nothing is.
func (p *pod) imageID(container string) string {
	if c := p.container(container); c != nil {
		return object.Text(c.status, "imageID")
	}
	return ""
}

func (p *pod) container(name string) *container {
	for i := range p.containers {
		if p.containers[i].name == name {
			return &p.containers[i]
		}
	}
	return nil
}
