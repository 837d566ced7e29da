package quarantine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"plumbline.dev/plumbline/object"
)

// chooser is what gives the Pods that it selects something that they are to lose: a Service
// traffic, a NetworkPolicy leave.
type chooser struct {
	id       object.ID
	selector labels.Selector
}

// choosers are those of a namespace's objects.
func choosers(objects []object.Object) ([]chooser, error) {
	var all []chooser
	for _, o := range objects {
		spec := object.Map(o.Content, "spec")
		var selector labels.Selector
		var err error
		switch {
		case o.ID.Group == "" && o.ID.Kind == "Service" && len(object.Map(spec, "selector")) > 0:
			selector, err = selectorOf(map[string]any{"matchLabels": spec["selector"]})
		case o.ID.Group == "networking.k8s.io" && o.ID.Kind == "NetworkPolicy" && len(object.List(spec, "ingress"))+len(object.List(spec, "egress")) > 0 && o.ID.Name != policyName:
			selector, err = selectorOf(object.Map(spec, "podSelector"))
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.ID, err)
		}
		all = append(all, chooser{o.ID, selector})
	}
	return all, nil
}

// selectorOf reads a label selector.
func selectorOf(content map[string]any) (labels.Selector, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	var selector metav1.LabelSelector
	if err := json.Unmarshal(text, &selector); err != nil {
		return nil, errors.New("its selector cannot be read")
	}
	return metav1.LabelSelectorAsSelector(&selector)
}

// errSelector says that a workload makes Pods anew that get the label.
var errSelector = errors.New("its selector excludes Pods with the label " + Label + ", so that each would be replaced by one without: delete it")

// relabelled are a Pod's labels in quarantine: with Label, and without those by which it is
// chosen, as far as the selector of its own workload can do without.
func relabelled(have labels.Set, own needs, by []chooser) (labels.Set, error) {
	now := maps.Clone(have)
	if now == nil {
		now = labels.Set{}
	}
	if _, there := now[Label]; !there {
		now[Label] = "true"
	}
	if own.selector.Matches(have) && !own.selector.Matches(now) {
		return nil, errSelector
	}
	for _, c := range by {
		now = without(now, own, c.selector)
	}
	return now, nil
}

// needs are what the labels of Pods have to be for their workload to know them.
type needs struct {
	selector labels.Selector
	keys     []string
}

// kept are the labels by which controllers know the state of a Pod of theirs: without them
// they would put them back, or replace it by another.
var kept = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
	"controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index",
}

// without takes labels away until a selector does not choose them any more; as they were,
// where that cannot be had.
func without(have labels.Set, own needs, chosen labels.Selector) labels.Set {
	now := maps.Clone(have)
	requirements, _ := chosen.Requirements()
	for _, r := range requirements {
		if !chosen.Matches(now) {
			break
		}
		value, there := now[r.Key()]
		if delete(now, r.Key()); there && (r.Key() == Label || slices.Contains(own.keys, r.Key()) || !own.selector.Matches(now)) {
			now[r.Key()] = value
		}
	}
	if chosen.Matches(now) {
		return have
	}
	return now
}

// setOf reads labels.
func setOf(content map[string]any) labels.Set {
	set := labels.Set{}
	for key, value := range content {
		set[key], _ = value.(string)
	}
	return set
}

// content is labels as an object has them.
func content(set labels.Set) map[string]any {
	c := make(map[string]any, len(set))
	for _, key := range slices.Sorted(maps.Keys(set)) {
		c[key] = set[key]
	}
	return c
}
