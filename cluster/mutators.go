package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"plumbline.dev/plumbline/object"
)

// Mutators are the webhooks and policies that may change objects on their way
// into the cluster, in the name of whoever writes them.
type Mutators struct {
	rules []admissionregistrationv1.RuleWithOperations
}

// Mutators reads which mutating webhooks and policies there are: one LIST for
// each of the two kinds that the server serves. Selectors are left out of account,
// so that what they say is at most too much.
func (c *Cluster) Mutators(ctx context.Context) (Mutators, error) {
	var m Mutators
	var errs []error
	for _, kind := range []string{"MutatingWebhookConfiguration", "MutatingAdmissionPolicy"} {
		resource, ok := c.newest(admissionregistrationv1.GroupName, kind)
		if !ok {
			continue
		}
		errs = append(errs, c.each(ctx, group{resource: resource}, func(o object.Object) error {
			rules, err := rulesOf(o)
			m.rules = append(m.rules, rules...)
			return err
		}))
	}
	if err := errors.Join(errs...); err != nil {
		return Mutators{}, fmt.Errorf("reading which webhooks and policies change objects on their way: %w", err)
	}
	return m, nil
}

// newest returns a kind in the newest version of the group that has it.
func (c *Cluster) newest(group, kind string) (Resource, bool) {
	for _, version := range []string{"v1", "v1beta1", "v1alpha1"} {
		if r, err := c.Resource(group, version, kind); err == nil {
			return r, true
		}
	}
	return Resource{}, false
}

// each calls do for every object of a group.
func (c *Cluster) each(ctx context.Context, g group, do func(object.Object) error) error {
	for next := ""; ; {
		page, err := c.page(ctx, g, next)
		if err != nil {
			return err
		}
		for _, o := range page.objects {
			if err := do(o); err != nil {
				return err
			}
		}
		if next = page.next; next == "" {
			return nil
		}
	}
}

// rulesOf returns what a webhook configuration or a policy is about.
func rulesOf(o object.Object) ([]admissionregistrationv1.RuleWithOperations, error) {
	var parsed struct {
		Webhooks []admissionregistrationv1.MutatingWebhook
		Spec     struct {
			MatchConstraints *admissionregistrationv1.MatchResources
		}
	}
	data, err := json.Marshal(o.Content)
	if err == nil {
		err = json.Unmarshal(data, &parsed)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.ID, err)
	}
	var rules []admissionregistrationv1.RuleWithOperations
	for _, w := range parsed.Webhooks {
		rules = append(rules, w.Rules...)
	}
	if m := parsed.Spec.MatchConstraints; m != nil {
		for _, r := range m.ResourceRules {
			rules = append(rules, r.RuleWithOperations)
		}
	}
	return rules, nil
}

// Concern tells whether any of them may change objects of a kind, in whatever
// version it is written.
func (m Mutators) Concern(r Resource) bool {
	return slices.ContainsFunc(m.rules, func(rule admissionregistrationv1.RuleWithOperations) bool {
		return contains(rule.APIGroups, r.Group, "*") && contains(rule.Resources, r.Plural, "*", "*/*", r.Plural+"/*") &&
			contains(rule.Operations, admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.OperationAll) &&
			(rule.Scope == nil || *rule.Scope == admissionregistrationv1.AllScopes || r.Namespaced == (*rule.Scope == admissionregistrationv1.NamespacedScope))
	})
}

// contains tells whether list has any of the wanted.
func contains[T comparable](list []T, wanted ...T) bool {
	return slices.ContainsFunc(list, func(v T) bool { return slices.Contains(wanted, v) })
}
