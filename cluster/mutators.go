package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"plumbline.dev/plumbline/object"
)

// Mutators are the webhooks, policies and servers of aggregated APIs that may change
// objects on their way into the cluster, in the name of whoever writes them.
type Mutators struct {
	rules []mutation
	// state changes with any of them; "" where they are not known.
	state string
}

// mutation is what one rule of a webhook or policy is about.
type mutation struct {
	admissionregistrationv1.RuleWithOperations
	namespaces *metav1.LabelSelector
}

// Mutators reads which mutating webhooks, policies and aggregated APIs there are: one
// LIST for each of the three kinds that the server serves. Of selectors only those are
// taken into account that name namespaces, so that what is said is at most too much.
func (c *Cluster) Mutators(ctx context.Context) (Mutators, error) {
	return ReadMutators(c.List(ctx, c.MutatorListings()))
}

// MutatorListings ask for what ReadMutators reads.
func (c *Cluster) MutatorListings() []Listing {
	var all []Listing
	for _, kind := range mutatorKinds {
		if resource, ok := c.newest(kind); ok {
			all = append(all, Listing{Resource: resource})
		}
	}
	return all
}

// ReadMutators returns what the answers to MutatorListings tell.
func ReadMutators(answers []Listed) (Mutators, error) {
	var m Mutators
	var errs []error
	state := sha256.New()
	for _, listed := range answers {
		errs = append(errs, listed.Err)
		for _, p := range listed.Objects {
			o := p.Object()
			rules, err := rulesOf(o)
			errs = append(errs, err)
			m.rules = append(m.rules, rules...)
			if len(rules) > 0 { // of APIServices nearly all are the API server's own, and change with each definition
				fmt.Fprintln(state, o.ID, o.Metadata("uid"))
				errs = append(errs, json.NewEncoder(state).Encode([]any{o.Content["webhooks"], o.Content["spec"]}))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Mutators{}, fmt.Errorf("reading which webhooks, policies and aggregated APIs change objects on their way: %w", err)
	}
	m.state = hex.EncodeToString(state.Sum(nil))
	return m, nil
}

var mutatorKinds = []schema.GroupKind{
	{Group: admissionregistrationv1.GroupName, Kind: "MutatingWebhookConfiguration"},
	{Group: admissionregistrationv1.GroupName, Kind: "MutatingAdmissionPolicy"},
	{Group: "apiregistration.k8s.io", Kind: "APIService"},
}

// rulesOf returns what a webhook configuration, a policy or an aggregated API is about.
// The server of the last fills in what its schema does not tell.
func rulesOf(o object.Object) ([]mutation, error) {
	var parsed struct {
		Webhooks []admissionregistrationv1.MutatingWebhook
		Spec     struct {
			MatchConstraints *admissionregistrationv1.MatchResources
			Group            string
			Service          *struct{} // nil of what the API server serves itself
		}
	}
	data, err := json.Marshal(o.Content)
	if err == nil {
		err = json.Unmarshal(data, &parsed)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.ID, err)
	}
	var rules []mutation
	for _, w := range parsed.Webhooks {
		for _, r := range w.Rules {
			rules = append(rules, mutation{r, w.NamespaceSelector})
		}
	}
	if parsed.Spec.Service != nil {
		var all mutation
		all.APIGroups, all.Resources = []string{parsed.Spec.Group}, []string{"*"}
		all.Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll}
		rules = append(rules, all)
	}
	if m := parsed.Spec.MatchConstraints; m != nil {
		for _, r := range m.ResourceRules {
			rules = append(rules, mutation{r.RuleWithOperations, m.NamespaceSelector})
		}
	}
	return rules, nil
}

// Concern tells whether any of them may change objects of a kind, in whatever
// version it is written. Namespace is "" for what has none.
func (m Mutators) Concern(r Resource, namespace string) bool {
	return slices.ContainsFunc(m.rules, func(rule mutation) bool {
		return contains(rule.APIGroups, r.Group, "*") && contains(rule.Resources, r.Plural, "*", "*/*", r.Plural+"/*") &&
			contains(rule.Operations, admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.OperationAll) &&
			(rule.Scope == nil || *rule.Scope == admissionregistrationv1.AllScopes || r.Namespaced == (*rule.Scope == admissionregistrationv1.NamespacedScope)) &&
			(!r.Namespaced || mayBeIn(rule.namespaces, namespace))
	})
}

// mayBeIn tells whether a selector of namespaces may select one. Of their labels
// only the one that holds the name is known here.
func mayBeIn(selector *metav1.LabelSelector, namespace string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if selector == nil || err != nil {
		return true
	}
	requirements, _ := parsed.Requirements()
	known := labels.Set{"kubernetes.io/metadata.name": namespace}
	return !slices.ContainsFunc(requirements, func(r labels.Requirement) bool {
		return known.Has(r.Key()) && !r.Matches(known)
	})
}

// contains tells whether list has any of the wanted.
func contains[T comparable](list []T, wanted ...T) bool {
	return slices.ContainsFunc(list, func(v T) bool { return slices.Contains(wanted, v) })
}
