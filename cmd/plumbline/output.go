package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/report"
)

// formats are those of a comparison.
var formats = []string{"text", "json", "yaml", "markdown", "sarif", "junit", "html"}

// outputOptions say how a comparison is written.
type outputOptions struct {
	format string
	also   []string // FORMAT=FILE
	limit  int      // characters of Markdown
}

func (o *outputOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.format, "output", "o", "text", "output `format`: "+oneOf(formats))
	f.StringArrayVar(&o.also, "write", nil, "also write the same report to a file, as `format=file`; may be repeated")
	f.IntVar(&o.limit, "markdown-limit", report.GitHubComment, "largest `size` of markdown in characters: what a comment on GitHub holds (on GitLab: 1000000)")
}

// writer returns the function that writes a comparison wherever it is wanted, in which
// findings at or above failOn are failures. The files are first: where one of them cannot
// be written, standard output does not say that all is well.
func (o outputOptions) writer(failOn finding.Severity, s streams) (func(report.Report) error, error) {
	if o.limit < report.LeastMarkdown {
		return nil, fmt.Errorf("--markdown-limit: %d characters are too few for a comment: use %d or more", o.limit, report.LeastMarkdown)
	}
	var all []func(report.Report) error
	for _, also := range o.also {
		format, file, _ := strings.Cut(also, "=")
		write, err := o.formatter(format, failOn, streams{})
		switch {
		case err != nil:
			return nil, fmt.Errorf("--write: %w", err)
		case file == "":
			return nil, fmt.Errorf("--write: %q names no file: use %s=FILE", also, format)
		}
		all = append(all, func(r report.Report) error { return writeReport(file, r, write) })
	}
	write, err := o.formatter(o.format, failOn, s)
	if err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	all = append(all, func(r report.Report) error { return write(s.out, r) })
	return func(r report.Report) error {
		for _, write := range all {
			if err := write(r); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// writeReport writes a report to a file, and leaves none that ends in the middle.
func writeReport(file string, r report.Report, write func(io.Writer, report.Report) error) error {
	var b bytes.Buffer
	if err := write(&b, r); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// lists says whether a format is among those that name what is in sync as well.
func (o outputOptions) lists() bool {
	return o.format == "junit" || slices.ContainsFunc(o.also, func(also string) bool { return strings.HasPrefix(also, "junit=") })
}

// formatter returns the function that writes a comparison in one format.
func (o outputOptions) formatter(format string, failOn finding.Severity, s streams) (func(io.Writer, report.Report) error, error) {
	switch format {
	case "markdown":
		return func(w io.Writer, r report.Report) error { return report.Markdown(w, r, o.limit) }, nil
	case "html":
		return report.HTML, nil
	case "sarif":
		v, _ := buildVersion()
		return func(w io.Writer, r report.Report) error { return report.SARIF(w, r, v) }, nil
	case "junit":
		return func(w io.Writer, r report.Report) error { return report.JUnit(w, r, failOn) }, nil
	case "text", "json", "yaml":
		return writerFor(format, s)
	default:
		return nil, fmt.Errorf("%q is not a format: use %s", format, oneOf(formats))
	}
}

// oneOf lists what there is to choose from: "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// writerFor returns the function that writes a report in one of the formats that every
// verb has.
func writerFor(format string, s streams) (func(io.Writer, report.Report) error, error) {
	switch format {
	case "text":
		return func(w io.Writer, r report.Report) error { return report.Text(w, r, textOptions(s)) }, nil
	case "json":
		return report.JSON, nil
	case "yaml":
		return report.YAML, nil
	default:
		return nil, fmt.Errorf("--output: %q is not a format: use text, json or yaml", format)
	}
}

// listWriterFor returns the function that writes reports in the named format.
func listWriterFor(format string, s streams) (func(io.Writer, []report.Report) error, error) {
	one, err := writerFor(format, s)
	switch format {
	case "json":
		return report.JSONList, nil
	case "yaml":
		return report.YAMLList, nil
	}
	return func(w io.Writer, all []report.Report) error {
		for i, r := range all {
			if i > 0 {
				fmt.Fprintln(w)
			}
			if err := one(w, r); err != nil {
				return err
			}
		}
		return nil
	}, err
}

func textOptions(s streams) report.TextOptions {
	width, isTerminal := terminalWidth(s.out)
	return report.TextOptions{Width: width, Color: isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// terminalWidth returns the number of columns of a terminal, and whether w is
// one at all. Elsewhere lines are as long as they are, unless COLUMNS says
// otherwise.
func terminalWidth(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		width, err := strconv.Atoi(os.Getenv("COLUMNS"))
		if err != nil || width < 40 {
			width = 0
		}
		return width, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}

// progress tells on a terminal what takes time, on one line that goes away.
type progress struct {
	w io.Writer // nil where nobody watches
}

func newProgress(w io.Writer) *progress {
	if _, ok := terminalWidth(w); !ok {
		return &progress{}
	}
	return &progress{w: w}
}

func (p *progress) say(what string) {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K%s …", what)
	}
}

func (p *progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
