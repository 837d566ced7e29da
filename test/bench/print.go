package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// summary is everything that was measured.
type summary struct {
	options    options
	bytes      int64 // of the configuration
	kubernetes string
	results    []result
	micro      []micro
	rules      rules
	dumps      map[string]cost // by format
}

// printSummary writes what was measured, at most 80 columns wide.
func printSummary(w io.Writer, s summary) error {
	out := bufio.NewWriter(w)
	deployments := (s.options.objects + 1) / 2
	fmt.Fprintf(out, "%d unchanged objects of one namespace: %d Deployments, %d ConfigMaps of 1 KB;\n", s.options.objects, deployments, s.options.objects-deployments)
	fmt.Fprintf(out, "one object per file and a kustomization.yaml that lists them, %.1f MB.\n", mega(s.bytes))
	fmt.Fprintf(out, "%s, %d CPUs, %s/%s, Kubernetes %s.\n", cpuModel(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, s.kubernetes)
	fmt.Fprintf(out, "A: plumbline diff DIR\nB: kubectl diff --server-side --field-manager=%s -k DIR\n", deployer)

	fmt.Fprintf(out, "\nwarm schema caches, %d runs of each in turn: min / median / max\n\n", s.options.runs)
	printTable(out, [2]string{"A plumbline", "B kubectl"}, s.results[alone].warm, s.results[kubectl].warm)
	fmt.Fprint(out, "\nempty schema caches, one run of each\n\n")
	printTable(out, [2]string{"A plumbline", "B kubectl"}, []run{s.results[alone].cold}, []run{s.results[kubectl].cold})

	fmt.Fprint(out, "\nC: plumbline diff -f BASELINE DIR with all rules but those that ask registries, on everything\nthat is live; in turns with the others, warm caches\n\n")
	printTable(out, [2]string{"A plumbline", "C with rules"}, s.results[alone].warm, s.results[withRules].warm)

	fmt.Fprint(out, "\nwhat plumbline asks the server: with warm caches, and with empty ones also (+)\n\n")
	printRequests(out, s.results[alone])
	fmt.Fprint(out, "\none comparison of two decoded objects, fastest / median of 5 measurements;\nfrom bytes: A with decoding what the server sends; B: structured-merge-diff's Merge and Compare, of the declared fields alone\n\n")
	printMicro(out, s.micro)
	fmt.Fprintf(out, "\nall rules but those that ask registries, on 5,000 live objects: %s µs for each,\nwhere comparing takes %s µs for each declared one (CPU time)\n", micros(s.rules.judge), micros(s.rules.compare))
	fmt.Fprintf(out, "\nplumbline diff --live on %d unchanged objects, one run of each format\n\n", dumpObjects)
	printDumps(out, s.dumps)
	fmt.Fprintln(out, "\ntargets")
	for _, t := range targets(s) {
		fmt.Fprintln(out, "  "+t.String())
	}
	return out.Flush()
}

// ofRules is how much a run with all rules takes of what one takes that only compares.
func (s summary) ofRules(m metric) float64 {
	return median(values(s.results[withRules].warm, m)) / median(values(s.results[alone].warm, m))
}

// metric is one row of a table.
type metric struct {
	name   string
	of     func(run) float64
	format string
}

var metrics = []metric{
	{"wall time, s", func(r run) float64 { return r.Wall.Seconds() }, "%.2f"},
	{"CPU time, s", func(r run) float64 { return r.CPU.Seconds() }, "%.2f"},
	{"peak memory, MB", func(r run) float64 { return mega(r.Memory) }, "%.0f"},
	{"API requests", func(r run) float64 { return float64(len(r.requests)) }, "%.0f"},
	{"writes, dry runs", func(r run) float64 { return float64(r.writes()) }, "%.0f"},
}

func printTable(w io.Writer, names [2]string, a, b []run) {
	fmt.Fprintf(w, "  %-17s %22s %24s %9s\n", "", names[0], names[1], names[1][:1]+"/A")
	for _, m := range metrics {
		ratio := "-"
		if of := median(values(a, m)); of > 0 {
			ratio = fmt.Sprintf("%.2f", median(values(b, m))/of)
		}
		fmt.Fprintf(w, "  %-17s %22s %24s %9s\n", m.name, spread(values(a, m), m.format), spread(values(b, m), m.format), ratio)
	}
}

// spread spells the smallest, the middle and the largest of the values, or the
// one that they all are.
func spread(values []float64, format string) string {
	parts := []string{
		fmt.Sprintf(format, slices.Min(values)),
		fmt.Sprintf(format, median(values)),
		fmt.Sprintf(format, slices.Max(values)),
	}
	if parts[0] == parts[2] {
		return parts[0]
	}
	return strings.Join(parts, " / ")
}

func values(runs []run, m metric) []float64 {
	var all []float64
	for _, r := range runs {
		all = append(all, m.of(r))
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// printRequests lists the requests of one warm run, and those that a run with
// empty caches makes beside them.
func printRequests(w io.Writer, r result) {
	const most = 20
	warm := map[string]bool{}
	for _, q := range r.warm[0].requests {
		warm[q.text()] = true
	}
	lines := map[string]bool{}
	for _, q := range slices.Concat(r.warm[0].requests, r.cold.requests) {
		mark := "+"
		if warm[q.text()] {
			mark = " "
		}
		lines[mark+" "+q.text()] = true
	}
	sorted := make([]string, 0, len(lines))
	for line := range lines {
		sorted = append(sorted, line)
	}
	slices.Sort(sorted)
	for i, line := range sorted {
		if i == most {
			fmt.Fprintf(w, "  … and %d more\n", len(sorted)-most)
			return
		}
		fmt.Fprintln(w, "  "+line)
	}
}

// text spells the request in one short line, without the long hashes and tokens
// of its query.
func (r request) text() string {
	const width = 72
	path, query, _ := strings.Cut(r.RequestURI, "?")
	separator := "?"
	for part := range strings.SplitSeq(query, "&") {
		if name, value, ok := strings.Cut(part, "="); ok && len(value) > 16 {
			part = name + "=…"
		}
		if part != "" {
			path += separator + part
			separator = "&"
		}
	}
	text := []rune(r.Verb + " " + path)
	if len(text) > width {
		text = append(text[:width-1], '…')
	}
	return string(text)
}

func printMicro(w io.Writer, all []micro) {
	fmt.Fprintf(w, "  %-25s %18s %18s %18s %10s\n", "", "A differ", "from bytes", "B typed", "B/A")
	for _, m := range all {
		fmt.Fprintf(w, "  %-25s %18s %18s %18s %10.1f\n", m.object+", µs", m.differ.times(), m.bytes.times(), m.typed.times(), float64(m.typed.fastest)/float64(m.differ.fastest))
		fmt.Fprintf(w, "  %-25s %18d %18d %18d %10.1f\n", "  allocations", m.differ.allocs, m.bytes.allocs, m.typed.allocs, float64(m.typed.allocs)/max(1, float64(m.differ.allocs)))
	}
}

func (c perComparison) times() string { return micros(c.fastest) + " / " + micros(c.median) }

func micros(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Nanoseconds())/1000) }

func mega(bytes int64) float64 { return float64(bytes) / 1e6 }

// cpuModel names the processor, as far as the system tells.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
