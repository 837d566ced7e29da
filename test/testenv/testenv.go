// Package testenv gives tests a real Kubernetes control plane, and clients for
// any user of it.
package testenv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Env is one running control plane.
type Env struct {
	// Dir holds the control plane's files, kubeconfigs and logs.
	Dir string
	// AuditLog has one line of JSON for each request.
	AuditLog string

	root  string
	cmd   *exec.Cmd
	stdin io.Closer
}

const readyWithin = 3 * time.Minute

// Start runs a control plane with the given number of nodes until Stop, or until
// this process ends in whatever way. It wants the binaries of "make
// controlplane".
func Start(nodes int) (*Env, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(root, "bin", "controlplane")
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("there is no control plane to test with: run \"make controlplane\" first: %w", err)
	}
	dir, err := os.MkdirTemp("", "plumbline-test-")
	if err != nil {
		return nil, err
	}
	e := &Env{Dir: dir, AuditLog: filepath.Join(dir, "audit.log"), root: root}
	e.cmd = exec.Command(binary, "up", "--dir", dir, "--nodes", fmt.Sprint(nodes), "--audit-log", e.AuditLog, "--until-stdin-ends")
	var stderr bytes.Buffer
	e.cmd.Stderr = &stderr
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if e.stdin, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	if err := waitFor(stdout, "ready"); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the control plane: %w: %s", err, stderr.String()), e.Stop())
	}
	return e, nil
}

func waitFor(r io.Reader, line string) error {
	found := make(chan error, 1)
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if lines.Text() == line {
				found <- nil
				_, _ = io.Copy(io.Discard, r)
				return
			}
		}
		found <- errors.New("it ended")
	}()
	select {
	case err := <-found:
		return err
	case <-time.After(readyWithin):
		return fmt.Errorf("not %s within %s", line, readyWithin)
	}
}

// Stop ends the control plane and removes its files.
func (e *Env) Stop() error {
	_ = e.stdin.Close()
	err := e.cmd.Wait()
	return errors.Join(err, os.RemoveAll(e.Dir))
}

// FreeAddress returns a loopback address at which nobody listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Main runs a package's tests with one control plane for all of them, which it
// hands out through into.
func Main(m *testing.M, nodes int, into **Env) int {
	e, err := Start(nodes)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*into = e
	code := m.Run()
	if err := e.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
	}
	return code
}

// Root returns the directory of the module.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module plumbline.dev/plumbline\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not within the module")
		}
		dir = parent
	}
}

// Kubeconfig returns the path of a kubeconfig for any user and groups. Members
// of system:masters may do everything.
func (e *Env) Kubeconfig(user string, groups ...string) (string, error) {
	args := []string{"kubeconfig", "--dir", e.Dir, "--user", user}
	for _, group := range groups {
		args = append(args, "--group", group)
	}
	text, err := exec.Command(filepath.Join(e.root, "bin", "controlplane"), args...).Output()
	if err != nil {
		return "", fmt.Errorf("making a kubeconfig for %s: %w", user, err)
	}
	f, err := os.CreateTemp(e.Dir, "kubeconfig-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	return f.Name(), errors.Join(err, f.Close())
}

// Config returns a client configuration for any user and groups.
func (e *Env) Config(user string, groups ...string) (*rest.Config, error) {
	path, err := e.Kubeconfig(user, groups...)
	if err != nil {
		return nil, err
	}
	return clientcmd.BuildConfigFromFlags("", path)
}

// A User acts on the cluster with kubectl, as one identity.
type User struct {
	Name       string
	Kubeconfig string
	kubectl    string
}

// User returns a user of the given groups.
func (e *Env) User(t testing.TB, name string, groups ...string) User {
	t.Helper()
	path, err := e.Kubeconfig(name, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return User{Name: name, Kubeconfig: path, kubectl: filepath.Join(e.root, "bin", "kubectl")}
}

// Try runs kubectl and returns what it printed.
func (u User) Try(stdin string, args ...string) (string, error) {
	c := exec.Command(u.kubectl, args...)
	c.Env = append(os.Environ(), "KUBECONFIG="+u.Kubeconfig)
	c.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: kubectl %s: %w: %s", u.Name, strings.Join(args, " "), err, stderr.String())
	}
	return out.String(), nil
}

// Kubectl runs kubectl and fails the test if that does.
func (u User) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	return u.KubectlIn(t, "", args...)
}

// KubectlIn is Kubectl with standard input.
func (u User) KubectlIn(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := u.Try(stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Poll asks done until it says yes, and returns false if it did not within the
// given time.
func Poll(within time.Duration, done func() bool) bool {
	end := time.After(within)
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-end:
			return false
		case <-tick.C:
		}
	}
	return true
}
