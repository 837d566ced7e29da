package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"plumbline.dev/plumbline/test/controlplane/lifeline"
)

// process is one running component.
type process struct {
	name string
	log  string // path of what it printed
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // valid once done is closed
}

// supervisor starts components and ends them in the opposite order.
type supervisor struct {
	logDir    string
	read      *os.File
	write     *os.File
	processes []*process
	failed    chan *process // receives each process that ends
}

func newSupervisor(logDir string) (*supervisor, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making the lifeline: %w", err)
	}
	return &supervisor{logDir: logDir, read: read, write: write, failed: make(chan *process, 16)}, nil
}

// start runs executable as name with args. The component gets a process group
// of its own, so that Ctrl-C reaches the supervisor only and the order of
// shutting down is the supervisor's.
func (s *supervisor) start(executable, name string, args ...string) error {
	logPath := filepath.Join(s.logDir, name+".log")
	logFile, err := os.Create(logPath)
	if err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	defer logFile.Close()
	c := exec.Command(executable, args...)
	c.Args[0] = name
	c.Stdout, c.Stderr = logFile, logFile
	c.ExtraFiles = []*os.File{s.read}
	c.Env = append(withoutProxy(os.Environ()), lifeline.Env+"=3")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{name: name, log: logPath, cmd: c, done: make(chan struct{})}
	s.processes = append(s.processes, p)
	go func() {
		p.err = c.Wait()
		close(p.done)
		s.failed <- p
	}()
	return nil
}

// withoutProxy drops the settings by which the API server would call webhooks
// through a proxy: the control plane talks to nobody outside of this machine.
func withoutProxy(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(setting string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(setting), "=")
		return name == "HTTP_PROXY" || name == "HTTPS_PROXY" || name == "ALL_PROXY"
	})
}

// stop ends every component, last started first, and waits for each: politely
// at first, by SIGKILL after grace.
func (s *supervisor) stop(grace time.Duration) {
	for i := len(s.processes) - 1; i >= 0; i-- {
		p := s.processes[i]
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(grace):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	_ = s.write.Close()
	_ = s.read.Close()
}

// failure says why a component that should be running is not, with the end of
// its log.
func (p *process) failure() error {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return errors.Join(fmt.Errorf("%s ended: %w", p.name, p.err), err)
	}
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	if len(lines) > 15 {
		lines = lines[len(lines)-15:]
	}
	return fmt.Errorf("%s ended (%w); the end of %s:\n%s", p.name, p.err, p.log, strings.Join(lines, "\n"))
}
