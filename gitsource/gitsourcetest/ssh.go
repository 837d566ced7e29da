package gitsourcetest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSHServer serves one repository over SSH to one key.
type SSHServer struct {
	// URL is the repository's ssh:// URL.
	URL string
	// Address is the server's host:port.
	Address string
	// KnownHosts is the line of known_hosts for the server.
	KnownHosts []byte
	// Key is the private key that is let in, in PEM.
	Key []byte

	t       testing.TB
	private ed25519.PrivateKey
}

// LockedKey returns Key encrypted with a passphrase, which takes its time.
func (s *SSHServer) LockedKey(passphrase string) []byte {
	s.t.Helper()
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(s.private, "", []byte(passphrase))
	check(s.t, err)
	return pem.EncodeToMemory(locked)
}

// ServeSSH serves a repository over SSH until the test ends.
func ServeSSH(t testing.TB, repo *Repo) *SSHServer {
	t.Helper()
	host, _ := newKey(t)
	client, private := newKey(t)
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if bytes.Equal(key.Marshal(), client.PublicKey().Marshal()) {
				return nil, nil
			}
			return nil, errors.New("unknown key")
		},
	}
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { listener.Close() })
	go accept(listener, config, repo)

	plain, err := ssh.MarshalPrivateKey(private, "")
	check(t, err)
	address := listener.Addr().String()
	return &SSHServer{
		URL:        "ssh://git@" + address + repo.Dir,
		Address:    address,
		KnownHosts: knownHosts(address, host.PublicKey()),
		Key:        pem.EncodeToMemory(plain),
		t:          t,
		private:    private,
	}
}

// knownHosts returns a line of known_hosts.
func knownHosts(address string, key ssh.PublicKey) []byte {
	return []byte(knownhosts.Line([]string{knownhosts.Normalize(address)}, key) + "\n")
}

// OtherHostKey returns a line of known_hosts with another key for an address.
func OtherHostKey(t testing.TB, address string) []byte {
	t.Helper()
	other, _ := newKey(t)
	return knownHosts(address, other.PublicKey())
}

func newKey(t testing.TB) (ssh.Signer, ed25519.PrivateKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	check(t, err)
	return signer, private
}

func accept(listener net.Listener, config *ssh.ServerConfig, repo *Repo) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go serveConn(conn, config, repo)
	}
}

func serveConn(conn net.Conn, config *ssh.ServerConfig, repo *Repo) {
	defer conn.Close()
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer server.Close()
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go serveChannel(channel, requests, repo)
	}
}

// serveChannel runs git-upload-pack of the repository, for that command only.
func serveChannel(channel ssh.Channel, requests <-chan *ssh.Request, repo *Repo) {
	defer channel.Close()
	for req := range requests {
		var run struct{ Command string }
		if req.Type != "exec" || ssh.Unmarshal(req.Payload, &run) != nil {
			_ = req.Reply(false, nil)
			continue
		}
		_ = req.Reply(true, nil)
		status := runUploadPack(channel, run.Command, repo)
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
		return
	}
}

func runUploadPack(channel ssh.Channel, command string, repo *Repo) uint32 {
	dir := strings.Trim(strings.TrimPrefix(command, "git-upload-pack "), "'")
	if dir != repo.Dir {
		_, _ = io.WriteString(channel.Stderr(), "fatal: '"+dir+"' does not appear to be a git repository\n")
		return 128
	}
	cmd := exec.Command("git", "upload-pack", dir)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return 1
	}
	go func() { _, _ = io.Copy(in, channel); in.Close() }()
	if err := cmd.Run(); err != nil {
		return 1
	}
	return 0
}

// quiet drops what a server logs about clients that refuse it.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
