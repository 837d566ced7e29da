package finding

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:generate go run ../test/rules

//go:embed rules/*.yaml
var rules embed.FS

// groups are the groups of rules, in the order in which they are told of.
var groups = []string{"drift", "rogue", "source", "posture", "runtime"}

// Help is what there is to know about a rule. Texts are Markdown.
type Help struct {
	Rule  Rule   `yaml:"rule"`
	Title string `yaml:"title"`
	// Finds says what the rule finds, and Why it matters; Sources recommend it.
	Finds   string   `yaml:"finds"`
	Why     string   `yaml:"why"`
	Sources []string `yaml:"sources"`
	Example Example  `yaml:"example"`
	// Fix says what to do about a finding.
	Fix string `yaml:"fix"`
	// Exempt is a part of a Baseline's spec that takes an object out of the rule.
	Exempt string `yaml:"exempt"`
}

// Example is what the rule finds something in. Each part may be empty.
type Example struct {
	// Baseline is a part of a Baseline's spec, Git what is declared and Live what is
	// in the cluster, as YAML.
	Baseline string `yaml:"baseline"`
	Git      string `yaml:"git"`
	Live     string `yaml:"live"`
	// Before is what git declared earlier, which is what the deployer applied last;
	// where it is empty that is Git.
	Before string `yaml:"before"`
	// Run is what somebody then types into a shell, in a checkout whose web.yaml is Git.
	Run string `yaml:"run"`
	// Note says what happens beside that.
	Note string `yaml:"note"`
}

// Reference returns the help about every rule, by groups. The error is about the texts
// that are built in.
var Reference = sync.OnceValues(func() ([]Help, error) {
	var all []Help
	for _, group := range groups {
		data, err := rules.ReadFile(path.Join("rules", group+".yaml"))
		if err != nil {
			return nil, err
		}
		var entries []Help
		decoder := yaml.NewDecoder(bytes.NewReader(data))
		decoder.KnownFields(true)
		if err := decoder.Decode(&entries); err != nil {
			return nil, fmt.Errorf("reading the help about %s: %w", group, err)
		}
		all = append(all, entries...)
	}
	return all, nil
})

// Markdown returns the help as a text.
func (h Help) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n**Why.** %s\n\n", strings.TrimSpace(h.Finds), strings.TrimSpace(h.Why))
	for _, s := range h.Sources {
		fmt.Fprintf(&b, "- %s\n", s)
	}
	b.WriteString("\n**Example.**")
	if h.Example.Note != "" {
		b.WriteString(" " + strings.TrimSpace(h.Example.Note))
	}
	b.WriteString("\n\n")
	for _, part := range []struct{ language, title, text string }{
		{"yaml", "# in the Baseline's spec", h.Example.Baseline},
		{"yaml", "# in git before, and deployed", h.Example.Before},
		{"yaml", "# in git", h.Example.Git},
		{"yaml", "# in the cluster", h.Example.Live},
		{"sh", "# what somebody does", h.Example.Run},
	} {
		if part.text != "" {
			fmt.Fprintf(&b, "```%s\n%s\n%s\n```\n\n", part.language, part.title, strings.TrimSpace(part.text))
		}
	}
	fmt.Fprintf(&b, "**How to fix.** %s\n\n", strings.TrimSpace(h.Fix))
	fmt.Fprintf(&b, "**How to exempt.**\n\n```yaml\n# in the Baseline's spec\n%s\n```\n", strings.TrimSpace(h.Exempt))
	return b.String()
}
