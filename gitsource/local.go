package gitsource

import (
	"context"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// openLocal runs git-upload-pack of a repository on this machine, which is the
// only one that reads every format of repository.
func openLocal(ctx context.Context, r remote) (session, error) {
	cmd := exec.CommandContext(ctx, "git", "upload-pack", r.endpoint.path)
	cmd.Env = localEnv(os.Environ())
	cmd.WaitDelay = time.Second
	stderr := &stderrText{}
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end := sync.OnceValue(func() error {
		_ = in.Close()
		_ = out.Close() // a process that still sends ends on its broken pipe
		return cmd.Wait()
	})
	return &stream{in: in, out: r.meter.reader(out), end: end, stderr: stderr, drain: func() { _ = end() }}, nil
}

// localEnv drops the variables that would point git at another repository, as
// they are set inside hooks, or change the protocol.
func localEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{
			"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_PROTOCOL",
			"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_TRACE", "GIT_TRACE_PACKET",
		}, name)
	})
}

// openDaemon talks to a git daemon, which knows no credentials.
func openDaemon(ctx context.Context, r remote) (session, error) {
	conn, err := dial(ctx, r.endpoint.address("9418"))
	if err != nil {
		return nil, err
	}
	hello := packp.GitProtoRequest{
		RequestCommand: "git-upload-pack",
		Pathname:       r.endpoint.path,
		Host:           r.endpoint.authority(),
	}
	if err := hello.Encode(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return &stream{in: conn, out: r.meter.reader(conn), end: conn.Close}, nil
}

// dial connects to address, and closes the connection when ctx ends, which makes
// every read and write on it return.
func dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return &boundConn{Conn: conn, stop: stop}, nil
}

// boundConn is a connection bound to a context.
type boundConn struct {
	net.Conn
	stop func() bool
}

// Close implements net.Conn.
func (c *boundConn) Close() error {
	c.stop()
	return c.Conn.Close()
}
