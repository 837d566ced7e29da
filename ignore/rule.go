// Package ignore gives the rules of a Baseline about what to ignore their
// meaning: of which objects, which differences; and it proposes such rules for
// findings. It is pure.
package ignore

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// Rule is a rule that was read and understood.
type Rule struct {
	// Index is the rule's place in spec.ignore, and Reason what it gives there.
	Index  int
	Reason string

	group           *string
	kind            string
	namespace, name *regexp.Regexp  // nil means any
	selector        labels.Selector // nil means any
	paths           []differ.Pattern
	managers        []manager
	when            *condition // nil means always
}

// manager is a pattern for the records of field managers.
type manager struct {
	name      *regexp.Regexp
	operation string // "" means any
}

// Rules reads the rules that have not ended at the given time. The error tells
// what is wrong with any of them, each with its path.
func Rules(rules []v1alpha1.Ignore, now time.Time) ([]Rule, error) {
	var result []Rule
	var errs []error
	for i, text := range rules {
		rule, err := read(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.ignore[%d]: %w", i, err))
		}
		if !text.EndedAt(now) {
			rule.Index = i
			result = append(result, rule)
		}
	}
	return result, errors.Join(errs...)
}

func read(text v1alpha1.Ignore) (Rule, error) {
	r := Rule{Reason: text.Reason, group: text.Group, kind: text.Kind, namespace: glob(text.Namespace), name: glob(text.Name)}
	var errs []error
	for _, path := range text.Paths {
		p, err := differ.ParsePattern(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("paths: %w", err))
		}
		r.paths = append(r.paths, p)
	}
	for _, name := range text.Managers {
		if name == "" {
			errs = append(errs, errors.New("managers: an empty name is no manager: leave it out"))
		}
		r.managers = append(r.managers, readManager(name))
	}
	var err error
	if text.Selector != nil {
		if r.selector, err = metav1.LabelSelectorAsSelector(labelSelector(*text.Selector)); err != nil {
			errs = append(errs, fmt.Errorf("selector: %w", err))
		}
	}
	if text.When != "" {
		if r.when, err = compile(text.When); err != nil {
			errs = append(errs, fmt.Errorf("when: %w", err))
		}
	}
	return r, errors.Join(errs...)
}

func labelSelector(s v1alpha1.Selector) *metav1.LabelSelector {
	selector := &metav1.LabelSelector{MatchLabels: s.MatchLabels}
	for _, r := range s.MatchExpressions {
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: r.Key, Operator: metav1.LabelSelectorOperator(r.Operator), Values: r.Values,
		})
	}
	return selector
}

func readManager(text string) manager {
	for _, operation := range []string{"Apply", "Update"} {
		if name, ok := strings.CutSuffix(text, "/"+operation); ok {
			return manager{glob(name), operation}
		}
	}
	return manager{name: glob(text)}
}

// glob reads a pattern in which * stands for any characters and ? for one, and \
// takes the meaning of the next; nil for an empty one, which is any text.
func glob(text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	var b strings.Builder
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(c)))
			escaped = false
		case c == '\\':
			escaped = true
		case c == '*':
			b.WriteString(".*")
		case c == '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return regexp.MustCompile(`(?s)^(?:` + b.String() + `)$`)
}

// literal returns the pattern that stands for the text alone.
func literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`).Replace(text)
}

// Concerns tells whether the rule is about a declared object.
func (r Rule) Concerns(declared object.Object) bool {
	id := declared.ID
	return (r.group == nil || *r.group == id.Group) && (r.kind == "" || r.kind == id.Kind) &&
		(r.namespace == nil || r.namespace.MatchString(id.Namespace)) &&
		(r.name == nil || r.name.MatchString(id.Name)) &&
		(r.selector == nil || r.selector.Matches(labelsOf(declared)))
}

func labelsOf(o object.Object) labels.Set {
	set := labels.Set{}
	metadata, _ := o.Content["metadata"].(map[string]any)
	declared, _ := metadata["labels"].(map[string]any)
	for name, value := range declared {
		set[name], _ = value.(string)
	}
	return set
}

// Failure says why a rule's condition could not be evaluated for an object.
type Failure struct {
	Rule   int // its index
	Object object.ID
	Reason string
}

// For returns the rule for one object that it concerns. A live object without
// content is one that does not exist. Why the condition could not be evaluated
// is handed to failed, once; the change is not ignored then.
func (r Rule) For(declared, live object.Object, failed func(Failure)) differ.Ignore {
	rule := differ.Ignore{Paths: r.paths}
	if len(r.managers) > 0 {
		rule.Writer = func(w differ.Writer) bool {
			return slices.ContainsFunc(r.managers, func(m manager) bool {
				return m.name.MatchString(w.Manager) && (m.operation == "" || m.operation == w.Operation)
			})
		}
	}
	if r.when != nil {
		rule.When = r.when.on(declared, live, func(c differ.Change, err error) {
			failed(Failure{Rule: r.Index, Object: declared.ID, Reason: fmt.Sprintf("%s: %v", place(c), err)})
		})
	}
	return rule
}

func place(c differ.Change) string {
	if len(c.Path) == 0 {
		return string(c.Op)
	}
	return c.Path.String()
}
