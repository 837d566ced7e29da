package oracle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"plumbline.dev/plumbline/test/testenv"
)

var (
	count   = flag.Int("n", 500, "number of edits that are judged")
	seed    = flag.Uint64("seed", 31, "seed of the programs; 0 takes a fresh one")
	leftOut = flag.String("without", strings.Join(notYetKinds, ","), "kinds that are left out, with commas")
	only    = flag.String("only", "", "only objects of this kind")
	leave   = flag.String("off", strings.Join(notYet, ","), "features that are left out, with commas")
	keep    = flag.String("keep", "", "directory for the smallest programs that fail")
	corpora = flag.Bool("corpora", false, "take objects from public configurations too; always for more than 500 edits")
	kept    = flag.String("found", "testdata/found", "directory of the programs that are run always")
	shown   = flag.Bool("show", false, "print the objects of these programs")
	workers = flag.Int("workers", 4, "programs that run side by side")

	env *testenv.Env
)

// At these features of programs, and these kinds, the differ is not right yet.
var notYet, notYetKinds []string

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, 0, &env)) }

// tally counts what was judged.
type tally struct {
	mu                                                        sync.Mutex
	edits, agree, disagree, noAnswer, refused, said, unspoken int
	kinds                                                     map[string]int
	failures                                                  []failure
	taken                                                     map[string]bool
}

type failure struct {
	index   int
	program Program
	wrong   []string
}

// TestOracle runs random programs and wants the differ to be right after each
// step.
func TestOracle(t *testing.T) {
	g := theWorld(t)
	for _, left := range strings.Split(*leftOut, ",") {
		maps.DeleteFunc(g.sources, func(kind string, _ []source) bool { return strings.Split(kind, ".")[0] == left })
	}
	if *only != "" {
		maps.DeleteFunc(g.sources, func(kind string, _ []source) bool { return !strings.HasPrefix(kind, *only) })
	}
	t.Logf("oracle: %d edits, seed %d (repeat with: make oracle N=%d SEED=%d)", *count, *seed, *count, *seed)
	total := &tally{kinds: map[string]int{}, taken: map[string]bool{}}
	var wait sync.WaitGroup
	indexes := make(chan int)
	for range *workers {
		wait.Go(func() {
			for i := range indexes {
				if err := g.random(t.Context(), i, total); err != nil {
					t.Errorf("program %d of seed %d: %v", i, *seed, err)
				}
			}
		})
	}
	for i := 0; total.judged() < *count && i < *count; i++ {
		indexes <- i
	}
	close(indexes)
	wait.Wait()
	report(t, g, total)
	if total.edits < *count || total.noAnswer > total.edits/10 {
		t.Errorf("only %d edits of %d were judged, %d of them without an answer", total.edits, *count, total.noAnswer)
	}
}

func (c *tally) judged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edits
}

// random runs the program of a number.
func (g *generator) random(ctx context.Context, index int, total *tally) (err error) {
	r := rand.New(rand.NewPCG(*seed, uint64(index)+1)) //nolint:gosec // reproducible
	p := g.program(r)
	run, err := g.start(ctx, p)
	if errors.Is(err, errNoAnswer) || p.Definition != nil && errors.Is(err, errRefused) {
		return nil // not all that is made up is valid
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.end(ctx)) }()
	for range 3 + r.IntN(8) {
		s, ok, err := g.next(ctx, r, run, total)
		if err != nil {
			_, err := total.add(run, verdict{}, err)
			return err
		}
		if !ok {
			continue
		}
		p.Steps = append(p.Steps, s)
		v, err := run.judge(ctx)
		if stop, err := total.add(run, v, err); err != nil || stop {
			if len(v.wrong) > 0 {
				total.fail(failure{index, p, v.wrong})
			}
			return err
		}
	}
	return nil
}

// next makes a step, of several that the server may refuse.
func (g *generator) next(ctx context.Context, r *rand.Rand, run *run, total *tally) (Step, bool, error) {
	for range 6 {
		s, ok := g.step(r, run)
		if !ok {
			continue
		}
		err := run.do(ctx, s)
		if !errors.Is(err, errRefused) {
			return s, true, err
		}
		total.mu.Lock()
		total.refused++
		total.mu.Unlock()
	}
	return Step{}, false, nil
}

func (c *tally) add(r *run, v verdict, err error) (stop bool, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && !errors.Is(err, errNoAnswer) {
		return true, err
	}
	c.edits++
	c.kinds[r.git.GetKind()]++
	c.said += v.imposturesSaid
	c.unspoken += v.imposturesMissed
	for _, p := range v.taken {
		c.taken[r.git.GetKind()+" "+p] = true
	}
	switch {
	case err != nil:
		c.noAnswer++
		return true, nil
	case len(v.wrong) > 0:
		c.disagree++
		return true, nil
	}
	c.agree++
	return false, nil
}

func (c *tally) fail(f failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, f)
}

// report prints the agreement, and the smallest programs that show each sort of
// disagreement.
func report(t *testing.T, g *generator, total *tally) {
	t.Helper()
	slices.SortFunc(total.failures, func(a, b failure) int { return cmp.Compare(a.index, b.index) })
	seen := map[string]int{}
	for _, f := range total.failures {
		kind, _ := f.program.Git["kind"].(string)
		group := strings.TrimRight(kind, "0123456789") + " " + sort(f.wrong[0])
		if seen[group]++; seen[group] > 2 {
			t.Errorf("program %d, %s: %s", f.index, kind, strings.Join(f.wrong, "\n  "))
			continue
		}
		small := g.shrink(t.Context(), f.program, f.wrong[0])
		wrong, err := g.play(t.Context(), small, nil)
		if err != nil || len(wrong) == 0 {
			small, wrong = f.program, f.wrong
			wrong = append(wrong, fmt.Sprintf("(not seen again: %v)", err))
		}
		small.Why = strings.Join(wrong, "; ")
		text, err := json.MarshalIndent(small, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("program %d, %s, after %v:\n  %s", f.index, kind, small.Steps, strings.Join(wrong, "\n  "))
		if *keep != "" {
			name := fmt.Sprintf("%s-%d-%d.json", strings.ToLower(kind), *seed, f.index)
			if err := os.MkdirAll(*keep, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(*keep, name), append(text, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(total.taken) > 0 {
		t.Logf("oracle: defaults that were taken away and not put back: %v", sortedKeys(total.taken))
	}
	t.Logf("oracle: %d edits, %d agree, %d disagree, %d without an answer; of %d by an impostor %d said; %d refused; seed %d",
		total.edits, total.agree, total.disagree, total.noAnswer, total.said+total.unspoken, total.said, total.refused, *seed)
}
