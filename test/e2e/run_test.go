package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// command is one run of plumbline. The zero value of every field but args is an
// ordinary one.
type command struct {
	args       []string
	kubeconfig string   // none where it is empty
	dir        string   // to run in
	env        []string // on top of the test's own
	binary     string   // another name of plumbline
	stdin      string
	// within is how long it may take; one that takes longer is killed and fails
	// the test. 0 is a minute.
	within time.Duration
	// interrupt sends SIGINT as soon as it is closed.
	interrupt <-chan struct{}
}

// result is what one run of plumbline did.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
	memory         int64 // bytes, at most
}

// secrets are values that no run may ever print, in plain or in base64.
var secrets struct {
	sync.Mutex
	values []string
}

// keepSecret registers a value that must not appear in anything that any later
// run prints.
func keepSecret(value string) string {
	secrets.Lock()
	defer secrets.Unlock()
	secrets.values = append(secrets.values, value, encoded(value))
	return value
}

func encoded(value string) string { return base64.StdEncoding.EncodeToString([]byte(value)) }

// run runs plumbline as a user; an empty kubeconfig means none.
func run(t testing.TB, kubeconfig string, args ...string) result {
	t.Helper()
	return command{args: args, kubeconfig: kubeconfig}.run(t)
}

func (c command) run(t testing.TB) result {
	t.Helper()
	if c.within == 0 {
		c.within = time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), c.within)
	defer cancel()
	name := plumbline
	if c.binary != "" {
		name = c.binary
	}
	process := exec.CommandContext(ctx, name, c.args...)
	process.Dir = c.dir
	process.Stdin = strings.NewReader(c.stdin)
	process.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig, "XDG_CACHE_HOME="+filepath.Join(env.Dir, "cache"), "HOME="+env.Dir)
	process.Env = append(process.Env, c.env...)
	var out, stderr bytes.Buffer
	process.Stdout, process.Stderr = &out, &stderr
	begin := time.Now()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	memory := peak(process.Process.Pid)
	if c.interrupt != nil {
		go func() {
			select {
			case <-c.interrupt:
				_ = process.Process.Signal(syscall.SIGINT)
			case <-ctx.Done():
			}
		}()
	}
	err := process.Wait()
	most := memory()
	if ctx.Err() != nil {
		t.Fatalf("plumbline %s did not end within %s:\n%s%s", strings.Join(c.args, " "), c.within, out.String(), stderr.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running plumbline: %v", err)
	}
	r := result{stdout: out.String(), stderr: stderr.String(), code: process.ProcessState.ExitCode(), took: time.Since(begin), memory: most}
	check(t, strings.Join(c.args, " "), r.stdout+r.stderr)
	return r
}

// peak watches how much memory a process takes, until the returned function is
// called and says how much that was at most. The kernel's own account at the end
// (rusage) begins with that of the process that started it.
func peak(pid int) func() int64 {
	var most int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
				if _, after, ok := strings.Cut(string(text), "VmHWM:"); ok {
					var kilobytes int64
					if _, err := fmt.Sscan(after, &kilobytes); err == nil {
						most = max(most, kilobytes<<10)
					}
				}
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-stopped
		return most
	}
}

// check holds everything that is ever printed to what no output may have: a
// Secret's value, a crash, a name of Go's.
func check(t testing.TB, what, printed string) {
	t.Helper()
	secrets.Lock()
	defer secrets.Unlock()
	for _, s := range secrets.values {
		if strings.Contains(printed, s) {
			t.Errorf("plumbline %s printed the secret value %s", what, s)
		}
	}
	for _, s := range []string{"panic:", "goroutine ", "v1alpha1.", "%!", "0xc0"} {
		if strings.Contains(printed, s) {
			t.Errorf("plumbline %s printed %q:\n%s", what, s, printed)
		}
	}
}

// refused wants exit code 2, nothing on standard output, and one error line that
// has all the given parts.
func refused(t testing.TB, r result, parts ...string) {
	t.Helper()
	if r.code != 2 || r.stdout != "" || !strings.HasPrefix(r.stderr, "error: ") {
		t.Errorf("exit %d, want a refusal:\n%s%s", r.code, r.stdout, r.stderr)
	}
	for _, part := range parts {
		if !strings.Contains(r.stderr, part) {
			t.Errorf("the error does not say %q:\n%s", part, r.stderr)
		}
	}
	if lines := strings.Count(r.stderr, "\n"); lines != 1 {
		t.Errorf("the error takes %d lines, want one:\n%s", lines, r.stderr)
	}
}
