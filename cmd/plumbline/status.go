package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/report"
)

const statusLong = `Print how the Baselines in the cluster stand, as the in-cluster controller knows
it, and for those that are not fine why. Nothing is compared anew, and read
rights on Baselines are enough.

Exit codes:
  0  all are in sync
  1  findings at or above --fail-on
  2  an error, or bad usage
  3  something could not be compared, or nobody looks, and nothing worse`

const statusExample = `  # How does everything stand?
  plumbline status -A

  # Is this one in sync? The exit code tells
  plumbline status shop -n plumbline-system`

func newStatusCommand(s streams) *cobra.Command {
	o := knownOptions{kube: genericclioptions.NewConfigFlags(true)}
	c := &cobra.Command{
		Use:     "status [BASELINE]",
		Short:   "Print how the Baselines in the cluster stand",
		Long:    statusLong,
		Example: statusExample,
		Args:    func(c *cobra.Command, args []string) error { return o.take(c, args) },
		RunE: func(c *cobra.Command, _ []string) error {
			code, err := o.status(c.Context(), s)
			if err == nil && code != 0 {
				err = exitError(code)
			}
			return err
		},
	}
	f := pflag.NewFlagSet("status", pflag.ContinueOnError)
	o.addFlags(f, "text, wide, json, yaml or name")
	complete(c, f, o.kube, map[string][]string{"output": {"text", "wide", "json", "yaml", "name"}, "fail-on": severities})
	return c
}

var severities = []string{"info", "warning", "critical"}

// take reads the arguments: the name of a Baseline, if any.
func (o *knownOptions) take(c *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return misuse(c, fmt.Errorf("one Baseline is named at a time, and %d are given", len(args)))
	case len(args) == 1 && o.all:
		return misuse(c, fmt.Errorf("a Baseline is named in one namespace: leave -A or %q out", args[0]))
	case len(args) == 1:
		o.name = args[0]
	}
	return nil
}

// status prints how the Baselines stand, and returns the exit code.
func (o knownOptions) status(ctx context.Context, s streams) (int, error) {
	failOn, err := finding.ParseSeverity(o.failOn)
	if err != nil {
		return 0, fmt.Errorf("--fail-on: %w", err)
	}
	if !slices.Contains([]string{"text", "wide", "json", "yaml", "name"}, o.output) {
		return 0, fmt.Errorf("--output: %q is not a format: use text, wide, json, yaml or name", o.output)
	}
	k, err := o.read(ctx, failOn != finding.Warning) // which the status counts
	if err != nil {
		return 0, err
	}
	code := k.codeOfNone(s)
	for _, b := range k.baselines {
		code = worse(code, b.code(failOn))
	}
	if err := o.print(k, s); err != nil {
		return 0, fmt.Errorf("writing the status: %w", err)
	}
	return code, nil
}

// codeOfNone says that there are no Baselines, of which nothing is clean.
func (k known) codeOfNone(s streams) int {
	if len(k.baselines) > 0 {
		return report.ExitClean
	}
	where := "in the cluster"
	if k.namespace != "" {
		where = fmt.Sprintf("in namespace %s: name another with -n, or see all with -A", k.namespace)
	}
	fmt.Fprintf(s.err, "there are no Baselines %s; \"plumbline init\" writes one\n", where)
	return report.ExitUnknown
}

// code is the exit code for one Baseline.
func (b baseline) code(failOn finding.Severity) int {
	found := failOn == finding.Warning && b.Status.Findings > 0
	for _, f := range b.findings {
		found = found || report.FromDetails(f.FindingDetails).Severity >= failOn
	}
	switch {
	case found:
		return report.ExitFindings
	case len(b.unknown()) > 0:
		return report.ExitUnknown
	}
	return report.ExitClean
}

// worse is the exit code of two comparisons.
func worse(a, b int) int {
	for _, code := range []int{report.ExitError, report.ExitFindings, report.ExitUnknown} {
		if a == code || b == code {
			return code
		}
	}
	return report.ExitClean
}

func (o knownOptions) print(k known, s streams) error {
	switch o.output {
	case "json", "yaml":
		printer, err := genericclioptions.NewJSONYamlPrintFlags().ToPrinter(o.output)
		if err != nil {
			return err
		}
		return printer.PrintObj(o.objectOf(k), s.out)
	case "name":
		return (&printers.NamePrinter{}).PrintObj(k.objects(), s.out)
	}
	if len(k.baselines) == 0 {
		return nil
	}
	wide := o.output == "wide"
	if err := printers.NewTablePrinter(printers.PrintOptions{Wide: wide}).PrintObj(k.table(o.all, wide), s.out); err != nil {
		return err
	}
	return k.explain(s)
}

// objectOf is what kubectl prints: a Baseline that was named by itself.
func (o knownOptions) objectOf(k known) runtime.Object {
	if o.name != "" {
		return &unstructured.Unstructured{Object: k.baselines[0].content}
	}
	return k.objects()
}

func (k known) objects() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{}}}
	for _, b := range k.baselines {
		list.Items = append(list.Items, unstructured.Unstructured{Object: b.content})
	}
	return list
}

// table has a row for each Baseline.
func (k known) table(namespaces, wide bool) *metav1.Table {
	t := &metav1.Table{}
	column := func(name string, priority int32) {
		t.ColumnDefinitions = append(t.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string", Priority: priority})
	}
	if namespaces {
		column("Namespace", 0)
	}
	for _, name := range []string{"Name", "Ready", "Drifted", "Findings", "Unknown", "Commit", "Age"} {
		column(name, 0)
	}
	for _, name := range []string{"Since", "Objects", "Repository"} {
		column(name, 1)
	}
	for _, b := range k.baselines {
		row := b.row(wide)
		if namespaces {
			row = append([]any{b.Namespace}, row...)
		}
		t.Rows = append(t.Rows, metav1.TableRow{Cells: row})
	}
	return t
}

// row tells of a Baseline that nobody looks at nothing that could have changed since.
func (b baseline) row(wide bool) []any {
	s := b.Status
	ready, drifted, since := "Unknown", "Unknown", "<unknown>"
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil && len(b.unseen()) == 0 {
		ready = string(c.Status)
	}
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionDrifted); c != nil {
		if since = ago(c.LastTransitionTime.Time); len(b.unseen()) == 0 {
			drifted = string(c.Status)
		}
	}
	commit := s.Commit
	if !wide && len(commit) == 40 {
		commit = commit[:8]
	}
	git := b.Spec.Git
	return []any{
		b.Name, ready, drifted, s.Findings, s.NotCompared, commit, ago(b.CreationTimestamp.Time),
		since, s.Objects, strings.TrimSuffix(git.URL+"@"+git.Ref, "@"),
	}
}

func ago(t time.Time) string { return duration.HumanDuration(now().Sub(t)) }

// explain says of each Baseline that is not fine why.
func (k known) explain(s streams) error {
	width, _ := terminalWidth(s.out)
	separator := "\n"
	for _, b := range k.baselines {
		for _, reason := range b.reasons() {
			lines := report.Fold(b.key()+": "+reason, width-2)
			if _, err := io.WriteString(s.out, separator+strings.Join(lines, "\n  ")+"\n"); err != nil {
				return err
			}
			separator = ""
		}
	}
	return nil
}

// reasons are what there is to say of a Baseline: nothing where it is fine.
func (b baseline) reasons() []string {
	all := b.unknown()
	if c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionDrifted); c != nil && c.Status == metav1.ConditionTrue && !slices.Contains(all, c.Message) {
		all = append(all, c.Message)
	}
	return all
}
