package provenance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

var (
	errTimeout    = fmt.Errorf("it did not answer in time: %w", context.DeadlineExceeded)
	errTooLarge   = fmt.Errorf("it sent more than %d MiB, which no signature takes", maxBytes>>20)
	errUnreadable = errors.New("its answer cannot be read")
	errBounds     = errors.New("too much to look at")
	errPages      = errors.New("it lists what refers to the image in more than one page, which is not supported: remove old signatures")
	errKeychain   = errors.New("the credentials for it cannot be read: check the configuration and the helpers of docker login")
	errPlain      = errors.New("it speaks plain HTTP, which is taken from this machine only: give it a certificate")
)

// statusOf returns the HTTP status that an error is about, or 0.
func statusOf(err error) int {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// broken reports whether asking again in another way is of no use.
func broken(ctx context.Context, err error) bool {
	var op *net.OpError
	return ctx.Err() != nil || errors.As(err, &op) || slices.ContainsFunc([]error{errTooLarge, errKeychain, errPlain, io.EOF, io.ErrUnexpectedEOF}, func(e error) bool {
		return errors.Is(err, e)
	})
}

// explain says what a registry did not do, by its name and the repository's, and
// what to do about it. Of the error below it takes nothing that a server has
// written, or that may hold a credential.
func explain(ctx context.Context, repo name.Repository, err error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Cause(ctx)
	}
	return fmt.Errorf("asking registry %s about %s: %w", repo.RegistryStr(), repo.RepositoryStr(), cause(ctx, err))
}

func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, known := range []error{errTooLarge, errUnreadable, errPages, errKeychain, errPlain, errTimeout} {
		if errors.Is(err, known) {
			return known
		}
	}
	if errors.Is(err, errBounds) {
		return err
	}
	if status := statusOf(err); status != 0 {
		return errors.New(adviceOnStatus(status))
	}
	return adviceOnNetwork(err)
}

func adviceOnStatus(status int) string {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	switch status {
	case http.StatusUnauthorized:
		return text + ": it does not take the credentials, or there are none: log in to it (docker login), or give a pull secret"
	case http.StatusForbidden:
		return text + ": the credentials may not read the repository: let them pull from it"
	case http.StatusNotFound:
		return text + ": it has no such image, or hides it from who may not read it: check the reference and the credentials"
	case http.StatusTooManyRequests:
		return text + ": it was asked too often: log in to it, or ask less often"
	}
	return text
}

func adviceOnNetwork(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return errors.New("its name cannot be looked up: " + dns.Err)
	case errors.As(err, &unknown):
		return errors.New("its certificate is signed by an unknown authority: add that to the system's certificates")
	case errors.As(err, &host), errors.As(err, &invalid):
		return errors.New("its certificate is not valid for it")
	case errors.As(err, &record):
		return errPlain
	case errors.As(err, &timeout) && timeout.Timeout():
		return errTimeout
	case errors.As(err, &op):
		return errors.New("it cannot be reached: " + oneLine(op.Err.Error()))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it closed the connection early")
	}
	return errUnreadable
}
