package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// usage prints how a command is used: its own flags first, then those of the
// connection, which are kubectl's, all folded to the terminal.
func usage(own, connection *pflag.FlagSet) func(*cobra.Command) error {
	return func(c *cobra.Command) error {
		if f, home := connection.Lookup("cache-dir"), os.Getenv("HOME"); f != nil && home != "" {
			f.DefValue = strings.Replace(f.DefValue, home, "~", 1)
		}
		w := c.OutOrStderr()
		width, _ := terminalWidth(w)
		if width == 0 {
			width = 80
		}
		sections := []struct{ title, text string }{
			{"Usage", "  " + c.UseLine() + "\n"},
			{"Examples", c.Example + "\n"},
			{"Flags", own.FlagUsagesWrapped(width)},
			{"Connection flags, as kubectl's", connection.FlagUsagesWrapped(width)},
		}
		for i, s := range sections {
			if i > 0 {
				if _, err := io.WriteString(w, "\n"); err != nil {
					return err
				}
			}
			if _, err := fmt.Fprintf(w, "%s:\n%s\n", s.title, strings.TrimRight(s.text, "\n")); err != nil {
				return err
			}
		}
		return nil
	}
}

// complete adds a command's flags, its usage and the completion of values.
func complete(c *cobra.Command, f *pflag.FlagSet, kube *genericclioptions.ConfigFlags, values map[string][]string) {
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	kube.AddFlags(connection)
	c.Flags().AddFlagSet(f)
	c.Flags().AddFlagSet(connection)
	c.SetUsageFunc(usage(f, connection))
	for name, all := range values {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp))
	}
}

// inDirectory has a command take a directory, if any, and run. What it runs returns the
// exit code; an error is what kept it from doing its work at all.
func inDirectory(c *cobra.Command, dir *string, done string, run func(context.Context) (int, error)) {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			hint := ""
			if c.Flags().Lookup("object") != nil {
				hint = " (objects are named with --object)"
			}
			return misuse(c, fmt.Errorf("one directory is %s at a time, and %d are given%s", done, len(args), hint))
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			*dir = args[0]
		}
		code, err := run(c.Context())
		if err == nil && code != 0 {
			err = exitError(code)
		}
		return err
	}
}
