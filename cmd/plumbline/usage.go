package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
