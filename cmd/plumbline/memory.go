package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// unhurried is the size, in bytes, up to which the heap may grow before any garbage is
	// collected, and between two collections.
	unhurried = 205 << 20
	// pace is by how many percent it then grows at least between two collections.
	pace = 40
)

// lastingPace is by how many percent the heap of what does not end grows between two
// collections.
const lastingPace = 50

// collect sets how garbage is collected: of a run that ends soon late, of one that lasts
// early. The variables GOGC and GOMEMLIMIT, where they are set, hold instead.
func collect(lasts bool) {
	switch {
	case os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "":
	case lasts:
		debug.SetGCPercent(lastingPace)
	default:
		collectLate()
	}
}

// collectLate puts off the collection of garbage until it is worth while. Most of
// what a run reads it needs to the end, so that to look through it while it grows
// finds nothing; and what is small enough needs no collection at all.
func collectLate() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(unhurried)
	afterCollection(func() { debug.SetMemoryLimit(math.MaxInt64) }) // which what is needed may well fill
}

// afterCollection calls do after the next collection, and after each sets the size at
// which there is to be another.
func afterCollection(do func()) {
	marker := new([16]byte) // gone with the collection
	runtime.AddCleanup(marker, func(int) {
		do()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		n := max(1, live[0].Value.Uint64())
		debug.SetGCPercent(max(pace, int(100*max(n, unhurried)/n)-100))
		afterCollection(func() {})
	}, 0)
}
