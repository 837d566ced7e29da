package gitsource_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

func TestSSH(t *testing.T) {
	t.Parallel()
	server := gitsourcetest.ServeSSH(t, oneCommit(t))
	other := gitsourcetest.ServeSSH(t, oneCommit(t))
	const passphrase = "open sesame"
	locked := server.LockedKey(passphrase)
	for name, c := range map[string]struct {
		auth gitsource.Auth
		says []string
	}{
		"key":              {auth: gitsource.Auth{SSHKey: server.Key, KnownHosts: server.KnownHosts}},
		"locked key":       {auth: gitsource.Auth{SSHKey: locked, SSHPassphrase: passphrase, KnownHosts: server.KnownHosts}},
		"no passphrase":    {gitsource.Auth{SSHKey: locked, KnownHosts: server.KnownHosts}, []string{"give its passphrase"}},
		"wrong passphrase": {gitsource.Auth{SSHKey: locked, SSHPassphrase: secret, KnownHosts: server.KnownHosts}, []string{"does not open"}},
		"no key in it":     {gitsource.Auth{SSHKey: []byte(secret), KnownHosts: server.KnownHosts}, []string{"not a private key"}},
		"key not let in":   {gitsource.Auth{SSHKey: other.Key, KnownHosts: server.KnownHosts}, []string{"authentication failed", "SSH keys"}},
		"unknown host":     {gitsource.Auth{SSHKey: server.Key, KnownHosts: other.KnownHosts}, []string{"host key", "is unknown", "SHA256:", "known_hosts"}},
		"changed host":     {gitsource.Auth{SSHKey: server.Key, KnownHosts: gitsourcetest.OtherHostKey(t, server.Address)}, []string{"host key", "has changed", "SHA256:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := gitsource.Options{URL: server.URL, Auth: c.auth}
			if len(c.says) > 0 {
				err := failure(t, opts, c.says...)
				hidesSecrets(t, err.Error(), secret, "git@")
				return
			}
			s := fetch(t, opts)
			if got := contents(t, s.FS())["a.yaml"]; got != "1" {
				t.Errorf("got %q", got)
			}
			if again, err := gitsource.Fetch(t.Context(), opts, s); err != nil || again != s {
				t.Errorf("fetched again: %v", err)
			}
		})
	}
	refused(t, gitsource.Options{URL: "ssh://git@" + server.Address + "/it's", Auth: gitsource.Auth{SSHKey: server.Key, KnownHosts: server.KnownHosts}}, "repository not found")
	missing := strings.Replace(server.URL, "repo.git", "other.git", 1)
	refused(t, gitsource.Options{URL: missing, Auth: gitsource.Auth{SSHKey: server.Key, KnownHosts: server.KnownHosts}}, "repository not found")
}

// What is not given is taken from the user: known hosts and an agent's keys.
func TestSSHOfTheUser(t *testing.T) {
	server := gitsourcetest.ServeSSH(t, oneCommit(t))
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_KNOWN_HOSTS", "")
	t.Setenv("SSH_AUTH_SOCK", "")
	opts := gitsource.Options{URL: server.URL, Auth: gitsource.Auth{SSHKey: server.Key}}
	refused(t, opts, "known_hosts")
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), server.KnownHosts, 0o600); err != nil {
		t.Fatal(err)
	}
	fetch(t, opts)

	opts.Auth.SSHKey = nil
	refused(t, opts, "no SSH key is given and no SSH agent is running")
	t.Setenv("SSH_AUTH_SOCK", filepath.Join(home, "nosuch"))
	refused(t, opts, "the SSH agent does not answer")
	t.Setenv("SSH_AUTH_SOCK", serveAgent(t, server.Key))
	fetch(t, opts)
}

func serveAgent(t *testing.T, key []byte) string {
	t.Helper()
	private, err := ssh.ParseRawPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listen(t, "unix", socket, func(conn net.Conn) { _ = agent.ServeAgent(keys, conn) })
	return socket
}

// listen serves connections until the test ends, and returns the address.
func listen(t *testing.T, network, address string, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func TestGitDaemon(t *testing.T) {
	t.Parallel()
	repo := oneCommit(t)
	address := listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		var hello packp.GitProtoRequest
		if hello.Decode(conn) != nil {
			return
		}
		if hello.Pathname != "/repo.git" {
			_, _ = io.WriteString(conn, "0030ERR access denied or repository not exported")
			return
		}
		cmd := exec.Command("git", "upload-pack", repo.Dir)
		cmd.Stdin, cmd.Stdout = conn, conn
		_ = cmd.Run()
	})
	opts := gitsource.Options{URL: "git://" + address + "/repo.git"}
	s := fetch(t, opts)
	if got := contents(t, s.FS())["a.yaml"]; got != "1" {
		t.Errorf("got %q", got)
	}
	if again, err := gitsource.Fetch(t.Context(), opts, s); err != nil || again != s {
		t.Errorf("fetched again: %v", err)
	}
	refused(t, gitsource.Options{URL: "git://" + address + "/other.git"}, "repository not found")
}

func TestServersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	server := gitsourcetest.ServeSSH(t, oneCommit(t))
	address := listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	for _, url := range []string{"git://" + address + "/p", "ssh://git@" + address + "/p", "https://" + address + "/p"} {
		opts := gitsource.Options{
			URL:    url,
			Auth:   gitsource.Auth{SSHKey: server.Key, KnownHosts: server.KnownHosts},
			Limits: gitsource.Limits{Timeout: 20 * time.Millisecond},
		}
		if err := failure(t, opts, "not done within 20ms"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
