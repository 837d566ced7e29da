package controller

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// labelHost and labelPort are where the lease says that the controller that holds it takes
	// pushes.
	labelHost = "plumbline.dev/webhook-host"
	labelPort = "plumbline.dev/webhook-port"
	// relayed marks what one controller passes on to another, who does not pass it on again.
	relayed = "Plumbline-Relayed"
	// relayWithin is how long that may take.
	relayWithin = 10 * time.Second
)

// relay passes pushes on to the controller that acts, whose address is on the lease: a
// Service knows of all that are ready, and not which of them holds it.
type relay struct {
	reader client.Reader
	lease  types.NamespacedName
	to     http.RoundTripper // by no proxy
}

// reachedAt are the labels of the lease of a controller that takes pushes at an address, on
// a host; none where the host is not known.
func reachedAt(host, address string) map[string]string {
	_, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return nil
	}
	return map[string]string{labelHost: strings.ReplaceAll(host, ":", "_"), labelPort: port} // no label may have a colon, as IPv6 has
}

// leaseNamespace is where the lease is: the namespace that the program runs in, unless
// another one is named.
func leaseNamespace(named string) string {
	own, _ := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace") // outside of a cluster one is named
	return cmp.Or(named, strings.TrimSpace(string(own)))
}

// pass passes a push on, and answers as it was answered.
func (r relay) pass(answer http.ResponseWriter, push *http.Request, body []byte) {
	code, text, err := r.send(push, body)
	if err != nil {
		code, text = http.StatusServiceUnavailable, "the controller that acts cannot be told: "+err.Error()
	}
	http.Error(answer, text, code)
}

func (r relay) send(push *http.Request, body []byte) (code int, text string, err error) {
	if push.Header.Get(relayed) != "" {
		return 0, "", errors.New("it has just handed over")
	}
	address, err := r.acting(push.Context())
	if err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(push.Context(), relayWithin)
	defer cancel()
	on, err := http.NewRequestWithContext(ctx, push.Method, "http://"+address+push.URL.EscapedPath(), bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	on.Header = push.Header.Clone()
	on.Header.Set(relayed, "1")
	reply, err := r.to.RoundTrip(on)
	if err != nil {
		return 0, "", err
	}
	defer reply.Body.Close()
	said, err := io.ReadAll(io.LimitReader(reply.Body, 1<<10))
	return reply.StatusCode, strings.TrimSpace(string(said)), err
}

// acting is where the controller that acts takes pushes.
func (r relay) acting(ctx context.Context) (string, error) {
	var lease coordinationv1.Lease
	if err := r.reader.Get(ctx, r.lease, &lease); err != nil {
		return "", fmt.Errorf("reading the lease: %w", err)
	}
	host, port := strings.ReplaceAll(lease.Labels[labelHost], "_", ":"), lease.Labels[labelPort]
	if holder := lease.Spec.HolderIdentity; holder == nil || *holder == "" {
		return "", errors.New("none acts at present")
	}
	if host == "" || port == "" {
		return "", errors.New("the lease does not say where: name each controller's own address by --webhook-host")
	}
	return net.JoinHostPort(host, port), nil
}
