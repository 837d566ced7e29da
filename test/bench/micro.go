package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// micro is what comparing two objects costs: decoded ones by the differ, the same
// from the bytes that a server sends, and, for the declared fields alone, by
// structured-merge-diff.
type micro struct {
	object               string
	differ, bytes, typed perComparison
}

// perComparison is of several measurements. The fastest is the one to judge by:
// what else the machine does can only slow the others down.
type perComparison struct {
	fastest, median time.Duration
	allocs          int
}

const microName = "BenchmarkCompareUnchanged"

// benchmarkDiffer runs the differ's own benchmark.
func benchmarkDiffer(ctx context.Context) ([]micro, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "plumbline.dev/plumbline/differ", "-run", "^$",
		"-bench", "^"+microName+"$", "-benchmem", "-benchtime", "0.3s", "-count", "5").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("measuring one comparison: %w: %s", err, out)
	}
	all, err := parseMicro(out)
	if err != nil {
		return nil, fmt.Errorf("measuring one comparison: %w in %q", err, out)
	}
	return all, nil
}

// parseMicro reads lines of the form
//
//	BenchmarkCompareUnchanged/OBJECT/BY-2  N  T ns/op  B B/op  A allocs/op
//
// in which BY is differ, bytes or typed and each stands several times.
func parseMicro(out []byte) ([]micro, error) {
	times, allocs := map[string][]float64{}, map[string]int{}
	var objects []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || !strings.HasPrefix(fields[0], microName+"/") {
			continue
		}
		name := strings.TrimPrefix(strings.TrimSuffix(fields[0], fmt.Sprintf("-%d", runtime.GOMAXPROCS(0))), microName+"/")
		ns, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return nil, err
		}
		times[name] = append(times[name], ns)
		if allocs[name], err = strconv.Atoi(fields[len(fields)-2]); err != nil {
			return nil, err
		}
		if object, found := strings.CutSuffix(name, "/differ"); found && !slices.Contains(objects, object) {
			objects = append(objects, object)
		}
	}
	if len(objects) == 0 {
		return nil, errors.New("no measurement")
	}
	of := func(name string) perComparison {
		return perComparison{
			fastest: time.Duration(slices.Min(times[name])), median: time.Duration(median(times[name])),
			allocs: allocs[name],
		}
	}
	var all []micro
	for _, object := range objects {
		if len(times[object+"/typed"]) == 0 || len(times[object+"/bytes"]) == 0 {
			return nil, fmt.Errorf("nothing beside %s", object)
		}
		all = append(all, micro{object: strings.ReplaceAll(object, "_", " "), differ: of(object + "/differ"), bytes: of(object + "/bytes"), typed: of(object + "/typed")})
	}
	return all, nil
}

// rules is what it costs to judge a live object by all rules but those that ask
// registries, and to compare a declared one, of the same cluster.
type rules struct{ judge, compare time.Duration }

// benchmarkRules runs the audit's own benchmark. The medians count: both are measured
// in turns.
func benchmarkRules(ctx context.Context) (rules, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "plumbline.dev/plumbline/audit", "-run", "^$",
		"-bench", "^BenchmarkRules$", "-benchtime", "10x", "-count", "3").CombinedOutput()
	if err != nil {
		return rules{}, fmt.Errorf("measuring the rules: %w: %s", err, out)
	}
	all := map[string][]float64{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for i := 1; i < len(fields); i++ {
			if n, err := strconv.ParseFloat(fields[i-1], 64); err == nil {
				all[fields[i]] = append(all[fields[i]], n)
			}
		}
	}
	judge, compare := all["rules-ns/object"], all["drift-ns/object"]
	if len(judge) == 0 || len(compare) == 0 {
		return rules{}, fmt.Errorf("measuring the rules: no measurement in %q", out)
	}
	return rules{time.Duration(median(judge)), time.Duration(median(compare))}, nil
}
