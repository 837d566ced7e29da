package posture

import (
	"fmt"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

const networking = "networking.k8s.io"

func isNetworkPolicy(id object.ID) bool { return id.Group == networking && id.Kind == "NetworkPolicy" }

// direction is one of the two in which a NetworkPolicy may hold.
type direction struct{ policyType, rules string }

var directions = []direction{{"Ingress", "ingress"}, {"Egress", "egress"}}

// network judges NetworkPolicies and the namespaces that they are in.
func (j *judge) network() {
	if j.spec.Justification != "" {
		j.each(isNetworkPolicy, func(declared, live *object.Object) { j.justified(either(declared, live)) })
	}
	if !j.spec.NetworkDefaultDeny {
		return
	}
	policies := map[string][]object.Object{}
	live := j.liveNamespaces()
	for _, o := range j.world.Declared {
		if isNetworkPolicy(o.ID) && !live[o.ID.Namespace] {
			policies[o.ID.Namespace] = append(policies[o.ID.Namespace], o.Object())
		}
	}
	for _, o := range j.world.Live {
		if isNetworkPolicy(o.ID) {
			policies[o.ID.Namespace] = append(policies[o.ID.Namespace], o.Object())
		}
	}
	for _, name := range j.namespaces() {
		j.defaultDeny(name, policies[name])
	}
}

// liveNamespaces are those in which something lives: there the cluster is judged, and
// elsewhere what git is about to make of it.
func (j *judge) liveNamespaces() map[string]bool {
	live := map[string]bool{}
	for _, o := range j.world.Live {
		switch {
		case o.ID.Namespace != "":
			live[o.ID.Namespace] = true
		case o.ID.Group == "" && o.ID.Kind == "Namespace":
			live[o.ID.Name] = true
		}
	}
	return live
}

// defaultDeny wants policies that select all Pods of a namespace and allow nothing, so
// that nothing is allowed but what another says. One that selects all Pods and allows
// something would do today, and no longer once somebody edits what it allows.
func (j *judge) defaultDeny(name string, policies []object.Object) {
	namespace := j.namespace(name)
	unread := j.unread(object.ID{Group: networking, Version: "v1", Kind: "NetworkPolicy", Namespace: name})
	open := slices.Clone(directions)
	for _, o := range policies {
		spec := object.Map(o.Content, "spec")
		unread = unread || spec == nil
		open = slices.DeleteFunc(open, func(d direction) bool {
			return spec != nil && everyPod(spec) && holds(spec, d) && len(object.List(spec, d.rules)) == 0
		})
	}
	switch {
	case len(open) == 0:
		return
	case unread:
		j.fail(finding.PostureNetwork, namespace, "some of its NetworkPolicies were not read")
		return
	}
	var words []string
	for _, d := range open {
		words = append(words, d.rules)
	}
	j.add(finding.Finding{
		Rule: finding.PostureNetwork, Severity: finding.Warning, Object: namespace.ID, Origin: namespace.Origin,
		Message: fmt.Sprintf("no NetworkPolicy of the namespace denies %s by default", strings.Join(words, " and ")),
		Advice:  "declare a NetworkPolicy with an empty podSelector, policyTypes Ingress and Egress, and no rules",
	})
}

// everyPod tells whether a policy selects all Pods. A selector that is not there is
// empty, and an empty one selects all.
func everyPod(spec map[string]any) bool {
	selector := object.Map(spec, "podSelector")
	return len(object.Map(selector, "matchLabels")) == 0 && len(object.List(selector, "matchExpressions")) == 0
}

// holds tells whether a policy says anything about a direction. Without policyTypes it
// is about ingress, and about egress if it has rules for that.
func holds(spec map[string]any, d direction) bool {
	types := object.List(spec, "policyTypes")
	if len(types) == 0 {
		return d.policyType == "Ingress" || len(object.List(spec, d.rules)) > 0
	}
	return slices.Contains(types, any(d.policyType))
}

// justified wants a reason of a policy that allows something.
func (j *judge) justified(o *object.Object) {
	spec := object.Map(o.Content, "spec")
	if spec == nil {
		j.fail(finding.PostureNetwork, *o, "its rules were not read")
		return
	}
	allows := slices.ContainsFunc(directions, func(d direction) bool { return holds(spec, d) && len(object.List(spec, d.rules)) > 0 })
	reason, _ := object.Map(object.Map(o.Content, "metadata"), "annotations")[j.spec.Justification].(string)
	if !allows || strings.TrimSpace(reason) != "" {
		return
	}
	j.add(finding.Finding{
		Rule: finding.PostureNetwork, Severity: finding.Warning, Object: o.ID, Origin: o.Origin, Subject: j.spec.Justification,
		Message: fmt.Sprintf("the NetworkPolicy allows traffic and gives no reason in the annotation %s", j.spec.Justification),
		Advice:  "say in the annotation what the traffic is for, or remove the rule",
	})
}
