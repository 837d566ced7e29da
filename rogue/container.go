package rogue

import (
	"fmt"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// containers are the findings about Pods that belong to something known and run what
// its template does not have.
func (j *judge) containers() []finding.Finding {
	shared := j.shared()
	all := map[place]*finding.Finding{}
	var result []finding.Finding
	for _, pod := range j.items {
		if len(pod.misfits) == 0 || pod.root != nil || !j.policy.governs(pod.ID) {
			continue
		}
		own := map[string][]misfit{}
		for _, m := range pod.misfits {
			if shared[pod.owner][m.key()] && !j.isEdited(pod, m) {
				j.tellShared(all, pod, m)
				continue
			}
			own[m.container] = append(own[m.container], m)
		}
		for name, misfits := range own {
			result = append(result, j.tellContainer(pod, name, misfits))
		}
	}
	for _, f := range all {
		result = append(result, *f)
	}
	return result
}

// place is a container of all Pods of a workload.
type place struct {
	workload  object.ID
	container string
}

// shared tells, for each owner, which misfits all of its Pods have, where something
// may change Pods on their way: a webhook's doing then, and not a person's.
func (j *judge) shared() map[*item]map[string]bool {
	counts, pods := map[*item]map[string]int{}, map[*item]int{}
	for _, pod := range j.items {
		if pod.kind != "Pod" || pod.owner == nil || pod.leaving() {
			continue
		}
		pods[pod.owner]++
		if len(pod.misfits) == 0 || !j.mutated(pod.ID) {
			continue
		}
		if counts[pod.owner] == nil {
			counts[pod.owner] = map[string]int{}
		}
		for _, m := range pod.misfits {
			counts[pod.owner][m.key()]++
		}
	}
	result := map[*item]map[string]bool{}
	for owner, of := range counts {
		result[owner] = map[string]bool{}
		for key, n := range of {
			result[owner][key] = n == pods[owner]
		}
	}
	return result
}

// isEdited tells whether a misfit came into the Pod after it was made: the server
// counts a Pod's generations, and who else wrote its containers left a record.
func (j *judge) isEdited(pod *item, m misfit) bool {
	return m.inPlace() && (m.list == "ephemeralContainers" || number(at(pod.content(), "metadata", "generation")) > 1 ||
		j.isForeign(pod, "spec", m.list))
}

// tellShared tells once for a workload what all of its Pods have.
func (j *judge) tellShared(all map[place]*finding.Finding, pod *item, m misfit) {
	top := pod.owner
	for top.owner != nil {
		top = top.owner
	}
	at := place{top.ID, m.container}
	if all[at] == nil {
		origin, _ := j.declared.Get(top.ID)
		all[at] = &finding.Finding{
			Rule: finding.RogueContainer, Severity: finding.Info, Object: top.ID, Origin: origin,
			Subject: m.container, Evidence: finding.Checked,
			Message: "of all of its Pods, " + m.text() + ": a webhook or policy that changes Pods may have done that",
			Advice:  "declare in spec.scope.injected what webhooks put into Pods",
		}
	}
	if f := all[at]; !slices.Contains(f.Children, pod.ID) {
		f.Children = append(f.Children, pod.ID)
	}
}

// tellContainer tells how one container of a Pod, or the Pod itself, differs from its
// template.
func (j *judge) tellContainer(pod *item, container string, misfits []misfit) finding.Finding {
	texts := make([]string, len(misfits))
	severity := finding.Warning
	for i, m := range misfits {
		texts[i] = m.text()
		if isDangerous(pod, m) {
			severity = finding.Critical
		}
	}
	message := strings.Join(texts, "; ")
	if pod.isEnding() {
		severity, message = finding.Info, message+"; the Pod is being deleted"
	}
	if by := j.editors(pod, misfits); by != "" {
		message += "; " + by
	}
	return finding.Finding{
		Rule: finding.RogueContainer, Severity: severity, Object: pod.ID, Subject: container, Evidence: finding.Checked,
		Message: message,
		Advice:  fmt.Sprintf("find out who did that and why, and delete the Pod: %s makes another of its template", pod.owner.ID),
	}
}

// editors names who else wrote the containers, as far as the records tell.
func (j *judge) editors(pod *item, misfits []misfit) string {
	for _, m := range misfits {
		for _, w := range j.policy.writers.Writers(pod.open(), "spec", m.list) {
			if w.Foreign {
				return "its records name " + spelled(w)
			}
		}
	}
	return ""
}

// isDangerous tells whether a misfit lets the Pod do as it likes on its node.
func isDangerous(pod *item, m misfit) bool {
	spec := fieldsAt(pod.content(), "spec")
	switch {
	case m.container == "":
		return hasNodesRights(spec)
	case m.field != "" && m.field != "securityContext":
		return false
	}
	return at(byName(listAt(spec, m.list)).find(m.container, 0), "securityContext", "privileged") == true
}
