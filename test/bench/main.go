// Bench measures "plumbline diff" beside "kubectl diff --server-side" on one
// cluster, in one run, with objects that nobody changed: what it costs to learn
// that nothing is wrong. "make bench" runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"plumbline.dev/plumbline/test/testenv"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == measureVerb {
		os.Exit(measureCommand(os.Args[2:]))
	}
	var o options
	flag.IntVar(&o.objects, "objects", 1000, "objects to deploy, half Deployments and half ConfigMaps")
	flag.IntVar(&o.governed, "rules", 0, "measure all rules beside comparing alone, and nothing else, of `n` declared objects of applications that run")
	flag.IntVar(&o.runs, "runs", 5, "counted runs of each tool with warm caches")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := bench(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct{ objects, governed, runs int }

// bench does everything, and leaves nothing behind.
func bench(ctx context.Context, o options) (err error) {
	if o.objects < 2 || o.runs < 1 {
		return errors.New("-objects must be at least 2 and -runs at least 1")
	}
	dir, err := os.MkdirTemp("", "plumbline-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.governed > 0 {
		return benchRules(ctx, o, dir)
	}
	if _, err := exec.LookPath("diff"); err != nil {
		return fmt.Errorf("kubectl diff needs a diff program: %w", err)
	}

	say("measuring one comparison")
	micro, err := benchmarkDiffer(ctx)
	if err != nil {
		return err
	}
	rules, err := benchmarkRules(ctx)
	if err != nil {
		return err
	}
	say("building plumbline")
	plumbline := filepath.Join(dir, "plumbline")
	if err := buildPlumbline(ctx, plumbline); err != nil {
		return err
	}
	say(fmt.Sprintf("comparing with dumps of %d objects", dumpObjects))
	dumps, err := measureDumps(ctx, plumbline, filepath.Join(dir, "dumps"))
	if err != nil {
		return err
	}
	say("starting a control plane")
	env, err := testenv.Start(0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Stop()) }()

	tree := filepath.Join(dir, "config")
	admin, err := prepare(ctx, env, tree, objects(o.objects))
	if err != nil {
		return err
	}
	contestants, err := newTools(plumbline, tree)
	if err != nil {
		return err
	}
	results, err := race(ctx, env, contestants, filepath.Join(dir, "homes"), o.runs)
	if err != nil {
		return err
	}
	say("")
	return printSummary(os.Stdout, summary{
		options: o, bytes: sizeOf(tree), kubernetes: admin.version, results: results, micro: micro, rules: rules, dumps: dumps,
	})
}

// prepare writes the configuration, deploys it and lets the users of the
// comparison in.
func prepare(ctx context.Context, env *testenv.Env, tree string, files []file) (*admin, error) {
	if err := writeTree(tree, files); err != nil {
		return nil, err
	}
	a, err := newAdmin(env)
	if err != nil {
		return nil, err
	}
	if err := a.letIn(ctx); err != nil {
		return nil, err
	}
	say(fmt.Sprintf("deploying the objects of %d files as %s", len(files), deployer))
	if err := a.deploy(ctx, files); err != nil {
		return nil, err
	}
	say("waiting for the controllers to be done with them")
	return a, a.settle(ctx)
}

// buildPlumbline builds with the flags of "make build".
func buildPlumbline(ctx context.Context, output string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", output, "plumbline.dev/plumbline/cmd/plumbline")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building plumbline: %w: %s", err, out)
	}
	return nil
}

// say tells what is being done now; the result alone goes to standard output.
func say(what string) { fmt.Fprintln(os.Stderr, what) }
