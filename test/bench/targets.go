package main

import (
	"fmt"
	"slices"
	"time"
)

// target is a promise, and whether this run kept it.
type target struct {
	what, measured string
	met            bool
	aim            string // the next one, and how far it is
}

func (t target) String() string {
	word := "not met"
	if t.met {
		word = "met"
	}
	line := fmt.Sprintf("%-7s  %-46s %s", word, t.what, t.measured)
	if t.aim != "" {
		line += " (" + t.aim + ")"
	}
	return line
}

const (
	minSpeedup, aimSpeedup = 8, 15
	maxRequests            = 40
	maxMemory              = 200 // MB

	maxCompare, aimCompare = 60 * time.Microsecond, 40 * time.Microsecond
	maxAllocs, aimAllocs   = 200, 100

	maxRules = 25 // % more than a run that only compares

	maxDumpCPU    = 2 * time.Second
	maxDumpMemory = 300 // MB
)

// targets judges all runs, cold ones too, but for the time: of the warm runs'
// medians.
func targets(s summary) []target {
	a, b := s.results[alone], s.results[kubectl]
	speedup := median(values(b.warm, metrics[0])) / median(values(a.warm, metrics[0]))
	all := append(slices.Clone(a.warm), a.cold)
	requests, writes, memory := 0, 0, 0.0
	for _, r := range all {
		requests = max(requests, len(r.requests))
		writes = max(writes, r.writes())
		memory = max(memory, mega(r.Memory))
	}
	one, dump := s.micro[0].differ, s.dumps["json"]
	rules := 100 * (s.ofRules(metrics[1]) - 1)
	return []target{
		{fmt.Sprintf("at least %d times less wall time than kubectl", minSpeedup), fmt.Sprintf("%.1f", speedup), speedup >= minSpeedup, aim(speedup >= aimSpeedup, aimSpeedup)},
		{fmt.Sprintf("at most %d requests", maxRequests), fmt.Sprint(requests), requests <= maxRequests, ""},
		{"no write and no dry run", fmt.Sprint(writes), writes == 0, ""},
		{fmt.Sprintf("under %d MB at the peak", maxMemory), fmt.Sprintf("%.0f MB", memory), memory < maxMemory, ""},
		{fmt.Sprintf("at most %d µs to compare a Deployment", maxCompare.Microseconds()), micros(one.fastest) + " µs", one.fastest <= maxCompare, aim(one.fastest <= aimCompare, aimCompare.Microseconds())},
		{fmt.Sprintf("at most %d allocations to compare it", maxAllocs), fmt.Sprint(one.allocs), one.allocs <= maxAllocs, aim(one.allocs <= aimAllocs, aimAllocs)},
		rulesTarget(rules),
		{fmt.Sprintf("at most %.0f s of CPU for %d objects of a dump", maxDumpCPU.Seconds(), dumpObjects), fmt.Sprintf("%.2f s", dump.CPU.Seconds()), dump.CPU <= maxDumpCPU, ""},
		{fmt.Sprintf("at most %d MB for them at the peak", maxDumpMemory), fmt.Sprintf("%.0f MB", mega(dump.Memory)), mega(dump.Memory) <= maxDumpMemory, ""},
	}
}

// rulesTarget judges by how many percent a run with all rules takes more CPU than one that
// only compares.
func rulesTarget(more float64) target {
	return target{fmt.Sprintf("all rules at most %d %% more CPU than comparing", maxRules), fmt.Sprintf("%.0f %%", more), more <= maxRules, ""}
}

func aim[N int | int64](met bool, n N) string {
	if met {
		return fmt.Sprintf("aim %d: met", n)
	}
	return fmt.Sprintf("aim %d: not met", n)
}
