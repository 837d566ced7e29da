package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// measureVerb makes this program a small one that runs one command and prints
// what it cost. The kernel counts the memory of the process that started a
// command as the command's own peak, so that process has to be smaller than
// what it measures: not the one that deployed a thousand objects.
const measureVerb = "measure"

// cost is what one run of a command took, its children included.
type cost struct {
	Wall, CPU time.Duration
	Memory    int64 // the largest resident set, in bytes
	ExitCode  int
	Output    string
}

// measure runs a command in a process of its own and returns its cost.
func measure(ctx context.Context, env []string, args ...string) (cost, error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	c := exec.CommandContext(ctx, self, append([]string{measureVerb}, args...)...)
	c.Env = env
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return cost{}, fmt.Errorf("running %s: %w", args[0], err)
	}
	var result cost
	return result, json.Unmarshal(out, &result)
}

// measureCommand is the small program. It returns the exit code.
func measureCommand(args []string) int {
	var output bytes.Buffer
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = &output, &output
	start := time.Now()
	err := c.Run()
	wall := time.Since(start)
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	result := cost{Wall: wall, CPU: c.ProcessState.UserTime() + c.ProcessState.SystemTime(), ExitCode: c.ProcessState.ExitCode(), Output: output.String()}
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		result.Memory = usage.Maxrss
		if runtime.GOOS != "darwin" { // which alone counts in bytes
			result.Memory *= 1024
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		return 1
	}
	return 0
}
