package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"plumbline.dev/plumbline/test/testenv"
)

// nodes are those that the applications' Pods run on.
const nodes = 20

// governed is what was measured of all rules beside comparing alone.
type governed struct {
	declared, live   int64
	comparing, rules []run
	kubernetes       string
}

// benchRules measures whole runs over one and the same configuration, in turns: of a
// comparison, which looks at the declared objects, and of the same with all rules, which
// look at all that is live in the scope.
func benchRules(ctx context.Context, o options, dir string) (err error) {
	say("building plumbline")
	plumbline := filepath.Join(dir, "plumbline")
	if err := buildPlumbline(ctx, plumbline); err != nil {
		return err
	}
	say(fmt.Sprintf("starting a control plane with %d nodes", nodes))
	env, err := testenv.Start(nodes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Stop()) }()

	tree := filepath.Join(dir, "config")
	files := applications(o.governed)
	admin, err := prepare(ctx, env, tree, files)
	if err != nil {
		return err
	}
	live, err := admin.count(ctx)
	if err != nil {
		return err
	}
	contestants, err := newTools(plumbline, tree)
	if err != nil {
		return err
	}
	results, err := race(ctx, env, []tool{contestants[alone], contestants[withRules]}, filepath.Join(dir, "homes"), o.runs)
	if err != nil {
		return err
	}
	say("")
	return printRules(os.Stdout, governed{
		declared: int64(declaredBy(files)), live: live, comparing: results[0].warm, rules: results[1].warm, kubernetes: admin.version,
	})
}

func printRules(w io.Writer, g governed) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%d unchanged objects of one namespace, which became %d live ones there: applications\n", g.declared, g.live)
	fmt.Fprintf(out, "of a Deployment of %d replicas, a ConfigMap, a Service, a ServiceAccount and a NetworkPolicy.\n", replicas)
	fmt.Fprintf(out, "%s, %d CPUs, %s/%s, Kubernetes %s.\n", cpuModel(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, g.kubernetes)
	fmt.Fprintf(out, "A: plumbline diff DIR, which looks at the declared objects\n")
	fmt.Fprintf(out, "C: plumbline diff -f BASELINE DIR with all rules but those that ask registries, which\n   look at all live ones besides\n")
	fmt.Fprintf(out, "\nwarm schema caches, %d runs of each in turn: min / median / max\n\n", len(g.rules))
	printTable(out, [2]string{"A plumbline", "C with rules"}, g.comparing, g.rules)
	a, c := perObject(g.comparing, g.declared), perObject(g.rules, g.live)
	fmt.Fprintf(out, "  %-17s %22.0f %24.0f %9.2f\n", "CPU/object, µs", a, c, c/a)
	more := 100 * (median(values(g.rules, metrics[1]))/median(values(g.comparing, metrics[1])) - 1)
	each := rulesTarget(100 * (c/a - 1))
	each.what += ", by object"
	fmt.Fprintf(out, "\ntargets\n  %s\n  %s\n", each, rulesTarget(more))
	return out.Flush()
}

// perObject is the CPU time, in µs, that a run takes for each object that it looks at.
func perObject(runs []run, objects int64) float64 {
	return 1e6 * median(values(runs, metrics[1])) / float64(objects)
}
