package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/report"
)

const findingsLong = `Print what the in-cluster controller has found and what is not undone yet, the
worst first: of one Baseline, or of all in the namespace. Nothing is compared
anew, and read rights on Baselines and Findings are enough.

JSON and YAML are those of "plumbline diff": a Report of the Baseline that is
named, else a ReportList.

Exit codes:
  0  nothing at or above --fail-on is open, and all was compared
  1  findings
  2  an error, or bad usage
  3  something could not be compared, or nobody looks, and nothing worse`

const findingsExample = `  # What is open in the whole cluster?
  plumbline findings -A

  # What is critical of one Baseline, or was put there by nobody we know
  plumbline findings shop -n plumbline-system --severity critical --rule rogue`

// findingsOptions are the flags of "plumbline findings".
type findingsOptions struct {
	knownOptions
	rules    []string
	severity string
}

func newFindingsCommand(s streams) *cobra.Command {
	o := findingsOptions{knownOptions: knownOptions{kube: genericclioptions.NewConfigFlags(true)}}
	c := &cobra.Command{
		Use:     "findings [BASELINE]",
		Short:   "Print what the in-cluster controller has found",
		Long:    findingsLong,
		Example: findingsExample,
		Args:    func(c *cobra.Command, args []string) error { return o.take(c, args) },
		RunE: func(c *cobra.Command, _ []string) error {
			code, err := o.run(c.Context(), s)
			if err == nil && code != 0 {
				err = exitError(code)
			}
			return err
		},
	}
	f := pflag.NewFlagSet("findings", pflag.ContinueOnError)
	o.addFlags(f, "text, json or yaml")
	f.StringArrayVar(&o.rules, "rule", nil, "only findings of this `rule` or group of rules, such as drift/added or rogue; may be repeated")
	f.StringVar(&o.severity, "severity", "info", "only findings of this `severity` or worse: info, warning or critical")
	complete(c, f, o.kube, map[string][]string{"output": {"text", "json", "yaml"}, "fail-on": severities, "severity": severities})
	return c
}

func (o findingsOptions) run(ctx context.Context, s streams) (int, error) {
	failOn, err := finding.ParseSeverity(o.failOn)
	if err != nil {
		return 0, fmt.Errorf("--fail-on: %w", err)
	}
	least, err := finding.ParseSeverity(o.severity)
	if err != nil {
		return 0, fmt.Errorf("--severity: %w", err)
	}
	if err := checkRules(o.rules); err != nil {
		return 0, err
	}
	one, err := writerFor(o.output, s)
	if err != nil {
		return 0, err
	}
	list, err := listWriterFor(o.output, s)
	if err != nil {
		return 0, err
	}
	k, err := o.read(ctx, true)
	if err != nil {
		return 0, err
	}
	code := k.codeOfNone(s)
	reports := []report.Report{}
	for _, b := range k.baselines {
		r := b.report()
		r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return f.Severity < least || !o.wants(f.Rule) })
		reports = append(reports, r)
		code = worse(code, r.ExitCode(failOn))
	}
	if o.name != "" {
		err = one(s.out, reports[0])
	} else {
		err = list(s.out, reports)
	}
	if err != nil {
		return 0, fmt.Errorf("writing the findings: %w", err)
	}
	return code, nil
}

// wants tells whether a rule is among those that were asked for.
func (o findingsOptions) wants(r finding.Rule) bool {
	return len(o.rules) == 0 || slices.ContainsFunc(o.rules, r.In)
}

// checkRules refuses what is neither a rule nor a group of rules.
func checkRules(rules []string) error {
	all, err := knownRules()
	if err != nil {
		return err
	}
	for _, name := range rules {
		if !slices.ContainsFunc(all, func(r string) bool { return finding.Rule(r).In(name) }) {
			return fmt.Errorf("--rule: %q is no rule and no group of rules: name one of docs/rules.md, such as drift/added or rogue", name)
		}
	}
	return nil
}
