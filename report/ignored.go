package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
)

// entry is a finding as text tells it: ignored is the reason where it is.
type entry struct {
	finding.Finding
	ignored string
}

// entries are all findings that are told, those that count before the ignored
// ones of each object.
func (r Report) entries() []entry {
	var all []entry
	for _, f := range r.Findings {
		all = append(all, entry{Finding: f})
	}
	for _, f := range r.Ignored {
		all = append(all, entry{f.Finding, f.Reason})
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.Object.Compare(b.Object) })
	return all
}

// rulesYAML spells rules as they stand under spec.ignore of a Baseline.
func rulesYAML(rules []v1alpha1.Ignore) (string, error) {
	text, err := json.Marshal(rules)
	if err != nil {
		return "", err
	}
	var n yaml.Node // JSON is YAML, and its fields are in the order of the type's
	if err := yaml.Unmarshal(escaped(text), &n); err != nil {
		return "", err
	}
	plain(&n)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&n); err != nil {
		return "", err
	}
	return "spec:\n  ignore:\n  " + strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\n  ") + "\n", nil
}

// plain takes the braces and quotes of JSON away where YAML needs none.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		plain(child)
	}
}

// suggested prints the rules that would ignore findings, to be pasted.
func (t *text) suggested(rules []v1alpha1.Ignore) error {
	if len(rules) == 0 {
		return nil
	}
	text, err := rulesYAML(rules)
	if err != nil {
		return err
	}
	t.printf("\n")
	for line := range strings.Lines("# To ignore what was found, put these rules into a Baseline, each with the\n# reason for which you answer in place of its TODO.\n" + text) {
		t.printf("%s\n", printable(strings.TrimSuffix(line, "\n")))
	}
	return nil
}
