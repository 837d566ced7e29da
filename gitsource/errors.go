package gitsource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// refusedError is a finished explanation: what is wrong and what to do, in words that
// hold no secret.
type refusedError struct{ text string }

func (r *refusedError) Error() string { return r.text }

func refusef(format string, args ...any) error {
	return &refusedError{fmt.Sprintf(format, args...)}
}

// explain turns the error of a conversation with the remote into one that says
// what failed and what to do. The result wraps nothing but context errors: what
// lies below may quote credentials.
func (r remote) explain(ctx context.Context, err, hint error) error {
	if err == nil {
		return nil
	}
	if tripped := r.meter.err(); tripped != nil {
		return tripped
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var known *refusedError
	if errors.As(err, &known) || errors.As(hint, &known) {
		return known
	}
	if hint == nil {
		hint = err
	}
	if text := r.advice(err, hint); text != "" {
		return &refusedError{r.redact(text)}
	}
	return &refusedError{r.redact(oneLine(hint.Error()))}
}

// advice knows the failures that people can do something about.
func (r remote) advice(err, hint error) string {
	e := r.endpoint
	text := oneLine(hint.Error())
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired), strings.Contains(text, "ssh: unable to authenticate"):
		return r.adviceOnAuthentication()
	case errors.Is(err, transport.ErrAuthorizationFailed):
		return fmt.Sprintf("access denied by %s: the credentials were understood, but may not read this repository", e.host)
	case errors.Is(err, transport.ErrRepositoryNotFound), saysNotFound(text):
		return "repository not found: check the URL, and that the credentials may see it"
	case strings.Contains(text, "not our ref"):
		return "the commit is not in the repository, or no branch or tag leads to it"
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return "the repository is empty: it has no commit yet"
	case errors.Is(hint, exec.ErrNotFound):
		return "the git program is needed to read a local repository, and is not installed"
	}
	if advice := adviceOnTLS(e.host, hint); advice != "" {
		return advice
	}
	return adviceOnNetwork(e.authority(), hint, text)
}

func (r remote) adviceOnAuthentication() string {
	e := r.endpoint
	switch {
	case e.scheme == "ssh":
		return fmt.Sprintf("authentication failed: %s accepts none of the SSH keys offered: add the public key there as a deploy key, or give another key", e.host)
	case r.auth.Username == "" && r.auth.Password == "" && r.auth.Token == "":
		return fmt.Sprintf("authentication failed: %s asks for credentials and none are given: give a username and password, or a token", e.host)
	}
	return fmt.Sprintf("authentication failed: %s does not accept the credentials given: check that they are current and complete", e.host)
}

func adviceOnTLS(host string, err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return fmt.Sprintf("the certificate of %s is signed by an unknown authority: give that authority's certificate as the CA bundle", host)
	case errors.As(err, &name):
		return fmt.Sprintf("the certificate of %s is for another host: %s", host, oneLine(name.Error()))
	case errors.As(err, &invalid):
		return fmt.Sprintf("the certificate of %s is not valid: %s", host, oneLine(invalid.Error()))
	case errors.As(err, &record):
		return fmt.Sprintf("%s does not speak TLS on this port", host)
	}
	return ""
}

func adviceOnNetwork(address string, err error, text string) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return fmt.Sprintf("host unreachable: %s cannot be looked up: %s", dns.Name, dns.Err)
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Sprintf("host unreachable: connecting to %s: %s", address, oneLine(op.Err.Error()))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(text, "empty input"):
		return fmt.Sprintf("%s closed the connection early", address)
	}
	return ""
}

// saysNotFound knows how forges word a missing repository where the protocol
// has no code for it.
func saysNotFound(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc([]string{
		"repository not found", "does not appear to be a git repository", "repository does not exist",
		"no such repository", "repository not exported", "could not be found", "no such file or directory",
	}, func(s string) bool { return strings.Contains(text, s) })
}

// redact removes every credential from text: a server may echo what it was sent.
func (r remote) redact(text string) string {
	a, e := r.auth, r.endpoint
	secrets := []string{a.Password, a.Token, a.SSHPassphrase, e.password}
	if e.password == "" && e.scheme != "ssh" {
		secrets = append(secrets, e.user) // a token in the place of the user
	}
	if a.Password != "" {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(a.Username+":"+a.Password)))
	}
	if e.user != "" {
		secrets = append(secrets, e.user+"@", e.user+":")
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return text
}

// oneLine makes foreign text fit for a terminal: no control characters, and not
// long.
func oneLine(text string) string {
	const most = 300
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return isControl(r) || r == ' ' }), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}
