// Package lifeline ends a process when the one that started it is gone, however
// that one died.
//
// A lifeline is a pipe whose write end the supervisor alone holds: when the
// supervisor dies, the kernel closes it, and whoever reads the other end sees
// the end of the file. Unlike a parent-death signal this works on every Unix.
package lifeline

import (
	"io"
	"os"
)

// Env is set for a supervised process, whose descriptor 3 is the read end.
const Env = "CONTROLPLANE_LIFELINE"

// Watch ends this process as soon as its supervisor is gone. It does nothing in
// a process that nobody supervises.
func Watch() {
	if os.Getenv(Env) == "" {
		return
	}
	read := os.NewFile(3, "lifeline")
	go func() {
		_, _ = io.Copy(io.Discard, read)
		os.Exit(1)
	}()
}
