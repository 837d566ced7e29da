package testenv

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// processes returns the command lines that name the directory, as the control
// plane's components do.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return found
}

func start(t *testing.T) *Env {
	t.Helper()
	e, err := Start(1)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(processes(t, e.Dir)); n < 6 {
		t.Fatalf("%d processes, want the supervisor, etcd, the API server, two controllers and kwok", n)
	}
	return e
}

func wantNone(t *testing.T, dir string) {
	t.Helper()
	if !Poll(10*time.Second, func() bool { return len(processes(t, dir)) == 0 }) {
		t.Errorf("left running:\n%s", strings.Join(processes(t, dir), "\n"))
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	e := start(t)
	if err := e.Stop(); err != nil {
		t.Error(err)
	}
	wantNone(t, e.Dir)
	if _, err := os.Stat(e.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", e.Dir, err)
	}
}

// TestKilledSupervisorLeavesNothing kills the supervisor in a way that it cannot
// notice; its components must notice themselves.
func TestKilledSupervisorLeavesNothing(t *testing.T) {
	t.Parallel()
	e := start(t)
	t.Cleanup(func() { _ = os.RemoveAll(e.Dir) })
	if err := e.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = e.cmd.Wait() // killed
	wantNone(t, e.Dir)
}

// TestDeadCallerLeavesNothing closes the standard input that the control plane
// was given, as the kernel does when the caller dies.
func TestDeadCallerLeavesNothing(t *testing.T) {
	t.Parallel()
	e := start(t)
	if err := e.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	wantNone(t, e.Dir)
	if err := e.Stop(); err != nil {
		t.Error(err)
	}
}

func TestPodsRunWithImageIDs(t *testing.T) {
	t.Parallel()
	e := start(t)
	defer func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	}()
	user := e.User(t, "someone", "system:masters")
	if who := user.Kubectl(t, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); who != "someone" {
		t.Errorf("the user is %q", who)
	}
	user.Kubectl(t, "create", "deployment", "web", "--image=registry.example.com:5000/web:1.0")
	user.Kubectl(t, "wait", "--for=condition=Available", "--timeout=30s", "deployment/web")
	id := user.Kubectl(t, "get", "pods", "-o", "jsonpath={.items[0].status.containerStatuses[0].imageID}")
	if !strings.HasPrefix(id, "registry.example.com:5000/web@sha256:") {
		t.Errorf("the image id is %q", id)
	}
	if _, err := e.User(t, "nobody").Try("", "get", "pods"); err == nil || !strings.Contains(err.Error(), `User "nobody" cannot list`) {
		t.Errorf("a user without rights got %v", err)
	}
}
