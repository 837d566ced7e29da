package v1alpha1

import "time"

// Ignore is a rule that leaves differences out of what is found. It says of
// which objects, by Group, Kind, Namespace, Name and Selector: all that are given
// must fit. And it says which of their differences, by Paths, Managers and When:
// at least one is required, and again all must fit.
//
// +kubebuilder:validation:XValidation:rule="has(self.paths) || has(self.managers) || has(self.when)",message="has neither paths, managers nor when: name at least one field, such as /spec/replicas, or / for the whole object"
type Ignore struct {
	// Group is an API group; "" is the core group, and nil any.
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$`
	Group *string `json:"group,omitempty"`
	// Kind is a kind, such as Deployment; empty means any.
	// +kubebuilder:validation:Pattern=`^([A-Z][A-Za-z0-9]*)?$`
	Kind string `json:"kind,omitempty"`
	// Namespace is a pattern, as Name: * stands for any characters, ? for one,
	// and \ takes the meaning of the next. Empty means any.
	// +kubebuilder:validation:Pattern=`^([^\\]|\\.)*$`
	Namespace string `json:"namespace,omitempty"`
	// Name is a pattern as Namespace.
	// +kubebuilder:validation:Pattern=`^([^\\]|\\.)*$`
	Name string `json:"name,omitempty"`
	// Selector chooses objects by the labels that git declares. Live labels do not
	// count, so that nobody puts an object under a rule by labelling it.
	Selector *Selector `json:"selector,omitempty"`
	// Paths are fields, each with all beneath it: as a JSON pointer
	// ("/spec/replicas"), as the report prints them
	// ("spec.template.spec.containers[name=web].image"), or as JSONPath
	// ("$.spec.template.spec.containers[?@.name=='web'].image"). "/" is the object
	// as a whole, and whether it exists.
	// +kubebuilder:validation:items:MinLength=1
	Paths []string `json:"paths,omitempty"`
	// Managers are the field managers whose changes are ignored: patterns as for
	// Name, or "manager/Apply" and "manager/Update" for its writes of that kind
	// alone. A change that somebody else had a hand in, or that left no record of
	// its writer, is not ignored.
	// +kubebuilder:validation:items:MinLength=1
	Managers []string `json:"managers,omitempty"`
	// When is a CEL expression over object (live), declared and change that is
	// true for the changes that are ignored.
	When string `json:"when,omitempty"`
	// Reason says why: it is required, for whoever reads it in a year.
	// +kubebuilder:validation:Pattern=`\S`
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('TODO')",message="is still to be written: say why"
	Reason string `json:"reason"`
	// Until ends the rule after that day (YYYY-MM-DD); an ended rule ignores
	// nothing and is reported.
	// +kubebuilder:validation:Format=date
	Until string `json:"until,omitempty"`

	// Line is where the rule stands in the file that it was read from, else 0.
	Line int `json:"-"`
}

// Selector is a label selector, as Kubernetes' metav1.LabelSelector.
type Selector struct {
	MatchLabels      map[string]string `json:"matchLabels,omitempty"`
	MatchExpressions []Requirement     `json:"matchExpressions,omitempty"`
}

// Requirement is one of a Selector's expressions. Operator is In, NotIn, Exists
// or DoesNotExist.
type Requirement struct {
	Key string `json:"key"`
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
	Operator string   `json:"operator"`
	Values   []string `json:"values,omitempty"`
}

// EndedAt tells whether the rule has ended at the given time.
func (i Ignore) EndedAt(now time.Time) bool { return ended(i.Until, now) }

// ended tells whether a day is over everywhere that counts by UTC.
func ended(until string, now time.Time) bool {
	end, err := time.Parse(time.DateOnly, until)
	return err == nil && !now.UTC().Before(end.AddDate(0, 0, 1))
}

// Placeholder begins the reason of a rule that a program has proposed. Such a
// rule is refused until a person has given a reason.
const Placeholder = "TODO"
