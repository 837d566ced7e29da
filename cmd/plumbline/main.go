// Plumbline tells whether what runs in a Kubernetes cluster is exactly what git
// says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"plumbline.dev/plumbline/report"
)

// exitInterrupted is the shell's convention for a program that SIGINT ended.
const exitInterrupted = 130

func main() {
	klog.SetLogger(logr.Discard()) // what goes wrong comes back as an error, and is told once
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Args)
	stop()
	os.Exit(code)
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// exitError ends the program with a code and no further word.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run executes one command line and returns the exit code.
func run(ctx context.Context, s streams, args []string) int {
	root := newRootCommand(s, args[0])
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case ctx.Err() != nil:
		fmt.Fprintln(s.err, "interrupted")
		return exitInterrupted
	default:
		fmt.Fprintln(s.err, "error:", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
		return report.ExitError
	}
}

func newRootCommand(s streams, executable string) *cobra.Command {
	root := &cobra.Command{
		Use:   "plumbline",
		Short: "Tell whether what runs in a cluster is exactly what git says",
		Long: `Plumbline compares the objects that a git repository declares with those that
run in a Kubernetes cluster, and names every difference: what, who, when, and
where git says otherwise. It needs read rights only.`,
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(c *cobra.Command, _ []string) { collect(c.Name() == controllerVerb) },
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse(c, fmt.Errorf("%q is not a command", args[0]))
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	if strings.HasPrefix(filepath.Base(executable), "kubectl-") {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl plumbline"}
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return misuse(c, err)
	})
	root.AddCommand(newDiffCommand(s), newRevertCommand(s), newAdoptCommand(s), newInitCommand(s), newStatusCommand(s), newFindingsCommand(s), newControllerCommand(s), newVersionCommand(s))
	return root
}

// misuse adds to an error about a command line where to read on.
func misuse(c *cobra.Command, err error) error {
	return fmt.Errorf("%w: see \"%s --help\"", err, c.CommandPath())
}
