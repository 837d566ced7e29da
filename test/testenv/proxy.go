package testenv

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Proxy serves the API over TLS, as a load balancer before it does, and acts there
// as the user, whoever asks. What front returns answers each request itself or
// hands it on to next. Who calls Proxy closes the server.
func (u User) Proxy(front func(next http.Handler) http.Handler) (*httptest.Server, error) {
	config, err := clientcmd.BuildConfigFromFlags("", u.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of %s: %w", u.Name, err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	next := httputil.NewSingleHostReverseProxy(target)
	next.Transport = transport
	next.ErrorLog = log.New(io.Discard, "", 0)
	server := httptest.NewUnstartedServer(front(next))
	server.Config.ErrorLog = next.ErrorLog
	server.StartTLS()
	return server, nil
}
