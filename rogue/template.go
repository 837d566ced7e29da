package rogue

import (
	"strings"

	"plumbline.dev/plumbline/object"
)

// fitsTemplate compares what a Pod runs with the template of whoever is said to have
// made it. A Pod that somebody else made and that only was adopted is nobody's child;
// one that was changed after it was made is, and its containers are told for
// themselves.
func (j *judge) fitsTemplate(owner, pod *item) check {
	template, current := j.templateOf(owner, pod)
	spec := fieldsAt(pod.content(), "spec")
	if template == nil || spec == nil {
		j.unsure(pod, "its content, or the template of "+owner.ID.String()+" that it is of, was not read")
		return check{unjudged: true}
	}
	misfits := j.misfits(owner, pod, fieldsAt(template, "spec"), spec)
	switch {
	case len(misfits) == 0:
		return check{}
	case !j.isMadeBy(owner, pod):
		return but("%s: it was adopted", misfits[0].text())
	case current && j.mayPrecede(owner, pod):
		j.unsure(pod, "it does not fit the template of "+owner.ID.String()+", which may have been written since")
		return check{}
	}
	pod.misfits = misfits
	return check{}
}

// templateOf returns the template that a Pod was made of, and whether that is the one
// which its owner has now; nil if it is not known.
func (j *judge) templateOf(owner, pod *item) (template map[string]any, current bool) {
	now := fieldsAt(owner.content(), "spec", "template")
	if owner.ID.Kind != "StatefulSet" && owner.ID.Kind != "DaemonSet" || now == nil {
		return now, true
	}
	hash := pod.label("controller-revision-hash")
	if hash == "" || j.isCurrent(owner, pod, hash) {
		return now, true
	}
	name := hash
	if owner.ID.Kind == "DaemonSet" {
		name = owner.ID.Name + "-" + hash
	}
	revision, _ := j.byID.Get(object.ID{Group: "apps", Kind: "ControllerRevision", Namespace: owner.ID.Namespace, Name: name})
	if revision == nil || revision.content()["data"] == nil {
		if len(j.misfits(owner, pod, fieldsAt(now, "spec"), fieldsAt(pod.content(), "spec"))) == 0 {
			return now, true
		}
		return nil, false
	}
	if firstController(revision).uid != owner.uid || j.isByPeople(revision) {
		return now, true
	}
	return fieldsAt(revision.content(), "data", "spec", "template"), false
}

// isCurrent tells whether a Pod is labelled as one of the owner's newest revision.
func (j *judge) isCurrent(owner, pod *item, hash string) bool {
	if owner.ID.Kind == "StatefulSet" {
		return text(owner.content(), "status", "updateRevision") == hash
	}
	generation := pod.label("pod-template-generation")
	return generation != "" && owner.annotation("deprecated.daemonset.template.generation") == generation
}

func firstController(i *item) reference {
	for _, r := range i.refs {
		if r.controller {
			return r
		}
	}
	return reference{}
}

// isMadeBy tells whether a Pod looks as one that its owner's controller has made, in
// its name and in who wrote it: a hint, that tells what was changed from what was
// adopted.
func (j *judge) isMadeBy(owner, pod *item) bool {
	if j.isForeign(pod, "spec", "restartPolicy") || j.isForeignApply(pod) {
		return false
	}
	if owner.ID.Kind == "StatefulSet" {
		ordinal, ok := strings.CutPrefix(pod.ID.Name, owner.ID.Name+"-")
		return ok && isOrdinal(ordinal)
	}
	prefix, generated := owner.ID.Name+"-", pod.open().Metadata("generateName")
	return strings.HasPrefix(generated, prefix[:min(len(prefix), shortened)]) &&
		strings.HasPrefix(pod.ID.Name, generated[:min(len(generated), shortened)])
}

// shortened is how much of a name surely stays where controllers shorten it, to make
// room for what they append.
const shortened = 40

// isForeignApply tells whether somebody else applied a Pod's containers, as no
// controller does that makes Pods.
func (j *judge) isForeignApply(pod *item) bool {
	for _, w := range j.policy.writers.Writers(pod.open(), "spec", "containers") {
		if w.Foreign && w.Operation == "Apply" {
			return true
		}
	}
	return false
}

// mayPrecede tells whether a Pod may be older than the template of an owner that
// leaves its Pods alone when its template changes.
func (j *judge) mayPrecede(owner, pod *item) bool {
	loose := owner.ID.Kind == "ReplicationController" || owner.ID.Kind == "ReplicaSet" && firstController(owner).uid == ""
	return loose && pod.created().Before(j.lastWritten(owner, "spec", "template"))
}

// misfits returns how a Pod differs from a template in what it runs, but for what the
// cluster fills in and what is declared as injected.
func (j *judge) misfits(owner, pod *item, template, spec map[string]any) []misfit {
	c := comparison{owner: owner, pod: pod, template: template, spec: spec, injected: j.policy.injected}
	if j.fits != nil && c.isAs(j.fits) {
		return nil
	}
	found := c.run()
	if len(found) == 0 {
		j.fits = &c
	}
	return found
}

// misfit is one way in which a Pod differs from its template.
type misfit struct {
	container string // "" for the Pod itself
	field     string // "" for the container as a whole
	volume    bool   // field is a volume's name
	list      string // where the container stands: "containers" …
	// want and have are the images, where it is about these.
	want, have string
}

// key tells misfits of several Pods apart: it is the same for the same.
func (m misfit) key() string {
	return strings.Join([]string{m.list, m.container, m.field, m.have}, "\x00")
}

// text says what differs. Values but images are not shown: they may hold secrets.
func (m misfit) text() string {
	what := kindOfContainer[m.list] + " " + quoted(m.container)
	switch {
	case m.container == "" && m.volume:
		return "its volume " + quoted(m.field) + " is not what the template says"
	case m.container == "":
		return "its " + m.field + " is not what the template says"
	case m.field == "image":
		return what + " has the image " + m.have + " where the template has " + m.want
	case m.field != "":
		return "the " + m.field + " of " + what + " is not what the template says"
	case m.have == "":
		return what + " of the template is gone"
	default:
		return what + " with the image " + m.have + " is not in the template"
	}
}

var kindOfContainer = map[string]string{
	"containers": "container", "initContainers": "init container", "ephemeralContainers": "ephemeral container",
}

func quoted(s string) string { return `"` + s + `"` }

// inPlace tells whether the API lets a running Pod be changed in this way.
func (m misfit) inPlace() bool {
	return m.field == "image" || m.list == "ephemeralContainers"
}
