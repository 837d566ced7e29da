package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// unhurried is the memory, in bytes, up to which none is collected.
	unhurried = 180 << 20
	// pace is by how many percent memory then grows between two collections.
	pace = 40
)

// collectLate puts off the collection of garbage until it is worth while. Most of
// what a run reads it needs to the end, so that to look through it while it grows
// finds nothing; and what is small enough needs no collection at all. The variables
// GOGC and GOMEMLIMIT, where they are set, hold instead.
func collectLate() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(unhurried)
	first := new([16]byte) // gone with the first collection, from which on the limit would be in the way
	runtime.AddCleanup(first, func(int) {
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(pace)
	}, 0)
}
