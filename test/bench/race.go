package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"plumbline.dev/plumbline/test/testenv"
)

// The tools, by their place among the results.
const (
	alone     = iota // plumbline comparing, and nothing else
	kubectl          // the other program
	withRules        // plumbline with a Baseline that has all rules
)

// tool is one of the programs under comparison.
type tool struct {
	name  string
	group string // of the user it runs as
	args  []string
}

// newTools returns the contestants. Beside the tree it writes the Baseline.
func newTools(plumbline, tree string) ([]tool, error) {
	root, err := testenv.Root()
	if err != nil {
		return nil, err
	}
	rules := tree + ".baseline.yaml"
	if err := os.WriteFile(rules, []byte(baseline), 0o600); err != nil {
		return nil, err
	}
	return []tool{
		alone:     {name: "plumbline", group: readers, args: []string{plumbline, "diff", tree}},
		kubectl:   {name: "kubectl", group: writers, args: []string{filepath.Join(root, "bin", "kubectl"), "diff", "--server-side", "--field-manager=" + deployer, "-k", tree}},
		withRules: {name: "plumbline-rules", group: readers, args: []string{plumbline, "diff", "-f", rules, tree}},
	}, nil
}

// result is all that was measured of one tool.
type result struct {
	cold run
	warm []run
}

// run is one run of a tool.
type run struct {
	user string // who made its requests, and nobody else's
	cost
	requests []request
}

func (r run) writes() int {
	n := 0
	for _, q := range r.requests {
		if !q.reads() {
			n++
		}
	}
	return n
}

// race runs the tools in turn, so that whatever else the machine does touches
// both alike: once to warm up the server, once with empty caches, once to warm
// up with those caches, and then the counted times.
func race(ctx context.Context, env *testenv.Env, contestants []tool, homes string, runs int) ([]result, error) {
	results := make([]result, len(contestants))
	rounds := []string{"warm-up", "cold", "warm-up"}
	for i := range runs {
		rounds = append(rounds, fmt.Sprintf("warm %d", i+1))
	}
	for i, round := range rounds {
		say(fmt.Sprintf("comparing: %s (%d of %d)", round, i+1, len(rounds)))
		for t, tool := range contestants {
			home := filepath.Join(homes, tool.name)
			if i == 0 {
				home += "-first"
			}
			r, err := tool.run(ctx, env, home, fmt.Sprintf("bench-%s-%d", tool.name, i))
			switch {
			case err != nil:
				return results, err
			case round == "cold":
				results[t].cold = r
			case i > 2:
				results[t].warm = append(results[t].warm, r)
			}
		}
	}
	return results, addRequests(results, env.AuditLog)
}

// run runs the tool once, as a user of its own. To find anything is a failure:
// nothing was changed.
func (t tool) run(ctx context.Context, env *testenv.Env, home, user string) (run, error) {
	kubeconfig, err := env.Kubeconfig(user, t.group)
	if err != nil {
		return run{}, err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return run{}, err
	}
	c, err := measure(ctx, []string{
		"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "KUBECONFIG=" + kubeconfig,
		"HOME=" + home, "XDG_CACHE_HOME=" + filepath.Join(home, "cache"),
	}, t.args...)
	if err == nil && c.ExitCode != 0 {
		err = fmt.Errorf("%s diff ended with code %d, although nothing was changed:\n%.2000s", t.name, c.ExitCode, c.Output)
	}
	return run{user: user, cost: c}, err
}
