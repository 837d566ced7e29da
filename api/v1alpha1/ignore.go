package v1alpha1

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Ignore is a rule that leaves differences out of what is found. It says of
// which objects, by Group, Kind, Namespace, Name and Selector: all that are given
// must fit. And it says which of their differences, by Paths, Managers and When:
// at least one is required, and again all must fit.
type Ignore struct {
	// Group is an API group; "" is the core group, and nil any.
	Group *string `json:"group,omitempty" yaml:"group,omitempty"`
	// Kind is a kind, such as Deployment; empty means any.
	Kind string `json:"kind,omitempty" yaml:"kind,omitempty"`
	// Namespace and Name are patterns: * stands for any characters, ? for one,
	// and \ takes the meaning of the next. Empty means any.
	Namespace string `json:"namespace,omitempty" yaml:"namespace,omitempty"`
	Name      string `json:"name,omitempty" yaml:"name,omitempty"`
	// Selector chooses objects by the labels that git declares. Live labels do not
	// count, so that nobody puts an object under a rule by labelling it.
	Selector *Selector `json:"selector,omitempty" yaml:"selector,omitempty"`
	// Paths are fields, each with all beneath it: as a JSON pointer
	// ("/spec/replicas"), as the report prints them
	// ("spec.template.spec.containers[name=web].image"), or as JSONPath
	// ("$.spec.template.spec.containers[?@.name=='web'].image"). "/" is the object
	// as a whole, and whether it exists.
	Paths []string `json:"paths,omitempty" yaml:"paths,omitempty"`
	// Managers are the field managers whose changes are ignored: patterns as for
	// Name, or "manager/Apply" and "manager/Update" for its writes of that kind
	// alone. A change that somebody else had a hand in, or that left no record of
	// its writer, is not ignored.
	Managers []string `json:"managers,omitempty" yaml:"managers,omitempty"`
	// When is a CEL expression over object (live), declared and change that is
	// true for the changes that are ignored.
	When string `json:"when,omitempty" yaml:"when,omitempty"`
	// Reason says why: it is required, for whoever reads it in a year.
	Reason string `json:"reason" yaml:"reason"`
	// Until ends the rule after that day (YYYY-MM-DD); an ended rule ignores
	// nothing and is reported.
	Until string `json:"until,omitempty" yaml:"until,omitempty"`

	// Line is where the rule stands in the file that it was read from, else 0.
	Line int `json:"-" yaml:"-"`
}

// Selector is a label selector, as Kubernetes' metav1.LabelSelector.
type Selector struct {
	MatchLabels      map[string]string `json:"matchLabels,omitempty" yaml:"matchLabels,omitempty"`
	MatchExpressions []Requirement     `json:"matchExpressions,omitempty" yaml:"matchExpressions,omitempty"`
}

// Requirement is one of a Selector's expressions. Operator is In, NotIn, Exists
// or DoesNotExist.
type Requirement struct {
	Key      string   `json:"key" yaml:"key"`
	Operator string   `json:"operator" yaml:"operator"`
	Values   []string `json:"values,omitempty" yaml:"values,omitempty"`
}

// EndedAt tells whether the rule has ended at the given time.
func (i Ignore) EndedAt(now time.Time) bool {
	end, err := time.Parse(time.DateOnly, i.Until)
	return err == nil && !now.UTC().Before(end.AddDate(0, 0, 1))
}

// Placeholder begins the reason of a rule that a program has proposed. Such a
// rule is refused until a person has given a reason.
const Placeholder = "TODO"

var placeholder = regexp.MustCompile(`^` + Placeholder + `\b`)

// validate returns what is wrong with the rule, the index-th.
func (i Ignore) validate(index int) []error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s"+format, append([]any{i.Locate(index)}, args...)...))
	}
	if len(i.Paths)+len(i.Managers) == 0 && i.When == "" {
		fail(` has neither paths, managers nor when: name at least one field, such as /spec/replicas, or "/" for the whole object`)
	}
	switch reason := strings.TrimSpace(i.Reason); {
	case reason == "":
		fail(" has no reason: say why the differences are ignored")
	case placeholder.MatchString(reason):
		fail(".reason is still to be written: say why the differences are ignored")
	}
	if _, err := time.Parse(time.DateOnly, i.Until); i.Until != "" && err != nil {
		fail(".until is %q: write a day as 2027-01-31", i.Until)
	}
	return errs
}

// Locate names the rule, the index-th, with its line where that is known, as errors
// about it begin.
func (i Ignore) Locate(index int) string {
	if i.Line == 0 {
		return fmt.Sprintf("spec.ignore[%d]", index)
	}
	return fmt.Sprintf("line %d: spec.ignore[%d]", i.Line, index)
}

// locate fills in on which lines of a file the rules stand.
func locate(rules []Ignore, data []byte) {
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
		return
	}
	list := child(child(document.Content[0], "spec"), "ignore")
	for i := range rules {
		if list != nil && i < len(list.Content) {
			rules[i].Line = list.Content[i].Line
		}
	}
}

// child returns the value of a mapping's key; nil where there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil {
		return nil
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			if value := n.Content[i+1]; value.Kind == yaml.AliasNode {
				return value.Alias
			}
			return n.Content[i+1]
		}
	}
	return nil
}
