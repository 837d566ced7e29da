package gitsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// openSSH runs git-upload-pack on an SSH server whose host key is known. The
// user's ssh_config is not read.
func openSSH(ctx context.Context, r remote) (session, error) {
	address := r.endpoint.address("22")
	keys, done, err := sshKeys(ctx, r.auth)
	if err != nil {
		return nil, err
	}
	defer done()
	config, verdict, err := sshConfig(r, address, keys)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		conn.Close()
		return nil, errors.Join(verdict.err, err)
	}
	client := ssh.NewClient(c, channels, requests)
	s, err := startUploadPack(client, r)
	if err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

func startUploadPack(client *ssh.Client, r remote) (session, error) {
	s, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	stderr := &stderrText{}
	s.Stderr = stderr
	in, err := s.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.Start("git-upload-pack " + shellQuoted(sshPath(r.endpoint))); err != nil {
		return nil, err
	}
	end := sync.OnceValue(func() error {
		_ = in.Close()
		return client.Close()
	})
	drain := func() {
		_ = in.Close()
		_ = s.Wait() // the last words on standard error come before the exit status
	}
	return &stream{in: in, out: r.meter.reader(out), end: end, stderr: stderr, drain: drain}, nil
}

// sshPath returns the path as the server's shell sees it: of ssh://host/~user/x
// the leading slash is not part.
func sshPath(e endpoint) string {
	if strings.HasPrefix(e.path, "/~") {
		return e.path[1:]
	}
	return e.path
}

// shellQuoted quotes for a POSIX shell.
func shellQuoted(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// sshKeys returns how to log in, and what to call when that is over.
func sshKeys(ctx context.Context, a Auth) (ssh.AuthMethod, func(), error) {
	nothing := func() {}
	if len(a.SSHKey) > 0 {
		signer, err := parseKey(a)
		if err != nil {
			return nil, nil, err
		}
		return ssh.PublicKeys(signer), nothing, nil
	}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, nil, refusef("authentication failed: no SSH key is given and no SSH agent is running: give a private key")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, refusef("authentication failed: no SSH key is given and the SSH agent does not answer: give a private key")
	}
	return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), func() { conn.Close() }, nil
}

func parseKey(a Auth) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(a.SSHKey)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return signer, nil
	case !errors.As(err, &locked):
		return nil, refusef("the SSH key given is not a private key in PEM form")
	case a.SSHPassphrase == "":
		return nil, refusef("the SSH key given is encrypted: give its passphrase")
	}
	signer, err = ssh.ParsePrivateKeyWithPassphrase(a.SSHKey, []byte(a.SSHPassphrase))
	if err != nil {
		return nil, refusef("the passphrase given does not open the SSH key")
	}
	return signer, nil
}

// hostVerdict is why a host key was refused; the handshake's own error does not
// say what to do.
type hostVerdict struct{ err error }

func sshConfig(r remote, address string, keys ssh.AuthMethod) (*ssh.ClientConfig, *hostVerdict, error) {
	files, remove, err := knownHostsFiles(r.auth.KnownHosts)
	if err != nil {
		return nil, nil, err
	}
	defer remove()
	known, err := gitssh.NewKnownHostsDb(files...)
	if err != nil {
		return nil, nil, refusef("no known_hosts can be read, and without one no SSH host is trusted: give the host's key as known_hosts (%s)", oneLine(err.Error()))
	}
	user := r.endpoint.user
	if user == "" {
		user = r.auth.Username
	}
	if user == "" {
		user = gitssh.DefaultUsername
	}
	verdict := &hostVerdict{}
	check := known.HostKeyCallback()
	return &ssh.ClientConfig{
		User: user,
		Auth: []ssh.AuthMethod{keys},
		// Only the kinds of keys that are known may be negotiated: a server
		// has several, and another one of them would look like a changed key.
		HostKeyAlgorithms: known.HostKeyAlgorithms(address),
		HostKeyCallback: func(host string, from net.Addr, key ssh.PublicKey) error {
			verdict.err = explainHostKey(check(host, from, key), host, key)
			return verdict.err
		},
	}, verdict, nil
}

func explainHostKey(err error, host string, key ssh.PublicKey) error {
	if err == nil {
		return nil
	}
	shown := fmt.Sprintf("%s %s", key.Type(), ssh.FingerprintSHA256(key))
	name := knownhosts.Normalize(host)
	var mismatch *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case errors.As(err, &mismatch) && len(mismatch.Want) == 0:
		return refusef("host key of %s is unknown (%s): compare it with what the server's owner publishes, then add it to known_hosts", name, shown)
	case errors.As(err, &mismatch):
		return refusef("host key of %s has changed (it shows %s, known_hosts has another): someone may be in between; if the server's owner confirms the new key, replace the old one in known_hosts", name, shown)
	case errors.As(err, &revoked):
		return refusef("host key of %s is revoked in known_hosts (%s)", name, shown)
	}
	return refusef("host key of %s cannot be checked: %s", name, oneLine(err.Error()))
}

// knownHostsFiles puts content into a file for as long as it takes to read it:
// the parser of known_hosts takes files only. No content means the user's and
// the system's files.
func knownHostsFiles(content []byte) (files []string, remove func(), err error) {
	if len(content) == 0 {
		return nil, func() {}, nil
	}
	f, err := os.CreateTemp("", "known_hosts-*")
	if err != nil {
		return nil, nil, fmt.Errorf("keeping known_hosts for reading: %w", err)
	}
	remove = func() { os.Remove(f.Name()) }
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		return nil, nil, fmt.Errorf("keeping known_hosts for reading: %w", err)
	}
	return []string{f.Name()}, remove, nil
}
