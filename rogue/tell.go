package rogue

import (
	"cmp"
	"fmt"
	"time"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/quarantine"
)

// tell is the finding about a rogue and what belongs to it.
func (j *judge) tell(i *item, children []object.ID) finding.Finding {
	message := "nobody declared it: " + i.doubt.text
	if by := j.author(i); by != "" {
		message += "; " + by
	}
	if by := i.label("app.kubernetes.io/managed-by"); by != "" {
		message += fmt.Sprintf("; its label app.kubernetes.io/managed-by says %q, which anyone can write", by)
	}
	message += j.quarantined(i)
	severity := cmp.Or(i.doubt.severity, severityOf(i))
	if i.isEnding() {
		severity, message = finding.Info, message+"; it is being deleted"
	}
	return finding.Finding{
		Rule: finding.RogueObject, Severity: severity, Object: i.ID, UID: i.uid,
		Evidence: i.doubt.evidence, Children: children, Message: message,
		Advice: "declare it in git, delete it, or exempt it in spec.scope.exempt with a reason",
	}
}

// quarantined says of a rogue that it is in quarantine, and of what takes the name of
// Plumbline's own NetworkPolicy that it is none.
func (j *judge) quarantined(i *item) string {
	policy := quarantine.PolicyID(i.ID.Namespace)
	if i.ID.Kind == policy.Kind && i.ID.Group == policy.Group && i.ID.Name == policy.Name {
		return "; it has the name of Plumbline's own for a quarantine, and says something else than that"
	}
	if !quarantine.Has(i.ID) || i.label(quarantine.Label) == "" {
		return ""
	}
	if is, ok := j.byID.Get(policy); ok && quarantine.IsPolicy(is.open()) {
		return "; it is in quarantine: its Pods are denied what no other NetworkPolicy allows them"
	}
	return ""
}

// author names who wrote an object first, as its records have it, and best who is
// neither deployer nor controller.
func (j *judge) author(i *item) string {
	var first differ.Written
	for _, w := range j.policy.writers.Writers(i.open()) {
		if first.Manager == "" || w.Foreign && !first.Foreign || w.Foreign == first.Foreign && w.Time.Before(first.Time) {
			first = w
		}
	}
	if first.Manager == "" {
		return ""
	}
	return "its records name " + spelled(first)
}

// spelled names a writer and when it wrote.
func spelled(w differ.Written) string {
	if w.Time.IsZero() {
		return w.Manager
	}
	return w.Manager + ", " + w.Time.UTC().Format(time.RFC3339)
}

// powers are kinds that give rights or change what others write.
var powers = map[string]bool{
	"ClusterRoleBinding.rbac.authorization.k8s.io":                true,
	"RoleBinding.rbac.authorization.k8s.io":                       true,
	"APIService.apiregistration.k8s.io":                           true,
	"MutatingWebhookConfiguration.admissionregistration.k8s.io":   true,
	"MutatingAdmissionPolicy.admissionregistration.k8s.io":        true,
	"MutatingAdmissionPolicyBinding.admissionregistration.k8s.io": true,
}

// severityOf is how much it matters that nobody declared an object: it puts the
// cluster at risk where it gives rights, or runs with those of its node.
func severityOf(i *item) finding.Severity {
	if powers[i.kind] || hasNodesRights(podSpec(i)) {
		return finding.Critical
	}
	return finding.Warning
}

// podSpec returns what a Pod, or a workload's Pods, shall run; nil for what runs
// nothing, or was not read.
func podSpec(i *item) map[string]any {
	switch i.ID.Kind {
	case "Pod":
		return fieldsAt(i.content(), "spec")
	case "CronJob":
		return fieldsAt(i.content(), "spec", "jobTemplate", "spec", "template", "spec")
	case "PodTemplate":
		return fieldsAt(i.content(), "template", "spec")
	}
	return fieldsAt(i.content(), "spec", "template", "spec")
}

// hasNodesRights tells whether something runs privileged, or with its node's
// processes or files.
func hasNodesRights(spec map[string]any) bool {
	if spec["hostPID"] == true || spec["hostIPC"] == true {
		return true
	}
	for _, v := range listAt(spec, "volumes") {
		if at(v, "hostPath") != nil {
			return true
		}
	}
	for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
		for _, c := range listAt(spec, list) {
			if at(c, "securityContext", "privileged") == true {
				return true
			}
		}
	}
	return false
}
