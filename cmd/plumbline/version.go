package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are stamped in by the build; see the Makefile. A binary of
// "go install" takes them from the module's own record.
var version, commit string

func newVersionCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and the commit it was built from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v, c := buildVersion()
			_, err := fmt.Fprintf(s.out, "plumbline %s (%s)\n", v, c)
			return err
		},
	}
}

func buildVersion() (string, string) {
	v, c := version, commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if v == "" {
		v = info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && c == "" {
			c = setting.Value
		}
	}
	if v == "" {
		v = "(devel)"
	}
	if c == "" {
		c = "unknown commit"
	}
	return v, c
}
